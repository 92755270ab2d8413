"""Keeps the contract of `ObjectStore` with the operations of S3, whichever client makes them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from vault.errors import BackendError, NotFound, Refused, StrongroomError
from vault.ports import Buffer, Finding, Lock, Stored
from vault.storage import probe
from vault.storage.calls import START, UNVERSIONED, Calls, Entry, Opened
from vault.storage.contract import (
    BLOCK_BYTES,
    MODES,
    PROBE_PREFIX,
    LockDroppedError,
    checked_key,
    checked_prefix,
    checked_range,
    covers,
    is_key,
    whole_seconds,
)
from vault.storage.failures import NO_LOCK, AnswerError, nonsense, silent
from vault.storage.multipart import Sender

#: Pages of uploads that one `abort_unfinished` goes through, a thousand on each.
PAGES = 1000

#: What a version may be called. Source: Amazon S3, versioning: at most 1024, opaque.
_VERSION = re.compile(r"[!-~]{1,1024}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


class BucketStore:
    """A bucket, or everything under `prefix` in it (empty, or ending in a slash)."""

    locks_bind_others = True

    def __init__(self, url: str, calls: Calls, prefix: str) -> None:
        self.url = url
        self._calls = calls
        self._prefix = prefix
        self._sender = Sender(calls)
        self._keeps_versions = True  # until it is found out that it does not

    def create(self) -> None:
        if not self._calls.exists():
            try:
                self._calls.make()
            except AnswerError as error:
                if error.code != "BucketAlreadyOwnedByYou":  # somebody of ours was as quick
                    raise

    def put(self, key: str, blocks: Iterable[Buffer], *, lock: Lock | None = None) -> Stored:
        name = self._name(key)
        wanted = whole_seconds(lock) if lock else None
        try:
            sent = self._sender.send(name, blocks, wanted)
            version = self._checked(sent.version or self._unsaid(name))
        except NotFound as error:  # what is put need not have been there
            raise nonsense(self.url, "nothing is there of what was put") from error
        if wanted:
            self._make_sure(key, version, wanted)
        return Stored(key, version, sent.size_bytes, datetime.now(UTC), sent.sha256)

    def _unsaid(self, name: str) -> str:
        """The version of what was just put, where the store's answer named none.

        Asked once in a bucket without versions: should it get them, its answers will name them.
        """
        if not self._keeps_versions:
            return UNVERSIONED
        version = self._calls.head(name).version
        self._keeps_versions = version != UNVERSIONED
        return version

    def _make_sure(self, key: str, version: str, wanted: Lock) -> None:
        """The lock given with a put is there, or set again; else the object goes."""
        try:
            if not covers(self.locked(key, version), wanted):
                self.lock(key, version, wanted)
        except BaseException:
            with contextlib.suppress(StrongroomError):
                self._calls.remove(self._name(key), version, bypass=True)
            raise

    def get(
        self, key: str, version: str, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        if not checked_range(start, stop):
            self.stat(key, version)
            return iter(())
        try:
            opened = self._calls.read(self._name(key), version, start, stop)
        except AnswerError as error:
            if error.status != 416:
                raise
            return iter(())
        try:
            return self._blocks(opened, self._promised(opened, version, start, stop))
        except StrongroomError:
            opened.close()
            raise

    def _promised(self, opened: Opened, version: str, start: int, stop: int | None) -> int:
        """How many bytes are to come, if the answer is the one that was asked for."""
        size = opened.size_bytes
        if start or stop is not None:
            said = _RANGE.fullmatch(opened.content_range)
            first, last = map(int, said.groups()[:2]) if said else (-1, -1)
            size = last - first + 1
            end = None if said is None or said[3] == "*" else int(said[3])
            wanted = min((x for x in (stop, end) if x is not None), default=last + 1)
            if first != start or last + 1 != wanted or opened.size_bytes not in (None, size):
                raise nonsense(self.url, "another range than the one asked for")
        if size is None or size < 0:
            raise nonsense(self.url, "an object without a length")
        # A bucket without versions may answer any version asked for with the one it has.
        if opened.version != version:
            raise NotFound(f"{self.url} has no such object or version.")
        return size

    def _blocks(self, opened: Opened, left: int) -> Iterator[bytes]:
        try:
            while left:
                block = opened.read(min(BLOCK_BYTES, left))
                if not block:
                    raise silent(self.url, EOFError())
                left -= len(block)
                yield block
        finally:
            opened.close()

    def stat(self, key: str, version: str | None = None) -> Stored:
        found = self._calls.head(self._name(key), version)
        if version is not None and found.version != version:
            raise NotFound(f"{self.url} has no such object or version.")
        return self._stored(found)

    def versions(self, prefix: str = "") -> Iterator[Stored]:
        return self._listed(self._prefix + checked_prefix(prefix))

    def versions_of(self, key: str) -> Sequence[Stored]:
        return [one for one in self.versions(checked_key(key)) if one.key == key]

    def _listed(self, prefix: str) -> Iterator[Stored]:
        begins = START
        while True:
            page = self._calls.versions(prefix, begins)
            for entry in page.entries:
                if not entry.name.startswith(prefix):
                    raise nonsense(self.url, "a listing of other names than those asked for")
                if is_key(entry.name.removeprefix(self._prefix)):  # else somebody else's
                    yield self._stored(entry)
            if page.then is None:
                return
            if page.then in (begins, START):
                raise nonsense(self.url, "a listing that does not go on")
            begins = page.then

    def delete(self, key: str, version: str) -> None:
        # Looked at first: a bucket without versions removes its one object whatever
        # version is named.
        try:
            self.stat(key, version)
            self._calls.remove(self._name(key), version)
        except NotFound:
            return
        except AnswerError as error:
            if not error.retryable and self._frozen(key, version):
                raise Refused("A lock or a legal hold stands on this object.") from error
            raise

    def _frozen(self, key: str, version: str) -> bool:
        return self.held(key, version) or _stands(self.locked(key, version))

    def lock(self, key: str, version: str, lock: Lock) -> None:
        wanted = whole_seconds(lock)
        try:
            self._calls.retain(self._name(key), version, wanted)
        except AnswerError as error:
            found = None if error.retryable else self.locked(key, version)
            if found is not None and not covers(wanted, found):
                raise Refused("A lock is never shortened or weakened.") from error
            raise
        if not covers(self.locked(key, version), wanted):
            raise LockDroppedError(f"{self.url} silently drops object locks.")

    def locked(self, key: str, version: str) -> Lock | None:
        try:
            found = self._calls.retention(self._name(key), version)
        except AnswerError as error:
            if error.code in NO_LOCK:
                return None
            raise
        if found is not None and found.mode not in MODES:
            raise nonsense(self.url, "a lock of no known mode")
        return found

    def hold(self, key: str, version: str, on: bool) -> None:  # noqa: FBT001 - the port's own
        if not on and not self.held(key, version):
            self.stat(key, version)
            return
        self._calls.set_legal_hold(self._name(key), version, on=on)
        if self.held(key, version) != on:
            raise LockDroppedError(f"{self.url} silently drops legal holds.")

    def held(self, key: str, version: str) -> bool:
        try:
            return self._calls.legal_hold(self._name(key), version)
        except AnswerError as error:
            if error.code in NO_LOCK:
                return False
            raise

    def abort_unfinished(self, prefix: str = "") -> int:
        begins = self._prefix + prefix
        before: set[tuple[str, str]] = set()
        aborted = 0
        for _ in range(PAGES):
            unfinished = set(self._calls.uploads(begins))
            if not unfinished:
                return aborted
            if unfinished <= before:
                raise nonsense(self.url, "uploads that were aborted are still listed")
            for name, upload in unfinished:
                if not name.startswith(begins):
                    raise nonsense(self.url, "uploads of other names than those asked for")
                self._calls.abort(name, upload)
            aborted += len(unfinished - before)
            before = unfinished
        raise BackendError(f"{self.url} lists uploads without end: {aborted} were given up.")

    def probe(self) -> Sequence[Finding]:
        return probe.findings(self)

    def put_declared(self, key: str, body: bytes, sha256: bytes) -> None:
        """For the probe: store `body`, declaring `sha256` to be its digest."""
        self._calls.put(self._name(key), bytearray(body), sha256)

    def put_new(self, key: str, body: bytes, sha256: bytes) -> None:
        """For the probe: store `body` unless the key is taken."""
        self._calls.put(self._name(key), bytearray(body), sha256, new=True)

    def discard(self, key: str, version: str) -> None:
        """For the probe: remove an object of its own, hold and governance lock or not."""
        if not key.startswith(PROBE_PREFIX):
            raise ValueError("Only what the probe made may be discarded.")
        if self.held(key, version):
            self._calls.set_legal_hold(self._name(key), version, on=False)
        self._calls.remove(self._name(key), version, bypass=_stands(self.locked(key, version)))

    def _name(self, key: str) -> str:
        return self._prefix + checked_key(key)

    def _stored(self, entry: Entry) -> Stored:
        if entry.size_bytes < 0:
            raise nonsense(self.url, "an object without a length")
        key = entry.name.removeprefix(self._prefix)
        return Stored(key, self._checked(entry.version), entry.size_bytes, entry.stored_at)

    def _checked(self, version: str) -> str:
        """`version`, if it can be one: it is kept, shown, and asked for."""
        if not _VERSION.fullmatch(version):
            raise nonsense(self.url, "a version without a name")
        return version


def _stands(lock: Lock | None) -> bool:
    return lock is not None and lock.until > datetime.now(UTC)
