"""A ZIP archive that leaves while it is made: nothing is gathered, nothing touches a disk."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator

from vault.model import Json
from vault.ports import Buffer

_STORED = (".mp3", ".ogg", ".opus", ".flac", ".m4a", ".webm", ".zip", ".gz", ".pdf", ".docx")


class ZipStream:
    """Entries in, blocks of the archive out.

    Every entry has the date 1980-01-01, so the same content gives the same bytes.
    """

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._zip = zipfile.ZipFile(self, "w")
        self.last: dict[str, Json] = {}

    def write(self, block: bytes, /) -> int:
        """Takes what zipfile writes; it is given out by the next step."""
        self._blocks.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def entry(self, name: str, blocks: Iterable[Buffer], *, large: bool = True) -> Iterator[bytes]:
        """Write one entry; at the end its size and digest are in `last`.

        An entry that may pass 2 GiB is `large`: old programs cannot read those.
        """
        info = zipfile.ZipInfo(name)
        packed = name.lower().endswith(_STORED)
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=large) as stream:
            for block in blocks:
                digest.update(block)
                size += stream.write(block)
                yield from self._drained()
        self.last = {"name": name, "bytes": size, "sha256": digest.hexdigest()}
        yield from self._drained()

    def end(self) -> Iterator[bytes]:
        """The directory, without which it is no archive."""
        self._zip.close()
        yield from self._drained()

    def _drained(self) -> list[bytes]:
        drained, self._blocks = self._blocks, []
        return drained
