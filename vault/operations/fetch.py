"""Open a session's parts into files of the user's own, verified and whole."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from vault.errors import IntegrityError, NotFound, UsageError
from vault.export import audio as sound
from vault.export.output import inside, whole_file, whole_folder
from vault.media import probe
from vault.media.mix import CONTAINERS
from vault.model import Json, Kind, Part, Warn
from vault.operations import retrieve
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.ports import Buffer

_HEAD_BYTES = 1 << 16
Wrote = dict[str, Json]


def originals(
    room: Room, session_id: str, folder: Path, *, progress: Progress = silent
) -> list[Wrote]:
    """Every file as it came, under its own name in `folder`: all of them, or none."""
    opened = Opened(room, retrieve.session(room, session_id))
    found = opened.originals()
    if not found:
        raise NotFound("Nothing of the originals is kept in this session.")
    with whole_folder(folder) as scratch:
        return [_write(opened, p, inside(scratch, p.name), p.name, progress) for p in found]


def part(
    room: Room, session_id: str, name: str, path: Path, *, progress: Progress = silent
) -> Wrote:
    """One part as the file `path`."""
    opened = Opened(room, retrieve.session(room, session_id))
    return _write(opened, opened.part(name), path, str(path), progress)


def audio(
    room: Room,
    session_id: str,
    path: Path,
    *,
    container: str,
    layout: str = "timeline",
    progress: Progress = silent,
) -> tuple[list[Wrote], list[Warn]]:
    """The session's sound as `path`, or for the layout `tracks` as files in the folder `path`.

    Raises `UsageError` for an unknown container or layout, `NotFound` without any audio.
    """
    if container not in CONTAINERS:
        raise UsageError(f"Audio is exported as one of: {', '.join(CONTAINERS)}.")
    if layout not in sound.LAYOUTS:
        raise UsageError(f"A layout is one of: {', '.join(sound.LAYOUTS)}.")
    opened = Opened(room, retrieve.session(room, session_id))
    takes, warnings = _takes(opened)
    if layout == "tracks":
        return _tracks(takes, path, container, progress), warnings
    if layout == "concat":
        blocks = sound.concat(takes, container)
    else:
        blocks = sound.timeline(takes, container, stereo=layout == "stereo")
    return [_save(blocks, path, str(path), progress)], warnings


def _takes(opened: Opened) -> tuple[list[sound.Take], list[Warn]]:
    """The recordings of the segments; without them the session's longest recording."""
    recordings = {p.name: p for p in opened.originals() if p.kind is Kind.AUDIO}
    if not recordings:
        raise NotFound("This session has no audio.")
    segments = opened.timeline().segments
    takes = [
        _take(opened, recordings[s.file], s.start_ns, s.decoded_ns, s.role, s.speaker or s.role)
        for s in segments
        if s.file in recordings
    ]
    absent = [s for s in segments if s.file is not None and s.file not in recordings]
    if takes:
        return takes, [_absent(len(absent))] if absent else []
    whole = max(recordings.values(), key=lambda p: p.size_bytes)
    warnings = []
    if segments:
        text = "No segment has a recording of its own; the whole recording stands for them."
        warnings.append(Warn("no-segment-audio", text, whole.name))
    return [_take(opened, whole, 0, None, "", "all")], warnings


def _absent(count: int) -> Warn:
    return Warn("segments-left-out", f"{count} segments have no recording and are silent.")


def _take(
    opened: Opened, found: Part, start_ns: int, decoded_ns: int | None, *who: str
) -> sound.Take:
    head = b"".join(opened.stream(found, 0, _HEAD_BYTES))
    container = probe.sniff(head)
    if container is None:
        raise IntegrityError("A recording of this session is in no known audio format.")
    role, speaker = who
    return sound.Take(
        container, partial(_bytes, opened, found), start_ns, decoded_ns, role, speaker
    )


def _bytes(opened: Opened, found: Part) -> Iterator[bytes]:
    return (bytes(block) for block in opened.stream(found))


def _tracks(
    takes: Sequence[sound.Take], folder: Path, container: str, progress: Progress
) -> list[Wrote]:
    """A file for each speaker, all of them or none."""
    with whole_folder(folder) as scratch:
        files = []
        for number, speaker in enumerate(dict.fromkeys(t.speaker for t in takes)):
            own = [t for t in takes if t.speaker == speaker]
            name = f"{number:02d}-{own[0].role or 'all'}.{container}"
            blocks = sound.timeline(own, container)
            files.append(_save(blocks, inside(scratch, name), name, progress))
        return files


def _write(opened: Opened, found: Part, path: Path, name: str, progress: Progress) -> Wrote:
    """A part as a file; `IntegrityError`, and no file, unless its digest is what was sealed."""
    blocks = opened.stream(found)
    return _save(blocks, path, name, progress, expected=found)


def _save(
    blocks: Iterable[Buffer],
    path: Path,
    name: str,
    progress: Progress,
    expected: Part | None = None,
) -> Wrote:
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
