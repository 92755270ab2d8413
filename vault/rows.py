"""What the catalogue keeps, a row at a time. Nothing here names a person in clear.

Instants are aware UTC datetimes (`_at`), sizes are bytes (`_bytes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vault.model import Compartment, PrivacyLevel, State


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as the catalogue knows it.

    `fingerprint` is a keyed hash of the originals' digests (32 bytes), `metadata` and
    `timeline` are sealed. `class_name` is the retention class, `bucket` the key bucket.
    `due_at` is the first instant at which any of it may be due for destruction, as the policies
    stood when it was last decided on; None where none can come of itself.
    """

    id: str
    tenant: str
    format: str
    state: State
    started_at: datetime
    ended_at: datetime
    duration_ns: int | None
    deposited_at: datetime
    deposited_by: str
    privacy_level: PrivacyLevel
    class_name: str
    bucket: str
    jurisdictions: Sequence[str]
    regimes: Sequence[str]
    fingerprint: bytes
    content_bytes: int
    metadata: bytes
    timeline: bytes
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AppliedRow:
    """A policy that was applied to a session: which, in what version, to what effect."""

    session_id: str
    policy: str
    version: str
    class_name: str
    applied_at: datetime
    applied_by: str


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A sealed object in the store; `sha256` (32 bytes) and `size_bytes` are of the ciphertext.

    `manifest` is sealed: which parts lie where in the object's plaintext.
    """

    id: str
    session_id: str
    compartment: Compartment
    kind: str
    store_key: str
    version: str
    size_bytes: int
    sha256: bytes
    manifest: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key-encryption key K(tenant, bucket, generation), wrapped by the KMS.

    `id` is 16 random bytes and never reused; `state` is active, retired or destroyed, and
    `wrapped` is None once destroyed.
    """

    id: bytes
    tenant: str
    bucket: str
    generation: int
    state: str
    wrapped: bytes | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RecordRow:
    """D(session, compartment) wrapped by the key `key_id`: 77 bytes, see vault/seal/keys.py."""

    session_id: str
    compartment: Compartment
    key_id: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class LookupRow:
    """A keyed hash (32 bytes) by which a session can be found; `kind` says of what."""

    session_id: str
    kind: str  # subject | agent | tag | external-id | person
    hash: bytes


@dataclass(frozen=True, slots=True)
class JobRow:
    """Work on a session; (name, session_id, version) is unique.

    `state` is pending, sent (a broker has been told), done or failed. `lease_until` is
    set while a worker holds it. `error` never carries content.
    """

    id: str
    name: str
    queue: str
    session_id: str
    version: int
    state: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None = None
    lease_until: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ActorRow:
    """Who may act. `name_hash` is keyed, `name` sealed, `token_hash` SHA-256 of the token."""

    id: str
    name_hash: bytes
    name: bytes
    role: str
    token_hash: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions to list; every given condition must hold.

    All of `lookups`, and none of `none_of`. `since` is inclusive, `until` exclusive.
    """

    lookups: Sequence[tuple[str, bytes]] = ()
    format: str | None = None
    state: State | None = None
    class_name: str | None = None
    jurisdiction: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deposited_by: str | None = None
    none_of: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """What it takes to count a session: nothing sealed is read for it."""

    id: str
    class_name: str
    content_bytes: int


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A legal hold; `state` is proposed, active, awaiting-approval or released.

    Every state but the last protects. `details` is sealed: matter, reason, scope. `future` holds
    catch what comes later. After a release nothing is destroyed before `grace_until`.
    """

    id: str
    tenant: str
    state: str
    future: bool
    preserve_unredacted: bool
    proposed_at: datetime
    proposed_by: str
    details: bytes
    placed_at: datetime | None = None
    placed_by: str | None = None
    release_asked_by: str | None = None
    released_at: datetime | None = None
    released_by: str | None = None
    grace_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """A look-up (keyed hash) that a hold on what comes catches sessions by."""

    hold_id: str
    kind: str  # subject | agent | tag
    hash: bytes


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One thing recorded of a data subject's consent; `subject` is a keyed hash.

    `state` is requested, granted or withdrawn; `details` is sealed (the subject as spelled, the
    notice that was given, how it was collected). The newest row of a type and jurisdiction holds.
    """

    id: str
    tenant: str
    subject: bytes
    type: str
    jurisdiction: str | None
    state: str
    basis: str
    at: datetime
    expires_at: datetime | None
    recorded_by: str
    details: bytes


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A data subject's request; `subject` is a keyed hash, `details` sealed.

    `type` is access, erasure, portability, restriction or rectification; `state` received,
    verified, decided, approved, done, partial, deferred or refused.
    """

    id: str
    tenant: str
    type: str
    regime: str
    subject: bytes
    state: str
    received_at: datetime
    due_at: datetime
    opened_by: str
    details: bytes
    extended_due_at: datetime | None = None
    verified_at: datetime | None = None
    approved_by: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A frozen list of what a sweep may destroy; `document` is its JSON, `hash` SHA-256 of that.

    `state` is planned, approved or done.
    """

    id: str
    tenant: str
    state: str
    hash: bytes
    document: bytes
    planned_at: datetime
    planned_by: str
    approved_at: datetime | None = None
    approved_by: str | None = None
    overridden: bool = False


@dataclass(frozen=True, slots=True)
class DisposalRow:
    """Keys of a session that were destroyed, and how far what follows has come.

    Its id is that of its certificate. `cause` is the id of the plan or request, `cause_kind` which
    of the two; `state` is key-destroyed, objects-deleted or certified. `document` is JSON: which
    elements, compartments, reasons, and the objects that are to be deleted.
    """

    id: str
    tenant: str
    session_id: str
    cause_kind: str
    cause: str
    state: str
    destroyed_at: datetime
    document: bytes


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """An entry for the ledger that waits to be told; `body` is JSON."""

    id: str
    type: str
    once: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ActRow:
    """Something that no older catalogue may undo; `number` counts from 1 in order of the commits.

    `kind` is disposal or hold, `of` the id of that row.
    """

    number: int
    kind: str
    of: str
