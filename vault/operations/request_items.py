"""What becomes of each element when a request is answered: the decision's words for a person.

Elements are decided on as if the request had been granted. Where several people speak in one
session and nobody can tell them apart, the rules leave it open, and the DPO rules, with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from policies.decide import decide_all
from policies.model import (
    ENDINGS,
    Action,
    Decision,
    Element,
    Facts,
    Kind,
    RequestType,
    Share,
)
from vault.errors import Refused, UsageError
from vault.model import State
from vault.operations import elements, judgement
from vault.operations.facts import facts, ruling_of
from vault.operations.request_record import Case, Item, Outcome
from vault.operations.room import Room
from vault.ports import Transaction
from vault.rows import RequestRow, SessionFilter, SessionRow

_PAGE = 500
_GIVING = frozenset({RequestType.ACCESS, RequestType.PORTABILITY})
_OTHERS = "Others speak in this session too and cannot be told apart; the DPO decides."
_DERIVED = "It was found out about the person, not provided by them."
_TOGETHER = "It lies in one sealed object with what has to be kept."


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the DPO says of a session's elements (None: of all) that the rules leave open."""

    session: str
    outcome: str
    reason: str
    element: str | None = None

    def check(self, case: Case) -> None:
        """Raises `UsageError` for an outcome or element that cannot be."""
        if not self.reason.strip():
            raise UsageError("A ruling needs a reason.")
        if self.element is not None and self.element not in set(Element):
            raise UsageError(f"No element {self.element!a}; there are: {', '.join(Element)}.")
        grant = Outcome.PROVIDE if case.row.type in _GIVING else Outcome.ERASE
        if self.outcome not in {grant, Outcome.REFUSED}:
            raise UsageError(f"The ruling is {grant} or {Outcome.REFUSED}.")

    def applied(self, room: Room, found: Sequence[Item]) -> list[Item]:
        """The items with this ruling. Raises `Refused` where none of them was open."""
        mine = [i for i in found if i.review and self._is_about(i)]
        if not mine:
            raise Refused(
                "Nothing of that is left open: the DPO rules only where the rules do not."
            )
        ruled = {
            id(i): replace(i, outcome=Outcome(self.outcome), reason=self.reason, by=room.actor.id)
            for i in mine
        }
        return [ruled.get(id(i), i) for i in found]

    def _is_about(self, item: Item) -> bool:
        return item.session == self.session and self.element in {None, item.element}


def sessions_of(room: Room, case: Case) -> list[str]:
    """The sessions that a request is about, in order: the person's, and those found before.

    What came late for a person whose data are to be erased is kept apart, and is not among them
    until it is decided anew.
    """
    row = case.row
    with room.catalogue.transaction() as tx:
        gone = {d.session_id for d in tx.disposals(cause=row.id)}
        found = {s.id for s in of_subject(tx, room.tenant, row.subject) if _concerns(s, row)}
    return sorted({*case.details.sessions, *gone, *found})


def _concerns(session: SessionRow, row: RequestRow) -> bool:
    return session.state is not State.QUARANTINED or row.approved_by is None


def of_subject(tx: Transaction, tenant: str, subject: bytes) -> Iterator[SessionRow]:
    """Every session in which that data subject (keyed hash) is named."""
    where, after = SessionFilter(lookups=(("subject", subject),)), None
    while True:
        page = tx.sessions(tenant, where, limit=_PAGE, after=after)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def items(room: Room, case: Case, session_ids: Sequence[str], as_of: datetime) -> list[Item]:
    """The answer for each element that is left of these sessions, if it were given at `as_of`.

    A request for restriction or rectification is about sessions as a whole and has none.
    """
    type_ = RequestType(case.row.type)
    if type_ is not RequestType.ERASURE and type_ not in _GIVING:
        return []
    found: list[Item] = []
    for session_id in session_ids:
        with room.catalogue.transaction() as tx:
            session = tx.session(session_id)
        if session.state is not State.ERASED:
            found += _of_session(room, case, session, as_of)
    return [_as_ruled(case, item) for item in found]


def _of_session(room: Room, case: Case, session: SessionRow, as_of: datetime) -> list[Item]:
    lies, packs = judgement.carried(room, session), room.policies.active()
    with room.catalogue.transaction() as tx:
        left = frozenset(row.compartment for row in tx.records(session.id))
        known = facts(tx, session, elements.present(lies, left), as_of)
    known = _granted(known, case.id)
    decisions = decide_all(known, packs, as_of)
    if case.row.type in _GIVING:
        return [_given(room, case, session, known, d) for d in decisions]
    ending = {d.element for d in decisions if d.action in ENDINGS}
    free, law = elements.free(lies, left, ending), right(room, case.row)
    return [_erased(session, known, d, free, law) for d in decisions]


def _granted(known: Facts, request_id: str) -> Facts:
    """The same facts if this request had been granted."""
    asked = [replace(r, granted=True) if r.id == request_id else r for r in known.requests]
    return replace(known, requests=tuple(asked))


def _erased(
    session: SessionRow,
    known: Facts,
    decision: Decision,
    free: frozenset[Element],
    law: tuple[str, str | None],
) -> Item:
    outcome = _outcome(known, decision)
    if outcome is Outcome.ERASE and decision.element in free:
        return _item(session, decision, outcome, *law)
    if outcome is Outcome.ERASE:
        return _item(session, decision, Outcome.DEFERRED, _TOGETHER, None)
    cited = next((r.citation for r in decision.reasons if r.citation), None)
    item = _item(session, decision, outcome, decision.reasons[0].text, cited)
    return replace(item, review=decision.action is Action.REVIEW)


def _outcome(known: Facts, decision: Decision) -> Outcome:
    """A refusal is the law's; what only waits for a hold, a request or a person is deferred."""
    if decision.action in ENDINGS:
        return Outcome.ERASE
    if decision.action is Action.CONFLICT_OF_LAWS:
        return Outcome.CONFLICT
    if decision.action is not Action.RETAIN:
        return Outcome.DEFERRED
    waits = {hold.id for hold in known.holds} | {asked.id for asked in known.requests}
    return Outcome.DEFERRED if waits & set(decision.blockers) else Outcome.REFUSED


def _given(room: Room, case: Case, session: SessionRow, known: Facts, decision: Decision) -> Item:
    text, citation = right(room, case.row)
    shares = {asked.share for asked in known.requests if asked.id == case.id}
    if case.row.type == RequestType.PORTABILITY and decision.element is Element.ANALYSIS:
        return _item(session, decision, Outcome.REFUSED, _DERIVED, citation)
    if Share.INSEPARABLE in shares:
        open_ = _item(session, decision, Outcome.DEFERRED, _OTHERS, citation)
        return replace(open_, review=True)
    return _item(session, decision, Outcome.PROVIDE, text, citation)


def _item(
    session: SessionRow, decision: Decision, outcome: Outcome, reason: str, citation: str | None
) -> Item:
    until = decision.not_before
    kept = None if until is None else until.isoformat()
    return Item(session.id, decision.element.value, outcome, reason, citation, kept)


def right(room: Room, row: RequestRow) -> tuple[str, str | None]:
    """What the law says of such a request, and where."""
    pack = room.policies.active()[row.regime]
    for rule in pack.rules:
        if rule.kind is Kind.REQUIRE and row.type in rule.requests:
            return rule.text, rule.citation
    return "The person asked for it.", None


def _as_ruled(case: Case, item: Item) -> Item:
    """An item as the DPO has ruled on it before, if it is open or came out by that ruling."""
    for old in case.details.items or ():
        same = (old.session, old.element) == (item.session, item.element)
        if old.by and same and (item.review or item.outcome is old.outcome):
            ruled = replace(item, outcome=old.outcome, reason=old.reason, by=old.by)
            return replace(ruled, review=True)
    return item


def put_rulings(tx: Transaction, case: Case) -> None:
    """Keep which elements the DPO ruled to be erased where whoever destroys reads it."""
    for session_id in case.details.sessions:
        ruled = [
            i.element
            for i in case.details.items or ()
            if i.session == session_id and i.by and i.outcome is Outcome.ERASE
        ]
        name = ruling_of(case.id, session_id)
        if ruled or tx.setting(name) is not None:
            tx.set_setting(name, json.dumps(ruled).encode())


def due_now(tx: Transaction, case: Case, session_ids: Sequence[str], now: datetime) -> int:
    """Let sweeps see at once the sessions that an erasure was granted of; how many."""
    if case.row.type != RequestType.ERASURE:
        return 0
    for session_id in session_ids:
        session = tx.session_locked(session_id)
        if session.state is not State.ERASED:
            due = now if session.due_at is None else min(session.due_at, now)
            tx.set_terms(session_id, due_at=due)
    return len(session_ids)
