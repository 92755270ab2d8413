"""What has to wait until later, however much it is: sealed, and out of memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Self

from vault.errors import BackendError
from vault.ports import Buffer
from vault.seal.keys import new_key
from vault.seal.stream import fields, open_bytes, seal_bytes, sealed_size

#: This much stays in memory: what is shorter never reaches a disk.
BLOCK_BYTES = 1 << 16


class Waiting:
    """Bytes that are added now and read later, in the same order, as often as wanted.

    What is more than `BLOCK_BYTES` lies in a nameless file of the temporary folder, sealed under
    a key that is in memory alone: after a crash there is neither. Raises `BackendError` where
    that file cannot be written, `IntegrityError` where it was altered.
    """

    def __init__(self) -> None:
        self._key = new_key()
        self._file: IO[bytes] | None = None
        self._away = 0
        self._held = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, block: Buffer) -> None:
        """Keep `block` behind what is there."""
        self._held += block
        while len(self._held) >= BLOCK_BYTES:
            self._put(bytes(self._held[:BLOCK_BYTES]))
            del self._held[:BLOCK_BYTES]

    def __iter__(self) -> Iterator[bytes]:
        """Everything, in blocks of at most `BLOCK_BYTES`."""
        if self._file is not None:
            for number in range(self._away):
                yield self._taken(self._file, number)
        yield bytes(self._held)

    def lines(self) -> Iterator[bytes]:
        """Everything that ends in a line feed, line by line, without it."""
        left = b""
        for block in self:
            *whole, left = (left + block).split(b"\n")
            yield from whole

    def _put(self, block: bytes) -> None:
        sealed = seal_bytes(self._key, _context(self._away), block)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  `__exit__` closes it
            self._file.seek(self._away * len(sealed))
            self._file.write(sealed)
            self._file.flush()
        except OSError as error:
            text = f"There is no room in the folder for temporary files: {error.strerror}."
            raise BackendError(text) from error
        self._away += 1

    def _taken(self, file: IO[bytes], number: int) -> bytes:
        size = sealed_size(BLOCK_BYTES)
        file.seek(number * size)
        return open_bytes(self._key, _context(number), file.read(size))


def _context(number: int) -> bytes:
    return fields("waiting", str(number))
