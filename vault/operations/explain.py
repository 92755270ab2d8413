"""Explain: what is decided about a stored session, or about plain facts, and on which grounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from policies.decide import decide_all
from policies.facts import facts_of
from policies.model import Decision, Facts, Pack
from vault.errors import BadInput
from vault.model import Json, State
from vault.operations import judgement, policy
from vault.operations.actors import may, permit_any, permit_reading
from vault.operations.elements import present
from vault.operations.facts import facts
from vault.operations.judgement import Judged
from vault.operations.room import Room
from vault.rows import SessionFilter, SessionRow

_PAGE = 200


def explain(room: Room, session_id: str, as_of: datetime | None = None) -> dict[str, Json]:
    """The decision on every element that is left of a session; of an erased one there is none.

    Raises `NotFound`, and `Refused` for one who decides on nothing and may not read the session.
    """
    with room.catalogue.transaction() as tx:
        row = tx.session(session_id)
    if not may(room, "policy"):
        permit_reading(room, row)
    at = as_of or room.clock.now()
    judged = judge(room, row, room.policies.active(), at)
    return {
        "id": row.id,
        "class": row.class_name,
        "as_of": at.isoformat(),
        "elements": elements(judged.decisions, row.class_name),
    }


def explain_facts(
    room: Room, document: Mapping[str, object], as_of: datetime | None = None
) -> dict[str, Json]:
    """The same about facts that are no stored session's. Raises `BadInput` naming the field."""
    permit_any(room, "read", "read-own", "evidence")
    try:
        known = facts_of(document)
    except ValueError as error:
        raise BadInput(str(error)) from error
    at = as_of or room.clock.now()
    decisions = decide_all(known, room.policies.active(), at)
    return {"as_of": at.isoformat(), "elements": elements(decisions, known.class_name)}


def last_changed_at(room: Room) -> datetime | None:
    """When a policy was last activated here; None if those in force came with strongroom."""
    with room.catalogue.transaction() as tx:
        return policy.last_changed_at(tx)


def judge(room: Room, row: SessionRow, packs: Mapping[str, Pack], as_of: datetime) -> Judged:
    """What is decided about a stored session at `as_of`. Opens its manifests."""
    lies = judgement.carried(room, row)
    with room.catalogue.transaction() as tx:
        return judgement.judge(tx, row, lies, packs, as_of)


def known(room: Room, row: SessionRow, as_of: datetime) -> Facts:
    """What is known of a stored session. Opens its manifests."""
    lies = judgement.carried(room, row)
    with room.catalogue.transaction() as tx:
        left = frozenset(one.compartment for one in tx.records(row.id))
        return facts(tx, row, present(lies, left), as_of)


def elements(decisions: Iterable[Decision], class_name: str | None) -> list[Json]:
    """`elements[]` as in `show`: what is decided about each, by when, and why."""
    return [{"element": d.element.value, "class": class_name, **entry(d)} for d in decisions]


def entry(decision: Decision) -> dict[str, Json]:
    """A decision as JSON. A rule that nobody verified, or not lately, says so in its status."""
    return {
        "decision": decision.action.value,
        "not_before": _text(decision.not_before),
        "due_by": _text(decision.due_by),
        "restricted": decision.restricted,
        "blockers": list(decision.blockers),
        "changes_at": _text(decision.changes_at),
        "reasons": [
            {
                "text": reason.text,
                "citation": reason.citation,
                "rule": reason.rule,
                "status": None if reason.status is None else reason.status.value,
            }
            for reason in decision.reasons
        ],
    }


def every(
    room: Room, where: SessionFilter | None = None, after: str | None = None
) -> Iterator[SessionRow]:
    """Every session that is not erased, newest first, page by page; those before `after` only.

    For whoever counts and decides, not for whoever reads: nothing of it is opened here.
    """
    for row in tombstones_too(room, where, after):
        if row.state is not State.ERASED:
            yield row


def tombstones_too(
    room: Room, where: SessionFilter | None = None, after: str | None = None
) -> Iterator[SessionRow]:
    """The same with those that are erased."""
    while True:
        with room.catalogue.transaction() as tx:
            page = tx.sessions(room.tenant, where or SessionFilter(), limit=_PAGE, after=after)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
