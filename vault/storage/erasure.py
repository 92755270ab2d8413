"""The erasure record in a file that only grows.

Lines of JSON: the documents of an act, then the line that ends it with its number and the SHA-256
of those documents' lines. What has no such end was cut off while it was written: nobody reads it,
and the next act takes its place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vault.errors import BackendError, IntegrityError
from vault.model import Json
from vault.rows import ActRow
from vault.storage import disk

_END = b'{"end":'
_TAIL_BYTES = 1024
_DAMAGED = "The erasure record is damaged. Restore it from a copy that is not older."


class ErasureFile:
    """The ErasureRecord port on the file `path`, which the first act makes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def newest(self) -> ActRow | None:
        with _translated():
            try:
                file = self._path.open("rb")
            except FileNotFoundError:
                return None
            with file:
                return _newest(file)[0]

    def append(self, act: ActRow, documents: Iterable[Mapping[str, Json]]) -> None:
        with _translated(), self._alone() as file:
            newest, size = _newest(file)
            if newest is not None and act.number <= newest.number:
                return
            file.truncate(size)
            file.seek(size)
            digest = hashlib.sha256()
            for document in documents:
                line = _line(document)
                digest.update(line)
                file.write(line)
            file.write(_line({"end": digest.hexdigest(), "act": [act.number, act.kind, act.of]}))
            file.flush()
            os.fsync(file.fileno())

    def acts(self, *, after: int) -> Iterator[tuple[ActRow, Iterator[Mapping[str, Json]]]]:
        with _translated():
            if not self._path.exists():
                return
            with self._path.open("rb") as file, self._path.open("rb") as again:
                for act, start, stop in _blocks(file):
                    if act.number > after:
                        yield act, _documents(again, start, stop)

    @contextmanager
    def _alone(self) -> Iterator[BinaryIO]:
        """The file, which nobody else writes meanwhile; made where there is none."""
        disk.made_folder(self._path.parent)
        with suppress(FileExistsError):
            os.close(disk.opened_new(self._path))
            disk.synced_folder(self._path.parent)
        with self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _newest(file: BinaryIO) -> tuple[ActRow | None, int]:
    """The last whole act, and where it ends. Reads the end of the file, or all if that is torn."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    last = tail[:-1].rpartition(b"\n")[2]
    if tail.endswith(b"\n") and last.startswith(_END):
        return _ended(last)[0], size
    file.seek(0)
    newest, end = None, 0
    for newest, _, end in _blocks(file):  # noqa: B007  the last is what is wanted
        pass
    return newest, end


def _blocks(file: BinaryIO) -> Iterator[tuple[ActRow, int, int]]:
    """Every whole act: where its documents begin, and where it ends. What is torn ends it."""
    start, digest = 0, hashlib.sha256()
    for line in iter(file.readline, b""):
        if not line.endswith(b"\n"):
            return
        if not line.startswith(_END):
            digest.update(line)
            continue
        act, told = _ended(line)
        if told != digest.hexdigest():
            raise IntegrityError(_DAMAGED)
        end = file.tell()
        yield act, start, end
        start, digest = end, hashlib.sha256()


def _documents(file: BinaryIO, start: int, stop: int) -> Iterator[Mapping[str, Json]]:
    file.seek(start)
    while file.tell() < stop:
        line = file.readline()
        if not line.startswith(_END):
            yield json.loads(line)


def _ended(line: bytes) -> tuple[ActRow, str]:
    try:
        document = json.loads(line)
        number, kind, of = document["act"]
        return ActRow(number, kind, of), document["end"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(_DAMAGED) from error


def _line(document: Mapping[str, Json]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackendError(
            f"The erasure record cannot be read or written: {error.strerror}."
        ) from error
