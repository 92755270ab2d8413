"""Durable acts on files: each is on the disk when it returns, or has not happened."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from vault.errors import BackendError, NotFound

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_PASSING = frozenset({errno.EAGAIN, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY})
_ADVICE = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "raise its quota",
    errno.EROFS: "mount it so that it can be written to",
    errno.EACCES: "let strongroom's user own it",
    errno.EPERM: "let strongroom's user own it",
    errno.EIO: "its disk fails; the system's log says why",
}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turns what the operating system says into our errors. Names no path: keys stay inside."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("The store has no such object or version.") from error
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number else type(error).__name__
        advice = f": {_ADVICE[number]}" if number in _ADVICE else ""
        raise BackendError(
            f"The store's folder cannot be used ({reason}){advice}.",
            retryable=number in _PASSING,
        ) from error


def made_folder(path: Path) -> None:
    """`path` exists, and its parents; made for its owner alone where it was missing."""
    if not path.is_dir():
        made_folder(path.parent)
        with contextlib.suppress(FileExistsError):  # somebody else was as quick
            path.mkdir(mode=FOLDER_MODE)
        synced_folder(path.parent)


def synced_folder(path: Path) -> None:
    """The names in the folder `path` are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def opened_new(path: Path) -> int:
    """A descriptor that writes to a file that did not exist."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)


def write_all(file: int, block: bytes | bytearray) -> None:
    """All of `block`: a full disk may take a part of it first and refuse the rest."""
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(file, rest) :]


def published(temporary: Path, path: Path) -> None:
    """`path` names the file `temporary` too; `FileExistsError` if it named one before."""
    os.link(temporary, path)
    try:
        synced_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def replaced(temporary: Path, path: Path, content: bytes) -> None:
    """`path` holds `content`, or what it held before; `temporary` is on the same file system."""
    try:
        file = opened_new(temporary)
        try:
            write_all(file, content)
            os.fsync(file)
        finally:
            os.close(file)
        temporary.replace(path)
        synced_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Nobody else is `alone_with` that file meanwhile; `FileNotFoundError` if it is gone."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink == 0:  # removed while we waited
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        yield
    finally:
        os.close(file)
