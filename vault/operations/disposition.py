"""The sweep: due → decide → plan (frozen, hashed) → breaker → approve → dispose, decided anew.

A plan is a list of what was due when it was made, at most `MOST` sessions of it, and may be
destroyed by nobody before a second person has approved exactly that list. It is a permission and no
order: what has been held meanwhile, or is not due by the clock, is kept, and so is what is due only
since then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from policies.model import Decision, Element, Pack
from vault.errors import IntegrityError, NotFound, Refused, StrongroomError
from vault.model import Json, State, new_id
from vault.operations import disposal, evidence, judgement
from vault.operations.actors import permit
from vault.operations.breaker import Breaker, check
from vault.operations.disposal import Cause, Disposed
from vault.operations.room import Progress, Room, silent
from vault.rows import PlanRow, SessionRow

#: How many sessions one plan names at most; the next plan takes the next.
MOST = 10_000
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it is kept, and what its breaker says now."""

    row: PlanRow
    document: Mapping[str, Json]
    breaker: Breaker

    @property
    def agreed(self) -> Mapping[str, frozenset[Element]]:
        """The sessions it names, in its order, and which elements of them."""
        items: list[dict[str, str]] = self.document["items"]  # type: ignore[assignment]  # as `plan` wrote it
        found: dict[str, set[Element]] = {}
        for item in items:
            found.setdefault(item["session"], set()).add(Element(item["element"]))
        return {session: frozenset(elements) for session, elements in found.items()}

    @property
    def session_ids(self) -> list[str]:
        """The sessions it names, once each, in its order."""
        return list(self.agreed)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a run came to; `failed` are sessions that a back end kept from being finished."""

    plan: str
    done: Sequence[Disposed]
    failed: Sequence[tuple[str, StrongroomError]] = ()


def plan(room: Room, *, as_of: datetime | None = None, progress: Progress = silent) -> Plan:
    """Find what is due at `as_of` (now) and freeze it. Destroys nothing.

    The clock decides again when it is run, so that a plan for a later instant destroys nothing
    before that instant has come.
    """
    permit(room, "sweep")
    now = room.clock.now()
    at = as_of or now
    items: list[Json] = []
    classes: dict[str, int] = {}
    kept = looked = 0
    for session, judged in _due(room, at):
        looked += 1
        progress("deciding", looked, None)
        found = [d for d in judged.decisions if d.element in judged.gone]
        if not found:
            kept += 1
            continue
        items += [_item(session, decision) for decision in found]
        classes[session.class_name] = classes.get(session.class_name, 0) + 1
        if sum(classes.values()) == MOST:
            break
    plan_id = new_id()
    document: dict[str, Json] = {
        "plan": plan_id,
        "as_of": at.isoformat(),
        "items": items,
        "classes": dict(classes),
        "sessions": sum(classes.values()),
        "kept": kept,
    }
    raw = json.dumps(document, sort_keys=True).encode()
    digest = hashlib.sha256(raw).digest()
    row = PlanRow(plan_id, room.tenant, "planned", digest, raw, now, room.actor.id)
    with room.catalogue.transaction() as tx:
        tx.add_plan(row)
        told = {"plan": plan_id, "sha256": digest.hex()}
        count = sum(classes.values())
        tx.add_evidence([evidence.row(room, "disposition-planned", sessions=count, **told)])
    evidence.publish(room)
    return Plan(row, document, check(room, plan_id, classes))


def show(room: Room, plan_id: str) -> Plan:
    """A plan as it was frozen. Raises `NotFound`, `IntegrityError` where it was altered."""
    permit(room, "sweep")
    with room.catalogue.transaction() as tx:
        row = tx.plan(plan_id)
    document = _document(row)
    return Plan(row, document, check(room, row.id, document["classes"]))  # type: ignore[arg-type]  # counts


def listed(room: Room) -> Sequence[PlanRow]:
    """Every plan, the newest first."""
    permit(room, "sweep")
    with room.catalogue.transaction() as tx:
        return list(reversed(tx.plans(room.tenant)))


def approve(room: Room, plan_id: str, *, override: bool = False, reason: str | None = None) -> Plan:
    """A second person agrees to exactly this list.

    Raises `Refused` for the one who planned it, and where the breaker has tripped unless it is
    overridden with a reason.
    """
    found = show(room, plan_id)
    if found.row.planned_by == room.actor.id:
        raise Refused("Who planned this may run it and not approve it; a second person has to.")
    if found.row.state == "done":
        return found
    if found.breaker.why and not (override and reason):
        raise Refused(
            "The breaker has tripped: " + " ".join(found.breaker.why) + " A second person may "
            "approve with --override-breaker --reason TEXT."
        )
    overridden = bool(found.breaker.why)
    now = room.clock.now()
    committed = evidence.commitment(room, reason) if reason else None
    with room.catalogue.transaction() as tx:
        row = replace(
            tx.plan(plan_id),
            state="approved",
            approved_at=now,
            approved_by=room.actor.id,
            overridden=overridden,
        )
        tx.set_plan(row)
        tx.add_evidence(
            [
                evidence.row(
                    room,
                    "disposition-approved",
                    once=_approval(row),
                    plan=plan_id,
                    sha256=row.hash.hex(),
                    overridden=overridden,
                    reason=committed,
                )
            ]
        )
    evidence.publish(room)
    return replace(found, row=row)


def run(room: Room, plan_id: str, *, progress: Progress = silent) -> Swept:
    """Dispose of everything an approved plan names and the clock and the holds allow.

    One session after the other, each by itself: cut off it goes on where it was. Run again after
    its end it answers the same certificates and destroys nothing more.
    Raises `IntegrityError` where the ledger was not told of just this approval.
    """
    found = show(room, plan_id)
    _expect_approval(room, found)
    cause = Cause("plan", plan_id)
    done: list[Disposed] = []
    if found.row.state == "done":
        with room.catalogue.transaction() as tx:
            rows = tx.disposals(cause=plan_id)
        return Swept(plan_id, [disposal.finish(room, row) for row in rows])
    failed: list[tuple[str, StrongroomError]] = []
    names = found.agreed
    for number, (session_id, agreed) in enumerate(names.items(), 1):
        try:
            done.append(disposal.dispose(room, session_id, cause, only=agreed))
        except StrongroomError as error:
            failed.append((session_id, error))
        progress("disposing", number, len(names))
    if not failed and not any(d.unfinished for d in done):
        _close(room, plan_id)
    evidence.publish(room)
    return Swept(plan_id, done, failed)


def _expect_approval(room: Room, found: Plan) -> None:
    """What a hand at the database wrote into the plan is not what the ledger was told of."""
    row = found.row
    if row.state == "planned":
        raise Refused("This plan is not approved; a second person runs `sweep approve`.")
    evidence.publish(room)
    if room.ledger.find(_approval(row)) is None:
        raise IntegrityError("The ledger knows of no approval of this plan: it was altered.")
    if row.state == "approved" and found.breaker.why and not row.overridden:
        raise Refused("The breaker has tripped since: " + " ".join(found.breaker.why))


def _approval(row: PlanRow) -> str:
    return f"disposition-approved/{row.id}/{row.hash.hex()}"


def _close(room: Room, plan_id: str) -> None:
    with room.catalogue.transaction() as tx:
        row = tx.plan(plan_id)
        if row.state != "done":
            tx.set_plan(replace(row, state="done"))
            tx.add_evidence([evidence.row(room, "disposition-done", plan=plan_id)])


def _due(room: Room, at: datetime) -> Iterator[tuple[SessionRow, judgement.Judged]]:
    """What may be due at that instant, the longest due first, each as it is decided."""
    packs = room.policies.active()
    after: tuple[datetime, str] | None = None
    while True:
        with room.catalogue.transaction() as tx:
            page = tx.due_sessions(room.tenant, at, limit=_PAGE, after=after)
        for session in page:
            if session.state is not State.ERASED:
                yield session, _judged(room, session, packs, at)
        if len(page) < _PAGE:
            return
        last = page[-1]
        after = (last.due_at or at, last.id)


def _judged(
    room: Room, session: SessionRow, packs: Mapping[str, Pack], at: datetime
) -> judgement.Judged:
    lies = judgement.carried(room, session)
    with room.catalogue.transaction() as tx:
        return judgement.judge(tx, session, lies, packs, at)


def _item(session: SessionRow, decision: Decision) -> Json:
    return {
        "session": session.id,
        "element": decision.element.value,
        "action": decision.action.value,
        "reasons": [{"text": r.text, "citation": r.citation} for r in decision.reasons],
    }


def _document(row: PlanRow) -> dict[str, Json]:
    if not hmac.compare_digest(hashlib.sha256(row.document).digest(), row.hash):
        raise IntegrityError("This plan was altered after it was frozen.")
    found: dict[str, Json] = json.loads(row.document)
    if found.get("plan") != row.id:
        raise NotFound("There is no such plan in this archive.")
    return found
