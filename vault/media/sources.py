"""Where recordings come from: blocks in order, or a file to seek in; never a name."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

from vault.media.refusals import refuse

#: Bytes in order, or a file open for reading; one with a descriptor of its own is read by it,
#: from its beginning, and left at no particular place.
Source: TypeAlias = Iterator[bytes] | BinaryIO

BLOCK_BYTES = 1 << 18


def blocks_of(source: Source) -> Iterator[bytes]:
    """A file in blocks; an iterator as it is (a file would iterate by line)."""
    read = getattr(source, "read", None)
    return source if read is None else iter(lambda: read(BLOCK_BYTES), b"")


def real_file(source: Source) -> io.FileIO | None:
    """The regular file behind `source`, if reading its descriptor is the same as reading it.

    Exactly FileIO: a wrapper's descriptor need not hold the bytes that the wrapper reads.
    """
    raw = getattr(source, "raw", source)
    if type(raw) is io.FileIO and stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return raw
    return None


def held(source: Source, limit_bytes: int) -> io.BufferedRandom:
    """All of `source` in a memory descriptor, never on a disk; `BadInput` past the limit."""
    file = io.BufferedRandom(io.FileIO(os.memfd_create("audio"), "r+"))
    try:
        for block in _within(blocks_of(source), limit_bytes):
            file.write(block)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _within(blocks: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    for block in blocks:
        limit_bytes -= len(block)
        if limit_bytes < 0:
            raise refuse("too-large")
        yield block
