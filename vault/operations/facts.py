"""What is known of a stored session, as the plain facts that policies decide on."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from policies.decide import decide_all
from policies.model import (
    ENDINGS,
    Action,
    Consent,
    Decision,
    Element,
    Facts,
    HoldFact,
    Pack,
    RequestFact,
    RequestType,
    Share,
)
from vault.ports import Transaction
from vault.rows import ConsentRow, HoldRow, RequestRow, SessionRow

#: The types of consent that a session may be kept on.
KEEPING = frozenset({"recording", "storage"})
#: The look-up there is one of for each person in a session, however many names they have.
PERSON = "person"
#: The states of a request that nothing more is done about.
ENDED = frozenset({"done", "refused"})
#: The states in which an erasure has been granted, and waits at most for a hold to end.
GRANTED = frozenset({"approved", "partial", "deferred"})


def facts(
    tx: Transaction, session: SessionRow, elements: Collection[Element], as_of: datetime
) -> Facts:
    """What is known of a session at `as_of`, read in the transaction that acts on it."""
    lookups = tx.lookups(session.id)
    subjects = [row.hash for row in lookups if row.kind == "subject"]
    people = [row.hash for row in lookups if row.kind == PERSON] or subjects
    consents = [row for one in subjects for row in tx.consents(session.tenant, one)]
    share = Share.INSEPARABLE if len(people) > 1 else Share.WHOLE
    asked = [
        fact
        for row in _requests(tx, session, named=bool(subjects))
        for fact in _asked(row, share, _ruled(tx, row, session), elements)
    ]
    return replace(
        at_deposit(session, elements),
        consent=consent(consents, as_of),
        other_basis=other_basis(consents),
        holds=tuple(holding(tx.holds_on(session.id), as_of)),
        requests=tuple(asked),
    )


def at_deposit(session: SessionRow, elements: Collection[Element]) -> Facts:
    """The same of a session that nobody holds or asks for yet, because it is not here yet."""
    return Facts(
        started_at=session.started_at,
        last_interaction_at=session.ended_at,
        ended_at=session.ended_at,
        jurisdictions=tuple(session.jurisdictions),
        regimes=tuple(session.regimes),
        class_name=session.class_name,
        elements=frozenset(elements),
    )


def holding(rows: Iterable[HoldRow], as_of: datetime) -> list[HoldFact]:
    """The holds that protect at `as_of`: those not released, and those still in their grace."""
    return [
        HoldFact(
            row.id,
            proposed=row.state == "proposed",
            preserve_unredacted=row.preserve_unredacted,
            until=row.grace_until,
        )
        for row in rows
        if row.state != "released" or (row.grace_until is not None and row.grace_until > as_of)
    ]


def consent(rows: Sequence[ConsentRow], as_of: datetime) -> Consent:
    """What the newest word of every data subject comes to; the strictest of them holds."""
    found = {_standing(row, as_of) for row in _newest(rows)}
    strictest = (Consent.WITHDRAWN, Consent.EXPIRED, Consent.GRANTED)
    return next((one for one in strictest if one in found), Consent.UNKNOWN)


def other_basis(rows: Sequence[ConsentRow]) -> str | None:
    """The legal basis that was recorded when consent was withdrawn, if there was one for all."""
    withdrawn = [row.basis for row in _newest(rows) if row.state == "withdrawn"]
    return withdrawn[0] if withdrawn and "consent" not in withdrawn else None


def _newest(rows: Sequence[ConsentRow]) -> list[ConsentRow]:
    """The last answers to each question of keeping; to ask again takes nothing back."""
    answers = [row for row in rows if row.type in KEEPING and row.state != "requested"]
    return list({(r.subject, r.type, r.jurisdiction): r for r in answers}.values())


def _standing(row: ConsentRow, as_of: datetime) -> Consent:
    if row.state == "withdrawn":
        return Consent.WITHDRAWN
    if row.state != "granted":
        return Consent.UNKNOWN
    expired = row.expires_at is not None and row.expires_at <= as_of
    return Consent.EXPIRED if expired else Consent.GRANTED


def ruling_of(request_id: str, session_id: str) -> str:
    """The setting in which the elements of a session stand that the DPO ruled to be erased."""
    return f"ruling/{request_id}/{session_id}"


def _ruled(tx: Transaction, row: RequestRow, session: SessionRow) -> frozenset[Element]:
    found = tx.setting(ruling_of(row.id, session.id))
    return frozenset(Element(one) for one in json.loads(found)) if found else frozenset()


def _requests(tx: Transaction, session: SessionRow, *, named: bool) -> Iterable[RequestRow]:
    """Those of its data subjects; where nobody is named any more, those that took the names."""
    if named:
        return tx.requests_on(session.id)
    done = {d.cause for d in tx.disposals(session_id=session.id) if d.cause_kind == "request"}
    return [tx.request(one) for one in sorted(done)]


def _asked(
    row: RequestRow, share: Share, ruled: frozenset[Element], elements: Collection[Element]
) -> list[RequestFact]:
    """Where others speak too, who asks cannot be told apart without an engine that redacts.

    There the DPO rules. A restriction that was done goes on.
    """
    type_ = RequestType(row.type)
    lasts = type_ is RequestType.RESTRICTION and row.state == "done"
    fact = RequestFact(
        row.id,
        type_,
        row.regime,
        granted=row.state in GRANTED or lasts,
        received_at=row.received_at,
        fulfilled=row.state in ENDED and not lasts,
        share=share,
    )
    if not ruled:
        return [fact]
    rest = frozenset(elements) - ruled
    whole = replace(fact, elements=ruled, share=Share.WHOLE)
    return [whole, replace(fact, elements=rest, share=Share.INSEPARABLE)] if rest else [whole]


def due_at(
    known: Facts, packs: Mapping[str, Pack], as_of: datetime
) -> tuple[datetime | None, tuple[Decision, ...]]:
    """The first instant at which any of it may be due, and what is decided now.

    What stands in the way today (a hold, a request, consent that is missing) may be gone tomorrow
    without anybody coming by: the instant is the first with it or without.
    """
    decisions = decide_all(known, packs, as_of)
    instants = [as_of if d.action in ENDINGS else d.changes_at for d in decisions]
    waits = any(d.action not in {*ENDINGS, Action.RETAIN} for d in decisions)
    if known.holds or known.requests or waits:
        free = replace(known, holds=(), requests=(), consent=Consent.GRANTED)
        later = decide_all(free, packs, as_of)
        instants += [as_of if d.action in ENDINGS else d.changes_at for d in later]
    return min((one for one in instants if one is not None), default=None), decisions
