"""What a unit of work can do with sessions, their objects, and whoever acts on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.model import State
from vault.rows import (
    ActorRow,
    AppliedRow,
    JobRow,
    LookupRow,
    ObjectRow,
    Outline,
    RecordRow,
    SessionFilter,
    SessionRow,
)


@dataclass(frozen=True, slots=True)
class NewSession:
    """Everything one deposit adds, in one transaction."""

    session: SessionRow
    objects: Sequence[ObjectRow]
    records: Sequence[RecordRow]
    lookups: Sequence[LookupRow]
    jobs: Sequence[JobRow]
    applied: Sequence[AppliedRow] = ()


class SessionWork(Protocol):
    """Sessions and how they are found."""

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

    def outlines(
        self, tenant: str, where: SessionFilter, *, limit: int, after: str | None = None
    ) -> Sequence[Outline]:
        """The same sessions in the same order, without anything sealed."""
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

    def lookups(self, session_id: str) -> Sequence[LookupRow]:
        """The keyed hashes by which the session is found."""
        ...

    # what is due
    def due_sessions(
        self,
        tenant: str,
        before: datetime,
        *,
        limit: int,
        after: tuple[datetime, str] | None = None,
    ) -> Sequence[SessionRow]:
        """Those with `due_at` up to and including `before`, the longest due first (indexed)."""
        ...

    def count_due(self, tenant: str, before: datetime) -> Mapping[str, int]:
        """How many of them there are in each retention class."""
        ...

    def count_classes(self, tenant: str) -> Mapping[str, int]:
        """How many sessions that are not erased each retention class has."""
        ...

    def set_terms(
        self, session_id: str, *, class_name: str | None = None, due_at: datetime | None
    ) -> None:
        """The class, where one is given, and the instant at which anything may be due."""
        ...

    def bring_forward(self, session_ids: Sequence[str], at: datetime) -> None:
        """Whatever of these is not erased is due at `at`, unless it is so before."""
        ...

    def add_applied(self, rows: Sequence[AppliedRow]) -> None:
        """Keep which policy was applied; the same one again is no second record."""
        ...

    def applied(self, session_id: str) -> Sequence[AppliedRow]:
        """Oldest first."""
        ...


class ObjectWork(Protocol):
    """The sealed objects of sessions."""

    def add_object(self, row: ObjectRow) -> None: ...

    def objects(self, session_id: str) -> Sequence[ObjectRow]: ...

    def all_objects(self, *, limit: int, after: str | None = None) -> Sequence[ObjectRow]:
        """In order of id, those after `after` only."""
        ...

    def known_store_keys(self, store_keys: Sequence[str]) -> set[tuple[str, str]]:
        """Of these keys, the (store_key, version) pairs that the catalogue refers to."""
        ...


class ActorWork(Protocol):
    """Who may act, and the settings of the archive."""

    def add_actor(self, row: ActorRow) -> None:
        """Raises `BadInput` if the name is taken."""
        ...

    def actor(self, name_hash: bytes) -> ActorRow | None: ...

    def setting(self, name: str) -> bytes | None: ...

    def set_setting(self, name: str, value: bytes) -> None: ...
