"""Periods, rounding, zones, and the clocks of requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policies.calendar import (
    FAR,
    Period,
    business_days,
    end_of_maximum,
    end_of_minimum,
    midnight,
    outlasts,
)
from policies.deadlines import RequestClock, clock
from policies.errors import NoDeadline, PeriodError
from policies.model import CLASSES
from policies.pack import packaged
from policies.recording import consent_rule


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("P365D", "P365D"),
        ("P6Y", "P6Y"),
        ("P1M", "P1M"),
        ("PT72H", "PT72H"),
        ("P1Y6M", "P1Y6M"),
        ("P18M", "P1Y6M"),
        ("P2W", "P14D"),
        ("P0D", "P0D"),
        ("P1DT12H30M5S", "P1DT12H30M5S"),
    ],
)
def test_a_period_is_read_and_written(text: str, again: str) -> None:
    assert str(Period.parse(text)) == again
    assert Period.parse(again) == Period.parse(text)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "6Y", "P-1D", "P1.5Y", "P1H", "P9999Y", "p1d", "P1D\n", "P١D"]
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(PeriodError):
        Period.parse(text)


@pytest.mark.parametrize(
    ("start", "period", "minimum", "maximum"),
    [
        ("2026-01-31", "P1M", "2026-03-01", "2026-02-28"),
        ("2024-01-31", "P1M", "2024-03-01", "2024-02-29"),
        ("2024-02-29", "P6Y", "2030-03-01", "2030-02-28"),
        ("2024-02-29", "P4Y", "2028-02-29", "2028-02-29"),
        ("2026-12-31", "P2M", "2027-03-01", "2027-02-28"),
        ("2026-03-10", "P365D", "2027-03-10", "2027-03-10"),
    ],
)
def test_minimums_round_up_and_maximums_round_down(
    start: str, period: str, minimum: str, maximum: str
) -> None:
    began = instant(start + "T10:00:00+00:00")
    assert end_of_minimum(began, Period.parse(period)) == instant(minimum + "T10:00:00+00:00")
    assert end_of_maximum(began, Period.parse(period)) == instant(maximum + "T10:00:00+00:00")


def test_a_clock_time_that_a_zone_has_twice_or_never_is_rounded_too() -> None:
    twice = instant("2026-09-25T02:30:00+02:00")  # a month later the clocks go back at 3
    assert end_of_minimum(twice, Period(1), "Europe/Brussels") == instant("2026-10-25T01:30+00:00")
    assert end_of_maximum(twice, Period(1), "Europe/Brussels") == instant("2026-10-25T00:30+00:00")
    never = instant("2026-02-28T02:30:00+01:00")
    at = Period(1, days=1)
    assert end_of_minimum(never, at, "Europe/Brussels") == instant("2026-03-29T01:30+00:00")
    assert end_of_maximum(never, at, "Europe/Brussels") == instant("2026-03-29T00:30+00:00")


def test_a_date_is_that_of_the_rules_own_zone() -> None:
    evening = instant("2026-01-31T23:30:00+00:00")  # already February in Brussels
    assert end_of_minimum(evening, Period(1), "Europe/Brussels") == instant(
        "2026-02-28T23:30+00:00"
    )
    assert midnight(evening.date(), "America/Los_Angeles") == instant("2026-01-31T08:00+00:00")


def test_a_period_that_leads_out_of_the_calendar_ends_far() -> None:
    assert end_of_minimum(instant("9990-01-01T00:00+00:00"), Period(12 * 50)) == FAR


def test_working_days_pass_over_the_weekend() -> None:
    friday = instant("2026-10-02T17:00:00+00:00")
    assert business_days(friday, 10) == instant("2026-10-16T17:00:00+00:00")
    saturday = instant("2026-10-03T17:00:00+00:00")
    assert business_days(saturday, 1) == instant("2026-10-05T17:00:00+00:00")


@pytest.mark.parametrize(
    ("one", "other", "surely"),
    [
        ("P1Y", "P1Y", True),
        ("P7Y", "P6Y", True),
        ("P366D", "P1Y", False),
        ("P370D", "P1Y", True),
        ("P1Y", "P365D", False),
        (None, "P9Y", True),
        ("P9Y", None, False),
    ],
)
def test_a_period_outlasts_another_only_when_it_does_from_any_start(
    one: str | None, other: str | None, surely: bool
) -> None:
    periods = [None if text is None else Period.parse(text) for text in (one, other)]
    assert outlasts(*periods) is surely


def test_the_classes_are_those_of_the_house_and_as_long() -> None:
    assert {c.name: c for c in packaged()["default"].classes} == CLASSES
    began = instant("2026-03-10T10:00:00+00:00")
    assert CLASSES["long"].expires_at(began) == instant("2027-03-10T10:00:00+00:00")
    assert CLASSES["permanent"].expires_at(began) is None


# Requests -----------------------------------------------------------------------------------------

RECEIVED = instant("2026-10-01T10:00:00+00:00")


def dates(found: RequestClock) -> list[str | None]:
    instants = (found.due_at, found.extended_due_at, found.acknowledge_by)
    return [None if i is None else i.isoformat(timespec="minutes")[:16] for i in instants]


@pytest.mark.parametrize(
    ("regime", "kind", "expected"),
    [
        ("gdpr", "erasure", ["2026-11-01T11:00", "2027-01-01T11:00", None]),
        ("uk-gdpr", "access", ["2026-11-01T11:00", "2027-01-01T11:00", None]),
        ("ccpa", "erasure", ["2026-11-15T11:00", "2026-12-30T11:00", "2026-10-15T10:00"]),
        ("hipaa", "access", ["2026-10-31T10:00", "2026-11-30T11:00", None]),
        ("hipaa", "rectification", ["2026-11-30T11:00", "2026-12-30T11:00", None]),
    ],
)
def test_each_regime_has_its_clock(regime: str, kind: str, expected: list[str | None]) -> None:
    assert dates(clock(regime, kind, RECEIVED)) == expected


def test_a_month_is_counted_by_the_calendar_of_the_regime() -> None:
    assert clock("gdpr", "access", instant("2026-01-31T12:00+00:00")).due_at == instant(
        "2026-02-28T12:00+00:00"
    )
    late = instant("2026-01-31T23:30:00+00:00")  # 1 February in Brussels, 31 January in London
    assert clock("gdpr", "access", late).due_at == instant("2026-02-28T23:30+00:00")
    assert clock("uk-gdpr", "access", late).due_at == instant("2026-02-28T23:30+00:00")


def test_only_british_law_stops_the_clock() -> None:
    paused = clock("uk-gdpr", "access", RECEIVED, paused_days=5)
    assert (paused.due_at - clock("uk-gdpr", "access", RECEIVED).due_at).days == 5
    assert paused.paused_days == 5
    for regime in ("gdpr", "ccpa", "hipaa"):
        assert clock(regime, "access", RECEIVED, paused_days=5) == clock(regime, "access", RECEIVED)


def test_an_extension_moves_the_date_due() -> None:
    extended = clock("ccpa", "access", RECEIVED, extended=True)
    assert extended.due_at == extended.extended_due_at


@pytest.mark.parametrize("regime", ["mifid", "no-such-regime"])
def test_a_regime_without_requests_has_no_clock(regime: str) -> None:
    with pytest.raises(NoDeadline):
        clock(regime, "access", RECEIVED)


@pytest.mark.parametrize(
    "kind", ["access", "erasure", "portability", "restriction", "rectification"]
)
@pytest.mark.parametrize("regime", ["gdpr", "uk-gdpr", "ccpa", "hipaa"])
def test_every_request_that_can_be_opened_has_an_answer_due(regime: str, kind: str) -> None:
    assert clock(regime, kind, RECEIVED).due_at > RECEIVED


# Recording ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "parties", "confidence"),
    [
        (["US"], "one", "verified"),
        (["US-NY"], "one", "verified"),
        (["US-NY", "US-CA"], "all", "verified"),
        (["US-DE"], "all", "disputed"),
        (["US-OR"], "all", "mixed"),
        (["DE"], "all", "verified"),
        (["DE-BY"], "all", "verified"),
        (["FR"], "all", "unknown"),
        (["US-NY", "FR"], "all", "unknown"),
        ([], "all", "unknown"),
    ],
)
def test_the_strictest_participant_decides_who_must_consent(
    places: list[str], parties: str, confidence: str
) -> None:
    found = consent_rule(places)
    assert (found.parties, found.confidence) == (parties, confidence)
    assert (found.citation is None) == (confidence == "unknown")
