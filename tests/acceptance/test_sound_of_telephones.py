"""Sound of 8 bits without a header is heard as its source says that it was coded."""

from __future__ import annotations

import array
import gzip
import json
import random
import subprocess
import wave
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from tests import promptkit
from tests.homes import Home
from tests.recordings import noise
from tests.unit.test_formats_platform import session, write
from tests.unit.test_formats_vcon import base64url, document, recording
from vault import formats
from vault.formats.sound import law_of

RATE = 8000
#: What a source calls a coding, what a decoder that is not ours calls it, and silence in it.
CODINGS = {
    "mulaw": ("mulaw", b"\xff"),
    "g711_alaw": ("alaw", b"\xd5"),
    "pcm": ("u8", b"\x80"),
}
coded = pytest.mark.parametrize("coding", CODINGS)


def spoken(frames: int = RATE, seed: int = 0) -> bytes:
    """Bytes that are samples in every one of these codings."""
    return random.Random(seed).randbytes(frames)


def heard(coding: str, sound: bytes) -> array.array[int]:
    """Those bytes decoded by a program that is not ours."""
    form = CODINGS[coding][0]
    return decoded(sound, "-f", form, "-ar", str(RATE), "-ac", "1")


def decoded(sound: bytes, *options: str) -> array.array[int]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *options, "-i", "-"]
    done = subprocess.run(
        [*command, "-f", "s16le", "-"], input=sound, capture_output=True, check=True
    )
    return array.array("h", done.stdout)


def exported(home: Home, session_id: str, out: Path) -> array.array[int]:
    home.run("export", session_id, "--format", "wav", "-o", out)
    with wave.open(str(out)) as opened:
        assert (opened.getframerate(), opened.getnchannels()) == (RATE, 1)
        return array.array("h", opened.readframes(opened.getnframes()))


@coded
@pytest.mark.parametrize("packed", [False, True])
def test_a_recording_of_the_platform_is_heard(
    home: Home, tmp_path: Path, coding: str, packed: bool
) -> None:
    folder = session(tmp_path, bit_depth=8, audio_format=coding, duration=None)
    ending = {"mulaw": "ulaw", "g711_alaw": "alaw", "pcm": "pcm"}[coding]
    if packed:
        write(folder, f"audio.{ending}.gz", gzip.compress(spoken()))
    else:
        write(folder, f"audio.{ending}", spoken())
    (one,) = home.run("deposit", folder).document["sessions"]
    assert one["duration_ns"] == 1_000_000_000
    codes = {warning["code"] for warning in one["warnings"]}
    assert not codes & {"mislabelled-media", "not-transcoded"}
    shown = home.run("show", one["id"]).document
    assert [p["name"] for p in shown["parts"] if p["media_type"] == "audio/ogg; codecs=opus"]
    assert exported(home, one["id"], tmp_path / "out.wav") == heard(coding, spoken())


def chunk(seq: int, at: int, sound: bytes, coding: str, *, blob: bool) -> dict[str, Any]:
    """A chunk of a PromptKit recording that says how it is coded and not how long it is."""
    event = promptkit.audio(seq, at, sound, blob=blob)
    width = {"bits_per_sample": 8} if coding == "pcm" else {}
    event["data"]["metadata"] = {"sample_rate": RATE, "channels": 1, "encoding": coding, **width}
    return event


@coded
@pytest.mark.parametrize("blob", [False, True])
def test_the_chunks_of_a_promptkit_recording_are_heard_and_silence_between_them_is_silent(
    home: Home, tmp_path: Path, coding: str, blob: bool
) -> None:
    one, two = spoken(seed=1), spoken(seed=2)
    events = [
        chunk(1, 0, one, coding, blob=blob),
        chunk(2, 2_000_000_000, two, coding, blob=blob),
    ]
    path = promptkit.recording(tmp_path / "rec" / "a.recording.json", events)
    for sound in (one, two) if blob else ():
        promptkit.blob(tmp_path / "rec", sound)
    (taken,) = home.run("deposit", path).document["sessions"]
    assert "not-transcoded" not in {warning["code"] for warning in taken["warnings"]}
    shown = home.run("show", taken["id"]).document
    assert shown["segments"][0]["decoded_ns"] == 2_000_000_000
    pause = CODINGS[coding][1] * RATE
    assert max(map(abs, heard(coding, pause))) <= 8
    assert exported(home, taken["id"], tmp_path / "out.wav") == heard(coding, one + pause + two)
    archived = [p["name"] for p in shown["parts"] if p["media_type"] == "audio/flac"]
    found = []
    for name in archived:
        home.run("fetch", taken["id"], "--part", name, "-o", tmp_path / "one.flac")
        found.append(decoded((tmp_path / "one.flac").read_bytes()))
    sounds = [heard(coding, one), heard(coding, two)] if blob else []
    assert sorted(map(list, found)) == sorted(map(list, sounds))


@pytest.mark.parametrize(
    ("media_type", "options"),
    [
        ("audio/basic", ("mulaw", "8000", "1")),
        ("audio/PCMU", ("mulaw", "8000", "1")),
        ("audio/PCMA; rate=16000", ("alaw", "16000", "1")),
        ('audio/x-mulaw;rate=8000;channels="2"', ("mulaw", "8000", "2")),
    ],
)
def test_a_recording_inside_a_vcon_is_heard(
    home: Home, tmp_path: Path, media_type: str, options: tuple[str, ...]
) -> None:
    sound = b"\xff\xfb\xe0" + spoken()  # as a frame of MP3 begins
    place = tmp_path / "call.vcon"
    place.write_text(json.dumps(document(dialog=[recording(sound, mediatype=media_type)])))
    (one,) = home.run("deposit", place).document["sessions"]
    codes = {warning["code"] for warning in one["warnings"]}
    assert not codes & {"unreadable-audio", "not-transcoded"}
    coding, rate, channels = options
    shown = home.run("show", one["id"]).document
    (turn,) = shown["segments"]
    assert turn["decoded_ns"] == len(sound) // int(channels) * 10**9 // int(rate)
    assert turn["file"] == "dialog-0000.g711"
    assert {"playback/dialog-0000.g711.opus", "archive/dialog-0000.g711.flac"} <= {
        part["name"] for part in shown["parts"]
    }
    home.run("fetch", one["id"], "--part", turn["file"], "-o", tmp_path / "inside")
    assert (tmp_path / "inside").read_bytes() == sound
    form = ("-f", coding, "-ar", rate, "-ac", channels)
    expected = decoded(sound, *form)
    home.run(
        "fetch", one["id"], "--part", "archive/dialog-0000.g711.flac", "-o", tmp_path / "a.flac"
    )
    assert decoded((tmp_path / "a.flac").read_bytes()) == expected
    home.run("export", one["id"], "--format", "vcon", "-o", tmp_path / "again.vcon")
    (again,) = json.loads((tmp_path / "again.vcon").read_text())["dialog"]
    assert (again["mediatype"], again["body"]) == (media_type, base64url(sound))


def test_a_vcon_made_of_its_sound_alone_has_it_in_a_container(home: Home, tmp_path: Path) -> None:
    place = tmp_path / "call.vcon"
    place.write_text(json.dumps(document(dialog=[recording(spoken(), mediatype="audio/PCMA")])))
    (one,) = home.run("deposit", place, "--privacy-level", "audio_only").document["sessions"]
    home.run("export", one["id"], "--format", "vcon", "-o", tmp_path / "made.vcon")
    (reading,) = formats.read(tmp_path / "made.vcon")
    (inside,) = reading.recordings()
    assert inside.media_type == "audio/wav"
    assert decoded(inside.open().read()) == heard("g711_alaw", spoken())


@pytest.mark.parametrize(
    "media_type", ["audio/PCMU;rate=fast", "audio/PCMU;rate=0", "audio/L16", "PCMU", "audio/x", 7]
)
def test_bytes_of_another_media_type_inside_a_vcon_are_no_recording(
    tmp_path: Path, media_type: Any
) -> None:
    place = tmp_path / "call.vcon"
    place.write_text(json.dumps(document(dialog=[recording(spoken(), mediatype=media_type)])))
    (reading,) = formats.read(place)
    assert "unreadable-audio" in {warning.code for warning in reading.warnings}
    assert reading.inside is None


def test_a_container_is_not_taken_for_what_its_media_type_says(tmp_path: Path) -> None:
    for data, name in ((noise(0.1), "dialog-0000.wav"), (b".snd" + spoken(), None), (b"", None)):
        place = tmp_path / "call.vcon"
        place.write_text(json.dumps(document(dialog=[recording(data, mediatype="audio/basic")])))
        (reading,) = formats.read(place)
        assert reading.timeline.segments[0].file == name


@pytest.mark.parametrize(
    ("name", "law"),
    [
        *(("mulaw", "u"), ("PCM_MULAW", "u"), ("g711-ulaw", "u"), ("audio/PCMU", "u")),
        *(("audio/x-mulaw", "u"), ("alaw", "a"), ("g711_alaw", "a"), ("audio/pcma", "a")),
        *(("pcm", None), ("outlaw", None), ("flaw", None), ("opus", None), (None, None), (7, None)),
        ("-" * 10_000 + "ulaw", None),
    ],
)
def test_the_law_is_known_by_every_name_it_goes_by(name: Any, law: str | None) -> None:
    assert law_of(name) == law
