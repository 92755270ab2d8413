"""Consent taken back: recorded at once, and what was kept on it is on its way to be erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from policies.model import RequestType
from vault.errors import Refused
from vault.model import State
from vault.operations import consent, evidence, request_record, requests
from vault.operations.actors import permit
from vault.operations.facts import GRANTED, KEEPING
from vault.operations.request_items import due_now, of_subject
from vault.operations.request_record import Case
from vault.operations.room import Room
from vault.rows import ConsentRow, EvidenceRow, SessionRow


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The record's id; the request that erases, if one does, and how many sessions it is about."""

    consent: str
    request: str | None = None
    sessions: int = 0


def withdraw(
    room: Room, said: consent.Said, *, regime: str = "gdpr", other_basis: str | None = None
) -> Withdrawn:
    """Record that the data subject takes consent back, and see to what follows from it.

    Without consent to recording or storage nothing rests on it any more: a request for erasure is
    open then, granted by the withdrawal, and the sessions are due; `requests fulfil` or a sweep
    destroys. Not where the DPO names another legal basis: that is recorded, and all is kept.
    Raises `Refused` where consent in one jurisdiction is withdrawn, and sessions lie in others.
    Source: GDPR Art. 7(3), 17(1)(b).
    """
    permit(room, "consent")
    row = consent.new_row(room, said, "withdrawn", other_basis=other_basis)
    if other_basis is not None:
        row = replace(row, basis=other_basis if other_basis in consent.BASES else "other")
    told = evidence.row(room, "consent-withdrawn", consent=row.id, about=row.type, basis=row.basis)
    if row.type in KEEPING and other_basis is None:
        found = _erasing(room, row, requests.Asked("erasure", said.subject, regime), told)
    else:
        found = Withdrawn(row.id)
        with room.catalogue.transaction() as tx:
            tx.add_consent(row)
            tx.add_evidence([told])
    evidence.publish(room)
    return found


def _erasing(room: Room, row: ConsentRow, asked: requests.Asked, told: EvidenceRow) -> Withdrawn:
    """The record and the request in one transaction; one that is open already will do."""
    now = room.clock.now()
    with room.catalogue.transaction() as tx:
        sessions = [s for s in of_subject(tx, room.tenant, row.subject) if _is_kept(s)]
    _expect_one_place(row, sessions)
    ids = tuple(sorted(s.id for s in sessions))
    case = _granted(room, requests.new_case(room, asked), ids)
    entries = [
        evidence.row(room, f"request-{did}", request=case.id, consent=row.id)
        for did in ("opened", "approved")
    ]
    with room.catalogue.transaction() as tx:
        tx.add_consent(row)
        open_ = [
            r.id
            for r in tx.requests_of(room.tenant, [row.subject])
            if r.type == RequestType.ERASURE and r.state in GRANTED
        ]
        if not open_:
            tx.add_request(case.row)
        due_now(tx, case, ids, now)
        tx.add_evidence([told, *([] if open_ else entries)])
    return Withdrawn(row.id, open_[0] if open_ else case.id, len(ids))


def _granted(room: Room, case: Case, session_ids: tuple[str, ...]) -> Case:
    details = replace(case.details, sessions=session_ids)
    sealed = request_record.sealed(room, case.id, details)
    row = replace(case.row, state="approved", approved_by=room.actor.id, details=sealed)
    return Case(row, details)


def _is_kept(session: SessionRow) -> bool:
    return session.state is not State.ERASED


def _expect_one_place(row: ConsentRow, sessions: Sequence[SessionRow]) -> None:
    """An erasure is of everything there is of a person."""
    for session in sessions:
        places = session.jurisdictions
        if places and not any(consent.speaks(row.jurisdiction, place) for place in places):
            raise Refused(
                "Sessions in other jurisdictions would be erased too: withdraw consent without "
                "--jurisdiction, or name the other legal basis that they are kept on."
            )
