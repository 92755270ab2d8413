"""What a unit of work can do with holds, consent, requests, disposals and their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from vault.rows import (
    ActRow,
    ConsentRow,
    DisposalRow,
    EvidenceRow,
    HoldRow,
    PlanRow,
    RequestRow,
    ScopeRow,
)


class HoldWork(Protocol):
    """Legal holds: which there are, and whom they protect."""

    def add_hold(self, row: HoldRow, scopes: Sequence[ScopeRow]) -> None:
        """Insert it with no member yet; `scopes` are the look-ups that it catches from now on."""
        ...

    def set_hold(self, row: HoldRow) -> None:
        """Replace what is kept of a hold. Raises `NotFound`."""
        ...

    def hold(self, hold_id: str) -> HoldRow:
        """Nobody else can change it until the commit. Raises `NotFound`."""
        ...

    def scopes(self, hold_id: str) -> Sequence[ScopeRow]:
        """The look-ups that a hold catches what comes by."""
        ...

    def holds(self, tenant: str) -> Sequence[HoldRow]:
        """Every hold there was, the oldest first."""
        ...

    def add_members(self, hold_id: str, session_ids: Sequence[str]) -> int:
        """Protect these, locking each session's row first; how many were not members before."""
        ...

    def members(self, hold_id: str, *, limit: int, after: str | None = None) -> Sequence[str]:
        """Ids of sessions in order, those after `after` only."""
        ...

    def count_members(self, hold_id: str) -> int: ...

    def holds_on(self, session_id: str) -> Sequence[HoldRow]:
        """Every hold that has the session as a member, released ones too, oldest first."""
        ...

    def future_holds(self, hashes: Sequence[tuple[str, bytes]]) -> Sequence[str]:
        """Ids of holds that are not released and catch what comes under any of these look-ups."""
        ...

    def gate(self, *, alone: bool) -> None:
        """Until the commit: many deposits together, or alone one who places a hold on what comes.

        So that no deposit is recorded between the finding of members and the hold's commit.
        """
        ...


class ConsentWork(Protocol):
    """What was recorded of consent; nothing of it is ever changed."""

    def add_consent(self, row: ConsentRow) -> None: ...

    def consents(self, tenant: str, subject: bytes) -> Sequence[ConsentRow]:
        """Everything recorded of that data subject (keyed hash), oldest first."""
        ...

    def all_consents(
        self, tenant: str, *, limit: int, after: str | None = None
    ) -> Sequence[ConsentRow]:
        """In order of id, those after `after` only."""
        ...


class RequestWork(Protocol):
    """Requests of data subjects."""

    def add_request(self, row: RequestRow) -> None: ...

    def set_request(self, row: RequestRow) -> None:
        """Replace what is kept of a request. Raises `NotFound`."""
        ...

    def request(self, request_id: str) -> RequestRow:
        """Nobody else can change it until the commit. Raises `NotFound`."""
        ...

    def requests(self, tenant: str) -> Sequence[RequestRow]:
        """Every request there was, the oldest first."""
        ...

    def requests_on(self, session_id: str) -> Sequence[RequestRow]:
        """Those whose data subject is one of the session's, oldest first."""
        ...

    def asked_among(self, session_ids: Sequence[str]) -> Mapping[str, int]:
        """By id of the request: how many of these sessions it is about, where it is any."""
        ...

    def requests_of(self, tenant: str, subjects: Sequence[bytes]) -> Sequence[RequestRow]:
        """Those of any of these data subjects (keyed hashes), oldest first."""
        ...


class DisposalWork(Protocol):
    """Plans, and the destroying of what they name, which goes on where it was cut off."""

    def add_plan(self, row: PlanRow) -> None: ...

    def set_plan(self, row: PlanRow) -> None:
        """Replace what is kept of a plan. Raises `NotFound`."""
        ...

    def plan(self, plan_id: str) -> PlanRow:
        """Nobody else can change it until the commit. Raises `NotFound`."""
        ...

    def plans(self, tenant: str) -> Sequence[PlanRow]:
        """Every plan there was, the oldest first."""
        ...

    def add_disposal(self, row: DisposalRow) -> None:
        """Keep that keys are destroyed in this transaction, and what is left to do after it."""
        ...

    def disposal(self, disposal_id: str) -> DisposalRow:
        """Raises `NotFound`."""
        ...

    def set_disposal(self, disposal_id: str, state: str) -> None:
        """Raises `NotFound`."""
        ...

    def disposals(
        self, *, cause: str | None = None, session_id: str | None = None
    ) -> Sequence[DisposalRow]:
        """Those of a plan or request, or of a session, oldest first."""
        ...

    def disposals_among(self, session_ids: Sequence[str]) -> Sequence[DisposalRow]:
        """Those of any of these sessions, oldest first."""
        ...

    def open_disposals(self, tenant: str, *, limit: int) -> Sequence[DisposalRow]:
        """Those that are not certified yet, oldest first (indexed)."""
        ...

    def forget_objects(self, session_id: str, object_ids: Sequence[str]) -> None:
        """Drop the rows of objects whose keys are destroyed in this transaction."""
        ...

    def forget_session(self, session_id: str, *, metadata: bool, timeline: bool) -> None:
        """Empty the sealed columns whose keys are destroyed in this transaction.

        With `metadata` its look-ups go too.
        """
        ...


class EvidenceWork(Protocol):
    """What has to be told to the ledger, kept with the fact itself until it has been."""

    def add_evidence(self, rows: Sequence[EvidenceRow]) -> None: ...

    def evidence(self, *, limit: int) -> Sequence[EvidenceRow]:
        """What was not told yet, oldest first."""
        ...

    def drop_evidence(self, ids: Sequence[str]) -> None:
        """The ledger has these."""
        ...


class ActWork(Protocol):
    """What may not be undone by an older catalogue, so that one is known to be older."""

    def add_act(self, kind: str, of: str) -> ActRow:
        """Number what this transaction does: its disposal or hold. To be called last in it.

        Whoever else asks for a number waits for the commit, so that none is left out.
        """
        ...

    def has_act(self, act: ActRow) -> bool:
        """Whether this very act is in this catalogue."""
        ...

    def newest_act(self) -> ActRow | None: ...

    def acts(self, *, after: int, limit: int) -> Sequence[ActRow]:
        """Those of higher numbers than `after`, in order."""
        ...
