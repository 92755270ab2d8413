"""Where a compressed stream says that it ends, to notice one that was cut short.

Source: RFC 3533, section 6 (Ogg pages); id3.org, ID3v2.4 section 3.1 (tag size); the Xing and
VBRI headers as LAME and Fraunhofer's encoder write them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

_TAIL_BYTES = 131_072  # an Ogg page has at most 65,307


def mp3_end(open_source: Callable[[], BinaryIO]) -> int | None:
    """The offset at which an MP3's first frame says it ends; None where it does not say."""
    at = 0
    with open_source() as file:
        head = file.read(10)
        while head[:3] == b"ID3" and len(head) == 10:
            at += (size := id3_bytes(head))
            size -= 10
            while size > 0 and (block := file.read(min(size, 65536))):
                size -= len(block)
            head = file.read(10)
        head += file.read(4096)
    for mark in (b"Xing", b"Info"):
        found = head.find(mark)
        if found >= 0 and len(head) >= found + 16 and head[found + 7] & 3 == 3:
            return at + int.from_bytes(head[found + 12 : found + 16], "big")
    found = head.find(b"VBRI")
    return at + int.from_bytes(head[found + 10 : found + 14], "big") if found >= 0 else None


def id3_bytes(head: bytes) -> int:
    """How long the ID3v2 tag is that begins with these 10 bytes, its header included."""
    a, b, c, d = head[6:10]
    return 10 + ((a & 0x7F) << 21 | (b & 0x7F) << 14 | (c & 0x7F) << 7 | d & 0x7F)


def ogg_ends(open_source: Callable[[], BinaryIO], size_bytes: int) -> bool:
    """Whether the last page is whole and says that it is the last."""
    with open_source() as file:
        if not file.seekable():
            return True
        file.seek(max(0, size_bytes - _TAIL_BYTES), os.SEEK_SET)
        tail = file.read(_TAIL_BYTES)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if page[:4] != b"OggS" or len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return bool(page[5] & 4) and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
