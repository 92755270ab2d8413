"""Plain audio by content, its sidecar, and finding sessions in folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.unit.test_formats_scenario import bundle, codes, read, segment, wav
from vault import formats, samples
from vault.errors import BadInput, UsageError
from vault.model import Json, Kind, Participant
from vault.replay.metrics import measure

ENCODINGS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "ogg": ("ogg", "libvorbis"),
    "opus": ("ogg", "libopus"),
    "flac": ("flac", "flac"),
    "m4a": ("ipod", "aac"),
    "webm": ("webm", "libopus"),
}
MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "webm": "audio/webm",
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of a tone in every container."""
    place = tmp_path_factory.mktemp("recordings")
    for name, (muxer, coder) in ENCODINGS.items():
        tone = "sine=frequency=440:duration=1:sample_rate=48000"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", tone]
        command += ["-strict", "-2", "-c:a", coder, "-f", muxer, str(place / f"call.{name}")]
        subprocess.run(command, check=True)
    return place


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_container_is_read_by_its_content(
    recordings: Path, tmp_path: Path, name: str
) -> None:
    plain = read(recordings / f"call.{name}")
    assert (plain.format, codes(plain)) == (name, [])
    assert plain.duration_ns == pytest.approx(10**9, abs=60_000_000)
    (original,) = plain.originals
    assert (original.kind, original.media_type) == (Kind.AUDIO, MEDIA_TYPES[name])
    with original.open() as stream:
        assert stream.read() == (recordings / f"call.{name}").read_bytes()
    disguised = shutil.copy(recordings / f"call.{name}", tmp_path / "call.txt")
    mislabelled = read(Path(disguised))
    assert (mislabelled.format, codes(mislabelled)) == (name, [("mislabelled-media", "call.txt")])


def test_a_format_that_was_named_must_be_the_one_that_is_there(recordings: Path) -> None:
    (reading,) = formats.read(recordings / "call.mp3", "mp3")
    assert reading.format == "mp3"
    for wrong in ("wav", "scenario"):
        with pytest.raises(BadInput):
            formats.read(recordings / "call.mp3", wrong)
    with pytest.raises(BadInput):
        formats.read(recordings, "mp3")


def test_an_unknown_format_is_a_usage_error_that_lists_the_known_ones(recordings: Path) -> None:
    with pytest.raises(UsageError, match=r"scenario, .*wav, mp3, ogg, opus, flac, m4a, webm"):
        formats.read(recordings / "call.mp3", "cassette")


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", bytes(1000), b"RIFF", b"RIFF\x24\0\0\0WAVE", wav(0), b"OggS" + bytes(200)],
    ids=["empty", "text", "zeros", "cut magic", "no chunks", "no samples", "ogg of nothing"],
)
def test_what_holds_no_sound_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "call.wav").write_bytes(data)
    with pytest.raises(BadInput):
        formats.read(tmp_path / "call.wav")


def test_a_cut_recording_is_taken_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(wav(1)[:-8000])
    reading = read(tmp_path / "call.wav")
    assert (reading.duration_ns, codes(reading)) == (500_000_000, [("truncated-audio", "call.wav")])


# --- the sidecar -------------------------------------------------------------------------

SIDECAR: dict[str, Json] = {
    "external_id": "call-17",
    "started_at": "2026-01-31T09:30:00+01:00",
    "participants": [{"role": "caller", "name": "Robin"}, {"role": "agent", "name": "Ava"}],
    "segments": [
        {"start": 0.1, "end": 0.4, "speaker": "Ava", "text": "Hello."},
        {
            "start_time": 0.5,
            "end_time": 0.9,
            "role": "user",
            "transcript": "Hi.",
            "truncated": True,
        },
    ],
    "events": [{"time": 0.45, "type": "tool_call", "name": "look_up", "args": {"n": 1}}],
}


def test_a_sidecar_beside_a_recording_joins_it(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(wav(1))
    (tmp_path / "call.json").write_text(json.dumps(SIDECAR))
    reading = read(tmp_path / "call.wav")
    assert reading.external_id == "call-17"
    assert reading.started_at == datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
    assert reading.participants == (Participant("user", "Robin"), Participant("agent", "Ava"))
    first, second = reading.timeline.segments
    assert (first.role, first.speaker, first.text) == ("agent", "Ava", "Hello.")
    assert (first.start_ns, first.end_ns) == (100_000_000, 400_000_000)
    assert (second.role, second.text, second.truncated) == ("user", "Hi.", True)
    assert reading.timeline.events[0].data == {"name": "look_up", "args": {"n": 1}}
    kinds = {o.name: o.kind for o in reading.originals}
    assert kinds == {"call.wav": Kind.AUDIO, "call.json": Kind.TRANSCRIPT}
    assert codes(reading) == []


def test_a_transcript_alone_is_one_segment(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(wav(1))
    (tmp_path / "call.json").write_text('{"transcript": "Hello.", "agent": "Ava", "id": "x"}')
    reading = read(tmp_path / "call.wav")
    (only,) = reading.timeline.segments
    assert (only.role, only.text, only.start_ns, only.end_ns) == ("agent", "Hello.", 0, 10**9)
    assert (reading.external_id, reading.participants) == ("x", (Participant("agent", "Ava"),))


@pytest.mark.parametrize(
    "text", ["{", "[]", "[" * 100_000, '{"a": NaN}', '{"a": 1, "a": 2}', "\0", ""]
)
def test_a_hostile_sidecar_is_kept_and_never_costs_the_recording(tmp_path: Path, text: str) -> None:
    (tmp_path / "call.wav").write_bytes(wav(1))
    (tmp_path / "call.json").write_text(text)
    reading = read(tmp_path / "call.wav")
    assert codes(reading) == [("bad-sidecar", "call.json")]
    assert {o.name for o in reading.originals} == {"call.wav", "call.json"}


def test_wrong_sidecar_fields_are_warnings(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(wav(1))
    wrong: dict[str, Json] = {
        "external_id": 5,
        "started_at": "noon",
        "participants": "everyone",
        "segments": [{"start": -1, "speaker": "Nobody"}, None],
        "events": {},
    }
    (tmp_path / "call.json").write_text(json.dumps(wrong))
    reading = read(tmp_path / "call.wav")
    assert (reading.external_id, reading.started_at) == (None, None)
    (only,) = reading.timeline.segments
    assert (only.role, only.speaker, only.start_ns) == ("system", "Nobody", 0)
    assert {c for c, _ in codes(reading)} == {"bad-field", "unknown-role"}


def test_a_sidecar_that_is_a_link_or_a_pipe_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(wav(1))
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "call.json").symlink_to("secret")
    linked = read(tmp_path / "call.wav")
    (tmp_path / "call.json").unlink()
    os.mkfifo(tmp_path / "call.json")
    piped = read(tmp_path / "call.wav")
    for reading in (linked, piped):
        assert codes(reading) == [("bad-sidecar", "call.json")]
        assert [o.name for o in reading.originals] == ["call.wav"]


def test_a_sidecar_named_with_its_recording_is_not_asked_for_a_session(tmp_path: Path) -> None:
    recording, sidecar = tmp_path / "call.wav", tmp_path / "call.json"
    recording.write_bytes(wav(1))
    sidecar.write_text(json.dumps(SIDECAR))
    for given in ([recording, sidecar], [sidecar, recording]):
        assert list(formats.named(given)) == [recording]
        assert list(formats.named(given, "wav")) == [recording]
        assert list(formats.named(given, "vapi")) == given
    sidecar.write_text("no JSON")
    assert list(formats.named([recording, sidecar])) == [recording]


def test_a_document_named_with_what_does_not_take_it_along_is_asked(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for name in ("call.wav", "other/call.wav", "text.wav"):
        (tmp_path / name).write_bytes(wav(1) if name != "text.wav" else b"no sound")
    for name in ("call.json", "alone.json", "text.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "call.txt").write_text("{}")
    names = ("other/call.wav", "call.json", "alone.json", "text.wav", "text.json", "gone.json")
    given = [*(tmp_path / name for name in names), Path("a\0.json")]
    assert list(formats.named(given)) == given
    given = [tmp_path / name for name in ("call.wav", "call.txt", "alone.json")]
    assert list(formats.named(given)) == given


def test_a_session_beside_a_recording_stays_a_session_when_both_are_named(tmp_path: Path) -> None:
    recording, document = tmp_path / "call.wav", tmp_path / "call.json"
    recording.write_bytes(wav(1))
    document.write_text('{"vcon": "0.0.1", "uuid": "x", "parties": []}')
    assert list(formats.named([recording, document])) == [recording, document]
    document.unlink()
    (tmp_path / "elsewhere.json").write_text("{}")
    document.symlink_to("elsewhere.json")
    assert list(formats.named([recording, document])) == [recording, document]


# --- walking -----------------------------------------------------------------------------


def walked(place: Path) -> list[str]:
    return [str(source.path.relative_to(place)) for source in formats.walk(place)]


def test_a_bundle_is_one_session_and_a_folder_of_many_is_walked_in_order(tmp_path: Path) -> None:
    bundle(tmp_path / "b" / "second", segment())
    bundle(tmp_path / "b" / "first", segment())
    (tmp_path / "a.wav").write_bytes(wav(0.1))
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "README.md").write_text("# calls")
    (tmp_path / "SHA256SUMS").write_text("0 a.wav")
    (tmp_path / "no-name").write_bytes(wav(0.1))
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "old.wav").write_bytes(wav(0.1))
    assert walked(tmp_path) == ["a.wav", "b/first", "b/second", "no-name"]
    assert walked(tmp_path / "b" / "first") == ["."]
    assert walked(tmp_path / "a.wav") == ["."]


def test_what_means_to_be_a_session_and_is_none_is_refused_aloud(tmp_path: Path) -> None:
    (tmp_path / "good.wav").write_bytes(wav(0.1))
    (tmp_path / "broken.wav").write_text("not audio")
    (tmp_path / "raw.aac").write_bytes(b"\xff\xf1" + bytes(20))
    (tmp_path / "link").symlink_to("good.wav")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "manifest.json").write_text("{")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.wav")
    refused = []
    for source in formats.walk(tmp_path):
        try:
            formats.read(source)
        except BadInput:
            refused.append(source.path.name)
    assert refused == ["broken.wav", "half", "link", "pipe.wav", "raw.aac"]


def test_a_folder_without_a_session_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    (tmp_path / "manifest.json").write_text('{"name": "another program"}')
    with pytest.raises(BadInput, match="no session"):
        list(formats.walk(tmp_path))
    with pytest.raises(BadInput, match="not a session"):
        formats.read(tmp_path / "notes.txt")


# --- the packaged samples ----------------------------------------------------------------


def test_the_samples_are_six_sessions_without_a_warning() -> None:
    places = list(formats.walk(samples.folder()))
    readings = {source.path.name: formats.read(source)[0] for source in places}
    assert {name: reading.format for name, reading in readings.items()} == {
        "parcel-callback": "scenario",
        "pharmacy-refill": "scenario",
        "refill-0142.recording.json": "promptkit",
        "sess_5e1f0a2c9b3d": "voice-agents-platform",
        "voicemail.opus": "opus",
        "voicemode": "voicemode",
    }
    assert all(not reading.warnings for reading in readings.values())
    assert sum(o.size_bytes for r in readings.values() for o in r.originals) < 2_000_000


def test_the_refill_sample_tells_a_whole_story() -> None:
    reading = read(samples.folder() / "pharmacy-refill")
    found = measure(reading.timeline, reading.duration_ns)
    assert [s.truncated for s in reading.timeline.segments] == [False, False, True, False, False]
    assert {e.type for e in reading.timeline.events} >= {
        "tool_call",
        "tool_result",
        "user_interrupt",
    }
    assert found["overlap_seconds"] == pytest.approx(0.45)
    assert found["latency"] == {
        "count": 2,
        "avg_seconds": pytest.approx(0.8),
        "p50_seconds": pytest.approx(0.8),
        "p95_seconds": 0.9,
        "time_to_first_byte_seconds": 0.9,
        "interrupt_response_seconds": pytest.approx(0.45),
    }


def test_the_samples_are_what_their_maker_makes(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the speech synthesiser is not installed")
    made, packaged = tmp_path / "sessions", samples.folder()
    subprocess.run([sys.executable, "-m", "vault.samples.make", str(made)], check=True)
    files = {str(f.relative_to(made)): f for f in made.rglob("*") if f.is_file()}
    assert set(files) == {str(f.relative_to(packaged)) for f in packaged.rglob("*") if f.is_file()}
    for name, file in files.items():  # sound may differ in its last bits between machines
        if name.endswith(".json"):
            assert file.read_bytes() == (packaged / name).read_bytes()
        elif name.endswith(".wav"):
            assert file.stat().st_size == (packaged / name).stat().st_size
