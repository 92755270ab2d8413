"""Platform recordings: real ones, and everything that may be wrong with one."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.unit.test_formats_scenario import codes, read, wav
from vault import formats
from vault.errors import BadInput
from vault.formats import gzipped
from vault.model import Json, Kind, PrivacyLevel

REAL = FIXTURES / "voice_agents_platform" / "recordings"
needs_recordings = pytest.mark.skipif(not REAL.is_dir(), reason="the recordings are not here")
ID = "sess_0123456789ab"
START = 1_752_000_000


def said(at: float, **changes: Json) -> dict[str, Json]:
    made: dict[str, Json] = {
        "id": f"seg_{at}",
        "timestamp": at,
        "end_timestamp": at + 0.5,
        "text": "hello",
        "speaker_id": "user",
        "confidence": 0.9,
    }
    return made | changes


def session(place: Path, *segments: Json, **metadata: Json) -> Path:
    """A folder with metadata, quality and a transcript; no sound."""
    folder = place / "recordings" / ID
    folder.mkdir(parents=True)
    stated: dict[str, Json] = {
        "session_id": ID,
        "user_id": "someone",
        "agent_id": "helper",
        "start_time": datetime.fromtimestamp(START, UTC).isoformat(),
        "end_time": datetime.fromtimestamp(START + 10, UTC).isoformat(),
        "duration": 10.0,
        "privacy_level": "full",
        "tags": ["billing"],
        "sample_rate": 8000,
        "channels": 1,
        "bit_depth": 16,
    }
    write(folder, "metadata.json", json.dumps(stated | metadata).encode())
    write(folder, "quality.json", b'{"latency_avg": 0.5}')
    write(folder, "transcript.json", json.dumps({"segments": list(segments)}).encode())
    return folder


def write(folder: Path, part: str, data: bytes) -> Path:
    place = folder / f"{ID}_{part}"
    place.write_bytes(data)
    return place


# --- real recordings ---------------------------------------------------------------------


@needs_recordings
@pytest.mark.parametrize(
    ("name", "level", "turns", "kinds", "noted"),
    [
        (
            "sess_3a94975eb405",
            "full",
            4,
            ["audio", "metadata", "metadata", "transcript", "transcript"],
            ["transcript-clock", "duration-mismatch"],
        ),
        (
            "sess_c0b1bd673c40",
            "full",
            6,
            ["audio", "metadata", "metadata", "transcript", "transcript"],
            ["transcript-clock", "duration-mismatch"],
        ),
        (
            "sess_d20955827a25",
            "transcript_only",
            4,
            ["metadata", "metadata", "transcript", "transcript"],
            ["transcript-clock", "duration-mismatch"],
        ),
        (
            "sess_9eb312e34ac4",
            "audio_only",
            0,
            ["audio", "metadata", "metadata"],
            ["mislabelled-media", "duration-mismatch"],
        ),
        ("sess_f7533c98a67b", "metadata_only", 0, ["metadata", "metadata"], []),
        ("sess_073bff0d7875", "disabled", 0, ["metadata", "metadata"], []),
    ],
)
def test_every_real_recording_is_read_under_its_own_level(
    name: str, level: str, turns: int, kinds: list[str], noted: list[str]
) -> None:
    reading = read(REAL / name)
    stated = json.loads((REAL / name / f"{name}_metadata.json").read_text())
    quality = json.loads((REAL / name / f"{name}_quality.json").read_text())
    assert (reading.format, reading.external_id) == ("voice-agents-platform", name)
    assert reading.privacy_level == level
    assert len(reading.timeline.segments) == turns
    assert [original.kind.value for original in reading.originals] == kinds
    assert [code for code, _ in codes(reading)] == noted
    assert reading.started_at == datetime.fromisoformat(stated["start_time"])
    assert reading.duration_ns == round(stated["duration"] * 1e9)
    assert reading.metrics["quality_metrics"] == quality
    assert reading.source["custom_metadata"] == stated["custom_metadata"]
    assert list(reading.tags) == stated["tags"]
    assert reading.agent == stated["agent_id"]
    assert list(reading.subjects) == [stated["user_id"]] * bool(stated["user_id"])
    assert "consent" in reading.source or not stated["user_id"]
    for original in reading.originals:
        with original.open() as stream:
            assert stream.read() == (REAL / name / original.name).read_bytes()


@needs_recordings
def test_the_walk_of_their_folder_finds_all_six_and_nothing_else() -> None:
    assert {place.path.name for place in formats.walk(REAL)} == {p.name for p in REAL.iterdir()}


@needs_recordings
def test_packed_and_plain_recordings_say_how_they_sound() -> None:
    packed, raw = read(REAL / "sess_c0b1bd673c40"), read(REAL / "sess_9eb312e34ac4")
    assert packed.metrics["audio"] == {
        "container": "wav",
        "codec": "pcm_s16le",
        "rate": 24000,
        "channels": 1,
    }
    assert [o.media_type for o in packed.originals if o.kind is Kind.AUDIO] == ["application/gzip"]
    assert [o.media_type for o in raw.originals if o.kind is Kind.AUDIO] == [
        "audio/pcm;rate=24000;channels=1"
    ]


@needs_recordings
def test_times_are_those_of_the_transcript_to_the_nanosecond() -> None:
    first, second, *_ = read(REAL / "sess_3a94975eb405").timeline.segments
    # 1752000001.4374843 is where it begins; the words keep the source's own numbers.
    assert (first.start_ns, first.end_ns) == (0, 1_411_017_700)
    assert (second.start_ns, second.end_ns) == (3_896_786_200, 4_499_197_900)
    assert (first.role, second.role) == ("user", "agent")
    assert first.data["timestamp"] == 1752000001.4374843
    assert len(list(first.data["words"])) == 2  # type: ignore[arg-type]  # a list in this file


def test_the_consent_of_other_people_is_not_taken(tmp_path: Path) -> None:
    folder = session(tmp_path, said(START + 1))
    (tmp_path / "consent").mkdir()
    records = {"someone": [{"consent_type": "recording"}], "another": [{"consent_type": "secret"}]}
    (tmp_path / "consent/consent_records.json").write_text(json.dumps(records))
    reading = read(folder)
    assert reading.source["consent"] == [{"consent_type": "recording"}]
    assert "another" not in repr(reading.source)


@pytest.mark.parametrize("text", ["{", "[]", '{"someone": 3}'])
def test_consent_that_cannot_be_read_never_costs_the_session(tmp_path: Path, text: str) -> None:
    folder = session(tmp_path, said(START + 1))
    (tmp_path / "consent").mkdir()
    (tmp_path / "consent/consent_records.json").write_text(text)
    reading = read(folder)
    assert "consent" not in reading.source
    assert ("unreadable-consent", None) in codes(reading) or text != "{"


def test_consent_behind_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = session(tmp_path, said(START + 1))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/consent_records.json").write_text('{"someone": [1]}')
    (tmp_path / "consent").symlink_to(tmp_path / "elsewhere")
    reading = read(folder)
    assert "consent" not in reading.source
    assert codes(reading) == [("unreadable-consent", None)]


# --- times -------------------------------------------------------------------------------


def test_where_the_clocks_agree_offsets_count_from_the_start(tmp_path: Path) -> None:
    reading = read(session(tmp_path, said(START + 2.25), said(START + 4, speaker_id="agent")))
    assert [s.start_ns for s in reading.timeline.segments] == [2_250_000_000, 4_000_000_000]
    assert codes(reading) == []


@pytest.mark.parametrize("at", [START - 5, START + 100])
def test_where_they_disagree_offsets_count_from_the_first_thing_said(
    tmp_path: Path, at: int
) -> None:
    reading = read(session(tmp_path, said(at + 3), said(at)))
    assert [s.start_ns for s in reading.timeline.segments] == [3_000_000_000, 0]
    assert codes(reading) == [("transcript-clock", None)]


def test_without_a_stated_duration_the_sound_or_the_last_word_tells_it(tmp_path: Path) -> None:
    folder = session(tmp_path, said(START + 1), duration=None, end_time=None)
    assert read(folder).duration_ns == 1_500_000_000
    write(folder, "audio.wav", wav(3))
    assert read(folder).duration_ns == 3_000_000_000


def test_a_transcript_without_times_keeps_its_order(tmp_path: Path) -> None:
    reading = read(session(tmp_path, said(START + 1), said(0, timestamp="then"), said(START + 2)))
    assert [s.start_ns for s in reading.timeline.segments] == [1_000_000_000] * 2 + [2_000_000_000]
    assert ("bad-field", None) in codes(reading)


# --- what may be wrong -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp3", "opus", "flac"])
def test_raw_samples_under_another_name_are_kept_with_a_warning(tmp_path: Path, kind: str) -> None:
    folder = session(tmp_path, duration=None, audio_format=kind)
    place = write(folder, f"audio.{kind}", bytes(2 * 8000))
    reading = read(folder)
    assert ("mislabelled-media", place.name) in codes(reading)
    assert reading.duration_ns == 1_000_000_000
    (sound,) = (o for o in reading.originals if o.kind is Kind.AUDIO)
    assert sound.media_type == "audio/pcm;rate=8000;channels=1"


def test_what_the_platform_encrypted_is_not_taken_for_samples(tmp_path: Path) -> None:
    folder = session(tmp_path, encrypted=True)
    place = write(folder, "audio.wav", b"gAAAAABn" * 40)
    reading = read(folder)
    assert codes(reading) == [("encrypted-media", place.name)]
    assert [o.kind for o in reading.originals if o.name == place.name] == [Kind.AUDIO]


@pytest.mark.parametrize("level", list(PrivacyLevel))
def test_each_level_is_read_as_it_stands(tmp_path: Path, level: PrivacyLevel) -> None:
    assert read(session(tmp_path, privacy_level=level.value)).privacy_level is level


def test_a_level_nobody_knows_is_read_as_a_narrow_one(tmp_path: Path) -> None:
    reading = read(session(tmp_path, privacy_level="audio_but_not_on_sundays"))
    assert reading.privacy_level is PrivacyLevel.METADATA_ONLY
    assert codes(reading) == [("unknown-privacy-level", None)]


def test_a_transcript_that_is_broken_falls_back_to_the_text(tmp_path: Path) -> None:
    folder = session(tmp_path)
    broken = write(folder, "transcript.json", b'{"segments": [')
    text = write(folder, "transcript.txt", f"[{START + 1}.5] agent: Good day: all.\n".encode())
    reading = read(folder)
    (turn,) = reading.timeline.segments
    assert (turn.role, turn.text, turn.start_ns) == ("agent", "Good day: all.", 1_500_000_000)
    assert codes(reading) == [
        ("unreadable-transcript", broken.name),
        ("text-transcript", text.name),
    ]


def test_broken_quality_leaves_the_metrics_of_the_metadata(tmp_path: Path) -> None:
    folder = session(tmp_path, quality_metrics={"latency_p95": 1.5})
    write(folder, "quality.json", b"nothing")
    reading = read(folder)
    assert reading.metrics == {"quality_metrics": {"latency_p95": 1.5}}
    assert codes(reading) == [("unreadable-quality", None)]


def test_missing_metadata_is_noted_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = session(tmp_path, said(START))
    (folder / f"{ID}_metadata.json").unlink()
    reading = read(folder)
    assert (reading.external_id, reading.started_at) == (ID, None)
    assert codes(reading) == [("missing-file", f"{ID}_metadata.json")]


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff"])
def test_broken_metadata_refuses_the_session(tmp_path: Path, data: bytes) -> None:
    folder = session(tmp_path)
    write(folder, "metadata.json", data)
    with pytest.raises(BadInput):
        formats.read(folder)


def test_the_files_of_two_sessions_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = session(tmp_path)
    (folder / "sess_ba9876543210_quality.json").write_text("{}")
    with pytest.raises(BadInput, match="several sessions"):
        formats.read(folder)


def test_a_link_in_the_folder_is_refused(tmp_path: Path) -> None:
    folder = session(tmp_path)
    (folder / f"{ID}_audio.wav").symlink_to("/etc/hostname")
    with pytest.raises(BadInput, match="link"):
        formats.read(folder)


# --- gzip --------------------------------------------------------------------------------


@functools.cache
def packed(size: int) -> bytes:
    """That many zero bytes as gzip, made without ever holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = io.BytesIO()
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        out.write(packer.compress(block))
    out.write(packer.flush())
    return out.getvalue()


def unpack(data: bytes, limit: int = gzipped.BYTES_LIMIT) -> int:
    return sum(map(len, gzipped.inflate(io.BytesIO(data), "file.gz", limit)))


@pytest.mark.parametrize("part", ["transcript.json.gz", "transcript.txt.gz", "audio.wav.gz"])
def test_a_bomb_refuses_the_session(tmp_path: Path, part: str) -> None:
    folder = session(tmp_path)
    (folder / f"{ID}_transcript.json").unlink()
    write(folder, part, packed(260 << 20))
    with pytest.raises(BadInput, match="unpacks to far more"):
        formats.read(folder)


def test_silence_that_packs_well_is_no_bomb() -> None:
    assert unpack(packed(100 << 20)) == 100 << 20


def test_the_limit_on_what_is_unpacked_is_exact() -> None:
    assert unpack(gzip.compress(bytes(1000)), limit=1000) == 1000
    with pytest.raises(BadInput):
        unpack(gzip.compress(bytes(1001)), limit=1000)


def test_members_after_the_first_are_read_and_padding_is_not() -> None:
    two = gzip.compress(b"one") + gzip.compress(b"two") + bytes(512)
    assert b"".join(gzipped.inflate(io.BytesIO(two), "file.gz")) == b"onetwo"


@pytest.mark.parametrize(
    "spoil",
    [lambda d: d[:-4], lambda d: d[: len(d) // 2], lambda d: d[:-5] + b"\0" + d[-4:]],
    ids=["no length", "half", "checksum"],
)
def test_a_damaged_member_is_noticed(spoil: Callable[[bytes], bytes]) -> None:
    data = spoil(gzip.compress(os.urandom(5000)))
    with pytest.raises(gzipped.Damaged):
        unpack(data)


def test_a_cut_recording_and_transcript_are_kept_with_warnings(tmp_path: Path) -> None:
    folder = session(tmp_path)
    (folder / f"{ID}_transcript.json").unlink()
    sound = write(folder, "audio.wav.gz", gzip.compress(wav(2) + os.urandom(4000))[:-3000])
    text = write(folder, "transcript.json.gz", gzip.compress(os.urandom(4000))[:-30])
    reading = read(folder)
    assert ("damaged-gzip", sound.name) in codes(reading)
    assert ("unreadable-transcript", text.name) in codes(reading)
    assert {sound.name, text.name} <= {original.name for original in reading.originals}


def test_a_packed_transcript_under_a_plain_name_is_read_all_the_same(tmp_path: Path) -> None:
    folder = session(tmp_path)
    data = json.dumps({"segments": [said(START + 1)]}).encode()
    write(folder, "transcript.json", gzip.compress(data))
    assert len(read(folder).timeline.segments) == 1
