"""Exported sound of real recordings: how long each layout is, and every container decodes."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from tests.acceptance.test_fixtures import decoded_seconds
from vault.errors import UsageError
from vault.operations import retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.outcome import Deposited
from vault.operations.records import Choice
from vault.operations.room import Room

CALL = "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
RAW = "voice_agents_platform/recordings/sess_9eb312e34ac4"  # its `mp3` are bare samples


def put(room: Room, place: Path) -> Deposited:
    (one,) = deposit(room, [place], Terms(), wait=False).sessions
    return one


def seconds(room: Room, session: str, layout: str, out: Path) -> float:
    """How long a session is as a WAV file in that layout."""
    export(room, Choice([session]), Request("wav", layout=layout), out)
    with wave.open(str(out)) as file:
        length: float = file.getnframes() / file.getframerate()
    return length


@pytest.mark.parametrize(
    "name",
    [
        "python/gemini_live_interruption",  # turns of 8 and of 24 kHz
        "python/twilio_inbound",  # the same, and its turns are longer than they took
        "python/elevenlabs_interruption",  # turns at the same time
        "javascript/elevenlabs_branded",
        "produced_1.6.0/overlap_tools",
    ],
)
def test_turns_in_a_row_are_the_whole_recording_and_at_their_times_the_session(
    room: Room, fixtures_folder: Path, tmp_path: Path, name: str
) -> None:
    place = fixtures_folder / "scenario" / name
    expected = json.loads((place / "expected.json").read_text())
    one = put(room, place)
    turns = retrieve.Opened(room, retrieve.session(room, one.id)).timeline().segments
    ends = [turn.start_ns + (turn.decoded_ns or 0) for turn in turns]
    in_a_row = seconds(room, one.id, "concat", tmp_path / "concat.wav")
    in_time = seconds(room, one.id, "timeline", tmp_path / "timeline.wav")
    assert in_a_row == pytest.approx(expected["full_wav_s"], abs=0.001)
    assert in_time == pytest.approx(max(expected["manifest_duration_s"], *(e / 1e9 for e in ends)))


def test_chunks_in_a_row_are_both_tracks_and_at_their_times_the_session(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    place = fixtures_folder / CALL
    tracks = 0.0
    for name in ("input", "output"):
        with wave.open(str(place.with_name(f"expected_audio_{name}.wav"))) as file:
            tracks += file.getnframes() / file.getframerate()
    chunks = [
        (event["offset"] / 1e9, event["data"])
        for event in json.loads(place.read_text())["events"]
        if event["type"] in {"audio.input", "audio.output"}
    ]
    heard = [at + data["payload"]["size"] / 2 / 24_000 for at, data in chunks]
    turns: dict[str, bytes] = {}
    for _, data in sorted(chunks, key=lambda chunk: chunk[0]):
        blob = place.parent / "blobs" / data["payload"]["storage_ref"].removeprefix("file://")
        turns[data["turn_id"]] = turns.get(data["turn_id"], b"") + blob.read_bytes()
    one = put(room, place)
    assert seconds(room, one.id, "concat", tmp_path / "a.wav") == pytest.approx(tracks, abs=0.001)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.readframes(file.getnframes()) == b"".join(turns.values())
    in_time = seconds(room, one.id, "timeline", tmp_path / "b.wav")
    assert in_time == pytest.approx(max(heard), abs=0.01)


@pytest.mark.parametrize("container", ["wav", "mp3", "ogg", "flac"])
def test_bare_samples_of_the_platform_come_out_in_every_container_as_long_as_they_are(
    room: Room, fixtures_folder: Path, tmp_path: Path, container: str
) -> None:
    one = put(room, fixtures_folder / RAW)
    (samples,) = (fixtures_folder / RAW).glob("*_audio.mp3")
    out = tmp_path / f"out.{container}"
    export(room, Choice([one.id]), Request(container), out)
    length = samples.stat().st_size / 2 / 24_000
    assert decoded_seconds(out) == pytest.approx(length, abs=0.1)


@pytest.mark.parametrize("other", ["aac", "m4a", "opus", "webm", "raw", "WAV"])
def test_any_other_container_is_refused_and_nothing_written(
    room: Room, fixtures_folder: Path, tmp_path: Path, other: str
) -> None:
    one = put(room, fixtures_folder / RAW)
    with pytest.raises(UsageError):
        export(room, Choice([one.id]), Request(other), tmp_path / "out")
    assert not (tmp_path / "out").exists()
