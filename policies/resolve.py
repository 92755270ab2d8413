"""Facts and packs become bounds: which rules bind which element, and where each of them ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from policies.calendar import Period, end_of_maximum, end_of_minimum, midnight
from policies.classes import class_named
from policies.deadlines import clock
from policies.errors import NoDeadline, PeriodError
from policies.model import (
    Element,
    Facts,
    Kind,
    Minimum,
    Pack,
    RequestFact,
    RetentionClass,
    Rule,
    Status,
    Trigger,
)
from policies.pack import applying, local_rules
from policies.recording import ConsentRule, strictest

#: Instants beyond these are slips of a pen, and the calendar ends near them.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2900, 1, 1, tzinfo=UTC)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bound:
    """A rule on some elements: in force from `since` until before `until`, its period over at
    `ends_at`. Not `certain`: the event it counts from is unknown, so it ends then or later.
    """

    rule: Rule
    elements: frozenset[Element]
    since: datetime
    until: datetime | None
    ends_at: datetime
    certain: bool = True

    def in_force(self, at: datetime) -> bool:
        """Whether the law is in force at `at`; its period may be over."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A session's facts with all that follows from them whatever the hour.

    `gaps` are sentences on what is missing or contradicts itself. `answers` are the instants by
    which its open requests are answered, by request id.
    """

    facts: Facts
    packs: tuple[Pack, ...]
    regimes: Mapping[str, Pack]
    bounds: tuple[Bound, ...]
    kept: RetentionClass | None
    class_end: datetime | None
    recording: ConsentRule
    answers: Mapping[str, datetime]
    gaps: tuple[str, ...]


def resolve(facts: Facts, packs: Mapping[str, Pack]) -> Resolved:
    """What the packs that bind `facts` make of them."""
    gaps = list(_gaps(facts, packs))
    usable = facts.started_at is not None and not gaps
    bound = applying(packs, facts)
    kept = None if facts.class_name is None else class_named(facts.class_name, packs)
    class_end = kept.expires_at(facts.started_at) if usable and kept and facts.started_at else None
    voices = [rule for pack in packs.values() for rule in pack.rules if rule.parties]
    return Resolved(
        facts=facts,
        packs=bound,
        regimes=packs,
        bounds=tuple(_bounds(facts, bound)) if usable else (),
        kept=kept,
        class_end=class_end,
        recording=strictest(voices, facts.jurisdictions),
        answers=dict(_answers(facts, packs)) if usable else {},
        gaps=tuple(gaps),
    )


def _gaps(facts: Facts, packs: Mapping[str, Pack]) -> Iterator[str]:
    """What is missing, or contradicts itself, so that nobody but a person may decide."""
    if facts.started_at is None:
        yield "When the session started is not known."
    for name, instant in _instants(facts):
        if not _sound(instant):
            yield f"{name} has no zone, or lies outside the calendar."
    yield from _contradictions(facts)
    if facts.class_name is not None and class_named(facts.class_name, packs) is None:
        yield f"No active pack has the class {facts.class_name}."
    for regime in facts.regimes:
        if regime not in packs:
            yield f"No pack for the regime {regime} is active."
    for minimum in facts.minimums:
        try:
            Period.parse(minimum.period)
        except PeriodError:
            yield f"A minimum for {minimum.element} is not a period."


def _contradictions(facts: Facts) -> Iterator[str]:
    started = facts.started_at
    if started is None or not _sound(started):
        return
    for name in ("ended_at", "last_interaction_at", "purpose_satisfied_at"):
        instant: datetime | None = getattr(facts, name)
        if instant is not None and _sound(instant) and instant < started:
            yield f"{name} lies before the session's start."


def _instants(facts: Facts) -> Iterator[tuple[str, datetime]]:
    """All instants among the facts, each with a name for it."""
    named = [
        ("started_at", facts.started_at),
        ("ended_at", facts.ended_at),
        ("last_interaction_at", facts.last_interaction_at),
        ("purpose_satisfied_at", facts.purpose_satisfied_at),
    ]
    named += [(f"received_at of request {r.id}", r.received_at) for r in facts.requests]
    for hold in facts.holds:
        named += [(f"until of hold {hold.id}", hold.until)]
        named += [(f"preserve_until of hold {hold.id}", hold.preserve_until)]
    for name, instant in named:
        if instant is not None:
            yield name, instant


def _sound(instant: datetime) -> bool:
    return instant.tzinfo is not None and EARLIEST <= instant <= LATEST


def _answers(facts: Facts, packs: Mapping[str, Pack]) -> Iterator[tuple[str, datetime]]:
    for request in facts.requests:
        due_at = None if request.fulfilled else _answer(request, packs)
        if due_at is not None:
            yield request.id, due_at


def _answer(request: RequestFact, packs: Mapping[str, Pack]) -> datetime | None:
    pack = packs.get(request.regime)
    if pack is None or request.received_at is None:
        return None
    try:
        found = clock(
            pack,
            request.type,
            request.received_at,
            paused_days=request.paused_days,
            extended=request.extended,
        )
    except NoDeadline:
        return None
    return found.due_at


def _bounds(facts: Facts, packs: tuple[Pack, ...]) -> Iterator[Bound]:
    for minimum in facts.minimums:
        yield _stated(minimum, facts)
    for pack in packs:
        for rule in local_rules(pack, facts):
            if rule.elements and rule.kind in {Kind.MIN, Kind.MAX, Kind.PROHIBIT}:
                bound = _bound(rule, pack, facts)
                if bound is not None:
                    yield bound


def _stated(minimum: Minimum, facts: Facts) -> Bound:
    """A minimum that came with the session, whoever stated it."""
    whose = minimum.ground_jurisdiction
    rule = Rule(
        id="stated-minimum",
        kind=Kind.MIN,
        text=f"A minimum of {minimum.period} is stated"
        + (f" under the law of {whose}." if whose else ", as a rule of the house."),
        citation=minimum.citation or "",
        status=Status.UNVERIFIED,
        effective_from=date.min,
        reviewed_at=date.max,
        ground_jurisdiction=whose,
    )
    started = facts.started_at or EARLIEST
    ends_at = end_of_minimum(started, Period.parse(minimum.period))
    return Bound(rule, frozenset({minimum.element}), _ALWAYS, None, ends_at)


def _bound(rule: Rule, pack: Pack, facts: Facts) -> Bound | None:
    """The rule's bound; None while the event it counts from has not happened."""
    started = facts.started_at or EARLIEST
    event, certain = started, True
    if rule.trigger is Trigger.PURPOSE_SATISFIED:
        if facts.purpose_satisfied_at is None:
            return None
        event = facts.purpose_satisfied_at
    elif rule.trigger is Trigger.LAST_INTERACTION:
        certain = facts.last_interaction_at is not None
        event = facts.last_interaction_at or facts.ended_at or started
    elif rule.trigger is Trigger.ENDED:
        certain = facts.ended_at is not None
        event = facts.ended_at or started
    end = end_of_minimum if rule.kind is Kind.MIN else end_of_maximum
    return Bound(
        rule=rule,
        elements=rule.elements,
        since=midnight(rule.effective_from, pack.zone),
        until=None if rule.effective_to is None else midnight(rule.effective_to, pack.zone),
        ends_at=event if rule.period is None else end(event, rule.period, pack.zone),
        certain=certain or rule.kind is Kind.PROHIBIT,
    )


#: A rule that nobody has looked at for longer is shown as overdue.
REVIEW_EVERY = timedelta(days=365)


def standing(rule: Rule, at: datetime) -> Status:
    """How far `rule` can be relied on at `at`."""
    if rule.status is Status.VERIFIED and at.date() - rule.reviewed_at > REVIEW_EVERY:
        return Status.OVERDUE
    return rule.status
