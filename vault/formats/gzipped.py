"""Gzip members written by strangers, read as a stream with a limit on what they become."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

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
_BLOCK_BYTES = 1 << 16


class Damaged(Exception):
    """The member is cut, or its checksum is not that of its content."""


def is_gzip(head: bytes) -> bool:
    """Whether a gzip member with DEFLATE begins here."""
    return head[:3] == b"\x1f\x8b\x08"


def inflate(stream: BinaryIO, name: str, limit: int = BYTES_LIMIT) -> Iterator[bytes]:
    """The content of every member in the stream, in blocks; memory does not grow with it.

    Bytes after the last member are passed over. Raises `BadInput` for more than `limit` bytes, or
    for a ratio past `RATIO_LIMIT` once there are `RATIO_FROM_BYTES` of them; `Damaged` at the
    end of what could be read. Source: RFC 1952.
    """
    unpacker = zlib.decompressobj(wbits=31)
    taken = made = 0
    rest = b""
    while block := rest or stream.read(_BLOCK_BYTES):
        if unpacker.eof:
            if not is_gzip(block):
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
        yield out
    if not unpacker.eof:
        raise Damaged


class Unpacked(Blocks):
    """What is packed in a stream, to be read and sought forwards; closes the stream with itself.

    It ends where the content does, or where it is damaged, and `damaged` says so from then on.
    Reading raises `BadInput` as `inflate` does.
    """

    def __init__(self, stream: BinaryIO, name: str, limit: int = BYTES_LIMIT) -> None:
        super().__init__(stream, inflate(stream, name, limit))
        self.damaged = False
        self._at = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on to that place from the beginning, or to the end if there is less."""
        if whence != io.SEEK_SET or offset < self._at:
            raise io.UnsupportedOperation("What is packed is read forwards.")
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
