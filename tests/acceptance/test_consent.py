"""Consent as a user records it: demanded at the door, expiring, taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.homes import Home
from vault.samples import folder

REAL = FIXTURES / "voice_agents_platform" / "recordings"
#: A real recording of user123, whose own system says that it was consented to.
CALL = REAL / "sess_3a94975eb405"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the recordings are not here")
SAMPLE = folder() / "pharmacy-refill"
NOW = "2026-11-22T12:00:00+00:00"
PERSON = "jane@example.com"


@pytest.fixture
def clocked(tmp_path: Path) -> Home:
    """A home whose time the tests tell, and that demands consent."""
    home = Home(tmp_path / "home", {"STRONGROOM_TEST_NOW": NOW})
    home.run("init", "--test-clock")
    home.extra["STRONGROOM_CONSENT"] = "required"
    return home


def say(
    home: Home, verb: str, type_: str = "recording", *more: str, **extra: str
) -> dict[str, object]:
    line = ("consent", verb, "--subject", PERSON, "--type", type_, *more)
    return home.run(*line, code=0, **extra).document


def deposit(home: Home, path: Path, code: int = 0, *more: str) -> dict[str, list[dict[str, str]]]:
    line = ("--subject", PERSON, "--no-wait", *more)
    found: dict[str, list[dict[str, str]]] = home.run("deposit", path, *line, code=code).document
    return found


def types(home: Home, folder_: Path) -> list[str]:
    entries = home.run("ledger", "export", folder_)
    assert entries.code == 0
    with home.room() as room:
        return [json.loads(entry)["type"] for entry in room.ledger.entries()]


def test_nothing_is_granted_until_somebody_grants_it(clocked: Home) -> None:
    unknown = say(clocked, "check")
    assert (unknown["granted"], unknown["state"]) == (False, "unknown")
    say(clocked, "request")
    assert say(clocked, "check")["state"] == "requested"
    say(clocked, "grant")
    granted = say(clocked, "check")
    assert (granted["granted"], granted["state"]) == (True, "granted")
    assert all(granted[name] for name in ("reason", "citation"))
    assert say(clocked, "check", "storage")["granted"] is False


def test_the_citation_is_of_the_recording_law_of_the_place(clocked: Home) -> None:
    say(clocked, "grant")
    assert "632" in str(say(clocked, "check", "recording", "--jurisdiction", "US-CA")["citation"])
    assert "GDPR Art. 6" in str(say(clocked, "check", "sharing")["citation"])


def test_consent_expires_by_the_clock_of_the_room_and_by_what_if(clocked: Home) -> None:
    say(clocked, "grant", "recording", "--expires", "2027-01-01T00:00:00+00:00")
    assert say(clocked, "check")["granted"] is True
    later = "2027-01-01T00:00:00+00:00"
    assert say(clocked, "check", "recording", "--as-of", later)["state"] == "expired"
    assert say(clocked, "check", STRONGROOM_TEST_NOW=later)["state"] == "expired"


def test_consent_in_a_country_is_consent_in_its_regions_and_nowhere_else(clocked: Home) -> None:
    say(clocked, "grant", "recording", "--jurisdiction", "US")
    assert say(clocked, "check", "recording", "--jurisdiction", "US-CA")["granted"] is True
    assert say(clocked, "check", "recording", "--jurisdiction", "DE")["granted"] is False
    deposit(clocked, SAMPLE, 4, "--jurisdiction", "DE")
    deposit(clocked, SAMPLE, 0, "--jurisdiction", "US-CA")


def test_asking_again_takes_no_consent_back(clocked: Home) -> None:
    say(clocked, "grant")
    say(clocked, "request")
    assert say(clocked, "check")["granted"] is True
    deposit(clocked, SAMPLE)


def test_a_session_is_refused_until_consent_is_granted_and_then_taken(clocked: Home) -> None:
    refused = deposit(clocked, SAMPLE, 4)
    assert refused["sessions"] == []
    assert PERSON not in json.dumps(refused)
    assert "not on record" in refused["refused"][0]["error"]
    say(clocked, "grant", "storage")
    (session,) = deposit(clocked, SAMPLE)["sessions"]
    assert clocked.run("show", session["id"]).document["id"] == session["id"]


def test_expired_consent_lets_nothing_in(clocked: Home) -> None:
    say(clocked, "grant", "recording", "--expires", "2026-11-22T11:59:59+00:00")
    assert "expired" in deposit(clocked, SAMPLE, 4)["refused"][0]["error"]
    say(clocked, "grant", "recording", "--expires", "2026-11-22T12:00:01+00:00")
    deposit(clocked, SAMPLE)


def test_consent_of_one_is_not_consent_of_the_other(clocked: Home) -> None:
    say(clocked, "grant")
    both = ("--subject", "john@example.com")
    assert deposit(clocked, SAMPLE, 4, *both)["sessions"] == []
    clocked.run("consent", "grant", "--subject", "John@Example.com", "--type", "recording")
    deposit(clocked, SAMPLE, 0, *both)


def test_a_session_of_nobody_in_particular_is_refused(clocked: Home) -> None:
    clocked.run("deposit", SAMPLE, "--no-wait", code=4)


@real
def test_a_real_recording_is_refused_ungranted_taken_granted_and_refused_expired(
    clocked: Home,
) -> None:
    deposit(clocked, CALL, 4)
    say(clocked, "grant", "recording", "--expires", "2027-01-01T00:00:00+00:00")
    clocked.extra["STRONGROOM_TEST_NOW"] = "2027-01-01T00:00:00+00:00"
    deposit(clocked, CALL, 4)
    clocked.extra["STRONGROOM_TEST_NOW"] = NOW
    (session,) = deposit(clocked, CALL)["sessions"]
    assert session["format"] == "voice-agents-platform"


@real
def test_a_real_recording_stands_on_the_consent_of_whom_its_source_names(clocked: Home) -> None:
    line = ("deposit", CALL, "--no-wait")
    clocked.run(*line, code=4)
    clocked.run("consent", "grant", "--subject", "user123", "--type", "storage")
    clocked.run(*line)
    clocked.run("consent", "withdraw", "--subject", "user123", "--type", "storage")
    say(clocked, "grant")
    # However the depositor calls them, who took it back is not asked to be forgotten again.
    deposit(clocked, REAL / "sess_c0b1bd673c40", 4)


@real
def test_withdrawing_storage_deletes_a_real_recording(clocked: Home, tmp_path: Path) -> None:
    say(clocked, "grant")
    (session,) = deposit(clocked, CALL)["sessions"]
    clocked.run("fetch", session["id"], "--originals", "-o", tmp_path / "before")
    withdrawn = say(clocked, "withdraw", "storage")
    assert (withdrawn["state"], withdrawn["sessions"]) == ("withdrawn", 1)
    request = str(withdrawn["request"])
    assert clocked.run("requests", "show", request).document["state"] == "approved"
    done = clocked.run("requests", "fulfil", request).document
    assert done["state"] == "done"
    assert len(done["certificates"]) == 1
    clocked.run("fetch", session["id"], "--originals", "-o", tmp_path / "after", code=3)
    assert not (tmp_path / "after").exists()
    assert clocked.objects() == []
    assert say(clocked, "check", "storage")["state"] == "withdrawn"
    deposit(clocked, CALL, 4)


def test_withdrawing_what_nothing_is_kept_on_erases_nothing(clocked: Home, tmp_path: Path) -> None:
    say(clocked, "grant")
    (session,) = deposit(clocked, SAMPLE)["sessions"]
    for type_, more in (("analysis", ()), ("storage", ("--other-basis", "legal-obligation"))):
        found = say(clocked, "withdraw", type_, *more)
        assert (found["request"], found["sessions"]) == (None, 0)
    assert clocked.run("requests", "list").document["requests"] == []
    clocked.run("fetch", session["id"], "--originals", "-o", tmp_path / "out")


def test_withdrawing_twice_opens_one_request(clocked: Home) -> None:
    say(clocked, "grant")
    deposit(clocked, SAMPLE)
    first, second = say(clocked, "withdraw"), say(clocked, "withdraw", "storage")
    assert first["request"] == second["request"]


def test_consent_taken_back_in_one_place_erases_nothing_kept_in_another(clocked: Home) -> None:
    say(clocked, "grant")
    deposit(clocked, SAMPLE, 0, "--jurisdiction", "DE")
    line = ("consent", "withdraw", "--subject", PERSON, "--type", "recording")
    clocked.run(*line, "--jurisdiction", "US", code=4)
    assert say(clocked, "check", "recording", "--jurisdiction", "US")["granted"] is True
    clocked.run(*line, "--jurisdiction", "DE")


def test_what_was_recorded_is_listed_for_those_who_may(clocked: Home) -> None:
    say(clocked, "request")
    say(clocked, "grant", "recording", "--notice", "You are being recorded.")
    clocked.run("consent", "grant", "--subject", "john@example.com", "--type", "sharing")
    every = clocked.run("consent", "list").document["consents"]
    assert [(c["subject"], c["state"]) for c in every] == [
        (PERSON, "requested"),
        (PERSON, "granted"),
        ("john@example.com", "granted"),
    ]
    own = clocked.run("consent", "list", "--subject", PERSON, "--type", "recording").document
    assert len(own["consents"]) == 2
    clocked.run("actor", "add", "bot", "--role", "agent")
    for verb in (("list",), ("check", "--subject", PERSON, "--type", "recording")):
        clocked.run("--actor", "bot", "consent", *verb, code=4)


def test_what_there_is_not_is_said_and_nothing_recorded(clocked: Home) -> None:
    base = ("consent", "grant", "--subject", PERSON)
    clocked.run(*base, "--type", "telepathy", code=2)
    clocked.run(*base, "--type", "recording", "--basis", "because", code=2)
    clocked.run(*base, "--type", "recording", "--jurisdiction", "Bavaria", code=2)
    clocked.run(*base, "--type", "recording", "--expires", "soon", code=2)
    assert clocked.run("consent", "list").document["consents"] == []


def test_every_word_on_consent_is_evidence_and_names_nobody(clocked: Home, tmp_path: Path) -> None:
    for verb in ("request", "grant", "withdraw"):
        say(clocked, verb)
    found = types(clocked, tmp_path / "ledger")
    assert [t for t in found if t.startswith(("consent", "request"))] == [
        *("consent-requested", "consent-granted", "consent-withdrawn"),
        *("request-opened", "request-approved"),
    ]
    stored = b"".join(p.read_bytes() for p in clocked.folder.rglob("*") if p.is_file())
    assert PERSON.encode() not in stored
