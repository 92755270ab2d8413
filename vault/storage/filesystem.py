"""Keeps objects as files in a folder; locks and holds are notes beside them.

    ROOT/objects/SS/KEY@VERSION         the bytes; SS are the first two hex digits of
                                        SHA-256(KEY), `/` in KEY is written `+`, VERSION is 24
                                        hex digits that sort by time
    ROOT/objects/SS/KEY@VERSION.note    its lock and hold, see notes.py; only if it ever had one
    ROOT/unfinished/                    files not yet whole

A file appears under its name by a hard link, once it is whole and on the disk; a crash
leaves something in `unfinished` only. The notes bind strongroom, not the file system:
whoever may write to the folder can remove them.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from urllib.parse import SplitResult, unquote

from vault.errors import BackendError, NotFound, Refused, UsageError
from vault.model import new_id
from vault.ports import Buffer, Finding, Lock, Stored
from vault.storage import disk, probe
from vault.storage.contract import (
    BLOCK_BYTES,
    PROBE_PREFIX,
    checked_key,
    checked_prefix,
    checked_range,
    covers,
    regrouped,
    whole_seconds,
)
from vault.storage.notes import Note, read_note

WRITE_BYTES = 4 << 20
#: How much is written before the kernel is asked to begin moving it to the disk, so that
#: the fsync at the end finds little to do.
WRITEBACK_BYTES = 16 << 20
SHARDS = tuple(f"{number:02x}" for number in range(256))
#: The one version that `put_new` makes.
FIRST_VERSION = "0" * 24

_FILE = re.compile(r"(?P<key>[a-z0-9+._-]{1,200})@(?P<version>[0-9a-f]{24})")
_NOTE = ".note"
_TEMPORARY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def connect(address: SplitResult, *, home: Path) -> FileStore:
    """The store in the folder that a `file://` URL names; HOME/objects if it names none."""
    path = unquote(address.netloc + address.path)
    if "\0" in path:
        raise UsageError("The store URL names no folder that could be.")
    return FileStore(home.absolute() / (path or "objects"))


class FileStore:
    """The objects in the folder `root`."""

    locks_bind_others = False

    def __init__(self, root: Path) -> None:
        self.url = root.as_uri()
        self._objects = root / "objects"
        self._unfinished = root / "unfinished"

    def create(self) -> None:
        with disk.translated():
            disk.made_folder(self._unfinished)
            disk.made_folder(self._objects)
            for shard in SHARDS:
                (self._objects / shard).mkdir(mode=disk.FOLDER_MODE, exist_ok=True)
            disk.synced_folder(self._objects)

    def put(self, key: str, blocks: Iterable[Buffer], *, lock: Lock | None = None) -> Stored:
        # Twelve bytes: the clock in nanoseconds, then chance for those who read the same.
        version = f"{time.time_ns():016x}{os.urandom(4).hex()}"
        return self._put(key, version, blocks, lock=whole_seconds(lock) if lock else None)

    def _put(
        self,
        key: str,
        version: str,
        blocks: Iterable[Buffer],
        *,
        lock: Lock | None = None,
        declared: bytes | None = None,
    ) -> Stored:
        path, temporary = self._path(key, version), self._temporary()
        with disk.translated():
            file = disk.opened_new(temporary)
        try:
            try:
                size, sha256 = _written(file, blocks)
                with disk.translated():
                    os.fsync(file)
                    at = datetime.fromtimestamp(os.fstat(file).st_mtime, UTC)
            finally:
                os.close(file)
            if declared not in (None, sha256):
                raise BackendError("The bytes do not have the digest that was declared.")
            self._publish(temporary, path, Note(lock))
        finally:
            with disk.translated():
                temporary.unlink(missing_ok=True)
        return Stored(key, version, size, at, sha256)

    def _publish(self, temporary: Path, path: Path, note: Note) -> None:
        """The file appears under its name, its note before it: never unlocked for a moment."""
        with disk.translated():
            disk.made_folder(path.parent)
            if note.lock:
                disk.replaced(self._temporary(), _note_of(path), note.encoded())
            try:
                disk.published(temporary, path)
            except FileExistsError as error:
                raise BackendError("The store has such an object already.") from error
            except BaseException:
                if note.lock:
                    _note_of(path).unlink(missing_ok=True)
                raise

    def get(
        self, key: str, version: str, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        some = checked_range(start, stop)
        size = self.stat(key, version).size_bytes
        end = size if stop is None else min(stop, size)
        return self._read(self._path(key, version), start, end) if some else iter(())

    def _read(self, path: Path, start: int, end: int) -> Iterator[bytes]:
        with disk.translated():
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while start < end:
                with disk.translated():
                    block = os.pread(file, min(BLOCK_BYTES, end - start), start)
                if not block:
                    raise BackendError("An object in the store's folder was cut while it was read.")
                start += len(block)
                yield block
        finally:
            os.close(file)

    def stat(self, key: str, version: str | None = None) -> Stored:
        with disk.translated():
            if version is not None:
                return _stored(key, version, self._path(key, version).stat())
            newest = max(self.versions_of(key), key=attrgetter("version"), default=None)
            if newest is None:
                raise FileNotFoundError
            return newest

    def versions(self, prefix: str = "") -> Iterator[Stored]:
        return self._listed(checked_prefix(prefix))

    def versions_of(self, key: str) -> Sequence[Stored]:
        shard = self._path(checked_key(key), FIRST_VERSION).parent
        return [one for one in self._within(shard, key) if one.key == key]

    def _listed(self, prefix: str) -> Iterator[Stored]:
        for shard in SHARDS:
            yield from self._within(self._objects / shard, prefix)

    def _within(self, shard: Path, prefix: str) -> Iterator[Stored]:
        for key, version, entry in self._shard(shard):
            if key.startswith(prefix):
                with suppress(FileNotFoundError):  # removed since it was listed
                    yield _stored(key, version, entry.stat())

    def _shard(self, folder: Path) -> Iterator[tuple[str, str, os.DirEntry[str]]]:
        """The objects in one folder, as (key, version, file)."""
        self._present()
        with disk.translated():
            entries = list(os.scandir(folder)) if folder.is_dir() else []
        for entry in entries:
            if name := _FILE.fullmatch(entry.name):
                yield name["key"].replace("+", "/"), name["version"], entry

    def delete(self, key: str, version: str) -> None:
        self._remove(key, version, even_frozen=False)

    def _remove(self, key: str, version: str, *, even_frozen: bool) -> None:
        path = self._path(key, version)
        with suppress(NotFound), disk.translated(), disk.alone_with(path):
            if not even_frozen and read_note(_note_of(path)).forbids_removal:
                raise Refused("A lock or a legal hold stands on this object.")
            path.unlink()
            _note_of(path).unlink(missing_ok=True)
            disk.synced_folder(path.parent)

    def lock(self, key: str, version: str, lock: Lock) -> None:
        wanted, path = whole_seconds(lock), self._path(key, version)
        with disk.translated(), disk.alone_with(path):
            note = read_note(_note_of(path))
            if note.lock and note.lock.until > datetime.now(UTC) and not covers(wanted, note.lock):
                raise Refused("A lock is never shortened or weakened.")
            self._write_note(path, Note(wanted, note.hold))

    def locked(self, key: str, version: str) -> Lock | None:
        return self._note(key, version).lock

    def hold(self, key: str, version: str, on: bool) -> None:  # noqa: FBT001 - the port's own
        path = self._path(key, version)
        with disk.translated(), disk.alone_with(path):
            self._write_note(path, Note(read_note(_note_of(path)).lock, on))

    def held(self, key: str, version: str) -> bool:
        return self._note(key, version).hold

    def _note(self, key: str, version: str) -> Note:
        self.stat(key, version)
        with disk.translated():
            return read_note(_note_of(self._path(key, version)))

    def _write_note(self, path: Path, note: Note) -> None:
        disk.replaced(self._temporary(), _note_of(path), note.encoded())
        if read_note(_note_of(path)) != note:
            raise BackendError("The store's folder does not keep what is written to it.")

    def abort_unfinished(self, prefix: str = "") -> int:  # noqa: ARG002  see the port
        self._present()
        with disk.translated():
            # Only what we made ourselves, and nowhere else: a link would lead to others' files.
            left = [p for p in self._unfinished.iterdir() if _TEMPORARY.fullmatch(p.name)]
            shards = [s for s in map(self._objects.joinpath, SHARDS) if not s.is_symlink()]
            notes = [note for shard in shards for note in shard.glob(f"*{_NOTE}")]
            left += [note for note in notes if not note.with_suffix("").exists()]
            left = [path for path in left if path.is_file() and not path.is_symlink()]
            for path in left:
                path.unlink(missing_ok=True)
            return len(left)

    def probe(self) -> Sequence[Finding]:
        return probe.findings(self)

    def put_declared(self, key: str, body: bytes, sha256: bytes) -> None:
        """For the probe: store `body`, declaring `sha256` to be its digest."""
        self._put(key, FIRST_VERSION, [body], declared=sha256)

    def put_new(self, key: str, body: bytes, sha256: bytes) -> None:
        """For the probe: store `body` unless this has been done for the key before."""
        self._put(key, FIRST_VERSION, [body], declared=sha256)

    def discard(self, key: str, version: str) -> None:
        """For the probe: remove an object of its own, hold and lock or not."""
        if not key.startswith(PROBE_PREFIX):
            raise ValueError("Only what the probe made may be discarded.")
        self._remove(key, version, even_frozen=True)

    def _path(self, key: str, version: str) -> Path:
        name = f"{checked_key(key).replace('/', '+')}@{version}"
        self._present()
        shard = hashlib.sha256(key.encode()).hexdigest()[:2]
        # A version of another form was never ours: a name that cannot exist, and leads nowhere.
        return self._objects / shard / (name if _FILE.fullmatch(name) else "@")

    def _temporary(self) -> Path:
        return self._unfinished / new_id()

    def _present(self) -> None:
        """Fails for a folder that is not there: one that is not mounted must not look empty."""
        if self._unfinished.is_symlink() or not self._unfinished.is_dir():
            raise BackendError(
                f"There is no store in {self.url}: is its disk mounted? If it is lost, restore it "
                "from a backup."
            )


def _written(file: int, blocks: Iterable[Buffer]) -> tuple[int, bytes]:
    """Writes `blocks`, hashing each in a second thread meanwhile; their size and SHA-256."""
    digest, size, begun = hashlib.sha256(), 0, 0
    with ThreadPoolExecutor(1, thread_name_prefix="strongroom-digest") as hasher:
        hashed: Future[None] | None = None
        for block in regrouped(blocks, WRITE_BYTES):
            if hashed is not None:
                hashed.result()
            hashed = hasher.submit(digest.update, block)
            with disk.translated():
                disk.write_all(file, block)
                size += len(block)
                if size - begun >= WRITEBACK_BYTES and hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(file, begun, size - begun, os.POSIX_FADV_DONTNEED)
                    begun = size
    return size, digest.digest()


def _note_of(path: Path) -> Path:
    return path.with_name(path.name + _NOTE)


def _stored(key: str, version: str, found: os.stat_result) -> Stored:
    return Stored(key, version, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
