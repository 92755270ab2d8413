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
    kind: str  # subject | agent | tag | external-id
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

    `since` is inclusive, `until` exclusive.
    """

    lookups: Sequence[tuple[str, bytes]] = ()
    format: str | None = None
    state: State | None = None
    class_name: str | None = None
    jurisdiction: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deposited_by: str | None = None
