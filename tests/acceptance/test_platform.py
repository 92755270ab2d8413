"""What the Voice Agents Platform offered, on its own recordings; and a VoiceMode log out again."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.homes import Home, ended
from vault import formats
from vault.media import probe
from vault.replay.transcript import process

REAL = FIXTURES / "voice_agents_platform" / "recordings"
LOGS = FIXTURES / "voicemode" / "v4"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the recordings are not here")
CALL = REAL / "sess_3a94975eb405"
#: Its nine export formats by our names, and how such a file begins.
NINE = {
    "json": b"{",
    "csv": b"\xef\xbb\xbf",
    "xml": b"<?xml",
    "xlsx": b"PK\x03\x04",
    "pdf": b"%PDF-1.",
    "html": b"<!DOCTYPE html>",
    "zip": b"PK\x03\x04",
    "wav": b"RIFF",
    "mp3": b"ID3",
}


def deposited(home: Home, path: Path) -> str:
    (session,) = home.run("deposit", path).document["sessions"]
    found: str = session["id"]
    return found


def lines() -> list[tuple[float, str]]:
    """When each line of the call began after the first one, in seconds, and what was said."""
    segments = json.loads((CALL / f"{CALL.name}_transcript.json").read_text())["segments"]
    zero = segments[0]["timestamp"]
    return [(each["timestamp"] - zero, each["text"]) for each in segments]


def test_unsure_segments_of_a_real_transcript_are_left_out() -> None:
    (reading,) = formats.read(CALL)
    told = process(reading.timeline)
    stated = [segment.data["confidence"] for segment in reading.timeline.segments]
    assert stated == [0.6, 0.67, 0.74, 0.81]
    assert told.left_out == [(0, "unsure"), (1, "unsure")]
    assert [list(passage.indices) for passage in told.passages] == [[2], [3]]


@pytest.mark.parametrize("kind", ["json", "txt", "srt", "vtt", "docx"])
def test_a_real_transcript_comes_out_with_times_from_its_own_start(
    home: Home, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / f"out.{kind}"
    home.run("export", deposited(home, CALL), "--format", kind, "-o", target)
    content = target.read_bytes()
    if kind == "docx":
        with zipfile.ZipFile(io.BytesIO(content)) as word:
            assert word.testzip() is None
            content = word.read("word/document.xml")
    text = (
        json.dumps(json.loads(content), ensure_ascii=False) if kind == "json" else content.decode()
    )
    assert all(said in text for _, said in lines())
    if kind in {"srt", "vtt"}:
        cues = re.findall(r"(\d+):(\d\d):(\d\d)[.,](\d{3}) -->", text)
        starts = [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in cues]
        assert starts == pytest.approx([at for at, _ in lines()], abs=0.001)


@pytest.mark.parametrize("kind", NINE)
def test_each_of_the_nine_formats_is_really_written(home: Home, tmp_path: Path, kind: str) -> None:
    target = tmp_path / f"out.{kind}"
    answer = home.run("export", deposited(home, CALL), "--format", kind, "-o", target).document
    content = target.read_bytes()
    assert answer["records"] == 1
    assert answer["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert content.startswith(NINE[kind])
    if kind in {"wav", "mp3"}:
        assert probe.sniff(content) == kind


def test_the_page_of_a_call_shows_how_long_the_agent_took_by_its_times(
    home: Home, tmp_path: Path
) -> None:
    session = deposited(home, CALL)
    home.run("export", session, "--format", "html", "-o", tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    found = home.run("analyse", session).document
    waits = found["conversation_flow"]["response"]["user_to_agent"]
    assert "Response times over the session, by transport times" in page
    assert f"median {waits['p50_seconds']:.3g} s" in page


@pytest.mark.parametrize("kind", ["html", "docx", "xlsx"])
def test_what_a_source_states_of_a_call_is_in_its_documents(
    home: Home, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / f"out.{kind}"
    home.run("export", deposited(home, CALL), "--format", kind, "-o", target)
    words = target.read_bytes()
    if kind != "html":
        with zipfile.ZipFile(target) as archive:
            words = b"".join(map(archive.read, archive.namelist()))
    for stated in (b"quality_metrics.transcript_accuracy_score", b"0.705", b"campaign", b"spring"):
        assert stated in words


def test_people_are_told_what_a_source_states_of_consent_and_that_nobody_checked(
    home: Home,
) -> None:
    session = deposited(home, CALL)
    told = ended(home.start("show", session)).out
    assert "consent        unknown, and stated by the source, unchecked" in told
    stated = home.run("show", session).document["consent"]["stated"]
    assert [each["consent_type"] for each in stated] == ["recording", "transcript", "analytics"]


def test_whatever_a_source_states_of_consent_is_a_list(home: Home, tmp_path: Path) -> None:
    webhook = {"type": "post_call_transcription", "consent": "yes"}
    said = [{"role": "user", "message": "Hello"}]
    data = {"agent_id": "a", "conversation_id": "c", "transcript": said}
    (tmp_path / "call.json").write_text(json.dumps({**webhook, "data": data}))
    session = deposited(home, tmp_path / "call.json")
    assert home.run("show", session).document["consent"]["stated"] == ["yes"]


def test_all_sessions_returns_all_and_a_report_counts_them(home: Home, tmp_path: Path) -> None:
    home.run("deposit", REAL, "--no-wait", code=4)  # one was recorded at the level `disabled`
    everything = home.run("export", "--all", "--format", "json", "-o", tmp_path / "all.json")
    assert everything.document["records"] == 5
    made = json.loads((tmp_path / "all.json").read_text())
    assert made["export"]["scope"] == "all_sessions"
    levels = sorted(session["privacy_level"] for session in made["sessions"])
    assert levels == ["audio_only", "full", "full", "metadata_only", "transcript_only"]
    asked = ("report", "compliance_report", "--all", "--format", "csv", "-o", tmp_path / "c.csv")
    assert home.run(*asked).document["records"] == 5
    told = (tmp_path / "c.csv").read_text()
    assert re.search(r"^.*\bfull,2\b", told, re.MULTILINE)
    assert re.search(r"^.*\bmetadata_only,1\b", told, re.MULTILINE)


@pytest.mark.skipif(not LOGS.is_dir(), reason="the recordings are not here")
def test_a_real_conversation_is_titled_tagged_and_exported_with_its_sealed_bytes_untouched(
    home: Home, tmp_path: Path
) -> None:
    home.run("deposit", LOGS, "--no-wait")
    before = {path: path.read_bytes() for path in home.objects()}
    (row,) = home.run("list", "--external-id", "conv_20260114_235000_1et63w").document["sessions"]
    home.run("title", row["id"], "Where is my order")
    home.run("tag", row["id"], "--add", "order")
    assert home.run("list", "--tag", "order").document["sessions"] == [row]
    home.run("export", row["id"], "--format", "voicemode", "-o", tmp_path / "out.jsonl")
    home.run("fetch", row["id"], "--originals", "-o", tmp_path / "back")
    assert {path: path.read_bytes() for path in home.objects()} == before
    logs = b"".join(path.read_bytes() for path in sorted(LOGS.glob("*.jsonl")))
    own = [line for line in logs.splitlines(keepends=True) if b"_1et63w" in line]
    assert len(own) == 3
    assert (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True) == own
    back = sorted((tmp_path / "back").rglob("*.jsonl"))
    assert b"".join(path.read_bytes() for path in back) == b"".join(own)
