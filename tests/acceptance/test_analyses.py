"""The seven analyses as a user asks for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.homes import Home, ended
from vault import samples

KINDS = {
    *("quality", "conversation_flow", "speaker_analytics", "performance", "sentiment"),
    *("keyword_analysis", "interruption_analysis"),
}
REAL = FIXTURES / "scenario" / "python"
needs_recordings = pytest.mark.skipif(not REAL.is_dir(), reason="the recordings are not here")


def deposited(home: Home, path: Path, *more: str) -> str:
    (session,) = home.run("deposit", path, *more).document["sessions"]
    found: str = session["id"]
    return found


@needs_recordings
@pytest.mark.parametrize(
    "name", ["elevenlabs_interruption", "gemini_live_interruption", "angry_customer"]
)
def test_a_real_call_has_all_seven_and_no_fewer_interruptions_than_it_states(
    home: Home, name: str
) -> None:
    found = home.run("analyse", deposited(home, REAL / name)).document
    assert found.keys() == {"id", "version", *KINDS}
    assert all({"available", "measured", "estimated"} <= found[kind].keys() for kind in KINDS)
    events = json.loads((REAL / name / "manifest.json").read_text()).get("events", [])
    stated = sum(event["type"] == "user_interrupt" for event in events)
    assert found["interruption_analysis"]["stated_count"] == stated
    assert found["interruption_analysis"]["count"] >= stated
    quality = found["quality"]
    heard = quality["speech_seconds"] + quality["silence_seconds"]
    assert heard == pytest.approx(quality["audio_seconds"])


def test_kept_results_are_those_made_anew(home: Home) -> None:
    call = samples.folder() / "pharmacy-refill"
    session = deposited(home, call, "--no-wait")
    anew = home.run("analyse", session).document
    assert "analysis/analysis.json" not in parts(home, session)
    home.run("deposit", call)  # the same bytes again: its jobs run now
    assert "analysis/analysis.json" in parts(home, session)
    assert home.run("analyse", session).document == anew


def parts(home: Home, session: str) -> set[str]:
    return {part["name"] for part in home.run("show", session).document["parts"]}


def test_one_kind_is_that_kind_alone_with_the_terms_that_were_asked_for(home: Home) -> None:
    session = deposited(home, samples.folder() / "pharmacy-refill")
    asked = ("keyword_analysis", "--term", "refills", "--term", "birch lane", "--language", "en")
    found = home.run("analyse", session, *asked).document
    assert found.keys() == {"id", "version", "keyword_analysis"}
    assert found["keyword_analysis"]["vocabulary"] == {"birch lane": 1, "refills": 1}


def test_a_doubt_is_where_the_caller_draws_the_line(home: Home) -> None:
    session = deposited(home, samples.folder() / "voice-agents-platform")
    unsure = [
        home.run("analyse", session, "quality", *more).document["quality"][
            "low_confidence_segments"
        ]
        for more in ((), ("--minimum-confidence", "0.5"), ("--minimum-confidence", "0.92"))
    ]
    assert unsure == [1, 0, 2]


def test_what_is_not_there_is_told_by_the_exit_code(home: Home) -> None:
    session = deposited(home, samples.folder() / "parcel-callback")
    home.run("analyse", session, "horoscope", code=2)
    home.run("analyse", session, "--minimum-confidence", "7", code=2)
    home.run("analyse", "no-such-session", code=3)
    home.run("actor", "add", "robot", "--role", "agent")
    home.run("analyse", session, "--actor", "robot", code=4)


def test_people_read_every_analysis_and_why_one_is_missing(home: Home) -> None:
    session = deposited(home, samples.folder() / "parcel-callback")
    told = ended(home.start("analyse", session)).out
    assert all(kind.replace("_", " ") in told for kind in KINDS)
    assert told.count("not available") == 2  # nobody wrote down what was said
    assert "None" not in told


def test_stage_timings_of_voicemode_are_performance(home: Home) -> None:
    session = deposited(home, samples.folder() / "voicemode")
    found: dict[str, Any] = home.run("analyse", session, "performance").document["performance"]
    assert found["stages"]["time_to_first_audio"]["count"] == 3
    assert found["stages"]["transcription_time"]["p50_seconds"] == 0.31


def test_people_are_told_too_which_figures_are_estimated(home: Home) -> None:
    session = deposited(home, samples.folder() / "pharmacy-refill")
    shown = ended(home.start("analyse", session)).out.split("\n\n")
    told = {block.split("\n")[0].strip().replace(" ", "_"): block for block in shown}
    found = home.run("analyse", session).document
    for kind in KINDS:
        names = ", ".join(found[kind]["estimated"]).replace("_", " ")
        assert f"  {'estimated':<20} {names}\n" in told[kind] + "\n"
        assert names


@pytest.mark.parametrize("form", ["html", "docx", "xlsx"])
def test_a_document_says_that_it_has_no_analyses_if_there_are_any(
    home: Home, tmp_path: Path, form: str
) -> None:
    call = samples.folder() / "pharmacy-refill"
    session = deposited(home, call, "--no-wait")

    def warned() -> list[str]:
        line = ("export", session, "--format", form, "-o", tmp_path / f"call.{form}")
        return [w["code"] for w in home.run(*line).document["warnings"]]

    assert "analysis-left-out" not in warned()
    home.run("deposit", call)  # the same bytes again: its jobs run now
    assert warned().count("analysis-left-out") == 1
    assert home.run("analyse", session).document["quality"]["available"]
