"""The worked cases, and the order in which the law is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policies.calendar import Period
from policies.decide import decide, decide_all
from policies.facts import facts_of
from policies.jurisdiction import legal_order
from policies.model import Action, Decision, Element, Facts, HoldFact, RetentionClass
from policies.pack import applying, packaged
from policies.simulate import simulate

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AUDIO, VOICEPRINT = Element.ORIGINAL_AUDIO, Element.VOICEPRINT


def facts(**fields: object) -> Facts:
    known = {"started_at": "2026-03-10T10:00:00Z", "class": "long", "consent": "granted"}
    return facts_of({**known, **fields})


def asked(kind: str = "erasure", regime: str = "gdpr", **fields: object) -> list[object]:
    return [{"id": "R1", "type": kind, "regime": regime, "received_at": "2026-10-01", **fields}]


def at(year: int, month: int = 1, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def decided(given: Facts, as_of: datetime = NOW, element: Element = AUDIO) -> Decision:
    return decide(element, given, packaged(), as_of)


def all_of(given: Facts, as_of: datetime = NOW) -> Mapping[Element, Decision]:
    return {d.element: d for d in decide_all(given, packaged(), as_of)}


def citations(decision: Decision) -> set[str | None]:
    return {reason.citation for reason in decision.reasons}


# The worked cases ---------------------------------------------------------------------------------

CALL = {
    "regimes": ["gdpr", "hipaa"],
    "jurisdictions": ["FR"],
    "requests": asked(granted=True),
    "sensitive": ["original_audio", "transcript", "metadata"],
}


def test_case_1_the_card_code_is_redacted_now_and_the_hold_defers_the_erasure() -> None:
    found = all_of(facts(**CALL, holds=["H1"]))
    for element in (AUDIO, Element.TRANSCRIPT, Element.METADATA):
        assert found[element].action is Action.REDACT
        assert "PCI DSS 3.3.1; FAQ 1210" in citations(found[element])
        assert found[element].blockers == ("H1",)
    rest = found[Element.ANALYSIS]
    assert (rest.action, rest.restricted, rest.blockers) == (Action.RETAIN, True, ("H1",))
    assert any("deferred" in reason.text for reason in rest.reasons)
    assert rest.due_by is not None
    assert rest.due_by.date() == at(2026, 11, 1).date()


def test_case_1_after_the_release_six_years_of_documents_do_not_keep_a_recording() -> None:
    after = decided(facts(**{**CALL, "sensitive": []}))
    assert after.action is Action.DESTROY
    assert "GDPR Art. 17(1)" in citations(after)
    kept = decided(facts(**{**CALL, "sensitive": [], "requests": []}))
    assert "45 CFR 164.316(b)(2)(i), 164.530(j)" in citations(kept)


MIFID = {
    "started_at": "2025-01-15T09:00:00Z",
    "regimes": ["mifid", "gdpr"],
    "jurisdictions": ["DE"],
    "requests": asked(granted=True),
}


def test_case_2_union_law_keeps_an_investment_call_and_erases_it_afterwards() -> None:
    found = decided(facts(**MIFID))
    assert (found.action, found.restricted) == (Action.RETAIN, True)
    assert "Directive 2014/65/EU Art. 16(7)" in citations(found)
    assert "GDPR Art. 17(3)(b)" in citations(found)
    end = datetime(2030, 1, 15, 9, tzinfo=UTC)
    assert found.not_before == found.changes_at == end
    assert decided(facts(**MIFID), end).action is Action.DESTROY
    just_before = end - timedelta(microseconds=1)
    assert decided(facts(**MIFID), just_before).action is Action.RETAIN


@pytest.mark.parametrize(
    ("places", "rules"),
    [
        (["DE"], ("mifid-calls",)),
        (["GB"], ("fca-calls",)),
        (["US-NY"], ("mifid-calls", "fca-calls")),
        ([], ("mifid-calls", "fca-calls")),
    ],
)
def test_the_rules_of_the_place_bind_and_all_where_the_pack_has_none_for_it(
    places: list[str], rules: tuple[str, ...]
) -> None:
    assert decided(facts(regimes=["mifid"], jurisdictions=places)).blockers == rules


def test_case_2_what_no_minimum_covers_is_erased_although_the_call_is_kept() -> None:
    assert all_of(facts(**MIFID))[Element.ANALYSIS].action is Action.DESTROY


def test_case_3_the_regulator_extends_to_seven_years_and_is_cited() -> None:
    order = {
        "element": "original_audio",
        "period": "P7Y",
        "ground_jurisdiction": "DE",
        "citation": "BaFin request 4711",
    }
    found = decided(facts(**MIFID, minimums=[order]), at(2031))
    assert (found.action, found.restricted) == (Action.RETAIN, True)
    assert found.reasons[0].citation == "BaFin request 4711"
    assert found.not_before == datetime(2032, 1, 15, 9, tzinfo=UTC)


def test_case_4_a_minimum_of_another_legal_order_is_a_conflict_of_laws() -> None:
    given = facts(regimes=["sec-17a-4", "gdpr"], jurisdictions=["US-NY", "FR"], requests=asked())
    found = decided(given)
    assert (found.action, found.restricted) == (Action.CONFLICT_OF_LAWS, True)
    assert citations(found) >= {"GDPR Art. 17(3)(b)", "17 CFR 240.17a-4(b)(4)"}
    assert found.due_by is not None
    assert found.due_by.date() == at(2026, 11, 1).date()


@pytest.mark.parametrize("place", ["GB", "GB-SCT", "UK"])
def test_the_united_kingdom_is_one_place_by_either_name(place: str) -> None:
    given = facts(jurisdictions=[place], requests=asked(regime="uk-gdpr", granted=True))
    assert "UK GDPR Art. 17(1)" in citations(decided(given))
    assert legal_order(place) == "GB"
    assert [pack.name for pack in applying(packaged(), given)].count("uk-gdpr") == 1


def test_a_federation_and_its_states_are_one_legal_order() -> None:
    given = facts(regimes=["sec-17a-4", "ccpa"], requests=asked(regime="ccpa"))
    assert decided(given).action is Action.RETAIN
    assert "Cal. Civ. Code 1798.105(d)(8)" in citations(decided(given))


def test_british_law_no_longer_excuses_towards_the_union() -> None:
    minimum = {"element": "original_audio", "period": "P5Y", "ground_jurisdiction": "GB"}
    given = facts(regimes=["gdpr"], requests=asked(), minimums=[minimum])
    assert decided(given).action is Action.CONFLICT_OF_LAWS


def test_case_5_the_voiceprint_goes_and_the_audio_stays() -> None:
    given = facts(
        started_at="2023-01-02T00:00:00Z",
        last_interaction_at="2023-02-02T00:00:00Z",
        jurisdictions=["US-IL"],
        regimes=["bipa"],
        minimums=[{"element": "original_audio", "period": "P6Y", "ground_jurisdiction": "US"}],
    )
    found = all_of(given)
    assert found[VOICEPRINT].action is Action.DESTROY
    assert "740 ILCS 14/15(a)" in citations(found[VOICEPRINT])
    assert (found[AUDIO].action, found[AUDIO].restricted) == (Action.RETAIN, True)


def test_a_voiceprint_whose_purpose_is_satisfied_goes_before_its_three_years() -> None:
    given = facts(
        regimes=["bipa"],
        last_interaction_at="2026-10-01T00:00:00Z",
        purpose_satisfied_at="2026-11-01T00:00:00Z",
    )
    assert decided(given, element=VOICEPRINT).action is Action.DESTROY


@pytest.mark.parametrize(
    ("share", "action"),
    [("whole", "DESTROY"), ("separable", "REDACT"), ("inseparable", "REVIEW")],
)
def test_case_6_of_two_speakers_only_the_one_who_asked_is_removed(share: str, action: str) -> None:
    given = facts(regimes=["gdpr"], requests=asked(granted=True, share=share))
    assert decided(given).action == action


def test_case_7_holds_are_a_set_and_not_a_bit() -> None:
    two = facts(holds=[{"id": "A", "state": "released"}, {"id": "B", "state": "active"}])
    assert decided(two, at(2030)).action is Action.RETAIN
    assert decided(two, at(2030)).blockers == ("B",)
    none = facts(holds=[{"id": "A", "state": "released"}])
    assert decided(none, at(2030)).action is Action.DISPOSE


def test_case_8_a_hold_wins_over_what_is_expired_and_not_yet_swept() -> None:
    found = decided(facts(holds=[{"id": "H", "proposed": True}]), at(2030))
    assert (found.action, found.restricted) == (Action.RETAIN, True)


def test_case_9_a_shortened_class_is_simulated_before_it_holds() -> None:
    sessions = [(f"s{year}", facts(started_at=f"{year}-06-01")) for year in (2024, 2025, 2026)]
    default = packaged()["default"]
    longer = replace(default, classes=(RetentionClass("long", _years(7)),))
    before = {**packaged(), "default": longer}
    found = simulate(sessions, before, packaged(), NOW)
    assert {change.id for change in found.changes} == {"s2024", "s2025"}
    assert {(c.before.action, c.after.action) for c in found.changes} == {
        (Action.RETAIN, Action.DISPOSE)
    }
    elements = len(Element)
    assert (found.newly_due, found.no_longer_due) == (2 * elements, 0)
    assert found.per_class["long"].moved == elements  # the third session ends earlier, not now
    assert simulate(sessions, packaged(), before, NOW).no_longer_due == 2 * elements


def _years(count: int) -> Period:
    return Period(months=12 * count)


def test_case_10_what_is_only_in_a_backup_waits_for_the_restore_where_the_law_lets_it() -> None:
    def only_in_backup(regime: str) -> Decision:
        requests = asked(regime=regime, granted=True)
        return decided(facts(regimes=[regime], requests=requests, backup_only=["original_audio"]))

    assert (only_in_backup("ccpa").action, only_in_backup("ccpa").restricted) == ("RETAIN", True)
    assert "11 CCR 7022(d)" in citations(only_in_backup("ccpa"))
    assert only_in_backup("uk-gdpr").action is Action.RETAIN
    assert only_in_backup("gdpr").action is Action.DESTROY


def test_case_11_withdrawn_consent_is_no_erasure_where_another_basis_is_recorded() -> None:
    withdrawn = {"regimes": ["gdpr"], "jurisdictions": ["DE"], "consent": "withdrawn"}
    other = decided(facts(**withdrawn, other_basis="contract, Art. 6(1)(b)"))
    assert other.action is Action.RETAIN
    assert any("another legal basis" in reason.text for reason in other.reasons)
    none = decided(facts(**withdrawn))
    assert (none.action, none.restricted) == (Action.REVIEW, True)


@pytest.mark.parametrize(
    ("place", "consent", "action"),
    [
        ("US-CA", "unknown", "QUARANTINE"),
        ("US-CT", "unknown", "QUARANTINE"),
        ("DE", "unknown", "QUARANTINE"),
        ("US-CA", "granted", "RETAIN"),
        ("US-NY", "unknown", "RETAIN"),
        ("US-NY", "refused", "QUARANTINE"),
        ("FR", "unknown", "RETAIN"),
    ],
)
def test_case_12_no_proof_of_consent_in_an_all_party_state(
    place: str, consent: str, action: str
) -> None:
    assert decided(facts(jurisdictions=[place], consent=consent)).action == action


# The order of the law -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unknown",
    [
        {"started_at": None},
        {"ended_at": "2020-01-01"},
        {"class": "no-such-class"},
        {"regimes": ["no-such-regime"]},
        {"minimums": [{"element": "original_audio", "period": "six years"}]},
        {"started_at": "0001-01-01"},
    ],
)
def test_missing_or_contradictory_facts_are_never_destroyed_automatically(
    unknown: dict[str, object],
) -> None:
    given = facts(**{"requests": asked(granted=True), **unknown})
    assert {d.action for d in all_of(given, at(2100)).values()} == {Action.REVIEW}


def test_a_session_without_zone_asks_for_a_person() -> None:
    naive = replace(facts(), started_at=datetime(2020, 1, 1))  # noqa: DTZ001 - the mistake itself
    assert decided(naive).action is Action.REVIEW


def test_a_maximum_counted_from_nobody_knows_when_asks_for_a_person_once_it_may_be_over() -> None:
    given = facts(regimes=["bipa"], **{"class": "permanent"})
    assert decided(given, element=VOICEPRINT).action is Action.RETAIN
    assert decided(given, at(2029, 4), VOICEPRINT).action is Action.REVIEW


def test_a_maximum_is_over_at_its_last_instant_and_not_before() -> None:
    given = facts(regimes=["bipa"], last_interaction_at="2026-03-10T10:00:00Z", consent="granted")
    given = replace(given, class_name="permanent")
    end = datetime(2029, 3, 10, 11, tzinfo=UTC)  # five in the morning in Chicago, as it began
    before = decided(given, end - timedelta(microseconds=1), VOICEPRINT)
    assert (before.action, before.due_by, before.changes_at) == (Action.RETAIN, end, end)
    assert decided(given, end, VOICEPRINT).action is Action.DESTROY


def test_a_hold_that_preserves_unredacted_quarantines_until_its_expiry() -> None:
    hold = {"id": "H", "preserve_unredacted": True, "preserve_until": "2027-01-01"}
    given = facts(sensitive=["original_audio"], holds=[hold])
    assert decided(given).action is Action.QUARANTINE
    assert decided(given).changes_at == at(2027)
    assert decided(given, at(2027)).action is Action.REDACT


def test_a_card_code_is_redacted_also_where_nobody_named_the_regime() -> None:
    assert decided(facts(sensitive=["original_audio"])).action is Action.REDACT
    assert decided(facts(sensitive=["original_audio"]), element=VOICEPRINT).action is Action.RETAIN


def test_hold_outranks_erasure() -> None:
    given = facts(requests=asked(granted=True), regimes=["gdpr"], holds=["H"])
    assert (decided(given).action, decided(given).restricted) == (Action.RETAIN, True)
    assert decided(replace(given, holds=())).action is Action.DESTROY


def test_a_released_hold_protects_until_its_grace_is_over_and_then_decides_anew() -> None:
    hold = HoldFact("H", until=at(2030, 2))
    given = replace(facts(), holds=(hold,))
    assert decided(given, at(2030)).action is Action.RETAIN
    assert decided(given, at(2030)).changes_at == at(2030, 2)
    assert decided(given, at(2030, 2)).action is Action.DISPOSE


@pytest.mark.parametrize("kind", ["access", "portability"])
def test_what_someone_is_to_receive_stays_until_they_have_it(kind: str) -> None:
    open_ = facts(requests=asked(kind), regimes=["gdpr"])
    assert decided(open_, at(2030)).action is Action.RETAIN
    assert decided(open_, at(2030)).blockers == ("R1",)
    done = facts(requests=asked(kind, fulfilled=True), regimes=["gdpr"])
    assert decided(done, at(2030)).action is Action.DISPOSE
    other = facts(requests=asked(kind, elements=["transcript"]), regimes=["gdpr"])
    assert decided(other, at(2030)).action is Action.DISPOSE


def test_an_erasure_that_was_not_granted_erases_nothing() -> None:
    assert decided(facts(requests=asked(), regimes=["gdpr"])).action is Action.RETAIN


def test_a_rule_of_the_house_gives_way_to_a_right_and_outlasts_a_class() -> None:
    house = [{"element": "original_audio", "period": "P6Y"}]
    assert decided(facts(minimums=house), at(2030)).action is Action.RETAIN
    granted = facts(minimums=house, regimes=["gdpr"], requests=asked(granted=True))
    assert decided(granted).action is Action.DESTROY


def test_law_against_law_is_for_counsel() -> None:
    given = facts(
        started_at="2020-01-01",
        last_interaction_at="2020-01-01",
        regimes=["bipa"],
        minimums=[{"element": "voiceprint", "period": "P9Y", "ground_jurisdiction": "US"}],
    )
    assert decided(given, element=VOICEPRINT).action is Action.CONFLICT_OF_LAWS


def test_the_class_disposes_and_says_which_law_limits_storage() -> None:
    given = facts(regimes=["gdpr"])
    assert decided(given).action is Action.RETAIN
    end = datetime(2027, 3, 10, 10, tzinfo=UTC)
    assert decided(given).changes_at == decided(given).not_before == end
    disposed = decided(given, end)
    assert (disposed.action, disposed.restricted) == (Action.DISPOSE, False)
    assert "GDPR Art. 5(1)(e)" in citations(disposed)


def test_a_permanent_session_never_changes() -> None:
    found = decided(facts(**{"class": "permanent"}), at(2899))
    assert (found.action, found.not_before, found.changes_at) == (Action.RETAIN, None, None)


def test_a_session_without_class_is_nobody_elses_to_dispose_of() -> None:
    assert decided(facts(**{"class": None})).action is Action.REVIEW


def test_a_class_may_ask_that_a_person_looks_first() -> None:
    looked = RetentionClass("long", _years(1), review=True)
    packs = {**packaged(), "default": replace(packaged()["default"], classes=(looked,))}
    assert decide(AUDIO, facts(), packs, at(2030)).action is Action.REVIEW


def test_a_granted_restriction_only_stores_and_disposal_asks_first() -> None:
    given = facts(requests=asked("restriction", granted=True), regimes=["gdpr"])
    assert (decided(given).action, decided(given).restricted) == (Action.RETAIN, True)
    assert decided(given, at(2030)).action is Action.REVIEW


def test_a_rule_that_nobody_reviewed_for_a_year_is_shown_as_overdue() -> None:
    def status(as_of: datetime) -> object:
        return next(r.status for r in decided(facts(**MIFID), as_of).reasons if r.rule)

    assert (status(NOW), status(at(2028))) == ("verified", "overdue")


def test_a_moment_without_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="zone"):
        decided(facts(), datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake itself
