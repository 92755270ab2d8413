"""A real call recorded live: fed as it was spoken, with a pause, and told of as the original tells.

Its turns come from a recording of the scenario kit, so that what is kept can be compared with it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import wave
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.homes import Home
from tests.integration.test_capture import Desk, Frame, Transcribed, frames, manifest
from vault import bootstrap
from vault.capture import Callbacks, Capture
from vault.capture.livekit import follow, transcribed
from vault.errors import Refused
from vault.media.mix import decode
from vault.model import PrivacyLevel
from vault.operations.retrieve import Opened
from vault.settings import load

RATE = 24_000
CHUNK = RATE // 50 * 2
PAUSE_SECONDS = 60


@dataclass(frozen=True)
class Turn:
    role: str
    text: str
    start_ns: int
    samples: bytes


@pytest.fixture(scope="module")
def turns(fixtures_folder: Path) -> list[Turn]:
    place = fixtures_folder / "scenario/python/elevenlabs_branded"
    found = []
    for row in json.loads((place / "manifest.json").read_text())["segments"]:
        with wave.open(str(place / "segments" / Path(row["file"]).name)) as file:
            assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
            samples = file.readframes(file.getnframes())
        start = round(row["start_time"] * 1e9)
        found.append(Turn(row["role"], row["transcript"], start, samples))
    return found


def speak(capture: Capture, turn: Turn) -> None:
    for start in range(0, len(turn.samples), CHUNK):
        capture.audio(turn.role, turn.samples[start : start + CHUNK])
    assert capture.transcript(turn.role, turn.text)


def recorded(desk: Desk, capture: Capture, turns: list[Turn]) -> Opened:
    """The session of a capture that hears the turns at their times, and pauses after the second."""
    began = desk.clock.ns
    capture.start()
    for number, turn in enumerate(turns):
        desk.clock.ns = began + turn.start_ns + (number > 1) * PAUSE_SECONDS * 10**9
        speak(capture, turn)
        if number == 1:
            capture.pause()
            assert not capture.audio(turn.role, turn.samples[:CHUNK])
            assert not capture.transcript(turn.role, "not this")
            desk.clock.turn(PAUSE_SECONDS)
            capture.resume()
    desk.clock.turn(4)
    return desk.opened(capture.end(wait=False).id)


def test_a_real_call_is_kept_sample_by_sample_at_its_times_and_its_pause_is_not(
    home: Home, turns: list[Turn]
) -> None:
    with home.room() as room:
        desk = Desk(room)
        opened = recorded(desk, desk.capture(sample_rate=RATE), turns)
        kept = opened.timeline().segments
        assert [(s.role, s.text, s.start_ns) for s in kept] == [
            (t.role, t.text, t.start_ns) for t in turns
        ]
        sounds = [b"".join(opened.stream(opened.part(str(s.file)))) for s in kept]
        assert [frames(sound) for sound in sounds] == [turn.samples for turn in turns]
        assert opened.row.duration_ns == turns[-1].start_ns + 4 * 10**9
        assert manifest(opened)["recording"]["paused_seconds"] == PAUSE_SECONDS


def test_a_real_call_is_recorded_as_the_environment_says_and_nothing_of_it_lies_in_clear(
    home: Home, turns: list[Turn], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "COMPRESSION": "true",
        "SAMPLE_RATE": str(RATE),
        "MAX_SECONDS": "8",
    }.items():
        monkeypatch.setenv(f"STRONGROOM_RECORDING_{name}", value)
    with home.room() as room:
        desk = Desk(room)
        capture = Capture(room, bootstrap.recording(load(home.folder)), clock=desk.clock)
        capture.start()
        began = desk.clock.ns
        for turn in turns[:2]:
            desk.clock.ns = began + turn.start_ns
            speak(capture, turn)
        desk.clock.ns = began + 8 * 10**9
        assert not capture.audio("user", turns[2].samples[:CHUNK])
        opened = desk.opened(capture.end(wait=False).id)
        assert opened.row.duration_ns == 8 * 10**9
        stated = manifest(opened)["recording"]
        assert stated["compression"] is stated["encryption"] is True
        assert stated["max_seconds"] == 8.0
        first, second = opened.timeline().segments
        assert first.decoded_ns == len(turns[0].samples) // 2 * 10**9 // RATE
        assert second.start_ns + (second.decoded_ns or 0) == pytest.approx(8 * 10**9, abs=10**5)
        packed = opened.part(str(first.file))
        assert packed.media_type == "audio/flac"
        blocks = (bytes(block) for block in opened.stream(packed))
        assert b"".join(decode(blocks, "flac", RATE)) == turns[0].samples
    stored = b"".join(p.read_bytes() for p in home.folder.rglob("*") if p.is_file())
    for turn in turns[:2]:
        assert turn.text.encode() not in stored
        assert turn.samples[48_000:48_032] not in stored


@pytest.mark.parametrize(
    "name",
    [
        "sess_3a94975eb405",
        "sess_c0b1bd673c40",
        "sess_d20955827a25",
        "sess_9eb312e34ac4",
        "sess_f7533c98a67b",
        "sess_073bff0d7875",
    ],
)
def test_callbacks_of_a_recording_are_as_many_as_the_original_was_observed_to_make(
    home: Home, fixtures_folder: Path, name: str
) -> None:
    platform = fixtures_folder / "voice_agents_platform"
    seen = json.loads((platform / "observed.json").read_text())[name]
    texts, sound, chunks = spoken(platform / "recordings", name)
    told: Counter[str] = Counter()
    names = ("on_session_start", "on_session_end", "on_audio_chunk", "on_transcript_segment")
    hear = {each: partial(lambda which, *_: told.update([which]), each) for each in names}
    with home.room() as room:
        desk = Desk(room)
        level = PrivacyLevel(seen["privacy_level"])
        capture = desk.capture(level, Callbacks(**hear), sample_rate=RATE)
        if level is PrivacyLevel.DISABLED:  # which the original began and ended all the same
            with pytest.raises(Refused):
                capture.start()
            assert told == {}
            return
        capture.start()
        size = -(-len(sound) // chunks // 2) * 2
        for start in range(0, len(sound), size):
            capture.audio("user", sound[start : start + size])
        desk.clock.turn(30)
        for text in texts:
            capture.transcript("user", text)
        capture.end(wait=False)
    assert told == seen["events"]


def spoken(recordings: Path, name: str) -> tuple[list[str], bytes, int]:
    """What a recording was fed with, as far as it kept that: else as the first of them."""
    source = name if name == "sess_c0b1bd673c40" else "sess_3a94975eb405"
    (transcript,) = (recordings / source).glob("*_transcript.json*")
    (audio,) = (recordings / source).glob("*_audio.wav*")
    opening = gzip.open if audio.suffix == ".gz" else open
    with opening(transcript, "rb") as stream:
        texts = [segment["text"] for segment in json.load(stream)["segments"]]
    with opening(audio, "rb") as stream:
        return texts, frames(stream.read()), 42 if audio.suffix == ".gz" else 31


def test_frames_of_livekit_with_a_real_call_become_its_session(
    home: Home, turns: list[Turn]
) -> None:
    async def stream(turn: Turn) -> AsyncIterator[Frame]:
        for start in range(0, len(turn.samples), CHUNK):
            yield Frame(memoryview(turn.samples[start : start + CHUNK]), RATE, 1)

    async def both(capture: Capture) -> list[int]:
        return await asyncio.gather(*(follow(capture, t.role, stream(t)) for t in turns[:2]))

    with home.room() as room:
        desk = Desk(room)
        capture = desk.capture()
        capture.start()
        counts = asyncio.run(both(capture))
        assert counts == [-(-len(turn.samples) // CHUNK) for turn in turns[:2]]
        for turn in turns[:2]:
            assert transcribed(capture, Transcribed(turn.text, is_final=True), turn.role)
        desk.clock.turn(5)
        opened = desk.opened(capture.end(wait=False).id)
        kept = opened.timeline().segments
        assert [(s.role, s.text, s.decoded_ns) for s in kept] == [
            (t.role, t.text, len(t.samples) // 2 * 10**9 // RATE) for t in turns[:2]
        ]
        sounds = [b"".join(opened.stream(opened.part(str(s.file)))) for s in kept]
        assert [frames(sound) for sound in sounds] == [turn.samples for turn in turns[:2]]
