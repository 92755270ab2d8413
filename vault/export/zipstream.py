"""A ZIP archive that leaves while it is made: nothing is gathered, nothing plain touches a disk.

`zipfile` keeps a kilobyte for each entry until the archive is whole; here the directory waits
sealed, so that entries may be as many as they like.

Source: APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Self

from vault.errors import UsageError
from vault.export.waiting import Waiting
from vault.model import Json
from vault.ports import Buffer

_STORED = (".mp3", ".ogg", ".opus", ".flac", ".m4a", ".webm", ".zip", ".gz", ".pdf", ".docx")
#: 1980-01-01, the first day there is: the same content gives the same bytes.
_TIME, _DATE = 0, 0x21
#: Sizes come behind the content; names are UTF-8.
_FLAGS = 0x0808
_OLD, _ZIP64, _UNIX = 20, 45, 3 << 8
_MODE = 0o600 << 16
_LATER, _MANY = 0xFFFFFFFF, 0xFFFF


class ZipStream:
    """Entries in, blocks of the archive out."""

    def __init__(self) -> None:
        self._directory = Waiting()
        self._entries = self._directory_bytes = self._at = 0
        self.last: dict[str, Json] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *given: object) -> None:
        self._directory.__exit__(*given)

    def entry(self, name: str, blocks: Iterable[Buffer], *, large: bool = True) -> Iterator[bytes]:
        """Write one entry; at the end its size and digest are in `last`.

        An entry that may pass 4 GiB is `large`: old programs cannot read those. No two may have
        one name. Raises `UsageError` where one that is not `large` passes it.
        """
        start, path = self._at, name.encode()
        way = 0 if name.lower().endswith(_STORED) else 8
        needed = _ZIP64 if large else _OLD
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if large else b""
        about = struct.pack("<HHHHH", needed, _FLAGS, way, _TIME, _DATE)
        unknown = _LATER if large else 0
        sizes = struct.pack("<LLLHH", 0, unknown, unknown, len(path), len(extra))
        yield self._out(b"PK\3\4" + about + sizes + path + extra)
        content = _Content(squeezed=way == 8)
        for block in blocks:
            if left := content.take(block):  # most rows of a sheet only fill the compressor
                yield self._out(left)
        yield self._out(content.rest())
        if not large and max(content.size, content.packed) >= _LATER:
            raise UsageError("A sheet or part of this file passes 4 GiB; export jsonl instead.")
        found = (content.check, content.packed, content.size)
        yield self._out(b"PK\7\x08" + struct.pack("<LQQ" if large else "<LLL", *found))
        self._list(about, path, found, start)
        self.last = {"name": name, "bytes": content.size, "sha256": content.digest.hexdigest()}

    def end(self) -> Iterator[bytes]:
        """The directory, without which it is no archive."""
        start, size, count = self._at, self._directory_bytes, self._entries
        yield from self._directory
        if count >= _MANY or start >= _LATER or size >= _LATER:
            at = start + size
            whole = (44, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, start)
            yield b"PK\6\6" + struct.pack("<QHHLLQQQQ", *whole)
            yield b"PK\6\7" + struct.pack("<LQL", 0, at, 1)
        count, size, start = min(count, _MANY), min(size, _LATER), min(start, _LATER)
        yield b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, count, count, size, start, 0)

    def _out(self, block: bytes) -> bytes:
        self._at += len(block)
        return block

    def _list(self, about: bytes, path: bytes, found: tuple[int, int, int], start: int) -> None:
        """The entry's record in the directory; what 32 bits cannot hold is in its extra field."""
        check, packed, size = found
        wide = [number for number in (size, packed, start) if number >= _LATER]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        needed = struct.pack("<H", _ZIP64) if wide else about[:2]
        sizes = (check, min(packed, _LATER), min(size, _LATER), len(path), len(extra))
        place = (0, 0, 0, _MODE, min(start, _LATER))
        fixed = struct.pack("<LLLHHHHHLL", *sizes, *place)
        made_by = struct.pack("<H", _UNIX | _ZIP64)
        record = b"PK\1\2" + made_by + needed + about[2:] + fixed + path + extra
        self._directory.add(record)
        self._entries += 1
        self._directory_bytes += len(record)


class _Content:
    """One entry's bytes on their way: how many, what they add up to, squeezed or as they are."""

    def __init__(self, *, squeezed: bool) -> None:
        self._squeeze = zlib.compressobj(wbits=-15) if squeezed else None
        self.size = self.packed = self.check = 0
        self.digest = hashlib.sha256()

    def take(self, block: Buffer) -> bytes:
        """What leaves for `block`."""
        self.size += len(block)
        self.check = zlib.crc32(block, self.check)
        self.digest.update(block)
        return self._left(bytes(block) if self._squeeze is None else self._squeeze.compress(block))

    def rest(self) -> bytes:
        """What leaves at the end."""
        return self._left(b"" if self._squeeze is None else self._squeeze.flush())

    def _left(self, block: bytes) -> bytes:
        self.packed += len(block)
        return block
