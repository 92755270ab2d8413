"""A file or folder that a user named, read without ever leaving it.

What lies in a bundle was written by someone else. So every name is taken apart and opened one
component at a time below the folder (`openat`), links are never followed, and nothing but
regular files is ever read: no device, no pipe, no socket.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from vault.errors import BadInput
from vault.formats import jsontext
from vault.formats.watched import Watched, state, translated
from vault.model import Json

NAMES_LIMIT = 100_000
DEPTH_LIMIT = 16
NAME_BYTES_LIMIT = 1024
JSON_BYTES_LIMIT = 64 * 1024 * 1024
HEAD_BYTES = 4096

_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder: `kind` is file, folder, link or special."""

    name: str
    kind: str
    size_bytes: int


@lru_cache(1024)
def relative(name: str) -> str:
    """`name` as a clean relative POSIX path, or `BadInput`.

    Refused: `..`, absolute paths, NUL and other control characters, backslashes, text that is
    no UTF-8, more than 1024 bytes, more than 16 levels. `.` and doubled slashes are dropped.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise BadInput("A file name in the bundle is not UTF-8.") from None
    if length > NAME_BYTES_LIMIT or len(parts) > DEPTH_LIMIT:
        raise BadInput("A file name in the bundle is too long or too deep.")
    if not parts or ".." in parts or name.startswith("/"):
        raise BadInput(f"{name!a} does not name a file inside the bundle.")
    if _UNWANTED.search(name):
        raise BadInput(f"{name!a} holds characters that no file name may hold here.")
    return "/".join(parts)


def sayable(name: str) -> str | None:
    """The same, None instead of `BadInput`."""
    try:
        return relative(name)
    except BadInput:
        return None


class Source:
    """One place that may hold a session. Holds nothing open between calls.

    `path` is as the user gave it. With `follow` (for what a user named) a link as the path
    itself is followed, and `BadInput` raised at once for what is no file or folder; without,
    every later call refuses it. Raises `BadInput` where there is nothing. `decrypt_key` (PEM)
    opens a session that came encrypted, and one of `signers` (PEM certificates) must have
    signed it, where its reader knows how.
    """

    decrypt_key: bytes | None = None
    signers: bytes | None = None

    def __init__(self, path: str | os.PathLike[str], *, follow: bool = True) -> None:
        self.path = Path(path)
        self._adopted: dict[str, int] = {}
        self._seen: dict[str, tuple[int, ...]] = {}
        self._listings: dict[str, tuple[Entry, ...]] = {}
        self._read: tuple[str, bytes] | None = None
        self._parsed: tuple[str, Json | BadInput] | None = None
        try:
            self._place = os.path.abspath(self.path)  # noqa: PTH100  Path.resolve follows links
            found = os.lstat(self._place)
            if follow and stat.S_ISLNK(found.st_mode):
                self._place = os.path.realpath(self._place)
                found = os.lstat(self._place)
        except (OSError, ValueError) as error:
            raise translated(error, str(self.path)) from None
        self.is_folder = stat.S_ISDIR(found.st_mode)
        if follow and not self.is_folder and not stat.S_ISREG(found.st_mode):
            raise BadInput(f"{str(self.path)!a} is neither a regular file nor a folder.")
        self._size = found.st_size

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """The last component of where the bytes really are."""
        return os.path.basename(self._place)  # noqa: PTH119  a string, and on the hot path

    def listing(self, folder: str = "") -> tuple[Entry, ...]:
        """What lies directly in `folder`, sorted by name; empty if there is no such folder."""
        if not self.is_folder:
            return ()
        if folder not in self._listings:
            try:
                descriptor = self._descend(folder.split("/") if folder else [])
            except BadInput as error:
                if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                    return ()
                raise
            try:
                self._listings[folder] = tuple(sorted(_scan(descriptor), key=lambda e: e.name))
            finally:
                os.close(descriptor)
        return self._listings[folder]

    def files(self) -> dict[str, int]:
        """Every file of the session and its size, sorted by name.

        Raises `BadInput`, naming it, for any link or special file, any name that is refused
        (see `relative`), and more than 100,000 names.
        """
        if not self.is_folder:
            return {relative(self.name): self._size} | self._adopted
        found: dict[str, int] = {}
        self._collect("", found)
        return dict(sorted(found.items()))

    def adopt(self, name: str) -> bool:
        """Take a file that lies beside a lone file into its session; False if none is there."""
        try:
            with self.open(name) as stream:
                size = os.fstat(stream.fileno()).st_size
        except BadInput as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return False
            raise
        self._adopted[name] = size
        return True

    def holds(self, name: str, lone: Source) -> None:
        """The file of that name is the one that `lone` is: looked at there, looked at here."""
        if lone.name in lone._seen:
            self._seen[name] = lone._seen[lone.name]

    def open(self, name: str, *, growing: bool = False) -> io.FileIO:
        """A fresh unbuffered stream of a regular file; raises `BadInput` otherwise.

        Also for one that is not as it was first seen, unless it is a `growing` one, whose parts
        are looked after by whoever reads them.
        """
        return io.FileIO(self._descriptor(name, growing=growing)[0], "rb")

    def opener(self, name: str, size_bytes: int) -> Callable[[], BinaryIO]:
        """What `Original.open` promises: each call a stream of exactly that many bytes.

        Opening it and reading to the end raise `BadInput` if it is not the file any more that
        was first looked at: what is kept is what was understood.
        """

        def again() -> BinaryIO:
            descriptor, found = self._descriptor(name)
            stream = Watched(descriptor, name, found)
            if found.st_size != size_bytes:
                stream.close()
                raise BadInput(f"{name!a} changed while it was read.")
            return stream

        return again

    def head(self, name: str) -> bytes:
        """The first 4096 bytes of a file, or all of a shorter one."""
        with self.open(name) as stream:
            return stream.read(HEAD_BYTES)

    def whole(self, name: str, limit: int = JSON_BYTES_LIMIT) -> bytes:
        """All of a file of at most `limit` bytes; `BadInput` for a larger one.

        The last one is kept until `forget`, for whoever looks at the file next.
        """
        if self._read is None or self._read[0] != name or len(self._read[1]) > limit:
            with self.open(name) as stream:
                if os.fstat(stream.fileno()).st_size > limit:
                    raise BadInput(f"{name!a} is larger than {limit >> 20} MiB.")
                self._read = name, stream.read(limit)
        return self._read[1]

    def json(self, name: str, limit: int = JSON_BYTES_LIMIT) -> Json:
        """The JSON value in a file of at most `limit` bytes; `BadInput` for anything else.

        The last value, or what is wrong, is kept until `forget`: to detect and then to read
        parses once.
        """
        if self._parsed is None or self._parsed[0] != name:
            text = self.whole(name, limit)
            try:
                self._parsed = name, jsontext.parse(text, name)
            except BadInput as error:
                self._parsed = name, error
        found = self._parsed[1]
        if isinstance(found, BadInput):
            raise BadInput(*found.args)
        return found

    def forget(self) -> None:
        """Keep nothing of what was read so far."""
        self._read = self._parsed = None

    def _descriptor(self, name: str, *, growing: bool = False) -> tuple[int, os.stat_result]:
        """An open descriptor of a regular file, for the caller to close, and what it is."""
        parts = relative(name).split("/")
        folder = self._descend(parts[:-1])
        try:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
        except OSError as error:
            raise translated(error, name) from error
        finally:
            os.close(folder)
        found = os.fstat(descriptor)
        wrong = None if stat.S_ISREG(found.st_mode) else "is not a regular file"
        if not growing and self._seen.setdefault(name, state(found)) != state(found):
            wrong = "changed while it was read"
        if wrong is not None:
            os.close(descriptor)
            raise BadInput(f"{name!a} {wrong}.")
        return descriptor, found

    def _descend(self, folders: list[str]) -> int:
        """An open descriptor of the folder; the caller closes it."""
        root = self._place if self.is_folder else os.path.dirname(self._place)  # noqa: PTH120
        name = str(self.path)
        try:
            descriptor = os.open(root, _FOLDER | (os.O_NOFOLLOW if self.is_folder else 0))
            for name in folders:
                try:
                    inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                finally:
                    os.close(descriptor)
                descriptor = inner
        except OSError as error:
            raise translated(error, name) from error
        return descriptor

    def _collect(self, folder: str, found: dict[str, int], depth: int = 1) -> None:
        if depth > DEPTH_LIMIT:
            raise BadInput("The bundle has too many folders inside each other.")
        for entry in self.listing(folder):
            name = relative(f"{folder}/{entry.name}" if folder else entry.name)
            if entry.kind == "folder":
                self._collect(name, found, depth + 1)
            elif entry.kind == "file":
                found[name] = entry.size_bytes
            else:
                raise BadInput(f"{name!a} is a {entry.kind} file; only regular files are taken.")
        if len(found) > NAMES_LIMIT:
            raise BadInput(f"The bundle holds more than {NAMES_LIMIT} files.")


def _scan(descriptor: int) -> Iterator[Entry]:
    """The entries of an open folder, at most one more than may be; nothing is followed."""
    with os.scandir(descriptor) as entries:
        for count, entry in enumerate(entries):
            if count > 10 * NAMES_LIMIT:
                raise BadInput("A folder holds too many files.")
            if entry.is_symlink():
                yield Entry(entry.name, "link", 0)
            elif entry.is_dir(follow_symlinks=False):
                yield Entry(entry.name, "folder", 0)
            elif entry.is_file(follow_symlinks=False):
                size = entry.stat(follow_symlinks=False).st_size
                yield Entry(entry.name, "file", size)
            else:
                yield Entry(entry.name, "special", 0)
