"""A sealed recording is heard from an instant on."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from tests import recordings
from tests.benchmarks.ranges import Counted
from tests.homes import Home, made
from vault.errors import NotFound, UsageError
from vault.media.mix import decode
from vault.media.probe import probe
from vault.operations import jobs, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.listen import heard, listen
from vault.operations.records import Choice
from vault.operations.room import Room
from vault.ports import ObjectStore
from vault.samples import folder as samples_folder

SECOND, RATE = 1_000_000_000, 48_000


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
    assert answer == state | {"warnings": []}
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


def test_the_turns_of_a_session_are_heard_together_from_an_instant_on(
    room: Room, tmp_path: Path
) -> None:
    bundle = recordings.bundle(tmp_path / "call", ("one", "two", "three"), seconds=10)
    (session,) = deposit(room, [bundle], Terms(), wait=True).sessions
    export(room, Choice([session.id]), Request("wav"), tmp_path / "whole.wav")
    whole = samples((tmp_path / "whole.wav").read_bytes(), "wav")
    given = []
    for at in (0, 16.6, 26):
        counted = Counted(room.store)
        watched = replace(room, store=cast("ObjectStore", counted))
        opened = retrieve.Opened(watched, retrieve.session(watched, session.id))
        heard(opened, int(at * SECOND), tmp_path / "out.opus")
        given.append(counted.given_bytes)
        assert_same(samples((tmp_path / "out.opus").read_bytes(), "opus"), whole[int(at * RATE) :])
    # Of a sealed object of three megabytes, in chunks of 16 kB that hold what is archived too.
    assert given[2] < 250_000
    assert given[2] <= given[1] < given[0] < 500_000


def test_sound_in_pieces_is_heard_from_an_instant_on(room: Room, tmp_path: Path) -> None:
    call = samples_folder() / "promptkit"
    (session,) = deposit(room, [call], Terms(), wait=False).sessions
    opened = retrieve.Opened(room, retrieve.session(room, session.id))
    export(room, Choice([session.id]), Request("wav"), tmp_path / "whole.wav")
    whole = samples((tmp_path / "whole.wav").read_bytes(), "wav")
    for at in (0, 10.2):
        heard(opened, int(at * SECOND), tmp_path / "out.opus")
        found = samples((tmp_path / "out.opus").read_bytes(), "opus")
        assert_same(found, whole[int(at * RATE) :])
    with pytest.raises(NotFound, match="that instant"):
        heard(opened, 3600 * SECOND, tmp_path / "out.opus")


def test_turns_that_stay_silent_are_told_of(home: Home, tmp_path: Path) -> None:
    bundle = recordings.bundle(tmp_path / "call", ("one", "two", "three"))
    (bundle / "segments/00-user-0000ms.wav").unlink()
    (session,) = home.run("deposit", bundle).document["sessions"]
    out = ("-o", tmp_path / "out.opus")
    told = home.run("replay", session["id"], *out).document["warnings"]
    assert [warning["code"] for warning in told] == ["segments-left-out"]
    assert home.run("replay", session["id"], "--at", "0.7", *out).document["warnings"] == []


def test_recordings_of_which_nobody_says_when_are_named(home: Home, tmp_path: Path) -> None:
    bundle = recordings.bundle(tmp_path / "call", ("one", "two"))
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"segments": []}))
    several = home.run("deposit", bundle).document["sessions"][0]["id"]
    out = ("-o", tmp_path / "out.opus")
    assert "--part" in home.run("replay", several, *out, code=2).err
    home.run("replay", several, *out, "--part", "playback/full.wav.opus")


def test_what_cannot_be_heard_leaves_no_file(home: Home, tmp_path: Path) -> None:
    bundle = recordings.bundle(tmp_path / "call", ("one", "two"))
    several = home.run("deposit", bundle).document["sessions"][0]["id"]
    (tmp_path / "words.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    silent = home.run("deposit", tmp_path / "words.srt").document["sessions"][0]["id"]
    out = tmp_path / "out.opus"
    home.run("replay", several, "--at", "3600", "-o", out, code=3)
    home.run("replay", several, "--at", "0", "-o", out, "--part", "full.wav", code=2)
    home.run("replay", several, "--at", "0", "-o", out, "--part", "nothing", code=3)
    home.run("replay", silent, "--at", "0", "-o", out, code=3)
    assert not [p.name for p in tmp_path.iterdir() if "out" in p.name]


def lasts(path: Path) -> int:
    """How long a file sounds, in nanoseconds."""
    content = path.read_bytes()
    return probe(lambda: io.BytesIO(content), len(content), "opus").duration_ns


def samples(content: bytes, container: str) -> npt.NDArray[np.float64]:
    """What a file sounds like, at one rate."""
    decoded = b"".join(decode(iter([content]), container, RATE))
    return np.frombuffer(decoded, "<i2").astype(np.float64)


def assert_same(found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> None:
    """The one is the other, as far as a lossy coding leaves it, and at the same time."""
    assert abs(len(found) - len(expected)) <= RATE // 10_000
    size = min(len(found), len(expected))

    def alike(shift: int) -> float:
        one, other = found[shift : size - 100 + shift], expected[50 : size - 50]
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    likeness = {shift - 50: alike(shift) for shift in range(0, 101, 5)}
    assert max(likeness, key=lambda shift: likeness[shift]) == 0
    assert likeness[0] > 0.5
