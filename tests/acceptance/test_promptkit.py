"""PromptKit sessions as a user has them: in, at an instant, as sound, and out again."""

from __future__ import annotations

import array
import json
import wave
import zipfile
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.homes import Home

REAL = FIXTURES / "promptkit"
CALL = REAL / "pk-dev-interruption"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not beside this")


def deposited(home: Home, path: Path) -> str:
    (session,) = home.run("deposit", path).document["sessions"]
    codes = {w["code"] for w in session["warnings"]}
    assert codes <= {"same-recording", "consent-unknown"}
    assert session["format"] == "promptkit"
    found: str = session["id"]
    return found


def sound(path: Path) -> tuple[array.array[int], int]:
    """The samples of a WAV file, and its channels."""
    with wave.open(str(path)) as file:
        return array.array("h", file.readframes(file.getnframes())), file.getnchannels()


def test_stereo_has_the_caller_left_and_the_agent_right_each_at_its_time(
    home: Home, tmp_path: Path
) -> None:
    session = deposited(home, CALL / "pk-dev-interruption.recording.json")
    home.run(
        "export", session, "--format", "wav", "--audio", "stereo", "-o", tmp_path / "stereo.wav"
    )
    heard, channels = sound(tmp_path / "stereo.wav")
    assert channels == 2
    for channel, name, start_ns, seconds in (
        (0, "input", 1_996_939_832, 2.0),  # the next turn begins then
        (1, "output", 1_998_601_999, 1.433),
    ):
        first, length = start_ns * 24_000 // 10**9, int(seconds * 24_000)
        side = heard[channel::2]
        assert not any(side[: first - 2])
        expected, _ = sound(CALL / f"expected_audio_{name}.wav")
        at = next(n for n in range(first - 2, first + 3) if side[n : n + 99] == expected[:99])
        assert side[at : at + length] == expected[:length]


def test_the_page_of_a_call_shows_how_fast_it_was_answered(home: Home, tmp_path: Path) -> None:
    session = deposited(home, CALL / "pk-dev-interruption.recording.json")
    home.run("export", session, "--format", "html", "-o", tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert "Response times over the session, stated" in page
    assert "median 321 ms" in page


@pytest.mark.parametrize("kind", ["html", "docx", "xlsx", "txt"])
def test_what_was_said_of_a_call_is_in_its_documents(home: Home, tmp_path: Path, kind: str) -> None:
    session = deposited(home, CALL / "pk-dev-interruption.recording.json")
    written = tmp_path / f"out.{kind}"
    home.run("export", session, "--format", kind, "-o", written)
    words = written.read_bytes()
    if kind in {"docx", "xlsx"}:
        with zipfile.ZipFile(written) as archive:
            words = b"".join(map(archive.read, archive.namelist()))
    for said in (b"agent talks over the caller", b"greeted", b"billing", b"0.91"):
        assert said in words


@pytest.mark.parametrize("variant", ["recording.json", "recording.jsonl"])
def test_what_comes_out_is_what_went_in(home: Home, tmp_path: Path, variant: str) -> None:
    path = REAL / "pk-dev-inline" / f"pk-dev-inline.{variant}"
    session = deposited(home, path)
    kind = "promptkit" if variant.endswith("json") else "promptkit-jsonl"
    out = tmp_path / variant
    home.run("export", session, "--format", kind, "-o", out)
    if variant.endswith("json"):
        assert json.loads(out.read_text()) == json.loads(path.read_text())
    else:
        rows = [json.loads(row) for row in out.read_text().splitlines()]
        assert rows == [json.loads(row) for row in path.read_text().splitlines()]
    home.run("fetch", session, "--originals", "-o", tmp_path / "back")
    assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()


def test_an_instant_shows_what_was_going_on(home: Home) -> None:
    session = deposited(home, CALL / "events" / "pk-dev-interruption.jsonl")
    state = home.run("replay", session, "--at", "5").document
    expected = json.loads((CALL / "expected_replay.json").read_text())
    (wanted,) = (
        s for s in expected["events/pk-dev-interruption.jsonl"]["states"]
        if s["offset_ns"] == 5_000_000_000
    )  # fmt: skip
    assert [e["seq"] for e in state["current_events"]] == wanted["current_seqs"]
    assert [e["seq"] for e in state["recent_events"]] == wanted["recent_seqs"]
    assert [m["text"] for m in state["messages"]] == [m["Content"] for m in wanted["messages"]]
    assert state["audio_input_active"]
    assert state["audio_output_active"]
    versions = {(a["type"], a["key"], a["version"]) for a in state["annotations"]}
    assert ("score", "quality", 2) in versions
    assert ("score", "quality", 1) not in versions


def test_sound_inside_a_transcript_is_not_kept_as_a_transcript(home: Home) -> None:
    path = REAL / "pk-dev-inline" / "pk-dev-inline.recording.json"
    answer = home.run("deposit", path, "--privacy-level", "transcript_only")
    (session,) = answer.document["sessions"]
    assert path.name not in {o["name"] for o in session["originals"]}
    shown = home.run("show", session["id"]).out
    assert "inline_data" not in shown
    assert "I have a quick question" in shown


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no_metadata.recording.jsonl", 7),
        ("truncated_last_line.recording.jsonl", 0),
        ("traversal_and_count_mismatch.recording.json", 0),
    ],
)
def test_broken_recordings_end_as_they_should(home: Home, name: str, code: int) -> None:
    document = home.run("deposit", REAL / "malformed" / name, code=code).document
    assert len(document["sessions"]) == (code == 0)
    assert len(document["refused"]) == (code != 0)
