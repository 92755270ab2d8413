"""Requests of data subjects: received → verified → decided → approved → fulfilled.

A clock runs from the receipt, by the law that the request is made under. What is decided is frozen
until somebody decides anew; `request_fulfilment.py` does what was approved. Erasing decides again
on every element when it destroys, so that a hold which came meanwhile still protects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from policies.deadlines import RequestClock, clock
from policies.errors import NoDeadline
from policies.model import RequestType
from vault.errors import Refused, UsageError
from vault.model import Json, new_id
from vault.operations import evidence, request_record
from vault.operations.actors import permit
from vault.operations.facts import ENDED, KEEPING
from vault.operations.request_items import Ruling, due_now, items, put_rulings, sessions_of
from vault.operations.request_record import Case, Details, Item, find, keep, opened
from vault.operations.room import Room
from vault.ports import Transaction
from vault.rows import EvidenceRow, RequestRow

#: The laws that a request may be made under.
REGIMES = ("gdpr", "uk-gdpr", "ccpa", "hipaa")
_DECIDABLE = frozenset({"verified", "decided", "approved", "partial", "deferred"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What arrived: who asks for what, under which law, when. `subject` as it is spelled."""

    type: str
    subject: str
    regime: str = "gdpr"
    received_at: datetime | None = None


def receive(room: Room, asked: Asked) -> Case:
    """Record a request, from whose receipt the clock runs.

    Raises `UsageError` for a type or law that there is not, or a law that knows no such request.
    """
    permit(room, "requests")
    case = new_case(room, asked)
    with room.catalogue.transaction() as tx:
        tx.add_request(case.row)
        tx.add_evidence([_entry(room, "opened", case, about=case.row.type)])
    evidence.publish(room)
    return case


def verify(room: Room, request_id: str, *, proof: str | None = None, paused_days: int = 0) -> Case:
    """Note that the person is who they say they are, and how that was proved.

    `paused_days` were spent waiting for it; the answer is due later by them where the law stops
    the clock. Raises `Refused` where it was verified before, `UsageError` for days that cannot be.
    """
    permit(room, "requests")
    case = find(room, request_id)
    _expect(case, {"received"}, "verified")
    now, row = room.clock.now(), case.row
    if not 0 <= paused_days <= (now - row.received_at).days:
        raise UsageError("The days paused are at most those since the request was received.")
    ran = _clock(room, row.regime, row.type, row.received_at, paused_days)
    if paused_days and not ran.paused_days:
        raise UsageError(f"Under {row.regime} nothing stops the clock.")
    row = replace(row, state="verified", verified_at=now, due_at=ran.due_at)
    changed = Case(row, replace(case.details, proof=proof, paused_days=paused_days))
    said: dict[str, Json] = {} if not proof else {"proof": evidence.commitment(room, proof)}
    return keep(room, case, changed, [_entry(room, "verified", case, **said)])


def decide(room: Room, request_id: str, ruling: Ruling | None = None) -> Case:
    """Decide on every element of every session of the person's, and freeze what came out.

    With a `ruling` the DPO says what becomes of what the rules leave open. What was ruled stays
    ruled when it is decided anew. Whatever was approved before has to be approved again.
    Raises `Refused` before the person is verified, or where there is nothing to rule on.
    """
    permit(room, "requests")
    case = find(room, request_id)
    if ruling is not None:
        ruling.check(case)
    _expect(case, _DECIDABLE, "decided")
    ids = sessions_of(room, case)
    found = items(room, case, ids, room.clock.now())
    found = found if ruling is None else ruling.applied(room, found)
    details = replace(case.details, items=tuple(found), sessions=tuple(ids))
    changed = Case(replace(case.row, state="decided"), details)
    counts: dict[str, Json] = {}
    for item in found:
        counts[item.outcome] = int(str(counts.get(item.outcome, 0))) + 1
    said: dict[str, Json] = {"sessions": len(ids), "outcomes": counts}
    if ruling is not None:
        said["ruling"] = evidence.commitment(room, ruling.reason)
    entry = _entry(room, "decided", case, **said)
    return keep(room, case, changed, [entry], lambda tx: put_rulings(tx, changed))


def approve(room: Room, request_id: str) -> Case:
    """Let what was decided be done. Raises `Refused` unless it was verified and decided."""
    permit(room, "requests")
    case = find(room, request_id)
    _expect(case, {"decided"}, "approved")
    changed = Case(replace(case.row, state="approved", approved_by=room.actor.id), case.details)
    now = room.clock.now()
    return keep(
        room,
        case,
        changed,
        [_entry(room, "approved", case)],
        lambda tx: due_now(tx, changed, changed.details.sessions, now),
    )


def refuse(room: Room, request_id: str, reason: str) -> Case:
    """End a request that is not to be answered: whoever asks is not who they say, or takes it back.

    What it kept from being destroyed is kept no longer. Raises `Refused` for one that was approved.
    """
    permit(room, "requests")
    case = find(room, request_id)
    _expect(case, {"received", "verified", "decided"}, "refused")
    if not reason.strip():
        raise UsageError("Say why; the person has to be told.")
    row = replace(case.row, state="refused", ended_at=room.clock.now())
    changed = Case(row, replace(case.details, refusal=reason))
    said: dict[str, Json] = {"reason": evidence.commitment(room, reason)}
    return keep(room, case, changed, [_entry(room, "refused", case, **said)])


def extend(room: Room, request_id: str, reason: str) -> Case:
    """Take the longer time that the law allows, once, and only before the first has run out."""
    permit(room, "requests")
    case = find(room, request_id)
    row, now = case.row, room.clock.now()
    if row.state in ENDED or row.extended_due_at is not None:
        raise Refused("The request has ended, or its time was extended before.")
    if not reason.strip():
        raise UsageError("Say why; the person has to be told.")
    if now >= row.due_at:
        raise Refused("The time for the answer has run out; it can be extended before that only.")
    ran = _clock(room, row.regime, row.type, row.received_at, case.details.paused_days)
    if ran.extended_due_at is None:
        raise Refused(f"Under {row.regime} the time of this request cannot be extended.")
    changed = Case(
        replace(row, extended_due_at=ran.extended_due_at),
        replace(case.details, extension=reason),
    )
    said: dict[str, Json] = {"reason": evidence.commitment(room, reason)}
    return keep(room, case, changed, [_entry(room, "extended", case, **said)])


def show(room: Room, request_id: str, as_of: datetime | None = None) -> tuple[Case, list[Item]]:
    """A request and its items: as they were decided, else, and for another `as_of`, as they
    would be.
    """
    permit(room, "requests")
    case = find(room, request_id)
    if as_of is None and (case.details.items is not None or case.row.state in ENDED):
        return case, list(case.details.items or ())
    return case, items(room, case, sessions_of(room, case), as_of or room.clock.now())


def listed(room: Room) -> list[Case]:
    """Every request there was, the oldest first."""
    permit(room, "requests")
    with room.catalogue.transaction() as tx:
        rows = tx.requests(room.tenant)
    return [Case(row, opened(room, row)) for row in rows]


def suppressed(tx: Transaction, tenant: str, subjects: Sequence[bytes]) -> set[bytes]:
    """Of these data subjects (keyed hashes), those whose data were or are to be erased.

    What of theirs arrives later is kept apart. Consent granted after the erasure was done ends it.
    """
    rows = tx.requests_of(tenant, list(subjects)) if subjects else ()
    erased = [r for r in rows if r.type == RequestType.ERASURE and r.approved_by is not None]
    return {row.subject for row in erased if not _came_back(tx, row)}


def _came_back(tx: Transaction, row: RequestRow) -> bool:
    if row.ended_at is None:
        return False
    said = [c for c in tx.consents(row.tenant, row.subject) if c.type in KEEPING]
    return any(c.state == "granted" and c.at > row.ended_at for c in said)


def new_case(room: Room, asked: Asked) -> Case:
    """A request that is not recorded yet."""
    if asked.regime not in REGIMES:
        raise UsageError(f"No law {asked.regime!a}; there are: {', '.join(REGIMES)}.")
    if asked.type not in set(RequestType):
        raise UsageError(f"No request {asked.type!a}; there are: {', '.join(RequestType)}.")
    now = room.clock.now()
    received_at = asked.received_at or now
    if received_at > now:
        raise UsageError("A request is received now or before.")
    ran = _clock(room, asked.regime, asked.type, received_at)
    by = ran.acknowledge_by
    details = Details(asked.subject, acknowledge_by=None if by is None else by.isoformat())
    request_id = new_id()
    row = RequestRow(
        id=request_id,
        tenant=room.tenant,
        type=asked.type,
        regime=asked.regime,
        subject=room.keys.lookup("subject", asked.subject),
        state="received",
        received_at=ran.received_at,
        due_at=ran.due_at,
        opened_by=room.actor.id,
        details=request_record.sealed(room, request_id, details),
    )
    return Case(row, details)


def _clock(
    room: Room,
    regime: str,
    type: str,  # noqa: A002 - the contract's word
    received_at: datetime,
    paused_days: int = 0,
) -> RequestClock:
    pack = room.policies.active()[regime]
    try:
        return clock(pack, type, received_at, paused_days=paused_days)
    except NoDeadline:
        raise UsageError(f"The law {regime} knows no request for {type}.") from None


def _entry(room: Room, did: str, case: Case, **ids: Json) -> EvidenceRow:
    return evidence.row(room, f"request-{did}", once=None, request=case.id, **ids)


_NEXT: Mapping[str, str] = MappingProxyType(
    {"received": "verify", "verified": "decide", "decided": "approve", "approved": "fulfil"}
)


def _expect(case: Case, states: set[str] | frozenset[str], wanted: str) -> None:
    """Raises `Refused` unless the request stands at one of `states`."""
    if case.row.state not in states:
        then = _NEXT.get(case.row.state)
        hint = f"; next is `requests {then}`" if then else ""
        raise Refused(f"The request is {case.row.state} and cannot be {wanted} now{hint}.")
