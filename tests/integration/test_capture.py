"""A session recorded while it happens, by a clock that the test turns."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import wave
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.homes import Home
from vault import bootstrap
from vault.capture import Callbacks, Capture, Recording, Status
from vault.capture.livekit import follow, transcribed
from vault.errors import BackendError, BadInput, Refused, UsageError
from vault.media.mix import decode
from vault.model import Kind, PrivacyLevel
from vault.operations import fetch
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.retrieve import Opened, session
from vault.operations.room import Room
from vault.settings import load

RATE = 16_000
PHRASE = "the heron stands in the millpond"
S = 1_000_000_000


@dataclass
class Clock:
    """Stands until it is turned."""

    ns: int = 5 * S

    def __call__(self) -> int:
        return self.ns

    def turn(self, seconds: float) -> None:
        self.ns += round(seconds * S)


@dataclass
class Desk:
    """A room with a clock, and captures made in it."""

    room: Room
    clock: Clock = field(default_factory=Clock)

    def capture(
        self,
        level: PrivacyLevel = PrivacyLevel.FULL,
        callbacks: Callbacks | None = None,
        **how: Any,
    ) -> Capture:
        recording = Recording(privacy_level=level, **how)
        terms = Terms(subjects=["ada@example.com"])
        return Capture(self.room, recording, terms, callbacks, clock=self.clock)

    def speak(self, capture: Capture, role: str, seconds: float, *, seed: int = 1) -> None:
        """Sound in chunks of 20 ms, as fast as it is spoken."""
        samples = noise(seconds, seed)
        for start in range(0, len(samples), RATE // 50 * 2):
            capture.audio(role, samples[start : start + RATE // 50 * 2])
            self.clock.turn(0.02)

    def opened(self, session_id: str) -> Opened:
        return Opened(self.room, session(self.room, session_id))


def noise(seconds: float, seed: int = 1) -> bytes:
    count = round(seconds * RATE)
    samples: bytes = np.random.default_rng(seed).integers(-9000, 9000, count, "<i2").tobytes()
    return samples


def frames(content: bytes) -> bytes:
    with wave.open(io.BytesIO(content)) as file:
        return bytes(file.readframes(file.getnframes()))


@pytest.fixture
def desk(home: Home) -> Iterator[Desk]:
    with home.room() as room:
        yield Desk(room)


def manifest(opened: Opened) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(b"".join(opened.stream(opened.part("manifest.json"))))
    return document


def test_what_was_said_and_heard_is_there_and_paused_time_is_not(desk: Desk) -> None:
    capture = desk.capture()
    capture.start()
    desk.speak(capture, "user", 2, seed=1)
    assert capture.transcript("user", PHRASE, confidence=0.9, language="en")
    capture.pause()
    assert not capture.audio("user", noise(1))
    assert not capture.transcript("user", "not this")
    desk.clock.turn(60)
    assert capture.position_ns == 2 * S
    capture.resume()
    desk.clock.turn(1)
    desk.speak(capture, "agent", 1, seed=2)
    capture.event("tool_call", name="find", args={"q": "heron"})
    deposited = capture.end()
    assert capture.status is Status.COMPLETED
    assert deposited.duration_ns == 4 * S
    opened = desk.opened(deposited.id)
    first, second = opened.timeline().segments
    assert (first.role, first.text, first.start_ns, first.end_ns) == ("user", PHRASE, 0, 2 * S)
    assert first.data == {"confidence": 0.9, "language": "en"}
    assert (second.role, second.start_ns, second.decoded_ns) == ("agent", 3 * S, S)
    (event,) = opened.timeline().events
    assert (event.type, event.offset_ns, event.data["name"]) == ("tool_call", 4 * S, "find")
    sound = b"".join(opened.stream(opened.part("segments/00-user-0000ms.wav")))
    assert frames(sound) == noise(2, 1)
    assert manifest(opened)["recording"] == {
        "privacy_level": "full",
        "max_seconds": 3600.0,
        "compression": False,
        "encryption": True,
        "paused_seconds": 60.0,
    }


def test_a_capture_ended_while_paused_leaves_the_pause_out(desk: Desk) -> None:
    capture = desk.capture()
    capture.start()
    desk.speak(capture, "user", 1)
    capture.pause()
    desk.clock.turn(30)
    assert capture.end(wait=False).duration_ns == S


def test_its_originals_are_a_bundle_that_deposits_as_the_same_session(
    desk: Desk, tmp_path: Path
) -> None:
    capture = desk.capture()
    capture.start()
    desk.speak(capture, "user", 1)
    capture.transcript("user", PHRASE)
    deposited = capture.end()
    fetch.originals(desk.room, deposited.id, tmp_path / "out")
    again = deposit(desk.room, [tmp_path / "out"], Terms(subjects=["x"]))
    assert [(s.id, s.already, s.format) for s in again.sessions] == [
        (deposited.id, True, "scenario")
    ]


def test_nothing_recorded_lies_on_a_disk_in_clear(desk: Desk, home: Home, tmp_path: Path) -> None:
    capture = desk.capture()
    capture.start()
    desk.speak(capture, "user", 1)
    capture.transcript("user", PHRASE)
    before = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(PHRASE.encode() in p.read_bytes() for p in before)
    capture.end()
    sample = noise(1)[1000:1016]
    for path in (p for p in home.folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        assert PHRASE.encode() not in content
        assert sample not in content


@pytest.mark.parametrize(
    ("level", "sound", "text"),
    [
        (PrivacyLevel.FULL, True, True),
        (PrivacyLevel.AUDIO_ONLY, True, False),
        (PrivacyLevel.TRANSCRIPT_ONLY, False, True),
        (PrivacyLevel.METADATA_ONLY, False, False),
    ],
)
def test_the_privacy_level_binds_before_anything_is_kept(
    desk: Desk, level: PrivacyLevel, *, sound: bool, text: bool
) -> None:
    told: list[str] = []
    callbacks = Callbacks(
        on_audio_chunk=lambda *_: told.append("sound"),
        on_transcript_segment=lambda *_: told.append("text"),
    )
    capture = desk.capture(level, callbacks)
    capture.start()
    assert capture.audio("user", noise(1)) is sound
    assert capture.transcript("user", PHRASE) is text
    capture.event("tool_call", args={"q": PHRASE}, latency=0.5)
    held = b"".join(bytes(v.samples) for v in capture._voices)
    assert bool(held) is sound
    assert (PHRASE in repr(capture._voices) + repr(capture._events)) is text
    assert told == ["sound"] * sound + ["text"] * text
    desk.clock.turn(1)
    opened = desk.opened(capture.end().id)
    kinds = {p.kind for p in opened.originals()}
    assert (Kind.AUDIO in kinds) is sound
    assert (Kind.TRANSCRIPT in kinds) is text
    (segment,) = opened.timeline().segments
    assert (segment.text == PHRASE) is text
    assert (segment.start_ns, segment.end_ns) == (0, S)
    assert (PHRASE in json.dumps(manifest(opened))) is text
    assert opened.timeline().events[0].data["latency"] == 0.5
    assert opened.row.privacy_level is level
    assert manifest(opened)["recording"]["privacy_level"] == level.value


def test_a_disabled_or_unconsented_session_is_refused_before_it_begins(
    desk: Desk, home: Home
) -> None:
    capture = desk.capture(PrivacyLevel.DISABLED)
    with pytest.raises(Refused):
        capture.start()
    assert not capture.audio("user", noise(1))
    with pytest.raises(UsageError):
        capture.end()
    home.extra["STRONGROOM_CONSENT"] = "required"
    with home.room() as strict, pytest.raises(Refused):
        Capture(strict, terms=Terms(subjects=["x"])).start()
    assert home.objects() == []


def test_the_narrower_of_two_privacy_levels_binds(desk: Desk) -> None:
    terms = Terms(subjects=["x"], privacy_level=PrivacyLevel.METADATA_ONLY)
    capture = Capture(desk.room, Recording(), terms, clock=desk.clock)
    capture.start()
    assert not capture.audio("user", noise(1))


def test_nothing_is_taken_after_the_longest_duration(desk: Desk) -> None:
    capture = desk.capture(max_seconds=2)
    capture.start()
    desk.speak(capture, "user", 1.5)
    assert capture.audio("user", noise(10))
    assert not capture.audio("user", noise(10))
    desk.clock.turn(1)
    assert not capture.transcript("user", PHRASE)
    assert not capture.event("late")
    assert not capture.audio("agent", noise(1))
    deposited = capture.end()
    assert deposited.duration_ns == 2 * S
    assert "max-duration" in {w.code for w in deposited.warnings}
    (segment,) = desk.opened(deposited.id).timeline().segments
    assert segment.decoded_ns == 2 * S


def test_compression_keeps_every_sample_as_flac(desk: Desk) -> None:
    capture = desk.capture(compression=True)
    capture.start()
    desk.speak(capture, "user", 1)
    deposited = capture.end()
    opened = desk.opened(deposited.id)
    (name,) = (p.name for p in opened.originals() if p.kind is Kind.AUDIO)
    assert name == "segments/00-user-0000ms.flac"
    assert manifest(opened)["recording"]["compression"] is True
    sound = (bytes(block) for block in opened.stream(opened.part(name)))
    assert b"".join(decode(sound, "flac", RATE)) == noise(1)


def test_an_interruption_cuts_what_was_never_heard(desk: Desk) -> None:
    capture = desk.capture()
    capture.start()
    capture.audio("agent", noise(10))  # spoken by a machine, faster than it is played
    desk.clock.turn(2)
    assert capture.interrupt()
    deposited = capture.end()
    (segment,) = desk.opened(deposited.id).timeline().segments
    assert (segment.truncated, segment.decoded_ns) == (True, 2 * S)
    (event,) = desk.opened(deposited.id).timeline().events
    assert (event.type, event.offset_ns) == ("user_interrupt", 2 * S)


def test_speakers_overlap_and_silence_parts_their_turns(desk: Desk) -> None:
    capture = desk.capture()
    capture.start()
    capture.audio("agent", noise(3))
    desk.clock.turn(1)
    capture.audio("user", noise(1))
    desk.clock.turn(3)
    capture.audio("user", noise(1))
    capture.audio("user", noise(0.5), speaker="Bo")
    capture.audio("user", noise(0.5)[: RATE // 2], rate=8000)
    deposited = capture.end(wait=False)
    segments = desk.opened(deposited.id).timeline().segments
    assert [(s.role, s.speaker, s.start_ns / S, s.end_ns / S) for s in segments] == [
        ("agent", None, 0, 3),
        ("user", None, 1, 2),
        ("user", None, 4, 5),
        ("user", "Bo", 4, 4.5),
        ("user", None, 5, 5.5),
    ]


def test_callbacks_are_told_of_everything_once(desk: Desk) -> None:
    told: list[tuple[object, ...]] = []
    callbacks = Callbacks(
        on_session_start=lambda name: told.append(("start", name)),
        on_session_end=lambda name: told.append(("end", name)),
        on_audio_chunk=lambda role, size: told.append(("chunk", role, size)),
        on_transcript_segment=lambda *what: told.append(("text", *what)),
        on_quality_update=lambda what: told.append(("quality", what["seconds"])),
    )
    capture = desk.capture(PrivacyLevel.FULL, callbacks)
    capture.start()
    desk.speak(capture, "user", 2)
    capture.transcript("user", "the her", is_final=False)
    capture.transcript("user", PHRASE)
    deposited = capture.end()
    assert told[0] == ("start", deposited.external_id)
    assert told[-1] == ("end", deposited.id)
    assert told.count(("chunk", "user", 640)) == 100
    assert [t for t in told if t[0] == "quality"] == [("quality", 1.0), ("quality", 2.0)]
    assert [t for t in told if t[0] == "text"] == [
        ("text", "user", "the her", False),
        ("text", "user", PHRASE, True),
    ]
    (segment,) = desk.opened(deposited.id).timeline().segments
    assert segment.text == PHRASE


def test_a_capture_that_could_not_be_stored_is_kept_and_stored_later(
    desk: Desk, home: Home, tmp_path: Path
) -> None:
    capture = desk.capture()
    capture.start()
    desk.speak(capture, "user", 1)
    (home.folder / "objects").rename(tmp_path / "unmounted")
    with pytest.raises(BackendError):
        capture.end()
    assert capture.status is Status.FAILED
    assert not capture.audio("user", noise(1))
    desk.clock.turn(60)
    (tmp_path / "unmounted").rename(home.folder / "objects")
    assert capture.end().duration_ns == S
    with pytest.raises(UsageError):
        capture.end()


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    capture = desk.capture()
    with pytest.raises(UsageError):
        capture.pause()
    capture.start()
    for act in (capture.start, capture.resume):
        with pytest.raises(UsageError):
            act()
    with pytest.raises(BadInput):
        capture.audio("user", b"odd")
    with pytest.raises(UsageError):
        capture.audio("narrator", b"")
    with pytest.raises(UsageError):
        capture.audio("user", b"", rate=-1)
    for wrong in ({"max_seconds": 0}, {"max_seconds": float("nan")}, {"channels": 9}):
        with pytest.raises(UsageError):
            desk.capture(**wrong)


def test_many_threads_may_feed_one_capture(desk: Desk) -> None:
    capture = desk.capture()
    capture.start()
    names = [f"speaker {i}" for i in range(8)]

    def feed(name: str) -> None:
        for _ in range(50):
            capture.audio("user", bytes(640), speaker=name)

    threads = [threading.Thread(target=feed, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    segments = desk.opened(capture.end(wait=False).id).timeline().segments
    assert {s.speaker: s.decoded_ns for s in segments} == dict.fromkeys(names, S)


# --- LiveKit and the environment -----------------------------------------------------------


@dataclass
class Frame:
    """Shaped as LiveKit's `AudioFrame`."""

    data: memoryview
    sample_rate: int
    num_channels: int


@dataclass
class FrameEvent:
    """Shaped as LiveKit's `AudioFrameEvent`."""

    frame: Frame


@dataclass
class Transcribed:
    """Shaped as LiveKit's `UserInputTranscribedEvent`."""

    transcript: str
    is_final: bool
    language: str | None = None


def test_frames_of_livekit_become_a_session(desk: Desk) -> None:
    samples = np.frombuffer(noise(1), "<i2")

    async def stream() -> AsyncIterator[FrameEvent]:
        for block in samples.reshape(100, -1):
            yield FrameEvent(Frame(memoryview(block.data), RATE, 1))
            desk.clock.turn(0.01)

    capture = desk.capture(sample_rate=48_000)
    capture.start()
    assert asyncio.run(follow(capture, "user", stream())) == 100
    assert not transcribed(capture, Transcribed("the her", is_final=False))
    assert transcribed(capture, Transcribed(PHRASE, is_final=True, language="en"))
    opened = desk.opened(capture.end().id)
    (segment,) = opened.timeline().segments
    assert (segment.text, segment.decoded_ns) == (PHRASE, S)
    assert frames(b"".join(opened.stream(opened.part(str(segment.file))))) == samples.tobytes()


def test_how_to_record_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert bootstrap.recording(load(tmp_path)) == Recording()
    for name, value in {
        "PRIVACY_LEVEL": "audio_only",
        "MAX_SECONDS": "90",
        "COMPRESSION": "true",
        "SAMPLE_RATE": "8000",
        "CHANNELS": "2",
    }.items():
        monkeypatch.setenv(f"STRONGROOM_RECORDING_{name}", value)
    assert bootstrap.recording(load(tmp_path)) == Recording(
        PrivacyLevel.AUDIO_ONLY, 90.0, compression=True, sample_rate=8000, channels=2
    )
    for name, value in {"PRIVACY_LEVEL": "some", "MAX_SECONDS": "-1", "CHANNELS": "x"}.items():
        with monkeypatch.context() as patch:
            patch.setenv(f"STRONGROOM_RECORDING_{name}", value)
            with pytest.raises(UsageError):
                bootstrap.recording(load(tmp_path))
