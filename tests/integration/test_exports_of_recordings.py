"""Exports and reports of the Voice Agents Platform's own recordings: formats, scopes, types."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pyrage
import pytest

from tests.acceptance.test_fixtures import decoded_seconds
from tests.integration.test_export import ALL, told
from tests.records import parsed
from vault import formats
from vault.errors import NotFound
from vault.export.reports import SECTIONS, TYPES
from vault.operations import schedules
from vault.operations.admission import Terms
from vault.operations.background import Exports, Stage
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.report import Request as Asked
from vault.operations.report import report
from vault.operations.room import Room
from vault.replay.transcript import Processing, process
from vault.rows import SessionFilter

CALL, PACKED = "sess_3a94975eb405", "sess_c0b1bd673c40"
WORDS, SOUND, NOTHING = "sess_d20955827a25", "sess_9eb312e34ac4", "sess_f7533c98a67b"
#: What each of the nine is opened with; it says whether what was said is in it.
OPENED: dict[str, Callable[[Path, str], bool]] = {
    "json": lambda path, said: said in [s["text"] for s in session(path)["segments"]],
    "csv": lambda path, said: said in {row["text"] for row in table(path)},
    "xml": lambda path, said: said in {e.text for e in parsed(path.read_bytes()).iter("text")},
    "xlsx": lambda path, said: said in cells(path),
    "pdf": lambda path, _: path.read_bytes().rstrip().endswith(b"%%EOF"),
    "html": lambda path, said: said in path.read_text(),
    "zip": lambda path, said: said in unzipped(path),
    "wav": lambda path, _: decoded_seconds(path) == pytest.approx(13.973, abs=0.1),
    "mp3": lambda path, _: decoded_seconds(path) == pytest.approx(13.973, abs=0.1),
}


@pytest.fixture
def ids(room: Room, fixtures_folder: Path) -> dict[str, str]:
    """The five recordings that may be kept, by the names they came with."""
    place = fixtures_folder / "voice_agents_platform" / "recordings"
    done = deposit(room, [place], Terms(), wait=False)
    return {str(one.external_id): one.id for one in done.sessions}


def session(path: Path) -> Any:
    (one,) = json.loads(path.read_bytes())["sessions"]
    return one


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


def cells(path: Path) -> set[object]:
    sheets = openpyxl.load_workbook(path)
    return {cell for sheet in sheets for row in sheet.iter_rows(values_only=True) for cell in row}


def unzipped(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return b"".join(map(archive.read, archive.namelist())).decode(errors="replace")


def lines(folder: Path, name: str = CALL) -> list[dict[str, Any]]:
    path = folder / "voice_agents_platform/recordings" / name / f"{name}_transcript.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["segments"]
    return found


# --- formats -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OPENED)
def test_each_of_the_nine_opens_as_what_it_is_and_holds_the_call(
    room: Room, fixtures_folder: Path, tmp_path: Path, ids: dict[str, str], kind: str
) -> None:
    out = tmp_path / f"out.{kind}"
    done = export(room, Choice([ids[CALL]]), Request(kind), out)
    assert (done.records, out.stat().st_size) == (1, done.files[0]["bytes"])
    for line in lines(fixtures_folder):
        assert OPENED[kind](out, line["text"].replace("&", "&amp;"))


@pytest.mark.parametrize("kind", [*OPENED, "srt", "vtt", "ogg", "flac", "voicemode", "scenario"])
@pytest.mark.parametrize("name", [WORDS, SOUND, NOTHING])
def test_there_is_a_file_exactly_where_there_was_success(
    room: Room, tmp_path: Path, ids: dict[str, str], kind: str, name: str
) -> None:
    out = tmp_path / "out"
    sounds = kind in {"wav", "mp3", "ogg", "flac"}
    silent = name != SOUND and sounds
    try:
        done = export(room, Choice([ids[name]]), Request(kind), out)
    except NotFound:
        assert silent or (kind == "voicemode" and name != WORDS)
        assert not out.exists()
    else:
        assert not silent
        assert done.records == 1
        assert out.is_dir() if kind == "scenario" else out.is_file()
        # Captions of nothing are an empty file, which says so.
        untold = kind in {"srt", "vtt"} and name != WORDS
        assert ("no-turns" in {w.code for w in done.warnings}) is untold
        assert kind == "scenario" or out.stat().st_size or untold
    assert [p for p in tmp_path.iterdir() if p.name not in {"home", "out"}] == []


def test_a_real_transcript_in_json_and_word_has_times_from_its_own_start(
    room: Room, fixtures_folder: Path, tmp_path: Path, ids: dict[str, str]
) -> None:
    said = lines(fixtures_folder)
    offsets = [line["timestamp"] - said[0]["timestamp"] for line in said]
    export(room, Choice([ids[CALL]]), Request("json"), tmp_path / "out.json")
    found = [turn["start_ns"] / 1e9 for turn in session(tmp_path / "out.json")["segments"]]
    assert found == pytest.approx(offsets, abs=1e-6)
    export(room, Choice([ids[CALL]]), Request("docx"), tmp_path / "out.docx")
    paragraphs = [p.text for p in docx.Document(str(tmp_path / "out.docx")).paragraphs]
    for line, offset in zip(said, offsets, strict=True):
        (paragraph,) = (text for text in paragraphs if line["text"] in text)
        assert paragraph.startswith(f"[00:00:{math.floor(offset * 10) / 10:04.1f}]")


# --- scopes and types ----------------------------------------------------------------------


def test_each_of_the_six_scopes_has_the_recordings_that_are_of_it(
    room: Room, tmp_path: Path, ids: dict[str, str]
) -> None:
    names = {one: name for name, one in ids.items()}

    def found(choice: Choice) -> tuple[str, set[str]]:
        export(room, choice, Request("json"), tmp_path / "out.json")
        document = json.loads((tmp_path / "out.json").read_bytes())
        return document["export"]["scope"], {names[s["id"]] for s in document["sessions"]}

    def by(kind: str, value: str) -> Choice:
        return Choice(where=SessionFilter(lookups=[(kind, room.keys.lookup(kind, value))]))

    half = datetime.fromisoformat("2026-11-21T07:53:55.500000+00:00")
    assert found(Choice([ids[CALL]])) == ("single_session", {CALL})
    assert found(Choice([ids[CALL], ids[SOUND]])) == ("multiple_sessions", {CALL, SOUND})
    assert found(Choice(where=SessionFilter(until=half))) == ("date_range", {CALL, PACKED})
    assert found(Choice(where=SessionFilter(since=half))) == (
        *("date_range", {WORDS, SOUND, NOTHING}),
    )
    assert found(by("subject", "user123")) == ("user_sessions", {CALL, PACKED})
    assert found(by("subject", "user456")) == ("user_sessions", {WORDS, SOUND})
    assert found(by("agent", "agent456")) == ("agent_sessions", set(ids))
    assert found(ALL) == ("all_sessions", set(ids))


@pytest.mark.parametrize("kind", TYPES)
def test_each_of_the_seven_reports_counts_the_real_recordings(
    room: Room, fixtures_folder: Path, tmp_path: Path, ids: dict[str, str], kind: str
) -> None:
    out = tmp_path / "out.json"
    sections = list(SECTIONS) if kind == "custom_report" else []
    done = report(room, ALL, Asked(kind, "json", sections), out)
    assert done.records == len(ids) == 5
    text, document = out.read_text(), json.loads(out.read_bytes())
    blocks = [block for section in document["sections"] for block in section["blocks"]]
    facts = dict(row for block in blocks if block["kind"] == "facts" for row in block["rows"])
    if kind in {"session_summary", "compliance_report", "custom_report"}:
        assert facts["Sessions"] == 5
    if kind in {"session_summary", "transcript_report", "custom_report"}:
        assert facts["Turns"] == 14
    if kind in {"transcript_report", "custom_report"}:
        assert all(line["text"] in text for line in lines(fixtures_folder, WORDS))
    if kind in {"quality_report", "custom_report"}:
        assert "quality_metrics" in text
        assert [row for b in blocks if b.get("name") == "quality" for row in b["rows"]]
    if kind in {"analytics_report", "custom_report"}:
        assert ["agent456", 5] in [row for b in blocks for row in b.get("rows", ())]
    if kind in {"performance_report", "quality_report", "custom_report"}:
        assert facts["Responses"] > 0


# --- later, again, and for one reader ------------------------------------------------------


def test_a_real_export_in_the_background_ends_done_or_with_its_error(
    room: Room, tmp_path: Path, ids: dict[str, str]
) -> None:
    heard, callbacks = told()
    silent = Choice([ids[NOTHING]])
    with Exports(at_once=1) as exports:
        first = exports.submit(
            lambda tell: export(room, ALL, Request("csv"), tmp_path / "all.csv", progress=tell),
            callbacks,
        )
        done = exports.wait(first, 60)
        second = exports.submit(
            lambda tell: export(room, silent, Request("wav"), tmp_path / "a.wav", progress=tell),
            callbacks,
        )
        failed = exports.wait(second, 60)
    assert (done.stage, done.sessions, done.of) == (Stage.DONE, 5, 5)
    assert sum(bool(row["text"]) for row in table(tmp_path / "all.csv")) == 14
    assert (failed.stage, type(failed.error)) == (Stage.FAILED, NotFound)
    assert not (tmp_path / "a.wav").exists()
    names = [name for name, _ in heard]
    assert names[:2] == ["on_start", "on_progress"]
    assert names[6:] == ["on_complete", "on_start", "on_progress", "on_error"]


def test_a_report_on_real_recordings_comes_on_its_day_for_one_reader(
    room: Room, fixtures_folder: Path, tmp_path: Path, ids: dict[str, str]
) -> None:
    assert ids
    reader = pyrage.x25519.Identity.generate()
    now = room.clock.now()
    due = schedules.Schedule(
        name="weekly",
        type="transcript_report",
        format="json",
        folder=str(tmp_path),
        every_seconds=7 * 86_400,
        next_at=now - timedelta(hours=1),
        lookups=[("subject", "user456")],
        encrypt_to=[str(reader.to_public())],
    )
    schedules.add(room, due)
    schedules.add(room, replace(due, name="later", next_at=now + timedelta(hours=1)))
    (ran,) = schedules.run_due(room)
    assert ran.done is not None
    assert ran.done.records == 2
    sealed = ran.path.read_bytes()
    opened = pyrage.decrypt(sealed, [reader]).decode()
    for line in lines(fixtures_folder, WORDS):
        assert line["text"] in opened
        assert line["text"].encode() not in sealed


# --- transcripts made readable -------------------------------------------------------------


def test_a_real_transcript_is_put_right_named_summed_up_and_told_of(
    fixtures_folder: Path,
) -> None:
    (reading,) = formats.read(fixtures_folder / "voice_agents_platform/recordings" / CALL)
    heard: list[tuple[str, object]] = []
    how = Processing(
        minimum_confidence=0.65,
        vocabulary={"plan": "tariff"},
        speakers={"user": "Ann"},
        terms=("tariff", "refund"),
    )
    found = process(reading.timeline, how, lambda what, value: heard.append((what, value)))
    assert found.left_out == [(0, "unsure")]
    assert [(p.speaker, p.text) for p in found.passages] == [
        ("agent", "Hi! Sure — what would you like to know about your tariff?"),
        ("Ann", "And can you tell me what features are included?"),
        ("agent", "Of course — I can help with that. Which tariff are you referring to?"),
    ]
    summary: Any = found.summary
    assert summary["terms"] == {"tariff": 2, "refund": 0}
    assert summary["confidence_mean"] == pytest.approx((0.67 + 0.74 + 0.81) / 3)
    assert (summary["language"], summary["left_out"]) == ("en", {"unsure": 1})
    assert {"tariff", "features"} <= set(summary["keywords"])
    assert 0 < summary["sentiment"] <= 1
    kinds = [what for what, _ in heard]
    assert kinds.count("segment-processed") == 3
    assert [value for what, value in heard if what == "speaker-identified"] == ["agent", "Ann"]
    assert kinds[-1] == "session-summary"


def test_lines_that_one_real_speaker_says_in_a_row_are_one_passage(fixtures_folder: Path) -> None:
    (reading,) = formats.read(fixtures_folder / "scenario/javascript/elevenlabs_interruption")
    found = process(reading.timeline)
    assert [p.indices for p in found.passages] == [(0,), (1,), (2,), (3,), (4, 5), (6,)]
    fourth, fifth = reading.timeline.segments[4:6]
    joined = found.passages[4]
    assert joined.text == f"{fourth.text} {fifth.text}"
    assert (joined.start_ns, joined.end_ns) == (fourth.start_ns, fifth.end_ns)
    apart = process(reading.timeline, Processing(merge_gap_ns=-1))
    assert [p.indices for p in apart.passages] == [(n,) for n in range(7)]
