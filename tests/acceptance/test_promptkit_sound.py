"""The sound of sessions of other formats, as the blobs of the PromptKit recording made of them."""

from __future__ import annotations

import hashlib
import json
import wave
from pathlib import Path
from typing import Any

import pytest

from tests import recordings
from vault import formats
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room
from vault.rows import SessionFilter

BUNDLES = ["gemini_live_interruption", "elevenlabs_interruption", "elevenlabs_branded"]


def out(room: Room, place: Path, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The recording that is made of what lies at a place, and what was said to be left out."""
    (session,) = deposit(room, [place], Terms(), wait=False).sessions
    folder.mkdir()
    made = export(room, Choice([session.id]), Request("promptkit"), folder / "a.recording.json")
    document: dict[str, Any] = json.loads((folder / "a.recording.json").read_text())
    return document, [w.text for w in made.warnings if w.code == "sound-left-out"]


def pieces(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [e["data"] for e in document["events"] if e["type"] in {"audio.input", "audio.output"}]


def samples(path: Path) -> tuple[bytes, int, int]:
    with wave.open(str(path)) as sound:
        return sound.readframes(sound.getnframes()), sound.getframerate(), sound.getnchannels()


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_turn_of_a_real_bundle_sounds_as_its_wav_does(
    room: Room, fixtures_folder: Path, tmp_path: Path, bundle: str
) -> None:
    place = fixtures_folder / "scenario/python" / bundle
    document, left = out(room, place, tmp_path / "out")
    (reading,) = formats.read(place)
    there = {original.name for original in reading.recordings()}
    turns = [s for s in reading.timeline.segments if s.file in there and s.role != "system"]
    assert turns
    found = {data["turn_id"]: data for data in pieces(document) if data["payload"]["size"]}
    assert len(found) == len(turns)
    for turn in turns:
        data = found[f"turn-{turn.index}"]
        sound, rate, channels = samples(place / str(turn.file))
        digest = hashlib.sha256(sound).hexdigest()
        name = f"{document['metadata']['session_id']}/{digest}.pcm"
        assert data["payload"] == {
            "storage_ref": f"file://{name}",
            "mime_type": "audio/pcm",
            "size": len(sound),
            "checksum": f"sha256:{digest}",
        }
        assert data["metadata"] == {
            "sample_rate": rate,
            "channels": channels,
            "encoding": "pcm_linear16",
            "bits_per_sample": 16,
            "duration_ms": len(sound) * 1000 // (2 * rate * channels),
        }
        assert (tmp_path / "out/blobs" / name).read_bytes() == sound
    lost = there - {turn.file for turn in turns}
    assert [text.split()[0] for text in left] == ([str(len(lost))] if lost else [])


def test_what_is_made_of_a_bundle_sounds_the_same_when_it_comes_back(
    room: Room, tmp_path: Path
) -> None:
    place = recordings.bundle(tmp_path / "call", ["one", "two", "three"])
    out(room, place, tmp_path / "out")
    (before,), (after,) = formats.read(place), formats.read(tmp_path / "out/a.recording.json")
    assert not after.warnings
    assert [(s.role, s.decoded_ns, s.text) for s in after.timeline.segments] == [
        (s.role, s.decoded_ns, s.text) for s in before.timeline.segments
    ]
    assert len(list(after.recordings())) == len(before.timeline.segments)


def test_sound_that_is_no_wav_of_one_turn_stays_out_and_is_told(room: Room, tmp_path: Path) -> None:
    place = recordings.bundle(tmp_path / "call", ["one", "two", "three"])
    first = min((place / "segments").iterdir())
    with wave.open(str(first)) as sound:
        rate, length = sound.getframerate(), sound.getnframes()
    with wave.open(str(first), "wb") as sound:
        sound.setparams((1, 1, rate, length, "NONE", ""))
        sound.writeframes(b"\x80" * length)
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["segments"][2]["file"] = manifest["segments"][1]["file"]
    (place / "manifest.json").write_text(json.dumps(manifest))
    whole = sum(1 for _ in place.glob("full.wav"))
    document, left = out(room, place, tmp_path / "out")
    assert [data["payload"]["size"] for data in pieces(document)] == [0, 0, 0]
    assert [text.split()[0] for text in left] == [str(3 + whole)]
    assert not (tmp_path / "out/blobs").exists()


def test_many_recordings_have_their_sound_in_folders_of_their_own(
    room: Room, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        place = recordings.bundle(tmp_path / name, [f"one {name}", "two"])
        deposit(room, [place], Terms(), wait=False)
    for _ in range(2):
        export(room, Choice(where=SessionFilter()), Request("promptkit-jsonl"), tmp_path / "many")
    folders = [folder.parent for folder in (tmp_path / "many").glob("*/blobs")]
    assert len(folders) == 2
    for folder in folders:
        (found,) = formats.read(folder / f"{folder.name}.jsonl")
        assert (len(list(found.recordings())), found.warnings) == (2, ())
