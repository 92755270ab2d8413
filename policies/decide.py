"""What is to be done with an element: facts and packs in, a decision with its reasons out.

The law in order. Each step decides or passes on; the first that decides is the decision:

    0  missing or contradictory facts       REVIEW
    1  prohibited content                   REDACT, or QUARANTINE where a hold preserves it
    2  a hold, active or proposed           RETAIN
    3  a copy is asked for                  RETAIN
    4  before the end of a minimum          RETAIN, or CONFLICT_OF_LAWS
    5  a granted erasure                    DESTROY
    6  after the end of a maximum           DESTROY
    -  a recording nobody agreed to         QUARANTINE
    7  after the end of the class           DISPOSE, or REVIEW; before it RETAIN

What is kept against its own end, or against someone's right, is `restricted`: only stored.
Nothing here is legal advice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from policies.jurisdiction import legal_order
from policies.model import (
    Action,
    Consent,
    Decision,
    Element,
    Facts,
    Kind,
    Pack,
    Reason,
    RequestFact,
    RequestType,
    Share,
    Trigger,
)
from policies.moment import Moment
from policies.resolve import resolve


def decide(element: Element, facts: Facts, packs: Mapping[str, Pack], as_of: datetime) -> Decision:
    """What is to be done with `element` at `as_of`, and why.

    `packs` are all that are active; those that do not bind `facts` are passed over. Total: any
    facts have a decision. Raises ValueError only when `as_of` has no zone.
    """
    return _over_time(Moment.of(resolve(facts, packs), element, _utc(as_of)))


def decide_all(facts: Facts, packs: Mapping[str, Pack], as_of: datetime) -> tuple[Decision, ...]:
    """A decision for each of the facts' elements, in the order of `Element`."""
    session, at = resolve(facts, packs), _utc(as_of)
    alike: dict[object, Decision] = {}
    decisions = []
    for element in Element:
        if element in facts.elements:
            moment = Moment.of(session, element, at)
            # What the same rules and requests are about fares alike: it is decided once.
            if moment.likeness not in alike:
                alike[moment.likeness] = _over_time(moment)
            decision = alike[moment.likeness]
            decisions.append(
                decision if decision.element is element else replace(decision, element=element)
            )
    return tuple(decisions)


def _utc(as_of: datetime) -> datetime:
    if as_of.tzinfo is None:
        raise ValueError("as_of has no zone.")
    return as_of.astimezone(UTC)


def _over_time(now: Moment) -> Decision:
    """The decision of a moment, with the first later instant at which it is another one."""
    decision = _first(now)
    for later in sorted(_turning_points(now)):
        then = _first(now.later(later))
        if (then.action, then.restricted) != (decision.action, decision.restricted):
            return replace(decision, changes_at=later)
    return decision


def _turning_points(now: Moment) -> set[datetime]:
    """The instants after `now` at which anything can come out otherwise."""
    ends = {now.session.class_end}
    for bound in now.bounds:
        ends |= {bound.since, bound.until, bound.ends_at}
    for hold in now.session.facts.holds:
        ends |= {hold.until, hold.preserve_until}
    return {end for end in ends if end is not None and end > now.at}


def _first(moment: Moment) -> Decision:
    for step in STEPS:
        decision = step(moment)
        if decision is not None:
            return decision
    return class_period(moment)


def missing_facts(m: Moment) -> Decision | None:
    """0. What is not known, or contradicts itself, is decided by a person."""
    reasons = [Reason(gap) for gap in m.session.gaps]
    text = "The event it counts from is not known: {}"
    reasons += [m.because(b.rule, text.format(b.rule.text)) for b in m.unlocated]
    if not reasons:
        return None
    restricted = m.unwanted or m.element in m.session.facts.sensitive
    return m.decide(Action.REVIEW, reasons, restricted=restricted)


def prohibited_content(m: Moment) -> Decision | None:
    """1. What may not be kept goes at once, unless a hold demands it as evidence."""
    if not m.prohibitions:
        return None
    reasons = [m.because(bound.rule) for bound in m.prohibitions]
    due_by = min(bound.ends_at for bound in m.prohibitions)
    preserved = [
        h
        for h in m.holds
        if h.preserve_unredacted and (h.preserve_until is None or m.at < h.preserve_until)
    ]
    for hold in preserved:
        until = "an expiry to be set" if hold.preserve_until is None else "an expiry"
        text = (
            f"Hold {hold.id} preserves it unredacted: quarantined, with two approvers and {until}."
        )
        reasons.insert(0, Reason(text))
    reasons += [*_of_holds(m), *_deferred(m)]
    action = Action.QUARANTINE if preserved else Action.REDACT
    return m.decide(action, reasons, restricted=True, due_by=due_by)


def held(m: Moment) -> Decision | None:
    """2. A hold keeps everything, and defers what was to be erased."""
    if not m.holds:
        return None
    reasons = [*_of_holds(m), *_deferred(m), *_remarks(m)]
    return m.decide(Action.RETAIN, reasons, restricted=m.unwanted)


def copy_asked_for(m: Moment) -> Decision | None:
    """3. What someone is to receive a copy of stays until they have it."""
    asked = m.asked(RequestType.ACCESS, RequestType.PORTABILITY)
    if not asked:
        return None
    reasons = [
        Reason(f"Request {r.id} ({r.type}) is open: kept until it is fulfilled.") for r in asked
    ]
    for request in asked:
        reasons += m.cited(Kind.REQUIRE, request=request)
    return m.decide(Action.RETAIN, [*reasons, *_deferred(m)], restricted=m.unwanted)


def before_minimum(m: Moment) -> Decision | None:
    """4. A minimum keeps; where another legal order demands the end, counsel decides."""
    if not m.unexpired:
        return None
    reasons = [m.because(bound.rule) for bound in m.unexpired]
    by_law = [b for b in m.outlived if b.rule.ground_jurisdiction is not None]
    if not m.lawful:
        if m.granted or by_law:
            return None
        return m.decide(Action.RETAIN, [*reasons, *_remarks(m)], restricted=m.unwanted)
    orders = {legal_order(b.rule.ground_jurisdiction or "") for b in m.lawful}
    foreign = [r for r in m.erasures if m.order_of(r) not in orders]
    if foreign or by_law:
        against = [_conflicting(m, request, orders) for request in foreign]
        against += [m.because(bound.rule) for bound in by_law]
        return m.decide(Action.CONFLICT_OF_LAWS, [*against, *reasons], restricted=True)
    for request in m.erasures:
        reasons.append(
            Reason(f"Request {request.id} (erasure) is refused until the minimum is over.")
        )
        reasons += m.cited(Kind.EXEMPT, request=request)
    return m.decide(Action.RETAIN, [*reasons, *_remarks(m)], restricted=m.unwanted)


def granted_erasure(m: Moment) -> Decision | None:
    """5. What was granted is done, as far as the element is the requester's alone."""
    if not m.granted:
        return None
    reasons = [Reason(f"Request {r.id} (erasure) was granted.") for r in m.granted]
    for request in m.granted:
        reasons += m.cited(Kind.REQUIRE, request=request)
    waiting = [
        w for r in m.granted for w in m.cited(Kind.EXEMPT, request=r, trigger=Trigger.RESTORE)
    ]
    if m.element in m.session.facts.backup_only and waiting:
        text = (
            "Only a back-up holds it: a tombstone stands, and a restore or the next use erases it."
        )
        return m.decide(Action.RETAIN, [Reason(text), *waiting, *reasons], restricted=True)
    shares = {r.share for r in m.granted}
    if Share.WHOLE in shares:
        return m.decide(Action.DESTROY, reasons)
    if Share.INSEPARABLE in shares:
        text = "It holds another person's data that cannot be told apart: the DPO decides."
        return m.decide(Action.REVIEW, [Reason(text), *reasons], restricted=True)
    text = "The requester's turns and channel are removed; the others' stay."
    return m.decide(Action.REDACT, [Reason(text), *reasons], restricted=True)


def after_maximum(m: Moment) -> Decision | None:
    """6. What the law or the house no longer allows to be kept is destroyed."""
    if not m.outlived:
        return None
    return m.decide(Action.DESTROY, [m.because(b.rule) for b in m.outlived] + [*_remarks(m)])


def unlawful_recording(m: Moment) -> Decision | None:
    """Nobody uses a recording that nobody is known to have agreed to, until a person decides."""
    if m.unproven is None:
        return None
    withdrawn = m.session.facts.consent is Consent.WITHDRAWN
    who = "The DPO records another basis or grants erasure." if withdrawn else "Counsel decides."
    action = Action.REVIEW if withdrawn else Action.QUARANTINE
    return m.decide(action, [m.unproven, Reason(who), *_remarks(m)], restricted=True)


def class_period(m: Moment) -> Decision:
    """7. The class says how long, where nothing above has said otherwise."""
    kept, end = m.session.kept, m.session.class_end
    if kept is None:
        reason = Reason("The session has no retention class, so nothing says when it ends.")
        return m.decide(Action.REVIEW, [reason, *_remarks(m)], restricted=m.limited)
    if end is None or not m.class_over:
        text = f"Class {kept.name} keeps it without end."
        if end is not None:
            text = f"Class {kept.name} ({kept.period}) keeps it until {end:%Y-%m-%d}."
        return m.decide(Action.RETAIN, [Reason(text), *_remarks(m)], restricted=m.limited)
    over = Reason(f"The period of class {kept.name} ({kept.period}) ended on {end:%Y-%m-%d}.")
    reasons = [over, *m.cited(Kind.REQUIRE, trigger=Trigger.CLASS_END), *_remarks(m)]
    if m.limited:
        text = "Its restriction may be what the person needs it for: someone asks them first."
        return m.decide(Action.REVIEW, [Reason(text), *reasons], restricted=True)
    if kept.review:
        text = f"Class {kept.name} asks that a person looks first."
        return m.decide(Action.REVIEW, [*reasons, Reason(text)])
    return m.decide(Action.DISPOSE, reasons)


STEPS = (
    missing_facts,
    prohibited_content,
    held,
    copy_asked_for,
    before_minimum,
    granted_erasure,
    after_maximum,
    unlawful_recording,
)


def _of_holds(m: Moment) -> Iterator[Reason]:
    for hold in m.holds:
        state = "was released; its grace still protects" if hold.until else "is active"
        yield Reason(
            f"Hold {hold.id} {'is proposed and protects already' if hold.proposed else state}."
        )


def _deferred(m: Moment) -> Iterator[Reason]:
    """That an erasure waits, so that nobody forgets it."""
    for request in m.erasures:
        yield Reason(f"Request {request.id} (erasure) is deferred; it is decided anew afterwards.")
        yield from m.cited(Kind.REQUIRE, request=request)


def _conflicting(m: Moment, request: RequestFact, orders: set[str]) -> Reason:
    whose = m.order_of(request) or "a legal order that is not known"
    text = (
        f"Request {request.id} (erasure) rests on the law of {whose}, the minimum on that of "
        f"{', '.join(sorted(orders))}: counsel decides before the answer is due."
    )
    cited = next(m.cited(Kind.EXEMPT, request=request), None)
    return Reason(text) if cited is None else replace(cited, text=text)


def _remarks(m: Moment) -> Iterator[Reason]:
    """What did not decide, but whoever reads the decision should know."""
    facts = m.session.facts
    for request in m.erasures:
        if not request.granted:
            yield Reason(f"Request {request.id} (erasure) is open and not granted.")
    for request in m.asked(RequestType.RESTRICTION):
        if request.granted:
            yield Reason(f"Request {request.id} (restriction) was granted: it is only stored.")
            yield from m.cited(Kind.REQUIRE, request=request)
    if facts.consent is Consent.WITHDRAWN and facts.other_basis is not None:
        yield Reason(
            f"Consent was withdrawn; another legal basis is recorded: {facts.other_basis}."
        )
    if (
        facts.jurisdictions
        and m.session.recording.rule is None
        and facts.consent is Consent.UNKNOWN
    ):
        yield Reason("The packs do not know the recording law of this place: record consent.")
    for pack in m.session.packs:
        for rule in pack.rules:
            if rule.kind is Kind.MIN and not rule.elements:
                yield m.because(rule)
