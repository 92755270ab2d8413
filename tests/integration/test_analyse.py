"""The job `analyse`: what was heard and said, kept sealed and had back."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests import recordings
from tests.homes import Home
from vault.errors import NotFound, UsageError
from vault.model import Compartment, PrivacyLevel
from vault.operations import analysis as analyses
from vault.operations import jobs, show
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.retrieve import Opened, session
from vault.operations.room import Room
from vault.replay.analysis import KINDS, Options

PHRASES = ("My parcel is late and my parcel is wet.", "I am sorry about your parcel.")


def taken(room: Room, path: Path, terms: Terms | None = None, *, wait: bool = True) -> str:
    outcome = deposit(room, [path], terms or Terms(subjects=["x"]), wait=wait)
    assert not outcome.refused
    (one,) = outcome.sessions
    return one.id


def found(room: Room, session_id: str, *kinds: str) -> dict[str, Any]:
    document: dict[str, Any] = analyses.analysis(room, session_id, kinds or KINDS)
    return document


def test_a_deposit_is_analysed_and_the_results_lie_sealed(home: Home, tmp_path: Path) -> None:
    with home.room() as room:
        one = taken(room, recordings.bundle(tmp_path / "call", PHRASES))
        opened = Opened(room, session(room, one))
        part = opened.part(analyses.PART)
        kept = json.loads(b"".join(opened.stream(part)))
        shown: dict[str, Any] = show.session(opened)
        assert kept == found(room, one)
    assert {j["name"]: j["state"] for j in shown["jobs"]} == {
        "transcode": "done",
        "analyse": "done",
    }
    assert "analysis" in {e["element"] for e in shown["elements"]}
    assert kept["keyword_analysis"]["keywords"][0]["word"] == "parcel"
    quality = kept["quality"]
    assert quality["audio_seconds"] == 1.0
    assert quality["speech_seconds"] + quality["silence_seconds"] == pytest.approx(1.0)
    assert [r["name"] for r in quality["recordings"]] == [
        "segments/00-user-0000ms.wav",
        "segments/01-agent-0500ms.wav",
    ]
    stored = [path.read_bytes() for path in home.objects()]
    assert not any(b"parcel" in content or b"keyword" in content for content in stored)


def test_what_was_kept_is_given_and_nothing_is_heard_twice(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.room() as room:
        one = taken(room, recordings.bundle(tmp_path / "call", PHRASES))
        before = found(room, one)
        monkeypatch.setattr(analyses, "compute", None)
        assert found(room, one) == before
        assert found(room, one, "quality").keys() == {"version", "quality"}
        objects = home.objects()
        assert jobs.run(room, [one])
        assert home.objects() == objects


def test_before_the_job_has_run_the_analysis_is_made_and_not_kept(
    home: Home, tmp_path: Path
) -> None:
    with home.room() as room:
        one = taken(room, recordings.bundle(tmp_path / "call", PHRASES), wait=False)
        early = found(room, one)
        assert len(home.objects()) == 1
        assert jobs.run(room, [one])
        assert found(room, one) == early


def test_without_its_key_an_analysis_is_gone_and_the_renditions_stay(
    home: Home, tmp_path: Path
) -> None:
    with home.room() as room:
        one = taken(room, recordings.bundle(tmp_path / "call", PHRASES))
        assert analyses.kept(Opened(room, session(room, one))) is not None
        before = lying(room, one)
        assert before["analysis"] == {analyses.PART}
        forget(home, Compartment.ANALYSIS)
        assert lying(room, one) == {**before, "analysis": set()}
        forget(home, Compartment.DERIVED)
        assert lying(room, one) == {**before, "analysis": set(), "derived": set()}


def test_a_session_from_before_analyses_had_a_key_keeps_them_with_the_renditions(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.room() as room:
        one = taken(room, recordings.bundle(tmp_path / "call", PHRASES), wait=False)
        forget(home, Compartment.ANALYSIS)
        assert jobs.run(room, [one])
        opened = Opened(room, session(room, one))
        assert {job.state for job in opened.jobs} == {"done"}
        assert opened.part(analyses.PART).compartment is Compartment.DERIVED
        shown: dict[str, Any] = show.session(opened)
        assert "analysis" in {e["element"] for e in shown["elements"]}
        monkeypatch.setattr(analyses, "compute", None)
        assert found(room, one)["keyword_analysis"]["available"]


def lying(room: Room, session_id: str) -> dict[str, set[str]]:
    """The names of the parts that can be opened, by their compartments; all that jobs fill."""
    opened = Opened(room, session(room, session_id))
    return {
        each.value: {p.name for p in opened.parts if p.compartment is each}
        for each in (Compartment.ORIGINAL, Compartment.DERIVED, Compartment.ANALYSIS)
    }


def forget(home: Home, compartment: Compartment) -> None:
    """Take the key of a compartment out of the catalogue, as if it were not there."""
    with contextlib.closing(sqlite3.connect(home.folder / "catalogue.db")) as tables, tables:
        tables.execute("DELETE FROM records WHERE compartment = ?", (compartment.value,))


def test_options_are_answered_afresh(home: Home, tmp_path: Path) -> None:
    with home.room() as room:
        one = taken(room, recordings.bundle(tmp_path / "call", PHRASES))
        options = Options(vocabulary=["parcel is late"], keywords=1)
        asked: dict[str, Any] = analyses.analysis(room, one, ["keyword_analysis"], options)
        assert asked["keyword_analysis"]["vocabulary"] == {"parcel is late": 1}
        assert len(asked["keyword_analysis"]["keywords"]) == 1
        assert found(room, one)["keyword_analysis"]["vocabulary"] == {}


def test_unknown_kinds_and_sessions_are_told_apart(home: Home, tmp_path: Path) -> None:
    with home.room() as room:
        one = taken(room, recordings.recording(tmp_path / "a.wav"))
        with pytest.raises(UsageError):
            found(room, one, "mood")
        with pytest.raises(NotFound):
            found(room, "00000000-0000-7000-8000-000000000000")


def test_a_recording_that_cannot_be_heard_is_named_and_the_rest_is_analysed(
    home: Home, tmp_path: Path
) -> None:
    source = recordings.bundle(tmp_path / "call", PHRASES)
    broken = "segments/00-user-0000ms.wav"
    (source / broken).write_bytes(b"RIFF\x24\x00\x00\x00WAVEjunk" + bytes(200))
    with home.room() as room:
        result = found(room, taken(room, source))
    assert result["quality"]["unheard"].keys() == {broken}
    assert result["quality"]["audio_seconds"] == 0.5
    assert result["keyword_analysis"]["available"]


def test_an_analysis_knows_only_what_the_privacy_level_keeps(home: Home, tmp_path: Path) -> None:
    results: dict[PrivacyLevel, dict[str, Any]] = {}
    with home.room() as room:
        for level in (PrivacyLevel.AUDIO_ONLY, PrivacyLevel.TRANSCRIPT_ONLY):
            source = recordings.bundle(tmp_path / level, PHRASES, seed=len(results) * 10)
            terms = Terms(subjects=["x"], privacy_level=level)
            results[level] = found(room, taken(room, source, terms))
    sounds, words = results[PrivacyLevel.AUDIO_ONLY], results[PrivacyLevel.TRANSCRIPT_ONLY]
    assert sounds["quality"]["audio_seconds"] == 1.0
    assert not sounds["keyword_analysis"]["available"]
    assert not sounds["sentiment"]["available"]
    assert "parcel" not in json.dumps(sounds)
    assert words["quality"]["audio_seconds"] is None
    assert words["keyword_analysis"]["available"]


def test_outside_recordings_are_analysed_as_their_answers_say(
    home: Home, fixtures_folder: Path
) -> None:
    scenario = fixtures_folder / "scenario"
    folders = [
        scenario / "python" / "elevenlabs_interruption",
        scenario / "python" / "gemini_live_interruption",
        scenario / "produced_1.6.0" / "overlap_tools",
        scenario / "javascript" / "random_interruptions",
    ]
    with home.room() as room:
        outcome = deposit(room, folders, Terms(subjects=["x"]), wait=False)
        for one in outcome.sessions:
            expected = json.loads((one.path / "expected.json").read_text())
            result = found(room, one.id)
            latency = result["performance"]["latency"]
            assert latency["count"] == expected["latency"]["n"]
            assert latency["p95_seconds"] == pytest.approx(expected["latency"]["p95"])
            flow, quality = result["conversation_flow"], result["quality"]
            assert flow["overlap_seconds"] == pytest.approx(expected["overlap_s"], abs=2e-6)
            assert flow["silence_seconds"] == pytest.approx(expected["silence_s"], abs=2e-6)
            for answers in flow["response"].values():
                assert answers["avg_seconds"] is None or answers["avg_seconds"] >= 0
            stated = expected["event_counts"].get("user_interrupt", 0)
            interruptions = result["interruption_analysis"]
            assert interruptions["stated_count"] == stated <= interruptions["count"]
            length = sum(r["duration_seconds"] for r in quality["recordings"])
            assert quality["audio_seconds"] == pytest.approx(length)
            spoken = quality["speech_seconds"] + quality["silence_seconds"]
            assert spoken == pytest.approx(quality["audio_seconds"])
            assert quality["speech_seconds"] > quality["audio_seconds"] / 2


@pytest.mark.parametrize(
    ("place", "seconds"),
    [
        ("voice_agents_platform/recordings/sess_3a94975eb405", 13.973125),
        ("voice_agents_platform/recordings/sess_c0b1bd673c40", 20.101333),  # packed with gzip
        ("voice_agents_platform/recordings/sess_9eb312e34ac4", 13.973125),  # bare samples
        ("promptkit/pk-dev-interruption/pk-dev-interruption.recording.json", 20.101),  # in blobs
        ("promptkit/pk-dev-inline/pk-dev-inline.recording.json", 0.8),  # inside the file
        ("vcon/mapped/scenario_branded.vcon", 3.55),  # one turn inside, the others elsewhere
    ],
)
def test_speech_and_silence_of_every_family_are_measured_and_are_its_length(
    home: Home, fixtures_folder: Path, place: str, seconds: float
) -> None:
    with home.room() as room:
        quality = found(room, taken(room, fixtures_folder / place, wait=False), "quality")[
            "quality"
        ]
    assert quality["available"]
    assert quality["audio_seconds"] == pytest.approx(seconds, abs=0.001)
    heard = quality["speech_seconds"] + quality["silence_seconds"]
    assert heard == pytest.approx(quality["audio_seconds"])
    assert quality["speech_seconds"] > 0


def test_turns_in_pieces_are_heard_one_by_one_each_where_it_began(
    home: Home, fixtures_folder: Path
) -> None:
    place = fixtures_folder / "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
    with home.room() as room:
        one = taken(room, place, wait=False)
        turns = Opened(room, session(room, one)).timeline().segments
        heard = found(room, one, "quality")["quality"]["recordings"]
    expected = sorted((turn.start_ns / 1e9, (turn.decoded_ns or 0) / 1e9) for turn in turns)
    starts = sorted((each["start_seconds"], each["duration_seconds"]) for each in heard)
    assert starts == [pytest.approx(each, abs=0.002) for each in expected]


def test_what_was_found_of_a_real_call_is_kept_and_not_sought_again(
    home: Home, fixtures_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fixtures_folder / "voice_agents_platform/recordings/sess_3a94975eb405"
    with home.room() as room:
        one = taken(room, place, wait=False)
        anew = found(room, one)
        assert analyses.kept(Opened(room, session(room, one))) is None
        assert jobs.run(room, [one])
        monkeypatch.setattr(analyses, "compute", None)
        assert found(room, one) == anew
    assert set(anew) == {"version", *KINDS}
