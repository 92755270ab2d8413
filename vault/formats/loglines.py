"""Logs that grow line by line: read once, kept by the place of each line, followed as they grow.

A log may hold many sessions. So a session's original is not the file but its own lines of it,
byte for byte: an excerpt, which is the list of where they lie and is read again when asked for.
"""

from __future__ import annotations

import io
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import BinaryIO, TypeAlias

from vault.errors import BadInput
from vault.formats import gzipped
from vault.formats.blocks import Blocks
from vault.formats.jsontext import object_in, objects_in
from vault.formats.source import Source
from vault.model import Json, Kind, Original, Warn

#: A longer line is kept and not understood.
LINE_BYTES_LIMIT = 16 << 20
#: How the name of a packed log ends.
PACKED = ".gz"
_BLOCK_BYTES = 1 << 20
#: So many lines, or bytes, are parsed at a time: fast enough, and little to parse twice.
_BATCH_LINES, _BATCH_BYTES = 256, 1 << 18
_TOO_LONG = Warn("unreadable-row", f"A line of more than {LINE_BYTES_LIMIT >> 20} MiB is lost.")


#: Where a line lies in its file: start, stop behind its newline, and the CRC-32 of it.
Place: TypeAlias = tuple[int, int, int]


def lines(stream: BinaryIO) -> Iterator[tuple[Place, bytes | None]]:
    """Every line of a log with its place; None for the bytes of one over 16 MiB."""
    start = 0
    while line := stream.readline(LINE_BYTES_LIMIT):
        stop, crc, whole = start + len(line), zlib.crc32(line), True
        while len(line) == LINE_BYTES_LIMIT and not line.endswith(b"\n"):
            line, whole = stream.readline(LINE_BYTES_LIMIT), False
            stop, crc = stop + len(line), zlib.crc32(line, crc)
        yield (start, stop, crc), line if whole else None
        start = stop


def rows(stream: BinaryIO) -> Iterator[tuple[Place, bytes | None, dict[str, Json] | None]]:
    """The same, and the JSON object that is all of a line; None for anything else."""
    batch: list[tuple[Place, bytes | None]] = []
    size = 0
    for each in lines(stream):
        batch.append(each)
        size += each[0][1] - each[0][0]
        if len(batch) == _BATCH_LINES or size >= _BATCH_BYTES:
            yield from _understood(batch)
            batch, size = [], 0
    yield from _understood(batch)


def _understood(
    batch: list[tuple[Place, bytes | None]],
) -> Iterator[tuple[Place, bytes | None, dict[str, Json] | None]]:
    said = [line is not None and not line.isspace() for _, line in batch]
    found = iter(objects_in([line for _, line in compress(batch, said) if line is not None]))
    for (place, line), some in zip(batch, said, strict=True):
        yield place, line, next(found) if some else None


def opened(
    source: Source,
    name: str,
    limit: int = gzipped.BYTES_LIMIT,
    *,
    marks: gzipped.Marks | None = None,
    ahead_bytes: int = _BLOCK_BYTES,
) -> io.BufferedReader:
    """A log to be read from its beginning, as it was before it was packed.

    `marks` are set in a packed one, or gone by; `ahead_bytes` are read at a time. Reading raises
    `BadInput` for a packed one that holds more than `limit` bytes.
    """
    stream = source.open(name, growing=True)
    packed = gzipped.is_gzip(stream.read(3))
    stream.seek(0)
    raw = gzipped.Unpacked(stream, name, limit, marks) if packed else stream
    return io.BufferedReader(raw, ahead_bytes)


def is_packed(log: io.BufferedReader) -> bool:
    """Whether an opened log is packed."""
    return isinstance(log.raw, gzipped.Unpacked)


def is_damaged(log: io.BufferedReader) -> bool:
    """Whether an opened log that was read to its end is packed and lost what came after."""
    return isinstance(log.raw, gzipped.Unpacked) and log.raw.damaged


def excerpt(
    source: Source, name: str, places: Sequence[Place], marks: gzipped.Marks | None = None
) -> Original:
    """Some lines of a log as an original of its name, without the `.gz` of a packed one.

    Of a packed one only what is near them is unpacked, by the `marks` that were set in it. What
    is appended to the log meanwhile does not matter; reading raises `BadInput` if these lines are
    not what they were.
    """
    size = sum(stop - start for start, stop, _ in places)

    def again() -> BinaryIO:
        # No more than is needed: a log may be read again for each of thousands of sessions.
        ahead_bytes = min(_BLOCK_BYTES, max(size, io.DEFAULT_BUFFER_SIZE))
        log = opened(source, name, marks=marks, ahead_bytes=ahead_bytes)
        return io.BufferedReader(Blocks(log, _checked(log, name, places)), 1 << 16)

    return Original(name.removesuffix(PACKED), Kind.TRANSCRIPT, "application/x-ndjson", size, again)


def _checked(file: BinaryIO, name: str, places: Sequence[Place]) -> Iterator[bytes]:
    """The bytes of the places in runs that touch; `BadInput` where they have changed."""
    at = 0
    for start, stop, expected in places:
        if start != at:
            file.seek(start)
        at, crc = start, 0
        while at < stop:
            block = file.read(min(_BLOCK_BYTES, stop - at))
            at, crc = at + len(block), zlib.crc32(block, crc)
            if not block or (at == stop and crc != expected):
                raise BadInput(f"{name!a} changed while it was read.")
            yield block


def follow(
    reopen: Callable[[], io.FileIO], pause: Callable[[], bool], *, from_end: bool = False
) -> Iterator[bytes | Warn]:
    """The whole lines of a log that others append to, without their newlines, as they come.

    `reopen` opens the log, and may raise `BadInput` while there is none; `pause` waits and says
    whether to go on. A half-written last line is held back until its newline comes. A log that
    got shorter, or another file in its place, is read from its beginning, after what was left
    of the old one; what was only half written then, or is longer than 16 MiB, is a warning in
    the line's place. `from_end` passes over what is there at first. When `pause` ends it, a last
    line without its newline is given if it is whole, and is a warning if it is not.
    """
    followed: _Followed | None = None
    try:
        while True:
            found = _opened(reopen)
            if followed is None and found is not None:
                followed = _Followed(found)
                if from_end:
                    deque(followed.news(), maxlen=0)
            elif followed is not None and found is not None and not followed.is_still(found):
                yield from followed.news()
                yield from followed.restart(found)
            elif found is not None:
                found.close()
            if followed is not None:
                yield from followed.news()
            from_end = False
            if not pause():
                yield from () if followed is None else followed.rest()
                return
    finally:
        if followed is not None:
            followed.file.close()


def _opened(reopen: Callable[[], io.FileIO]) -> io.FileIO | None:
    try:
        return reopen()
    except BadInput:
        return None


class _Followed:
    """A growing log and how far it has been read."""

    def __init__(self, file: io.FileIO) -> None:
        self.file = file
        self._half = b""
        self._dropping = False

    def is_still(self, found: io.FileIO) -> bool:
        """Whether the opened file is the one that is followed."""
        mine, other = os.fstat(self.file.fileno()), os.fstat(found.fileno())
        return (mine.st_dev, mine.st_ino) == (other.st_dev, other.st_ino)

    def restart(self, file: io.FileIO) -> Iterator[Warn]:
        """Follow that file from its beginning."""
        lost = self._half or self._dropping
        if file is not self.file:
            self.file.close()
        self.file, self._half, self._dropping = file, b"", False
        file.seek(0)
        if lost:
            yield Warn("truncated-row", "The log was replaced in the middle of a line.")

    def rest(self) -> Iterator[bytes | Warn]:
        """What is left at the end: a line without its newline."""
        if object_in(self._half) is not None:
            yield self._half
        elif self._half.strip():
            yield Warn("truncated-row", "The log ends in the middle of a line.")

    def news(self) -> Iterator[bytes | Warn]:
        """The lines that were ended since the last time."""
        if os.fstat(self.file.fileno()).st_size < self.file.tell():
            yield from self.restart(self.file)
        while block := self.file.read(_BLOCK_BYTES):
            *ended, last = block.split(b"\n")
            for line in ended:
                if not self._dropping:
                    yield self._half + line
                self._half, self._dropping = b"", False
            if not self._dropping:
                self._half += last
            if len(self._half) > LINE_BYTES_LIMIT:
                self._half, self._dropping = b"", True
                yield _TOO_LONG
