"""The verb `transcript`: what was said made readable, shown, summed up and written."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.homes import Home

#: (seconds, speaker, text, confidence)
LINES = (
    (0.0, "caller", "I ordered the wonderphone.", 0.95),
    (2.5, "caller", "It never came.", 0.9),
    (5.0, "caller", "mumble", 0.3),
    (6.0, "agent-7", "The wonderphone is on its way.", 0.99),
    (20.0, "agent-7", "Anything else?", 0.99),
)
CALL = FIXTURES / "voice_agents_platform" / "recordings" / "sess_3a94975eb405"


def deposited(home: Home, tmp_path: Path) -> str:
    """A recording of the Voice Agents Platform that says how sure it is of each line."""
    start, folder = 1_770_000_000.0, tmp_path / "sess_0123456789ab"
    folder.mkdir()
    metadata = {
        "session_id": folder.name,
        "start_time": start,
        "end_time": start + 22,
        "duration": 22.0,
        "status": "completed",
        "privacy_level": "full",
        "tags": [],
        "custom_metadata": {},
        "audio_format": "wav",
        "sample_rate": 8000,
        "channels": 1,
        "bit_depth": 16,
        "storage_path": ".",
        "compressed": False,
        "encrypted": False,
    }
    segments = [
        {
            "id": f"seg_{number:08x}",
            "timestamp": start + at,
            "end_timestamp": start + at + 1,
            "text": text,
            "speaker_id": speaker,
            "confidence": sure,
            "is_final": True,
        }
        for number, (at, speaker, text, sure) in enumerate(LINES)
    ]
    (folder / f"{folder.name}_metadata.json").write_text(json.dumps(metadata))
    transcript = {"session_id": folder.name, "segments": segments}
    (folder / f"{folder.name}_transcript.json").write_text(json.dumps(transcript))
    session: str = home.run("deposit", folder, "--no-wait").document["sessions"][0]["id"]
    return session


def told(home: Home, session: str, *options: str) -> dict[str, Any]:
    return home.run("transcript", session, *options).document


def test_lines_are_joined_and_unsure_ones_left_out_with_the_reason(
    home: Home, tmp_path: Path
) -> None:
    session = deposited(home, tmp_path)
    found = told(home, session)
    assert found.keys() == {"id", "passages", "left_out", "summary"}
    assert [(p["speaker"], p["text"], p["indices"]) for p in found["passages"]] == [
        ("caller", "I ordered the wonderphone. It never came.", [0, 1]),
        ("agent-7", "The wonderphone is on its way.", [3]),
        ("agent-7", "Anything else?", [4]),
    ]
    assert found["left_out"] == [{"index": 2, "reason": "unsure"}]
    assert (found["summary"]["segments"], found["summary"]["passages"]) == (5, 3)
    everything = told(home, session, "--minimum-confidence", "0", "--merge-seconds", "60")
    assert [p["indices"] for p in everything["passages"]] == [[0, 1, 2], [3, 4]]
    assert everything["left_out"] == []


def test_words_names_terms_and_keywords_are_as_asked_for(home: Home, tmp_path: Path) -> None:
    session = deposited(home, tmp_path)
    found = told(
        *(home, session, "--vocabulary", "wonderphone=Wonder Phone", "--speaker", "agent-7=Kim"),
        *("--term", "wonder phone", "--keywords", "1", "--language", "en"),
    )
    assert [p["speaker"] for p in found["passages"]] == ["caller", "Kim", "Kim"]
    assert found["passages"][1]["text"] == "The Wonder Phone is on its way."
    summary = found["summary"]
    assert summary["terms"] == {"wonder phone": 2}
    assert (len(summary["keywords"]), summary["language"]) == (1, "en")
    assert summary["words_by_speaker"].keys() == {"caller", "Kim"}


@pytest.mark.parametrize("kind", ["txt", "srt", "vtt", "docx"])
def test_it_is_written_in_every_format_that_tells_what_was_said(
    home: Home, tmp_path: Path, kind: str
) -> None:
    session, out = deposited(home, tmp_path), tmp_path / "out"
    asked = ("--format", kind, "-o", out, "--speaker", "caller=Ann")
    answer = home.run("transcript", session, *asked).document
    assert answer["records"] == 1
    assert [f["bytes"] for f in answer["files"]] == [out.stat().st_size]
    content = out.read_bytes()
    if kind == "docx":
        with zipfile.ZipFile(out) as word:
            content = word.read("word/document.xml")
    text = content.decode()
    assert "I ordered the wonderphone. It never came." in text
    assert "Ann" in text
    assert "mumble" not in text


def test_the_ending_of_the_file_says_the_format(home: Home, tmp_path: Path) -> None:
    session = deposited(home, tmp_path)
    for name, begin in (
        ("t.docx", b"PK\x03\x04"),
        ("t.VTT", b"WEBVTT"),
        ("t.srt", b"1\n00:00:00,000"),
        ("t.txt", b"sess_"),
        ("plain", b"sess_"),
    ):
        home.run("transcript", session, "-o", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)
    home.run("transcript", session, "-o", tmp_path / "t.pdf", code=2)
    home.run("transcript", session, "-o", tmp_path / "t.json", code=2)
    home.run("transcript", session, "--format", "txt", "-o", tmp_path / "x.docx", code=2)
    assert not {p.suffix for p in tmp_path.iterdir()} & {".pdf", ".json"}
    assert not (tmp_path / "x.docx").exists()


def test_what_is_stored_stays_as_it_was(home: Home, tmp_path: Path) -> None:
    session = deposited(home, tmp_path)
    before = home.run("show", session).document
    told(home, session, "--vocabulary", "wonderphone=X")
    home.run("transcript", session, "-o", tmp_path / "out", "--speaker", "caller=Ann")
    assert home.run("show", session).document == before


def test_what_cannot_be_done_is_refused_and_leaves_no_file(home: Home, tmp_path: Path) -> None:
    session, out = deposited(home, tmp_path), tmp_path / "out"
    home.run("transcript", session, "--vocabulary", "nothing", code=2)
    home.run("transcript", session, "--speaker", "=Ann", code=2)
    home.run("transcript", session, "--minimum-confidence", "2", code=2)
    home.run("transcript", session, "--merge-seconds", "inf", code=2)
    home.run("transcript", session, "--format", "srt", code=2)
    home.run("transcript", session, "--format", "wav", "-o", out, code=2)
    home.run("transcript", "no-such-session", "-o", out, code=3)
    assert not out.exists()


@pytest.mark.skipif(not CALL.is_dir(), reason="the recordings are not here")
def test_a_real_recording_loses_what_its_recogniser_was_unsure_of(home: Home) -> None:
    session: str = home.run("deposit", CALL).document["sessions"][0]["id"]
    found = told(home, session)
    assert [p["confidence"] for p in found["passages"]] == [0.74, 0.81]
    assert found["left_out"] == [{"index": n, "reason": "unsure"} for n in (0, 1)]
