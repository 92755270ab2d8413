"""What the archive needs from the world, in words that every adapter must keep.

Each port has one conformance suite in tests/conformance, run on every adapter against a
real server. Adapters translate foreign errors once, at their own edge, to vault.errors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.model import State
from vault.rows import (
    ActorRow,
    JobRow,
    KeyRow,
    LookupRow,
    ObjectRow,
    RecordRow,
    SessionFilter,
    SessionRow,
)

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


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what an installation can and cannot promise, as `doctor` prints it."""

    name: str
    ok: bool
    detail: str


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


class KeyManagement(Protocol):
    """Wraps key-encryption keys under a root key that never leaves it.

    `context` is bound as associated data: unwrapping with any other context raises
    `IntegrityError`, as does any flipped bit. A root key that is gone or disabled raises
    `NotFound`. No answer: `BackendError(retryable=True)`. Wrong passphrase, no permission:
    `BackendError(retryable=False)`.
    """

    url: str

    def create(self) -> None:
        """Make the root key where there is none; idempotent."""
        ...

    def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """`key` (32 bytes) wrapped under the newest root version. Never twice the same bytes."""
        ...

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """The key again, whichever root version wrapped it."""
        ...

    def version_of(self, wrapped: bytes) -> str:
        """Which root version wrapped it, without asking anyone."""
        ...

    def rotate(self) -> str:
        """Make a new root version for the wraps to come and name it; old wraps still unwrap."""
        ...

    def probe(self) -> Sequence[Finding]:
        """What this root key can and cannot promise; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class NewSession:
    """Everything one deposit adds, in one transaction."""

    session: SessionRow
    objects: Sequence[ObjectRow]
    records: Sequence[RecordRow]
    lookups: Sequence[LookupRow]
    jobs: Sequence[JobRow]


class Transaction(Protocol):
    """One unit of work on the catalogue; visible to others all at once or not at all."""

    # sessions
    def add_sessions(self, new: Sequence[NewSession]) -> set[str]:
        """Insert; answers the ids that were left out because their fingerprint is there already."""
        ...

    def session(self, session_id: str) -> SessionRow:
        """Raises `NotFound`."""
        ...

    def by_fingerprint(self, tenant: str, fingerprint: bytes) -> SessionRow | None: ...

    def sizes_among(self, tenant: str, sizes: Collection[int]) -> set[int]:
        """Those of `sizes` (bytes) that the originals of some session add up to (indexed)."""
        ...

    def lookups_among(self, kind: str, hashes: Collection[bytes]) -> set[bytes]:
        """Those of a batch of `hashes` by which some session is found (indexed)."""
        ...

    def sessions(
        self, tenant: str, where: SessionFilter, *, limit: int, after: str | None = None
    ) -> Sequence[SessionRow]:
        """Newest id first, those before `after` only: page by the last id seen."""
        ...

    def count_sessions(self, tenant: str, where: SessionFilter) -> int: ...

    def set_state(self, session_id: str, state: State) -> None: ...

    def session_locked(self, session_id: str) -> SessionRow:
        """The same as `session`, and nobody else can change it until the commit."""
        ...

    def set_metadata(self, session_id: str, metadata: bytes) -> None: ...

    def set_lookups(self, session_id: str, kind: str, hashes: Sequence[bytes]) -> None:
        """Make these the session's look-ups of that kind, instead of those it had."""
        ...

    # objects
    def add_object(self, row: ObjectRow) -> None: ...

    def objects(self, session_id: str) -> Sequence[ObjectRow]: ...

    def all_objects(self, *, limit: int, after: str | None = None) -> Sequence[ObjectRow]:
        """In order of id, those after `after` only."""
        ...

    def known_store_keys(self, store_keys: Sequence[str]) -> set[tuple[str, str]]:
        """Of these keys, the (store_key, version) pairs that the catalogue refers to."""
        ...

    # keys
    def active_key(self, tenant: str, bucket: str) -> KeyRow | None: ...

    def key(self, key_id: bytes) -> KeyRow:
        """Raises `NotFound`."""
        ...

    def keys(self) -> Sequence[KeyRow]: ...

    def add_key(self, row: KeyRow) -> bool:
        """False, and nothing done, if that tenant, bucket and generation are there already."""
        ...

    def keys_shared(self, key_ids: Sequence[bytes]) -> Sequence[KeyRow]:
        """Those keys, which nobody can retire or destroy until the commit."""
        ...

    def destroy_unused_key(self, key_id: bytes) -> bool:
        """Destroy a retired key that wraps no record any more; False, and kept, if one is left."""
        ...

    def set_key(self, key_id: bytes, *, state: str, wrapped: bytes | None) -> None: ...

    def add_record(self, row: RecordRow) -> None: ...

    def record(self, session_id: str, compartment: str) -> RecordRow:
        """Raises `NotFound`."""
        ...

    def records_under(self, key_id: bytes, *, limit: int) -> Sequence[RecordRow]:
        """Some records wrapped by that key, locked against others until the commit."""
        ...

    def replace_record(self, row: RecordRow) -> None: ...

    def count_records(self) -> Mapping[bytes, int]:
        """How many records each key wraps."""
        ...

    # jobs (the outbox)
    def add_jobs(self, rows: Sequence[JobRow]) -> None:
        """Insert those whose (name, session_id, version) is new; the others are left alone."""
        ...

    def claim_to_send(self, *, limit: int, sent_before: datetime) -> Sequence[JobRow]:
        """Pending jobs, and those sent before `sent_before` that no worker holds, locked with
        SKIP LOCKED where the database has it, so that many relays may run.
        """
        ...

    def mark_sent(self, job_ids: Sequence[str], at: datetime | None) -> None:
        """Somebody was told of these at `at`; None: nobody was, after all."""
        ...

    def lease_job(self, job_id: str, *, now: datetime, until: datetime) -> JobRow | None:
        """Take the job and count the attempt, before anything else can happen to it; None if it is
        done, failed or held by another.
        """
        ...

    def renew_job(self, job_id: str, *, until: datetime) -> None:
        """Extend the lease of a job that has not ended."""
        ...

    def next_job(
        self, *, now: datetime, until: datetime, session_ids: Sequence[str] | None = None
    ) -> JobRow | None:
        """Lease the oldest job that is neither ended nor held, of these sessions if given."""
        ...

    def end_job(self, job_id: str, *, error: str | None) -> bool:
        """Done, or failed for good with `error`; False, and nothing done, if it had ended already.

        Of two that end the same job at once exactly one gets True.
        """
        ...

    def return_job(self, job_id: str, *, error: str) -> None:
        """Give the job back to be tried again."""
        ...

    def uncount_attempt(self, job_id: str) -> None:
        """One attempt fewer, if the job has not ended: nobody can say that it was tried."""
        ...

    def failed_jobs(self, *, limit: int, after: str | None = None) -> Sequence[JobRow]:
        """In order of id, those after `after` only."""
        ...

    def reopen_jobs(self, job_ids: Sequence[str]) -> None:
        """Those of them that failed are pending again, as if never tried."""
        ...

    def jobs(self, session_id: str) -> Sequence[JobRow]: ...

    def count_jobs(self) -> Mapping[str, int]:
        """How many jobs are in each state."""
        ...

    # actors and settings
    def add_actor(self, row: ActorRow) -> None:
        """Raises `BadInput` if the name is taken."""
        ...

    def actor(self, name_hash: bytes) -> ActorRow | None: ...

    def setting(self, name: str) -> bytes | None: ...

    def set_setting(self, name: str, value: bytes) -> None: ...


class Catalogue(Protocol):
    """The truth about what is archived.

    No answer: `BackendError(retryable=True)`. No catalogue, or a schema that is not this
    program's: `BackendError` that says what to do.
    """

    url: str

    def create(self) -> None:
        """Make or migrate the schema; idempotent."""
        ...

    def migrate(self) -> None:
        """Migrate the schema that is there; `BackendError`, and nothing made, if there is none."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commits on a clean exit, rolls back on any exception. Durable once it returns."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Held while objects are put that the catalogue does not know yet. Shared by any
        number of processes and threads, on any host, and released when a process dies.
        """
        ...

    def exclusive(self, *, timeout_seconds: float) -> AbstractContextManager[None]:
        """Held while orphans are removed: nobody is `writing`. `Refused` on a time-out."""
        ...

    def probe(self) -> Sequence[Finding]:
        """What this database can and cannot promise; never raises."""
        ...

    def close(self) -> None: ...


class Clock(Protocol):
    """Tells the time, as an aware UTC datetime."""

    def now(self) -> datetime: ...


class Queue(Protocol):
    """Wakes workers. It may forget anything at any time; the catalogue does not."""

    def send(self, jobs: Sequence[JobRow]) -> None:
        """Tell the workers; `BackendError(retryable=True)` if the broker does not answer."""
        ...

    def serve(self, concurrency: int) -> None:
        """Work and keep time in this process until it is told to stop."""
        ...

    def probe(self) -> Sequence[Finding]: ...
