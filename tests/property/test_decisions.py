"""Decisions are total and explained, and nothing that protects ever makes an end come earlier."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from policies.calendar import Period, end_of_maximum, end_of_minimum
from policies.classes import class_named, loosened
from policies.decide import decide, decide_all
from policies.model import (
    ENDINGS,
    Action,
    Consent,
    Decision,
    Element,
    Facts,
    HoldFact,
    Kind,
    Minimum,
    Pack,
    RequestFact,
    RequestType,
    RetentionClass,
    Rule,
    Share,
    Status,
    Trigger,
)
from policies.pack import document, packaged, read
from policies.simulate import simulate

REGIMES = ("gdpr", "uk-gdpr", "ccpa", "hipaa", "pci-dss", "mifid", "sec-17a-4", "bipa", "unheard")
PLACES = ("EU", "DE", "FR", "GB", "US", "US-CA", "US-IL", "US-NY", "CH")
EVENTS = (Trigger.STARTED, Trigger.ENDED, Trigger.LAST_INTERACTION, Trigger.PURPOSE_SATISFIED)

instants = st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
some_elements = st.frozensets(st.sampled_from(Element))
grounds = st.none() | st.sampled_from(PLACES)
periods = st.builds(Period, st.integers(0, 120), st.integers(0, 400), st.integers(0, 100_000))
stated = st.builds(str, periods)


def few(items: st.SearchStrategy[object], most: int = 2) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, max_size=most).map(tuple)


holds = st.builds(
    HoldFact,
    id=st.sampled_from(["A", "B"]),
    proposed=st.booleans(),
    preserve_unredacted=st.booleans(),
    preserve_until=st.none() | instants,
    until=st.none() | instants,
)
minimums = st.builds(Minimum, st.sampled_from(Element), stated, grounds)
requests = st.builds(
    RequestFact,
    id=st.sampled_from(["R", "S"]),
    type=st.sampled_from(RequestType),
    regime=st.sampled_from(REGIMES),
    granted=st.booleans(),
    elements=st.none() | some_elements,
    ground_jurisdiction=grounds,
    received_at=st.none() | instants,
    fulfilled=st.booleans(),
    share=st.sampled_from(Share),
)
facts = st.builds(
    Facts,
    started_at=instants,
    last_interaction_at=st.none() | instants,
    ended_at=st.none() | instants,
    purpose_satisfied_at=st.none() | instants,
    jurisdictions=few(st.sampled_from(PLACES)),
    regimes=few(st.sampled_from(REGIMES[:-1])),
    class_name=st.sampled_from(["short", "long", "permanent", "house"]),
    minimums=few(minimums),
    consent=st.sampled_from(Consent),
    other_basis=st.none() | st.just("contract"),
    holds=few(holds),
    requests=few(requests),
    sensitive=some_elements,
    backup_only=some_elements,
)
rules = st.builds(
    Rule,
    id=st.uuids().map(lambda u: f"r{u.hex}"),
    kind=st.sampled_from([Kind.MIN, Kind.MAX]),
    text=st.just("A rule."),
    citation=st.just("Rule 1"),
    status=st.sampled_from([Status.VERIFIED, Status.UNVERIFIED]),
    effective_from=st.dates(date(2005, 1, 1), date(2020, 1, 1)),
    effective_to=st.none() | st.dates(date(2021, 1, 1), date(2035, 1, 1)),
    reviewed_at=st.just(date(2026, 1, 1)),
    period=periods,
    trigger=st.sampled_from(EVENTS),
    elements=some_elements,
    jurisdiction=grounds,
    ground_jurisdiction=grounds,
)
classes = st.builds(
    RetentionClass, st.just("house"), st.none() | periods, st.booleans(), st.booleans()
)
packs = st.builds(
    Pack,
    name=st.just("house"),
    version=st.just("1"),
    title=st.just("House"),
    zone=st.sampled_from(["UTC", "Europe/Brussels", "America/Los_Angeles", "Pacific/Apia"]),
    jurisdictions=st.just(("*",)),
    rules=few(rules, 3),
    classes=classes.map(lambda c: (c,)),
)
shelves = packs.map(lambda pack: {**packaged(), "house": pack})


def ends(decision: Decision) -> bool:
    return decision.action in ENDINGS


@given(facts=facts, shelf=shelves, at=instants)
def test_every_session_has_an_explained_decision(
    facts: Facts, shelf: dict[str, Pack], at: datetime
) -> None:
    found = decide_all(facts, shelf, at)
    assert [d.element for d in found] == list(Element)
    for decision in found:
        assert decision.reasons
        assert all(reason.text for reason in decision.reasons)
        assert decision == decide(decision.element, facts, shelf, at)
        if ends(decision):
            assert not decision.restricted
            assert not set(decision.blockers) & {h.id for h in facts.holds if h.until is None}


@given(
    facts=facts,
    shelf=shelves,
    at=instants,
    started=st.none() | st.datetimes() | st.datetimes(timezones=st.timezones()),
    period=st.text(max_size=5),
    name=st.none() | st.text(max_size=5),
)
def test_broken_facts_have_one_too_and_are_never_destroyed(
    facts: Facts,
    shelf: dict[str, Pack],
    at: datetime,
    started: datetime | None,
    period: str,
    name: str | None,
) -> None:
    broken = replace(
        facts,
        started_at=started,
        class_name=name,
        minimums=(Minimum(Element.TRANSCRIPT, period),),
        regimes=("no-such-regime",),
    )
    assert {d.action for d in decide_all(broken, shelf, at)} == {Action.REVIEW}


@given(facts=facts, shelf=shelves, at=instants, hold=holds)
def test_a_hold_never_makes_an_end_come_earlier(
    facts: Facts, shelf: dict[str, Pack], at: datetime, hold: HoldFact
) -> None:
    held = replace(facts, holds=(*facts.holds, hold))
    for without, with_ in zip(
        decide_all(facts, shelf, at), decide_all(held, shelf, at), strict=True
    ):
        assert ends(without) or not ends(with_)
        if hold.until is None:
            assert not ends(with_)


@given(facts=facts, shelf=shelves, at=instants, minimum=minimums)
def test_a_minimum_never_makes_an_end_come_earlier(
    facts: Facts, shelf: dict[str, Pack], at: datetime, minimum: Minimum
) -> None:
    longer = replace(facts, minimums=(*facts.minimums, minimum))
    for without, with_ in zip(
        decide_all(facts, shelf, at), decide_all(longer, shelf, at), strict=True
    ):
        assert ends(without) or not ends(with_)
        if without.not_before is not None and Action.REVIEW not in (without.action, with_.action):
            assert with_.not_before is not None
            assert with_.not_before >= without.not_before


@given(facts=facts, shelf=shelves, at=instants)
def test_nothing_ends_before_it_may(facts: Facts, shelf: dict[str, Pack], at: datetime) -> None:
    for decision in decide_all(facts, shelf, at):
        if ends(decision) and decision.not_before is not None:
            assert decision.not_before <= at


@given(facts=facts, shelf=shelves, at=instants, later=st.timedeltas(timedelta(0), timedelta(9000)))
def test_a_decision_stands_until_it_says_it_changes(
    facts: Facts, shelf: dict[str, Pack], at: datetime, later: timedelta
) -> None:
    for decision in decide_all(facts, shelf, at):
        changes_at = decision.changes_at
        if changes_at is None or at + later < changes_at:
            same = decide(decision.element, facts, shelf, at + later)
            assert (same.action, same.restricted) == (decision.action, decision.restricted)
        if changes_at is not None:
            assert changes_at > at
            other = decide(decision.element, facts, shelf, changes_at)
            assert (other.action, other.restricted) != (decision.action, decision.restricted)


@given(facts=facts, shelf=shelves, at=instants)
def test_a_release_is_decided_anew_and_destroys_nothing_that_was_not_due(
    facts: Facts, shelf: dict[str, Pack], at: datetime
) -> None:
    released = replace(facts, holds=(HoldFact("A", until=at),))
    never = replace(facts, holds=())
    assert [d.action for d in decide_all(released, shelf, at)] == [
        d.action for d in decide_all(never, shelf, at)
    ]
    before = decide_all(released, shelf, at - timedelta(microseconds=1))
    assert not any(ends(d) for d in before)


@given(
    started=instants, period=periods, zone=st.sampled_from(["UTC", "Europe/London", "Asia/Gaza"])
)
def test_minimums_round_up_and_maximums_down(started: datetime, period: Period, zone: str) -> None:
    least, most = end_of_minimum(started, period, zone), end_of_maximum(started, period, zone)
    assert started <= most <= least <= most + timedelta(days=1, hours=2)
    assert Period.parse(str(period)) == period


@given(first=packs, second=packs, started=instants)
def test_a_locked_class_only_gets_tighter(first: Pack, second: Pack, started: datetime) -> None:
    second = replace(second, name="later")
    before, after = {"house": first}, {"house": first, "later": second}
    was, now = class_named("house", before), class_named("house", after)
    assert was is not None
    assert now is not None
    if was.locked:
        assert loosened(before, after) == ()
        assert now.locked
        assert now.review >= was.review
        old, new = was.expires_at(started), now.expires_at(started)
        assert new is None or (old is not None and new >= old)
    else:
        assert now == second.classes[0]


@given(pack=packs)
def test_a_pack_reads_back_from_its_json(pack: Pack) -> None:
    assert read(document(pack)) == pack


@given(facts=facts, shelf=shelves, at=instants)
def test_a_pack_that_stays_the_same_changes_nothing(
    facts: Facts, shelf: dict[str, Pack], at: datetime
) -> None:
    found = simulate([("s", facts)], shelf, shelf, at)
    assert (found.changes, found.newly_due, found.no_longer_due) == ((), 0, 0)
