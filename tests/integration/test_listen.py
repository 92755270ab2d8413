"""A sealed recording is heard from an instant on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests import recordings
from tests.homes import Home, made
from vault.errors import UsageError
from vault.media.probe import probe
from vault.operations import jobs, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.listen import listen

SECOND = 1_000_000_000


def test_a_rendition_plays_from_an_instant_to_its_end(tmp_path: Path) -> None:
    path = recordings.recording(tmp_path / "noise.wav", 30)
    with made(tmp_path / "home").room() as room:
        session = deposit(room, [path], Terms(), wait=False).sessions[0]
        jobs.run(room, [session.id])
        opened = retrieve.Opened(room, retrieve.session(room, session.id))
        original, playback = opened.part("noise.wav"), opened.part("playback/noise.wav.opus")
        whole = b"".join(opened.stream(playback))
        assert b"".join(listen(opened, playback, 0)) == whole
        heard = b"".join(listen(opened, playback, 20 * SECOND))
        assert whole.endswith(heard[-20_000:])
        facts = probe(lambda: io.BytesIO(heard), len(heard), "opus")
        assert 10 * SECOND <= facts.duration_ns <= 11.3 * SECOND
        with pytest.raises(UsageError):
            next(listen(opened, original, 0))


def test_the_command_line_writes_the_sound_from_an_instant_on(home: Home, tmp_path: Path) -> None:
    path, out = recordings.recording(tmp_path / "noise.wav", 30), tmp_path / "out.opus"
    (session,) = home.run("deposit", path).document["sessions"]
    state = home.run("replay", session["id"], "--at", "20").document
    answer = home.run("replay", session["id"], "--at", "20", "-o", out).document
    (file,) = answer.pop("files")
    assert answer == state
    assert (file["name"], file["bytes"]) == (str(out), out.stat().st_size)
    assert 10 * SECOND <= lasts(out) <= 11.3 * SECOND
    named = ("--part", "playback/noise.wav.opus")
    again = home.run("replay", session["id"], "--at", "20", "-o", out, *named).document
    assert again["files"] == [file]
    home.run("replay", session["id"], "--at", "20", *named, code=2)


def test_a_turn_is_heard_from_the_instant_of_the_session_and_not_of_its_file(
    home: Home, tmp_path: Path
) -> None:
    bundle = recordings.bundle(tmp_path / "call", ("one", "two"), seconds=10)
    (session,) = home.run("deposit", bundle).document["sessions"]
    out, turn = tmp_path / "out.opus", "playback/segments/01-agent-10000ms.wav.opus"
    home.run("replay", session["id"], "--at", "16", "-o", out, "--part", turn)
    assert 4 * SECOND <= lasts(out) <= 5.3 * SECOND
    home.run("replay", session["id"], "--at", "3", "-o", out, "--part", turn)
    assert 10 * SECOND <= lasts(out) <= 10.1 * SECOND


def test_what_cannot_be_heard_leaves_no_file(home: Home, tmp_path: Path) -> None:
    bundle = recordings.bundle(tmp_path / "call", ("one", "two"))
    several = home.run("deposit", bundle).document["sessions"][0]["id"]
    (tmp_path / "words.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    silent = home.run("deposit", tmp_path / "words.srt").document["sessions"][0]["id"]
    out = tmp_path / "out.opus"
    home.run("replay", several, "--at", "0", "-o", out, code=2)
    home.run("replay", several, "--at", "0", "-o", out, "--part", "full.wav", code=2)
    home.run("replay", several, "--at", "0", "-o", out, "--part", "nothing", code=3)
    home.run("replay", silent, "--at", "0", "-o", out, code=3)
    assert not [p.name for p in tmp_path.iterdir() if "out" in p.name]


def lasts(path: Path) -> int:
    """How long a file sounds, in nanoseconds."""
    content = path.read_bytes()
    return probe(lambda: io.BytesIO(content), len(content), "opus").duration_ns
