"""The store of sealed objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.ports.finding import Finding

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one object. `sha256` is set by `put` alone: a store's word is not proof."""

    key: str
    version: str
    size_bytes: int
    stored_at: datetime
    sha256: bytes | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of what `put` was given."""
        if self.sha256 is None:
            raise ValueError("only a put knows the digest of what it stored")
        return self.sha256


@dataclass(frozen=True, slots=True)
class Lock:
    """Until `until` this version may not be deleted; `mode` is governance or compliance."""

    mode: str
    until: datetime


class ObjectStore(Protocol):
    """Keeps sealed objects. Keys are made by us: `[a-z0-9/._-]`, at most 200 characters.

    Every method raises `BackendError` when the store does not answer, is full or answers
    nonsense, after the adapter's own retries; `retryable` tells time-outs and 5xx from the
    rest. Missing keys or versions raise `NotFound`.
    """

    url: str

    def create(self) -> None:
        """Make the folder, or the bucket with Object Lock and versions; nothing else does.

        Idempotent: one that is there is left as it is.
        """
        ...

    def put(self, key: str, blocks: Iterable[Buffer], *, lock: Lock | None = None) -> Stored:
        """Store the concatenation of `blocks` under `key` and answer once it is durable.

        Atomic: readers see all of it or nothing. Constant memory whatever the size. Computes
        SHA-256 of the bytes in the same pass. When `blocks` raises, nothing is stored, no
        temporary is left, and that exception passes through unchanged. `blocks` is consumed
        once; the adapter retries from its own buffer. A given `lock` is read back after the
        put and set again where the store dropped it; `BackendError` if it still is not there.
        A second put to the same key makes a new version; it never destroys the first.
        """
        ...

    def get(
        self, key: str, version: str, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """The bytes [start, stop) of one version in blocks of at most 1 MiB; ranges are clamped."""
        ...

    def stat(self, key: str, version: str | None = None) -> Stored:
        """One version, the newest if none is named."""
        ...

    def versions(self, prefix: str = "") -> Iterator[Stored]:
        """Every version under `prefix`, but no delete markers; streaming, in no promised order."""
        ...

    def versions_of(self, key: str) -> Sequence[Stored]:
        """Every version of that one key; none is no error. Costs no more for what else is there."""
        ...

    def delete(self, key: str, version: str) -> None:
        """Remove that version for good. Idempotent: a missing version is no error.

        Raises `Refused` while a lock or a legal hold stands on it.
        """
        ...

    def lock(self, key: str, version: str, lock: Lock) -> None:
        """Set or extend a lock and read it back; `BackendError` if the store dropped it."""
        ...

    def locked(self, key: str, version: str) -> Lock | None:
        """The lock as the store reports it."""
        ...

    def hold(self, key: str, version: str, on: bool) -> None:  # noqa: FBT001 - the name says it
        """Set or lift a legal hold and read it back; `BackendError` if the store dropped it."""
        ...

    def held(self, key: str, version: str) -> bool:
        """Whether a legal hold stands, as the store reports it."""
        ...

    def abort_unfinished(self, prefix: str = "") -> int:
        """Drop what killed puts of keys under `prefix` left behind; how many.

        A folder cannot tell the keys of its temporaries and drops them all.

        Only safe while nobody writes; see `Catalogue.exclusive`.
        """
        ...

    def probe(self) -> Sequence[Finding]:
        """Try what this store really honours, on objects of its own under `probe/`.

        At least: reachable, versioning, version-listing, checksum (a put whose declared
        SHA-256 is wrong is refused), conditional-put, object-lock, legal-hold. Never raises
        for a store that merely lacks something.
        """
        ...
