"""What stands of consent, of rows alone; and what an outcome of a request may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import UsageError
from vault.operations import facts
from vault.operations.consent import Said, Type, known_type, standing
from vault.operations.request_items import Ruling
from vault.operations.request_record import Case, Details
from vault.rows import ConsentRow, RequestRow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_PLACES = (None, "US", "US-CA", "DE")


def row(
    state: str,
    *,
    place: str | None = None,
    days: int | None = None,
    basis: str = "consent",
    kind: str = "recording",
) -> ConsentRow:
    """Something said; it expires so many days from now."""
    until = None if days is None else NOW + timedelta(days=days)
    return ConsentRow(
        "id", "t", b"s", kind, place, state, basis, NOW - timedelta(days=9), until, "a", b""
    )


def stands(rows: Sequence[ConsentRow], place: str | None = None) -> str:
    return standing(rows, Type.RECORDING, place, NOW).state


words = st.builds(
    row,
    st.sampled_from(("requested", "granted", "withdrawn")),
    place=st.sampled_from(_PLACES),
    days=st.sampled_from((None, -1, 0, 1)),
)


@given(st.lists(words, max_size=8), st.sampled_from(_PLACES))
def test_nothing_but_the_last_answer_grants(rows: list[ConsentRow], place: str | None) -> None:
    found = standing(rows, Type.RECORDING, place, NOW)
    answers = [r for r in rows if r.state != "requested"]
    about = [r for r in answers if None in {r.jurisdiction, place} or r.jurisdiction == place]
    about = about if place != "US-CA" else [r for r in answers if r.jurisdiction != "DE"]
    last = about[-1] if about else None
    granted = last is not None and last.state == "granted"
    unexpired = last is not None and (last.expires_at is None or last.expires_at > NOW)
    assert found.granted == (granted and unexpired)
    assert found.reason
    assert found.citation


def test_a_word_on_a_region_says_nothing_of_its_country() -> None:
    assert stands([row("granted", place="US-CA")], "US") == "unknown"
    assert stands([row("granted", place="US")], "US-CA") == "granted"
    assert stands([row("granted", place="US"), row("withdrawn", place="US-CA")], "US") == "granted"


def test_the_basis_other_than_consent_is_what_is_cited() -> None:
    found = standing([row("granted", basis="contract")], Type.RECORDING, "US-CA", NOW)
    assert found.citation == "GDPR Art. 6(1)(b)"


def test_another_basis_holds_only_where_every_withdrawal_has_one() -> None:
    contract, plain = row("withdrawn", basis="contract"), row("withdrawn", kind="storage")
    assert facts.other_basis([contract]) == "contract"
    assert facts.other_basis([contract, plain]) is None
    assert facts.other_basis([row("granted")]) is None


def test_what_there_is_not_cannot_be_said() -> None:
    with pytest.raises(UsageError, match="recording, storage, analysis, sharing"):
        known_type("telepathy")
    with pytest.raises(UsageError, match="legitimate-interests"):
        Said("x", "recording", basis="because").check()


@pytest.mark.parametrize(
    ("type_", "outcome", "possible"),
    [
        ("erasure", "erase", True),
        ("erasure", "refused", True),
        ("erasure", "provide", False),
        ("access", "provide", True),
        ("access", "erase", False),
        ("portability", "deferred", False),
    ],
)
def test_a_ruling_grants_what_was_asked_for_or_refuses_it(
    type_: str, outcome: str, possible: bool
) -> None:
    asked = RequestRow("r", "t", type_, "gdpr", b"s", "verified", NOW, NOW, "a", b"")
    case, ruling = Case(asked, Details("x")), Ruling("s", outcome, "because")
    if possible:
        ruling.check(case)
        return
    with pytest.raises(UsageError):
        ruling.check(case)
