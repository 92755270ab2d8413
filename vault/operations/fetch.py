"""Open a session's parts into files of the user's own, verified and whole."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from vault.errors import IntegrityError, NotFound
from vault.export.output import inside, whole_file, whole_folder
from vault.model import Json, Part
from vault.operations import evidence, retrieve
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.ports import Buffer

Wrote = dict[str, Json]


def originals(
    room: Room,
    session_id: str,
    folder: Path,
    *,
    reason: str | None = None,
    progress: Progress = silent,
) -> list[Wrote]:
    """Every file as it came, under its own name in `folder`: all of them, or none.

    Who opened it goes into the evidence, with a commitment to the `reason`.
    """
    opened = Opened(room, retrieve.session(room, session_id))
    found = opened.originals()
    if not found:
        raise NotFound("Nothing of the originals is kept in this session.")
    evidence.opened(room, session_id, "originals", reason)
    with whole_folder(folder) as scratch:
        return [_write(opened, p, inside(scratch, p.name), p.name, progress) for p in found]


def part(
    room: Room,
    session_id: str,
    name: str,
    path: Path,
    *,
    reason: str | None = None,
    progress: Progress = silent,
) -> Wrote:
    """One part as the file `path`; who opened it goes into the evidence."""
    opened = Opened(room, retrieve.session(room, session_id))
    found = opened.part(name)
    evidence.opened(room, session_id, found.compartment.value, reason)
    return _write(opened, found, path, str(path), progress)


def _write(opened: Opened, found: Part, path: Path, name: str, progress: Progress) -> Wrote:
    """A part as a file; `IntegrityError`, and no file, unless its digest is what was sealed."""
    blocks = opened.stream(found)
    return save(blocks, path, name, progress, expected=found)


def save(
    blocks: Iterable[Buffer],
    path: Path,
    name: str,
    progress: Progress = silent,
    expected: Part | None = None,
) -> Wrote:
    """Blocks as a file, whole or not at all; `IntegrityError` unless they are the part expected."""
    digest, size = hashlib.sha256(), 0
    total = None if expected is None else expected.size_bytes
    with whole_file(path) as stream:
        for block in blocks:
            digest.update(block)
            size += stream.write(block)
            progress("writing", size, total)
        if expected is not None and not _same(expected, digest.hexdigest(), size):
            raise IntegrityError("A part is not what was deposited.")
    return {"name": name, "bytes": size, "sha256": digest.hexdigest()}


def _same(expected: Part, sha256: str, size: int) -> bool:
    return size == expected.size_bytes and hmac.compare_digest(expected.sha256, sha256)
