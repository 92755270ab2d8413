"""The seven analyses as a user asks for them."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import docx
import openpyxl
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
    told = ended(home.start("analyse", session)).out.splitlines()
    assert {line[2:33].rstrip() for line in told if line.startswith("  ")} > {
        *("measured   listened to", "estimated  speech, silence"),
        *("measured   turns, switches", "estimated  overall", "           mean confidence"),
    }
    found = home.run("analyse", session).document
    assert "audio_seconds" in found["quality"]["measured"]
    assert "speech_seconds" in found["quality"]["estimated"]


def test_documents_say_what_analyse_says_in_the_same_words(home: Home, tmp_path: Path) -> None:
    session = deposited(home, samples.folder() / "pharmacy-refill")
    told = ended(home.start("analyse", session)).out.splitlines()
    lines = [line for line in told if line.startswith("  ")]
    said = [[line[2:11].strip(), line[13:33].strip(), line[34:]] for line in lines]
    assert len(said) > 25

    def written(form: str, *without: str) -> Path:
        path = tmp_path / f"call.{form}"
        answer = home.run("export", session, "--format", form, "-o", path, *without).document
        codes = [warning["code"] for warning in answer["warnings"]]
        assert ("analysis-left-out" in codes) is bool(without)
        return path

    _, *rows = openpyxl.load_workbook(written("xlsx"))["analyses"].iter_rows(values_only=True)
    # A leading sign would make a formula of a figure, and so an apostrophe stands before it.
    sheet = [[row[4] or "", row[2], str(row[3]).removeprefix("'")] for row in rows]
    assert sheet == said
    assert [row[1] for row in rows].count("sentiment") == 4
    page = re.sub(r"<[^>]+>", "|", html.unescape(written("html").read_text()))
    tables = docx.Document(str(written("docx"))).tables
    (table,) = [t for t in tables if t.cell(0, 3).text == "basis"]
    cells = [[cell.text for cell in row.cells] for row in table.rows][1:]
    assert [[basis, figure, value] for _, figure, value, basis in cells] == said
    assert all(f"|{figure}||{value}||{basis}|" in page for basis, figure, value in said)
    assert "Analyses" not in written("html", "--without", "analysis").read_text()
