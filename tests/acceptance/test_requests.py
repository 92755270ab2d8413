"""What a data subject asks for, from the letter to the certificate, as a user does it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.homes import Home
from vault.samples import folder

REAL = FIXTURES / "voice_agents_platform" / "recordings"
CALL = REAL / "sess_3a94975eb405"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the recordings are not here")
SAMPLE = folder() / "pharmacy-refill"
OTHER = folder() / "parcel-callback"
NOW = "2026-11-22T12:00:00+00:00"
PERSON = "jane@example.com"
#: After a hold that was released at NOW: beyond the fourteen days of grace.
LATER = "2026-12-07T12:00:00+00:00"


@pytest.fixture
def clocked(tmp_path: Path) -> Home:
    """A home whose time the tests tell."""
    home = Home(tmp_path / "home", {"STRONGROOM_TEST_NOW": NOW})
    home.run("init", "--test-clock")
    return home


def deposit(home: Home, path: Path, *more: str, code: int = 0) -> dict[str, Any]:
    line = ("--subject", PERSON, "--jurisdiction", "DE", "--regime", "gdpr", "--no-wait", *more)
    (session,) = home.run("deposit", path, *line, code=code).document["sessions"]
    found: dict[str, Any] = session
    return found


def opened(home: Home, type_: str, *more: str, regime: str = "gdpr") -> dict[str, Any]:
    line = ("requests", "open", "--type", type_, "--subject", PERSON, "--regime", regime)
    return home.run(*line, *more).document


def step(home: Home, verb: str, request: str, *more: str, code: int = 0) -> dict[str, Any]:
    answer = home.run("requests", verb, request, *more, code=code)
    return answer.document if code == 0 else {}


def approved(home: Home, type_: str) -> str:
    request: str = opened(home, type_)["request"]
    for verb in ("verify", "decide", "approve"):
        step(home, verb, request)
    return request


def outcomes(document: dict[str, Any]) -> set[str]:
    return {item["outcome"] for item in document["items"]}


def held(home: Home, session: str) -> str:
    line = ("hold", "place", "--matter", "Doe v. Example", "--session", session)
    hold: str = home.run(*line).document["hold"]
    return hold


def release(home: Home, hold: str) -> None:
    home.run("hold", "release", hold, "--reason", "settled")
    home.run("actor", "add", "second", "--role", "officer")
    home.run("--actor", "second", "hold", "approve", hold)


def entries(home: Home, kind: str) -> list[dict[str, Any]]:
    with home.room() as room:
        every = [json.loads(entry) for entry in room.ledger.entries()]
    return [entry for entry in every if entry["type"].startswith(kind)]


# --- the clock -----------------------------------------------------------------------------


def test_the_clock_runs_from_the_receipt_in_the_zone_of_the_law(clocked: Home) -> None:
    received = ("--received", "2026-10-01T10:00:00+02:00")
    gdpr = opened(clocked, "erasure", *received)
    assert gdpr["due_at"].startswith("2026-11-01T")
    ccpa = opened(clocked, "erasure", *received, regime="ccpa")
    assert (ccpa["due_at"][:10], ccpa["acknowledge_by"][:10]) == ("2026-11-15", "2026-10-15")
    clock = step(clocked, "show", gdpr["request"])["clock"]
    assert clock == {
        "received_at": "2026-10-01T08:00:00+00:00",
        "due_at": gdpr["due_at"],
        "extended_due_at": None,
        "acknowledge_by": None,
        "paused_days": 0,
    }


def test_time_is_extended_once_with_a_reason_and_only_before_it_is_up(clocked: Home) -> None:
    request = opened(clocked, "access", "--received", "2026-11-01T12:00:00+00:00")["request"]
    late = opened(clocked, "access", "--received", "2026-10-01T12:00:00+00:00")["request"]
    clocked.run("requests", "extend", request, code=2)
    clocked.run("requests", "extend", request, "--reason", " ", code=2)
    extended = step(clocked, "extend", request, "--reason", "forty recordings")["clock"]
    assert extended["due_at"][:10] == "2026-12-01"
    assert extended["extended_due_at"][:10] == "2027-02-01"
    step(clocked, "extend", request, "--reason", "more still", code=4)
    step(clocked, "extend", late, "--reason", "too late", code=4)


def test_days_spent_on_identity_count_where_the_law_stops_the_clock(clocked: Home) -> None:
    received = ("--received", "2026-11-12T12:00:00+00:00")
    uk = opened(clocked, "access", *received, regime="uk-gdpr")
    eu = opened(clocked, "access", *received)
    step(clocked, "verify", eu["request"], "--paused-days", "3", code=2)
    step(clocked, "verify", uk["request"], "--paused-days", "11", code=2)
    clock = step(clocked, "verify", uk["request"], "--paused-days", "3")["clock"]
    assert (uk["due_at"][:10], clock["due_at"][:10]) == ("2026-12-12", "2026-12-15")
    assert clock["paused_days"] == 3


def test_what_no_law_knows_is_no_request(clocked: Home) -> None:
    line = ("requests", "open", "--subject", PERSON)
    clocked.run(*line, "--type", "erasure", "--regime", "mifid", code=2)
    clocked.run(*line, "--type", "oblivion", "--regime", "gdpr", code=2)
    future = ("--received", "2026-11-23T12:00:00+00:00")
    clocked.run(*line, "--type", "access", "--regime", "gdpr", *future, code=2)
    clocked.run("requests", "show", "no-such-request", code=3)
    assert clocked.run("requests", "list").document["requests"] == []


# --- the steps -----------------------------------------------------------------------------


def test_nothing_is_done_before_it_was_verified_decided_and_approved(
    clocked: Home, tmp_path: Path
) -> None:
    session = deposit(clocked, SAMPLE)["id"]
    request = opened(clocked, "erasure")["request"]
    for verb in ("decide", "approve", "fulfil"):
        step(clocked, verb, request, code=4)
    step(clocked, "verify", request, "--proof", "passport seen")
    for verb in ("verify", "approve", "fulfil"):
        step(clocked, verb, request, code=4)
    step(clocked, "decide", request)
    step(clocked, "fulfil", request, code=4)
    clocked.run("fetch", session, "--originals", "-o", tmp_path / "out")
    step(clocked, "approve", request)
    assert step(clocked, "fulfil", request)["state"] == "done"


def test_requests_are_for_the_owner_and_the_dpo(clocked: Home) -> None:
    request = opened(clocked, "access")["request"]
    for role in ("officer", "agent", "auditor", "admin", "dpo"):
        clocked.run("actor", "add", role, "--role", role)
        code = 0 if role == "dpo" else 4
        clocked.run("--actor", role, "requests", "show", request, code=code)
        clocked.run("--actor", role, "requests", "list", code=code)


def test_every_step_is_evidence_that_names_nobody(clocked: Home) -> None:
    deposit(clocked, SAMPLE)
    request = opened(clocked, "erasure")["request"]
    step(clocked, "extend", request, "--reason", "much to look at")
    step(clocked, "verify", request, "--proof", "passport seen")
    for verb in ("decide", "approve", "fulfil", "fulfil"):
        step(clocked, verb, request)
    found = entries(clocked, "request-")
    names = ("opened", "extended", "verified", "decided", "approved", "fulfilled")
    assert [entry["type"] for entry in found] == [f"request-{name}" for name in names]
    assert all(entry["request"] == request and entry["test_clock"] for entry in found)
    stored = b"".join(p.read_bytes() for p in clocked.folder.rglob("*") if p.is_file())
    for said in (PERSON, "passport seen", "much to look at"):
        assert said.encode() not in stored


# --- access --------------------------------------------------------------------------------


@real
def test_a_copy_holds_the_real_recording_byte_for_byte_and_what_was_decided(
    clocked: Home, tmp_path: Path
) -> None:
    session = deposit(clocked, CALL)
    request = approved(clocked, "access")
    package = tmp_path / "copy.zip"
    done = step(clocked, "fulfil", request, "-o", str(package))
    assert (done["state"], done["package"]) == ("done", str(package))
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        for file in session["originals"]:
            content = archive.read(f"sessions/{session['id']}/originals/{file['name']}")
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            assert content == (CALL / file["name"]).read_bytes()
        readme = archive.read("README.md").decode()
        decided = json.loads(archive.read("decisions.json"))
    assert f"sessions/{session['id']}/session.json" in names
    assert "P365D" in readme
    assert {one["outcome"] for one in decided} == {"provide"}
    assert {one["element"] for one in decided} >= {"original_audio", "transcript", "metadata"}
    assert step(clocked, "fulfil", request)["package"] == str(package)
    again = step(clocked, "fulfil", request, "-o", str(tmp_path / "again.zip"))
    assert again["package"] == str(tmp_path / "again.zip")
    left = entries(clocked, "exported")
    assert [(e["request"], e["sessions"]) for e in left] == [(request, [session["id"]])] * 2


def test_a_copy_is_there_whole_or_not_at_all(clocked: Home, tmp_path: Path) -> None:
    deposit(clocked, SAMPLE)
    request = approved(clocked, "access")
    for stored in clocked.objects():
        stored.write_bytes(stored.read_bytes()[:-1])
    step(clocked, "fulfil", request, "-o", str(tmp_path / "copy.zip"), code=5)
    assert list(tmp_path.glob("*copy*")) == []
    assert step(clocked, "show", request)["state"] == "approved"


def test_while_a_copy_is_asked_for_nothing_of_it_is_destroyed(clocked: Home) -> None:
    session = deposit(clocked, SAMPLE, "--class", "short")["id"]
    access, erasure = approved(clocked, "access"), approved(clocked, "erasure")
    assert step(clocked, "fulfil", erasure)["state"] == "deferred"
    package = clocked.folder.parent / "copy.zip"
    step(clocked, "fulfil", access, "-o", str(package))
    done = step(clocked, "fulfil", erasure)
    assert (done["state"], len(done["certificates"])) == ("done", 1)
    assert clocked.run("show", session).document["state"] == "erased"


def test_a_request_that_is_not_genuine_is_refused_and_keeps_nothing(clocked: Home) -> None:
    session = deposit(clocked, SAMPLE, "--class", "short")["id"]
    clocked.run("consent", "grant", "--subject", PERSON, "--type", "recording")
    request = opened(clocked, "access")["request"]
    later = "2027-01-01T12:00:00+00:00"
    assert clocked.run("sweep", "plan", STRONGROOM_TEST_NOW=later).document["items"] == []
    step(clocked, "refuse", request, code=2)
    step(clocked, "refuse", request, "--reason", " ", code=2)
    assert step(clocked, "refuse", request, "--reason", "not who she says")["state"] == "refused"
    for verb in ("verify", "decide", "approve", "fulfil"):
        step(clocked, verb, request, code=4)
    found = clocked.run("sweep", "plan", STRONGROOM_TEST_NOW=later).document["items"]
    assert {item["session"] for item in found} == {session}
    (entry,) = entries(clocked, "request-refused")
    assert "she says" not in json.dumps(entry)
    step(clocked, "refuse", approved(clocked, "erasure"), "--reason", "too late", code=4)


def test_what_was_found_out_about_a_person_is_not_portable(clocked: Home, tmp_path: Path) -> None:
    (session,) = clocked.run("deposit", SAMPLE, "--subject", PERSON).document["sessions"]
    request = approved(clocked, "portability")
    items = {i["element"]: i["outcome"] for i in step(clocked, "show", request)["items"]}
    assert items["analysis"] == "refused"
    assert items["original_audio"] == items["transcript"] == "provide"
    package = tmp_path / "copy.zip"
    assert step(clocked, "fulfil", request, "-o", str(package))["state"] == "done"
    with zipfile.ZipFile(package) as archive:
        told = json.loads(archive.read(f"sessions/{session['id']}/session.json"))
    assert told["analyses"] == {}


# --- erasure -------------------------------------------------------------------------------


@real
def test_a_real_recording_is_erased_for_good_and_a_second_time_under_the_same_certificate(
    clocked: Home, tmp_path: Path
) -> None:
    session, other = deposit(clocked, CALL), deposit(clocked, REAL / "sess_9eb312e34ac4")
    kept = clocked.run("deposit", REAL / "sess_d20955827a25", "--no-wait").document["sessions"][0]
    request = approved(clocked, "erasure")
    assert {i["outcome"] for i in step(clocked, "show", request)["items"]} == {"erase"}
    assert {i["citation"] for i in step(clocked, "show", request)["items"]} == {"GDPR Art. 17(1)"}
    first, second = step(clocked, "fulfil", request), step(clocked, "fulfil", request)
    assert first["state"] == "done"
    assert len(first["certificates"]) == 2
    assert second == first
    for one in (session, other):
        clocked.run("fetch", one["id"], "--originals", "-o", tmp_path / "out", code=3)
    assert not (tmp_path / "out").exists()
    assert clocked.run("list", "--subject", PERSON).document["sessions"] == []
    clocked.run("fetch", kept["id"], "--originals", "-o", tmp_path / "kept")
    certificate = clocked.run("certificate", "show", first["certificates"][0])
    assert json.loads(json.dumps(certificate.out)).find(PERSON) == -1


@real
def test_a_hold_defers_the_erasure_of_a_real_recording_until_its_grace_has_passed(
    clocked: Home, tmp_path: Path
) -> None:
    session = deposit(clocked, CALL)["id"]
    hold = held(clocked, session)
    request = approved(clocked, "erasure")
    assert outcomes(step(clocked, "show", request)) == {"deferred"}
    waits = step(clocked, "fulfil", request)
    assert (waits["state"], waits["certificates"]) == ("deferred", [])
    assert {k["session"] for k in waits["kept"]} == {session}
    assert step(clocked, "fulfil", request) == waits
    release(clocked, hold)
    assert step(clocked, "fulfil", request)["state"] == "deferred"  # in its grace
    clocked.run("fetch", session, "--originals", "-o", tmp_path / "kept")
    clocked.extra["STRONGROOM_TEST_NOW"] = LATER
    done = step(clocked, "fulfil", request)
    assert (done["state"], len(done["certificates"])) == ("done", 1)
    clocked.run("fetch", session, "--originals", "-o", tmp_path / "gone", code=3)
    assert outcomes(step(clocked, "show", request)) == {"erase"}


def test_what_was_put_off_is_done_by_whoever_keeps_time(clocked: Home) -> None:
    hold = held(clocked, deposit(clocked, SAMPLE)["id"])
    request = approved(clocked, "erasure")
    step(clocked, "fulfil", request)
    release(clocked, hold)
    clocked.extra["STRONGROOM_TEST_NOW"] = LATER
    from vault.operations import upkeep

    with clocked.room() as room:
        told = list(upkeep.run(room))
    assert f"request {request} is done" in told


def test_a_request_is_never_done_while_something_was_passed_over(clocked: Home) -> None:
    first, second = deposit(clocked, SAMPLE)["id"], deposit(clocked, OTHER)["id"]
    hold = held(clocked, first)
    request = approved(clocked, "erasure")
    partial = step(clocked, "fulfil", request)
    assert (partial["state"], len(partial["certificates"])) == ("partial", 1)
    assert {k["session"] for k in partial["kept"]} == {first}
    assert clocked.run("show", second).document["state"] == "erased"
    assert clocked.run("show", first).document["state"] == "restricted"
    release(clocked, hold)
    clocked.extra["STRONGROOM_TEST_NOW"] = LATER
    done = step(clocked, "fulfil", request)
    assert done["state"] == "done"
    assert partial["certificates"][0] in done["certificates"]
    assert len(done["certificates"]) == 2


def test_a_minimum_of_the_same_law_refuses_and_of_another_is_for_counsel(clocked: Home) -> None:
    union = deposit(clocked, SAMPLE, "--regime", "mifid")["id"]
    states = deposit(clocked, OTHER, "--regime", "sec-17a-4")["id"]
    request = approved(clocked, "erasure")
    items = step(clocked, "show", request)["items"]
    audio = {i["session"]: i for i in items if i["element"] == "original_audio"}
    assert audio[union]["outcome"] == "refused"
    assert "2014/65/EU" in audio[union]["citation"]
    assert audio[states]["outcome"] == "conflict-of-laws"
    done = step(clocked, "fulfil", request)
    assert done["state"] in {"partial", "deferred"}
    kept = {k["session"] for k in done["kept"] if k["element"] == "original_audio"}
    assert kept == {union, states}


def test_where_two_speak_the_dpo_rules_and_nobody_else(clocked: Home) -> None:
    session = deposit(clocked, SAMPLE, "--subject", "john@example.com")["id"]
    request = opened(clocked, "erasure")["request"]
    step(clocked, "verify", request)
    assert outcomes(step(clocked, "decide", request)) == {"deferred"}
    step(clocked, "approve", request)
    assert step(clocked, "fulfil", request)["state"] == "deferred"
    ruling = ("--session", session, "--outcome", "erase")
    step(clocked, "decide", request, *ruling, code=2)
    provide = ("--session", session, "--outcome", "provide", "--reason", "no copy was asked for")
    step(clocked, "decide", request, *provide, code=2)
    ruled = step(clocked, "decide", request, *ruling, "--reason", "John agreed in writing")
    assert outcomes(ruled) == {"erase"}
    step(clocked, "fulfil", request, code=4)  # what was ruled is approved like the rest
    assert outcomes(step(clocked, "decide", request)) == {"erase"}
    step(clocked, "approve", request)
    assert step(clocked, "fulfil", request)["state"] == "done"


def test_the_dpo_rules_only_where_the_rules_do_not(clocked: Home) -> None:
    session = deposit(clocked, SAMPLE)["id"]
    held(clocked, session)
    request = opened(clocked, "erasure")["request"]
    step(clocked, "verify", request)
    step(clocked, "decide", request)
    ruling = ("--session", session, "--outcome", "erase", "--reason", "I say so")
    step(clocked, "decide", request, *ruling, code=4)


@real
def test_a_real_recording_that_comes_late_for_an_erased_person_is_kept_apart(
    clocked: Home, tmp_path: Path
) -> None:
    deposit(clocked, CALL)
    step(clocked, "fulfil", approved(clocked, "erasure"))
    late = deposit(clocked, REAL / "sess_c0b1bd673c40", code=4)
    assert late["state"] == "quarantined"
    clocked.run("actor", "add", "olga", "--role", "officer")
    line = ("fetch", late["id"], "--originals", "-o", tmp_path / "out")
    clocked.run("--actor", "olga", *line, code=4)
    clocked.run("consent", "grant", "--subject", PERSON, "--type", "recording")
    assert deposit(clocked, OTHER, code=4)["state"] == "quarantined"
    clocked.extra["STRONGROOM_TEST_NOW"] = LATER
    clocked.run("consent", "grant", "--subject", PERSON, "--type", "recording")
    assert deposit(clocked, SAMPLE)["state"] == "sealed"


# --- restriction, rectification -------------------------------------------------------------


def test_what_is_restricted_is_stored_and_no_more(clocked: Home, tmp_path: Path) -> None:
    session = deposit(clocked, SAMPLE)["id"]
    for name, role in (("olga", "officer"), ("dora", "dpo")):
        clocked.run("actor", "add", name, "--role", role)
    assert step(clocked, "fulfil", approved(clocked, "restriction"))["state"] == "done"
    (listed,) = clocked.run("list").document["sessions"]
    assert listed["state"] == "restricted"
    out = tmp_path / "out"
    for line in (
        ("fetch", session, "--originals", "-o", out),
        ("export", session, "--format", "txt", "-o", out),
        ("replay", session, "--at", "1"),
    ):
        clocked.run("--actor", "olga", *line, code=4)
        assert not out.exists()
    clocked.run("--actor", "dora", "fetch", session, "--originals", "-o", out)
    every = ("export", "--all", "--format", "jsonl", "-o", tmp_path / "all.jsonl")
    clocked.run("--actor", "olga", *every, code=3)
    assert clocked.run("--actor", "dora", *every).document["records"] == 1


def test_a_correction_is_noted(clocked: Home) -> None:
    deposit(clocked, SAMPLE)
    request = approved(clocked, "rectification")
    assert step(clocked, "fulfil", request, "--note", "title put right")["state"] == "done"
    shown = step(clocked, "show", request)
    assert (shown["state"], shown["note"], shown["items"]) == ("done", "title put right", [])
