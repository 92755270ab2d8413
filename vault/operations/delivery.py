"""Bytes into files of the user's own: whole or not at all, with digests, encrypted if asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from vault.export import age
from vault.export.output import inside, whole_file
from vault.model import Json, Warn
from vault.operations.room import Progress
from vault.ports import Buffer


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: files with size and digest, how many sessions, what was left out."""

    files: Sequence[dict[str, Json]]
    records: int
    warnings: Sequence[Warn]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How files are written: to whom they are encrypted (nobody: not at all), and who watches."""

    to: Sequence[Any]
    progress: Progress

    @property
    def suffix(self) -> str:
        """What an encrypted file's name ends with, where the name is ours to choose."""
        return ".age" if self.to else ""

    def file(self, blocks: Iterable[Buffer], path: Path, name: str) -> dict[str, Json]:
        """Write one file; its entry of `files[]`. Size and digest are of the file as it is."""
        with whole_file(path) as stream:
            written = _Measured(stream, self.progress)
            if self.to:
                age.encrypt(blocks, self.to, written)  # type: ignore[arg-type]  # only `write`
            else:
                for block in blocks:
                    written.write(block)
        return {"name": name, "bytes": written.size, "sha256": written.digest.hexdigest()}

    def into(self, folder: Path, name: str, blocks: Iterable[Buffer]) -> dict[str, Json]:
        """The same inside a folder, under a name that cannot lead out of it."""
        return self.file(blocks, inside(folder, name + self.suffix), name + self.suffix)


class _Measured:
    """A stream that knows the size and digest of what was written."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self._stream, self._progress = stream, progress
        self.digest, self.size = hashlib.sha256(), 0

    def write(self, block: Buffer) -> int:
        self.digest.update(block)
        self.size += self._stream.write(block)
        self._progress("writing", self.size, None)
        return len(block)

    def flush(self) -> None:
        self._stream.flush()
