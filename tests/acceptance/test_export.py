"""`export`, `report` and `schedule` as a user runs them."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import recordings
from tests.homes import Home, ended

REPORTS = (
    *("session_summary", "quality_report", "transcript_report", "analytics_report"),
    *("compliance_report", "performance_report"),
)


@pytest.fixture(scope="module")
def stocked(_first_home: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[str]]:
    """A home with three sessions, of which two are Ann's. Nothing here may change it."""
    folder = tmp_path_factory.mktemp("stocked")
    home = _first_home.copy(folder / "home")
    ids = []
    for number, subject in enumerate(("ann@example.com", "ann@example.com", "bob@example.com")):
        bundle = recordings.bundle(
            folder / str(number), ("Where is my parcel", "On its way"), seed=20 * number
        )
        answer = home.run("deposit", bundle, "--subject", subject).document
        ids.append(answer["sessions"][0]["id"])
    return home, ids


def test_an_export_answers_with_files_records_and_warnings(
    stocked: tuple[Home, list[str]], tmp_path: Path
) -> None:
    home, (first, second, _) = stocked
    out = tmp_path / "out.csv"
    answer = home.run("export", first, second, "--format", "csv", "-o", out).document
    assert answer.keys() == {"files", "records", "warnings"}
    assert answer["records"] == 2
    assert [f["name"] for f in answer["files"]] == [str(out)]
    assert [w["code"] for w in answer["warnings"]] == ["csv-holds-turns"]


def test_a_part_is_left_out_where_it_is_asked_for(
    stocked: tuple[Home, list[str]], tmp_path: Path
) -> None:
    home, (first, *_) = stocked
    asked = ("--without", "transcript", "--without", "analysis")
    answer = home.run("export", first, "--format", "html", "-o", tmp_path / "out.html", *asked)
    assert [warning["code"] for warning in answer.document["warnings"]] == [
        *("transcript-left-out", "analysis-left-out")
    ]
    assert "parcel" not in (tmp_path / "out.html").read_text()


def test_people_are_told_what_a_warning_is_about(
    stocked: tuple[Home, list[str]], tmp_path: Path
) -> None:
    home = stocked[0].copy(tmp_path / "home")
    made = recordings.bundle(tmp_path / "in", ("Hello", "Good day"), seed=90)
    (made / "notes.txt").write_text("Nothing of it is asked for.")
    (session,) = home.run("deposit", made, "--no-wait").document["sessions"]
    asked = ("export", session["id"], "--format", "scenario", "-o", tmp_path / "out")
    (warning,) = home.run(*asked).document["warnings"]
    told = ended(home.start(*asked)).err
    assert told == f"warning: {warning['text']} [{session['id']}/notes.txt]\n"


def test_filters_are_those_of_list(stocked: tuple[Home, list[str]], tmp_path: Path) -> None:
    home, ids = stocked
    out = tmp_path / "out.json"

    def found(*arguments: str) -> set[str]:
        home.run("export", *arguments, "--format", "json", "-o", out)
        return {s["id"] for s in json.loads(out.read_bytes())["sessions"]}

    assert found("--subject", "Ann@Example.com") == set(ids[:2])
    assert found("--source-format", "scenario", "--from", "2026-01-01T00:00:00Z") == set(ids)
    assert found("--all") == set(ids)
    home.run("export", "--tag", "none", "--format", "json", "-o", tmp_path / "no", code=3)
    assert not (tmp_path / "no").exists()


def test_what_is_not_understood_ends_with_2_and_what_is_not_installed_with_6(
    stocked: tuple[Home, list[str]], tmp_path: Path
) -> None:
    home, (first, *_) = stocked
    out = ("-o", str(tmp_path / "out"))
    misunderstood = (
        ("export", "--format", "json"),
        ("export", first, "--all", "--format", "json"),
        ("export", first, "--subject", "ann@example.com", "--format", "json"),
        ("export", first, "--format", "json", "--encrypt-to", "me"),
        ("export", first, "--format", "json", "--audio", "stereo"),
        ("export", first, "--format", "wav", "--audio", "round"),
        ("export", first, "--format", "json", "--originals"),
        ("export", first, "--format", "zip", "--no-manifest"),
        ("export", first, "--format", "vtt", "--without", "transcript"),
        ("export", first, "--format", "json", "--without", "gossip"),
        ("report", "gossip", "--all"),
        ("report", "session_summary", "--all", "--format", "gif"),
        ("report", "custom_report", "--all"),
        ("report", "session_summary"),
    )
    unredacted = (
        ("export", first, "--format", "json", "--anonymise"),
        ("report", "session_summary", "--all", "--anonymise"),
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda given: home.run(*given, *out, code=2), misunderstood))
        refused = list(pool.map(lambda given: home.run(*given, *out, code=6), unredacted))
    assert ["redaction engine" in answer.err and not answer.out for answer in refused] == [True] * 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_named_as_what_it_is_not(
    stocked: tuple[Home, list[str]], tmp_path: Path
) -> None:
    home, (first, *_) = stocked
    wrong = (
        ("export", first, "--format", "json", "-o", tmp_path / "x.pdf"),
        ("export", first, "--format", "csv", "-o", tmp_path / "x.XLSX"),
        ("export", first, "--format", "vtt", "-o", tmp_path / "x.srt"),
        ("export", "--all", "--format", "html", "-o", tmp_path / "x.pdf.age"),
        ("report", "session_summary", "--all", "--format", "pdf", "-o", tmp_path / "x.html"),
        ("report", "session_summary", "--all", "-o", tmp_path / "x.wav"),
        ("replay", first, "--part", "playback/full.wav.opus", "-o", tmp_path / "x.wav"),
    )
    for given in wrong:
        home.run(*given, code=2)
    assert list(tmp_path.iterdir()) == []
    home.run("export", first, "--format", "vcon", "-o", tmp_path / "x.vcon.json")
    home.run("export", "--all", "--format", "vtt", "-o", tmp_path / "calls.txt")
    home.run("report", "session_summary", "--all", "-o", tmp_path / "x.pdf")
    home.run("report", "session_summary", "--all", "-o", tmp_path / "x")
    home.run("replay", first, "--part", "playback/full.wav.opus", "-o", tmp_path / "x.opus")
    assert (tmp_path / "calls.txt").is_dir()
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "x").read_bytes().startswith(b"<!DOCTYPE html>")
    assert (tmp_path / "x.opus").read_bytes().startswith(b"OggS")


@pytest.mark.parametrize("kind", REPORTS)
def test_every_report_is_made(stocked: tuple[Home, list[str]], tmp_path: Path, kind: str) -> None:
    home, _ = stocked
    answer = home.run("report", kind, "--all", "-o", tmp_path / "out.html").document
    assert answer["records"] == 3
    page = (tmp_path / "out.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert kind.replace("_", " ").capitalize() in page


def test_a_custom_report_holds_the_sections_that_were_named(
    stocked: tuple[Home, list[str]], tmp_path: Path
) -> None:
    home, _ = stocked
    out = tmp_path / "out.json"
    home.run(
        *("report", "custom_report", "--subject", "ann@example.com", "--format", "json"),
        *("--section", "compliance", "--section", "summary", "-o", out),
    )
    titles = [s["title"] for s in json.loads(out.read_bytes())["sections"] if s["level"] == 1]
    assert titles == ["Compliance", "Summary"]


def test_a_schedule_is_kept_runs_once_and_goes(home: Home, tmp_path: Path) -> None:
    home.run("deposit", recordings.bundle(tmp_path / "in", ("Hello", "Hi")), "--no-wait")
    home.run(
        *("schedule", "add", "weekly", "compliance_report", "-o", tmp_path, "--every", "7"),
        *("--format", "pdf"),
    )
    (kept,) = home.run("schedule", "list").document["schedules"]
    assert (kept["name"], kept["every_seconds"]) == ("weekly", 7 * 86_400)
    asked = ("schedule", "add", "other", "compliance_report", "--every", "7")
    home.run(*asked, "-o", tmp_path / "nowhere", code=2)
    (ran,) = home.run("schedule", "run").document["ran"]
    assert Path(ran["path"]).read_bytes().startswith(b"%PDF-1.")
    assert home.run("schedule", "run").document["ran"] == []
    home.run("schedule", "remove", "weekly")
    home.run("schedule", "remove", "weekly", code=3)
    assert home.run("schedule", "list").document["schedules"] == []
