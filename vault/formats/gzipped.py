"""Gzip members written by strangers, read as a stream with a limit on what they become."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

from vault.errors import BadInput
from vault.formats.blocks import Blocks

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: No session's file is larger than this, however small it was packed.
BYTES_LIMIT = 2 * 1024**3
#: Text hardly shrinks more than fifty times; DEFLATE cannot shrink more than 1032 times.
RATIO_LIMIT = 200
#: What is smaller than this may shrink as it likes: digital silence does.
RATIO_FROM_BYTES = 256 * 1024**2
_HEAD, _HEAD_BYTES = b"\x1f\x8b\x08", 3
_BLOCK_BYTES = 1 << 16
#: From one mark to the next there is so much content; each takes some 40 KiB.
MARK_BYTES = 1 << 20


class Mark(NamedTuple):
    """A place in a packed file from which it can be read on without all that is before it."""

    made: int
    taken: int
    unpacker: zlib._Decompress


Marks: TypeAlias = list[Mark]


class Damaged(Exception):
    """A member is cut, its checksum is not that of its content, or something else follows."""


def is_gzip(head: bytes) -> bool:
    """Whether a gzip member with DEFLATE begins here."""
    return head[:_HEAD_BYTES] == _HEAD


def inflate(
    stream: BinaryIO,
    name: str,
    limit: int = BYTES_LIMIT,
    *,
    to_the_end: bool = False,
    marks: Marks | None = None,
    begin: Mark | None = None,
) -> Iterator[bytes]:
    """The content of every member in the stream, in blocks; memory does not grow with it.

    Bytes after the last member are passed over, or `to_the_end` only if they are padding. On the
    way `marks` are set; what comes behind one of them, `begin`, is read from where that lies in
    the stream. Raises `BadInput` for more than `limit` bytes, or for a ratio past `RATIO_LIMIT`
    once there are `RATIO_FROM_BYTES` of them; `Damaged` at the end of what could be read.
    Source: RFC 1952.
    """
    unpacker = begin.unpacker.copy() if begin else zlib.decompressobj(wbits=31)
    made, taken = begin[:2] if begin else (0, 0)
    # In the same blocks as from the beginning: on them depends where what is damaged ends.
    rest = stream.read(_BLOCK_BYTES - taken % _BLOCK_BYTES) if begin else b""
    while block := rest or stream.read(_BLOCK_BYTES):
        if unpacker.eof:
            if len(block) < _HEAD_BYTES:  # where one block ends in the head of a member
                block += stream.read(_BLOCK_BYTES)
            if not is_gzip(block):
                if to_the_end and block.strip(b"\0"):
                    raise Damaged
                return
            unpacker = zlib.decompressobj(wbits=31)
        try:
            out = unpacker.decompress(block, _BLOCK_BYTES)
        except zlib.error:
            raise Damaged from None
        rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        taken += len(block) - len(rest)
        made += len(out)
        if made > limit or (made > RATIO_FROM_BYTES and made > RATIO_LIMIT * taken):
            raise BadInput(f"{name!a} unpacks to far more than it should.")
        if marks is not None and made - (marks[-1].made if marks else 0) >= MARK_BYTES:
            marks.append(Mark(made, taken, unpacker.copy()))
        yield out
    if not unpacker.eof:
        raise Damaged


class Unpacked(Blocks):
    """What is packed in a stream, to be read and sought forwards; closes the stream with itself.

    It ends where the content does, or where it is damaged, and `damaged` says so from then on.
    The first to read sets `marks`, by which others go far ahead. Reading raises `BadInput` as
    `inflate` does.
    """

    def __init__(
        self, stream: BinaryIO, name: str, limit: int = BYTES_LIMIT, marks: Marks | None = None
    ) -> None:
        super().__init__(stream, inflate(stream, name, limit, to_the_end=True, marks=marks))
        self.damaged = False
        self._name, self._limit, self._marks = name, limit, marks or ()
        self._at = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on to that place from the beginning, or to the end if there is less."""
        if whence != io.SEEK_SET or offset < self._at:
            raise io.UnsupportedOperation("What is packed is read forwards.")
        if offset - self._at >= MARK_BYTES:
            self._go_ahead(offset)
        passed = bytearray(_BLOCK_BYTES)
        while self._at < offset:
            if not self.readinto(memoryview(passed)[: offset - self._at]):
                break
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            count = super().readinto(buffer)
        except Damaged:
            self.damaged, count = True, 0
        self._at += count
        return count

    def _go_ahead(self, offset: int) -> None:
        """Go to the last mark before that place, if there is one ahead."""
        ahead = (mark for mark in self._marks if self._at < mark.made <= offset)
        if mark := max(ahead, key=lambda mark: mark.made, default=None):
            self._file.seek(mark.taken)
            self._blocks = inflate(self._file, self._name, self._limit, to_the_end=True, begin=mark)
            self._rest, self._at = memoryview(b""), mark.made
