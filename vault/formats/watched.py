"""A file that somebody else may be writing to: whether it is still the one that it was."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING

from vault.errors import BackendError, BadInput

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_THEIR_FAULT = {
    errno.ENOENT: "is not there",
    errno.ELOOP: "is a link, and links are not followed",
    errno.ENOTDIR: "is not there, or is a link, and links are not followed",
    errno.EISDIR: "is a folder",
    errno.ENXIO: "is not a regular file",
    errno.EACCES: "may not be read",
    errno.EPERM: "may not be read",
    errno.ENAMETOOLONG: "has too long a name",
    errno.ESTALE: "is not there any more",
}


def state(found: os.stat_result) -> tuple[int, ...]:
    """What differs once a file is another one, or has been written to."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Watched(io.FileIO):
    """A regular file that notices, at its end, that it changed since it was opened."""

    def __init__(self, descriptor: int, name: str, found: os.stat_result) -> None:
        super().__init__(descriptor, "rb")
        self._title = name
        self._found = state(found)

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            data = super().read(-1 if size is None else size)
        except OSError as error:
            raise translated(error, self._title) from error
        if size is None or len(data) < size or size < 0:
            self._still_the_same()
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            count = super().readinto(buffer)
        except OSError as error:
            raise translated(error, self._title) from error
        if not count:
            self._still_the_same()
        return count

    def _still_the_same(self) -> None:
        if state(os.fstat(self.fileno())) != self._found:
            raise BadInput(f"{self._title!a} changed while it was read.")


def translated(error: Exception, name: str) -> BadInput | BackendError:
    """The one place where the file system's errors become ours."""
    if isinstance(error, OSError):
        reason = _THEIR_FAULT.get(error.errno or 0)
        if reason is None:
            return BackendError(f"{name!a} cannot be read: {error.strerror}.", retryable=True)
        return BadInput(f"{name!a} {reason}.")
    return BadInput(f"{name!a} is not a path.")
