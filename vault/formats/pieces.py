"""Pieces of originals, for what says only where in a file its bytes lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Self

from vault.errors import NotFound
from vault.model import Original

_BLOCK_BYTES = 1 << 20


class Pieces:
    """Reads originals in pieces. One file is open at a time and read on, for pieces come in order.

    Not for several threads at once.
    """

    def __init__(self, originals: Sequence[Original]) -> None:
        self._known = {original.name: original for original in originals}
        self._open: tuple[str, BinaryIO] | None = None
        self._at = 0

    def read(self, name: str, start: int, length: int) -> bytes | None:
        """The bytes [start, start + length) of a file; None if it is not, or no longer, kept."""
        if name not in self._known:
            return None
        if self._open is None or self._open[0] != name or start < self._at:
            self.close()
            self._open, self._at = (name, self._known[name].open()), 0
        stream = self._open[1]
        if self._at < start and stream.seekable():
            self._at = stream.seek(start)
        while self._at < start:
            passed = stream.read(min(_BLOCK_BYTES, start - self._at))
            if not passed:
                return None
            self._at += len(passed)
        found = b""
        while len(found) < length and (more := stream.read(length - len(found))):
            found += more
        self._at += len(found)
        return found

    def fetch(self, name: str, start: int, length: int) -> bytes:
        """The same; `NotFound` where there is nothing."""
        found = self.read(name, start, length)
        if found is None:
            raise NotFound("A file of this session is not in the archive.")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hold nothing open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
