"""Consent, classes, holds and laws on real recordings: what of them is here, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.homes import Home
from tests.recordings import files
from vault.errors import BackendError, Refused, exit_code
from vault.export.reports import TYPES
from vault.export.writers import WRITERS
from vault.model import Compartment, Kind, PrivacyLevel
from vault.operations import fetch, retrieve, show
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.outcome import Deposited
from vault.operations.records import Choice
from vault.operations.report import Request as Asked
from vault.operations.report import report
from vault.operations.retrieve import Opened
from vault.operations.room import Room
from vault.rows import SessionFilter

ALL = Choice(where=SessionFilter())
CALL = "sess_3a94975eb405"
DISABLED = "sess_073bff0d7875"


@pytest.fixture(scope="session")
def recordings(fixtures_folder: Path) -> Path:
    """The recordings that the Voice Agents Platform made itself, one at each level and one more."""
    return fixtures_folder / "voice_agents_platform" / "recordings"


def put(room: Room, place: Path, terms: Terms | None = None) -> Deposited:
    (one,) = deposit(room, [place], terms or Terms(), wait=False).sessions
    return one


def opened(room: Room, session_id: str) -> Opened:
    return Opened(room, retrieve.session(room, session_id))


def shown(room: Room, session_id: str) -> Mapping[str, Any]:
    return show.session(opened(room, session_id))


def exported(room: Room, session_id: str, out: Path) -> Any:
    export(room, Choice([session_id]), Request("json"), out)
    return json.loads(out.read_bytes())["sessions"][0]


def reported(room: Room, out: Path) -> dict[str, dict[str, Any]]:
    """The tables of a compliance report on everything, by name; its facts are `facts`."""
    report(room, ALL, Asked("compliance_report", "json"), out)
    sections = json.loads(out.read_bytes())["sections"]
    found = [block for section in sections for block in section["blocks"] if "rows" in block]
    return {block.get("name", "facts"): dict(block["rows"]) for block in found}


# --- privacy levels ------------------------------------------------------------------------


@pytest.mark.parametrize("level", PrivacyLevel)
def test_no_level_lets_a_word_or_a_sound_of_a_real_call_through_that_it_keeps_out(
    home: Home, recordings: Path, tmp_path: Path, level: PrivacyLevel
) -> None:
    came = files(recordings / CALL)
    said = [s["text"] for s in json.loads(came[f"{CALL}_transcript.json"])["segments"]]
    sound = came[f"{CALL}_audio.wav"][100_000:100_064]
    with home.room() as room:
        outcome = deposit(room, [recordings / CALL], Terms(privacy_level=level), wait=False)
        if level is PrivacyLevel.DISABLED:
            assert [type(error) for _, error in outcome.refused] == [Refused]
            assert (outcome.sessions, list(retrieve.sessions(room, SessionFilter()))) == ([], [])
            assert home.objects() == []
            return
        (one,) = outcome.sessions
        document = json.dumps(exported(room, one.id, tmp_path / "out.json"), ensure_ascii=False)
        document += json.dumps(shown(room, one.id), ensure_ascii=False)
        fetch.originals(room, one.id, tmp_path / "back")
    back = b"".join(files(tmp_path / "back").values())
    for text in said:
        assert (text in document) == (Kind.TRANSCRIPT in level.keeps)
        assert (text.encode() in back) == (Kind.TRANSCRIPT in level.keeps)
    assert (sound in back) == (Kind.AUDIO in level.keeps)


def test_of_the_recording_that_was_disabled_nothing_is_stored_and_nobody_named(
    home: Home, recordings: Path
) -> None:
    with home.room() as room:
        outcome = deposit(room, [recordings / DISABLED], Terms(), wait=False)
        assert list(retrieve.sessions(room, SessionFilter())) == []
    ((path, error),) = outcome.refused
    assert path.name == DISABLED
    assert isinstance(error, Refused)
    assert home.objects() == []
    stored = b"".join(p.read_bytes() for p in home.folder.rglob("*") if p.is_file())
    assert b"jane@example.com" not in stored
    assert DISABLED.encode() not in stored


# --- consent -------------------------------------------------------------------------------


def test_what_a_recording_states_of_consent_is_shown_and_exported_at_every_level(
    room: Room, recordings: Path, tmp_path: Path
) -> None:
    records = json.loads((recordings.parent / "consent/consent_records.json").read_text())
    levels, stated = set(), []
    for one in deposit(room, [recordings], Terms(), wait=False).sessions:
        metadata = json.loads((one.path / f"{one.external_id}_metadata.json").read_text())
        own = records.get(metadata["user_id"], [])
        document = shown(room, one.id)
        # Nothing is granted here, whatever the source says: it is passed on and not believed.
        assert document["consent"] == {"state": "unknown", "stated": own}
        found = exported(room, one.id, tmp_path / "out.json")
        assert found["source"].get("consent", []) == own
        assert found["source"]["retention_until"] == metadata["retention_until"]
        levels.add(document["privacy_level"])
        stated += [(c["consent_type"], bool(c["withdrawal_date"]), c["legal_basis"]) for c in own]
    assert levels == {level.value for level in PrivacyLevel if level is not PrivacyLevel.DISABLED}
    assert {kind for kind, _, _ in stated} == {
        *("recording", "transcript", "analytics", "storage", "sharing", "processing")
    }
    assert ("recording", True, "contract") in stated


def test_where_consent_is_demanded_no_source_can_grant_it(home: Home, recordings: Path) -> None:
    home.extra["STRONGROOM_CONSENT"] = "required"
    with home.room() as room:
        outcome = deposit(room, [recordings], Terms(), wait=False)
    assert outcome.sessions == []
    assert [exit_code(error) for _, error in outcome.refused] == [4] * 6
    assert home.objects() == []


# --- classes -------------------------------------------------------------------------------


def test_a_recording_lies_under_the_key_of_its_class_and_the_month_it_ends(
    room: Room, recordings: Path
) -> None:
    buckets = {
        "short": "short/2026-11",
        "medium": "medium/2026-12",
        "long": "long/2027-11",
        "healthcare": "healthcare/2033-11",
        "permanent": "permanent",
    }
    folders = sorted(p for p in recordings.iterdir() if p.name != DISABLED)
    for folder, (name, bucket) in zip(folders, buckets.items(), strict=True):
        one = put(room, folder, Terms(class_name=name))
        (row,) = retrieve.sessions(room, SessionFilter(class_name=name))
        assert (row.id, row.bucket) == (one.id, bucket)
        with room.catalogue.transaction() as tx:
            keys = {tx.record(row.id, each).key_id for each in (Compartment.ORIGINAL, "timeline")}
            assert {tx.key(key).bucket for key in keys} == {bucket}
        elements = shown(room, row.id)["elements"]
        (ends,) = {(e["class"], (e["not_before"] or "")[:7]) for e in elements}
        assert ends == (name, bucket.partition("/")[2])


# --- holds ---------------------------------------------------------------------------------


def test_a_hold_on_what_is_stored_of_a_recording_outlives_whoever_placed_it(
    home: Home, recordings: Path, tmp_path: Path
) -> None:
    with home.room() as room:
        one = put(room, recordings / CALL)
        with room.catalogue.transaction() as tx:
            stored = [(retrieve.place(room, row), row.version) for row in tx.objects(one.id)]
        for key, version in stored:
            room.store.hold(key, version, True)
    assert stored
    with home.room() as room:
        for key, version in stored:
            assert room.store.held(key, version)
            with pytest.raises(Refused):
                room.store.delete(key, version)
        fetch.originals(room, one.id, tmp_path / "back")
        assert files(tmp_path / "back") == files(recordings / CALL)
        for key, version in stored:
            room.store.hold(key, version, False)
            room.store.delete(key, version)
    assert home.objects() == []


# --- laws ----------------------------------------------------------------------------------


def test_a_recording_keeps_who_put_it_in_when_under_which_laws_and_what_was_done(
    room: Room, recordings: Path
) -> None:
    before = room.clock.now()
    terms = Terms(jurisdictions=["DE", "US-CA"], regimes=["gdpr", "ccpa"])
    one = put(room, recordings / CALL, terms)
    (row,) = retrieve.sessions(room, SessionFilter(jurisdiction="US-CA"))
    assert (row.id, row.deposited_by) == (one.id, room.actor.id)
    assert before <= row.deposited_at <= room.clock.now()
    document = shown(room, one.id)
    assert (document["jurisdictions"], document["regimes"]) == (["DE", "US-CA"], ["gdpr", "ccpa"])
    assert {(job["name"], job["attempts"]) for job in document["jobs"]} == {
        ("transcode", 0),
        ("analyse", 0),
    }
    assert list(retrieve.sessions(room, SessionFilter(jurisdiction="FR"))) == []


def test_a_compliance_report_counts_what_was_stated_of_real_recordings(
    room: Room, recordings: Path, tmp_path: Path
) -> None:
    laws = {
        "sess_3a94975eb405": (["DE"], ["gdpr", "hipaa"]),
        "sess_9eb312e34ac4": (["GB"], ["uk-gdpr", "pci-dss"]),
        "sess_c0b1bd673c40": (["US-CA"], ["ccpa", "pci-dss"]),
        "sess_d20955827a25": (["US-IL", "DE"], ["bipa", "gdpr"]),
        "sess_f7533c98a67b": ([], []),
    }
    for name, (places, regimes) in laws.items():
        put(room, recordings / name, Terms(jurisdictions=places, regimes=regimes))
    found = reported(room, tmp_path / "out.json")
    assert found["regime"] == {
        "bipa": 1,
        "ccpa": 1,
        "gdpr": 2,
        "hipaa": 1,
        "none named": 1,
        "pci-dss": 2,
        "uk-gdpr": 1,
    }
    assert found["jurisdiction"] == {"DE": 2, "GB": 1, "US-CA": 1, "US-IL": 1, "none named": 1}
    # Two recordings of a user who granted three things, two of one who took one of six back.
    assert found["consent stated"] == {
        "analytics: granted": 4,
        "processing: granted": 2,
        "recording: granted": 2,
        "recording: withdrawn": 2,
        "sharing: granted": 2,
        "storage: granted": 2,
        "transcript: granted": 4,
    }
    facts = found["facts"]
    assert (facts["Sessions"], facts["Data subjects named"]) == (5, 4)
    assert (facts["Consent stated by the source"], facts["Consent unknown"]) == (4, 1)
    assert (facts["With audio"], facts["With a transcript"]) == (3, 3)


# --- anonymising ---------------------------------------------------------------------------


def test_without_an_engine_no_format_and_no_report_is_anonymised_and_nothing_is_opened(
    room: Room, recordings: Path, tmp_path: Path
) -> None:
    one = Choice([put(room, recordings / CALL).id])
    nowhere: Any = None
    closed = replace(room, catalogue=nowhere, store=nowhere, keys=nowhere)
    for name in WRITERS:
        with pytest.raises(BackendError, match="No redaction engine") as refused:
            export(closed, one, Request(name, anonymise=True), tmp_path / "out")
        assert exit_code(refused.value) == 6
    for kind in TYPES:
        sections = ["summary"] if kind == "custom_report" else []
        with pytest.raises(BackendError, match="No redaction engine"):
            report(closed, one, Asked(kind, sections=sections, anonymise=True), tmp_path / "out")
    assert not (tmp_path / "out").exists()
