"""The scenario bundle, against real recordings and against everything that may be wrong."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from vault import formats
from vault.errors import BadInput
from vault.model import Json, Kind, Reading
from vault.replay.metrics import measure

RECORDINGS = sorted((FIXTURES / "scenario").glob("*/*/expected.json"))
needs_recordings = pytest.mark.skipif(not RECORDINGS, reason="the recordings are not here")


def wav(seconds: float, rate: int = 8000) -> bytes:
    data = bytes(2 * round(seconds * rate))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
        + form
        + struct.pack("<4sI", b"data", len(data))
        + data
    )


def segment(number: int = 0, **changes: Json) -> dict[str, Json]:
    made: dict[str, Json] = {
        "idx": number,
        "file": f"segments/{number:02d}-user-{number * 1000:04d}ms.wav",
        "role": "user",
        "start_time": float(number),
        "end_time": number + 1.0,
        "duration": 1.0,
        "transcript": "hello",
    }
    return made | changes


def bundle(place: Path, *segments: Json, **changes: Json) -> Path:
    """A small bundle; every segment that names a plain file has it."""
    (place / "segments").mkdir(parents=True)
    (place / "full.wav").write_bytes(wav(1))
    manifest: dict[str, Json] = {
        "generated_at": "2026-05-07T10:16:25.078266+00:00",
        "duration": float(len(segments)),
        "segment_count": len(segments),
        "segments": list(segments),
        "events": [],
    }
    for item in segments:
        if isinstance(item, dict) and isinstance(item["file"], str) and "ms.wav" in item["file"]:
            (place / item["file"]).write_bytes(wav(1))
    (place / "manifest.json").write_text(json.dumps(manifest | changes))
    return place


def read(place: Path) -> Reading:
    (reading,) = formats.read(place)
    return reading


def codes(reading: Reading) -> list[tuple[str, str | None]]:
    return [(warning.code, warning.file) for warning in reading.warnings]


# --- real recordings ---------------------------------------------------------------------


@needs_recordings
@pytest.mark.parametrize("answers", RECORDINGS, ids=lambda p: f"{p.parts[-3]}/{p.parts[-2]}")
def test_every_recording_reads_as_its_answers_say(answers: Path) -> None:
    expected = json.loads(answers.read_text())
    reading = read(answers.parent)
    noted = {
        code: sorted(str(w.file) for w in reading.warnings if w.code == code)
        for code in ("missing-file", "orphan-file", "audio-length-mismatch")
    }
    assert reading.format == "scenario"
    assert reading.duration_ns == round(expected["manifest_duration_s"] * 1e9)
    assert noted == {
        "missing-file": sorted(expected["missing_segment_files"]),
        "orphan-file": sorted(expected["orphan_segment_files"]),
        "audio-length-mismatch": sorted(m["file"] for m in expected["audio_len_mismatch"]),
    }
    assert len(reading.warnings) == sum(len(files) for files in noted.values())
    for mismatch in expected["audio_len_mismatch"]:
        (found,) = [s for s in reading.timeline.segments if s.file == mismatch["file"]]
        assert found.decoded_ns is not None
        assert found.decoded_ns / 1e9 == pytest.approx(mismatch["wav_s"], abs=1e-6)
        assert (found.end_ns - found.start_ns) / 1e9 == pytest.approx(
            mismatch["manifest_s"], abs=1e-6
        )


@needs_recordings
@pytest.mark.parametrize("answers", RECORDINGS, ids=lambda p: f"{p.parts[-3]}/{p.parts[-2]}")
def test_every_recording_measures_as_its_answers_say(answers: Path) -> None:
    expected = json.loads(answers.read_text())
    reading = read(answers.parent)
    found = json.loads(json.dumps(measure(reading.timeline, reading.duration_ns)))
    latency = expected["latency"]
    assert found["segment_count"] == expected["segment_count"]
    assert found["event_counts"] == expected["event_counts"]
    assert found["latency"]["count"] == latency["n"]
    for ours, theirs in (("avg_seconds", "avg"), ("p50_seconds", "p50"), ("p95_seconds", "p95")):
        assert found["latency"][ours] == (
            None if latency[theirs] is None else pytest.approx(latency[theirs], abs=1e-6)
        )
    assert found["overlap_seconds"] == pytest.approx(expected["overlap_s"], abs=1e-6)
    assert found["speech_coverage_seconds"] == pytest.approx(
        expected["speech_coverage_s"], abs=1e-6
    )
    assert found["silence_seconds"] == pytest.approx(expected["silence_s"], abs=1e-6)
    assert found["role_seconds"] == pytest.approx(expected["role_time_s"], abs=1.5e-6)


@needs_recordings
def test_every_file_of_a_recording_is_an_original_byte_for_byte() -> None:
    for answers in RECORDINGS:
        place = answers.parent
        there = {str(f.relative_to(place)): f.read_bytes() for f in place.rglob("*") if f.is_file()}
        taken = {}
        for original in read(place).originals:
            with original.open() as stream:
                taken[original.name] = stream.read()
        assert taken == there


@needs_recordings
def test_tools_interruptions_and_cut_turns_are_kept_with_every_field() -> None:
    reading = read(FIXTURES / "scenario/produced_1.6.0/overlap_tools")
    call, result, interrupt = [
        e
        for e in reading.timeline.events
        if e.type in {"tool_call", "tool_result", "user_interrupt"}
    ]
    assert call.data == {
        "name": "lookup_account",
        "args": {"account": "A-100"},
        "metadata": {"call_id": "c1"},
    }
    assert call.offset_ns == 7_599_312_000
    assert result.data["result"] == {"status": "active", "balance": 12.5}
    assert interrupt.data["metadata"] == {"adapter": "PipecatAgentAdapter", "native": True}
    assert [s.truncated for s in reading.timeline.segments] == [False, True, False, False]
    assert reading.timeline.segments[2].text is None


@needs_recordings
def test_what_the_manifest_states_is_kept_as_it_was_with_the_unit_of_its_times() -> None:
    place = FIXTURES / "scenario/produced_1.6.0/overlap_tools"
    stated = json.loads((place / "manifest.json").read_text())
    reading = read(place)
    times = reading.source["_times"]
    assert isinstance(times, dict)
    assert reading.source == {
        **{name: stated[name] for name in ("generated_at", "duration", "segment_count")},
        "_times": {"unit": "s", "zero_epoch_ns": times["zero_epoch_ns"]},
    }
    assert reading.started_at is not None
    written = datetime.fromisoformat(stated["generated_at"]).timestamp()
    assert int(str(times["zero_epoch_ns"])) / 1e9 == pytest.approx(written - stated["duration"])


@needs_recordings
def test_a_bundle_without_a_manifest_is_read_from_its_file_names() -> None:
    whole = read(FIXTURES / "scenario/produced_1.6.0/overlap_tools")
    bare = read(FIXTURES / "scenario/produced_1.6.0/overlap_tools_no_manifest")
    for ours, theirs in zip(bare.timeline.segments, whole.timeline.segments, strict=True):
        assert (ours.index, ours.role, ours.file) == (theirs.index, theirs.role, theirs.file)
        assert ours.start_ns // 10**6 == theirs.start_ns // 10**6
        assert ours.decoded_ns == theirs.decoded_ns
    assert bare.duration_ns == pytest.approx(whole.duration_ns, abs=1_000_000)
    assert bare.started_at is None
    assert codes(bare) == []


@needs_recordings
def test_more_than_99_segments_come_in_the_order_of_their_numbers() -> None:
    reading = read(FIXTURES / "scenario/produced_1.6.0/many_segments")
    assert [s.index for s in reading.timeline.segments] == list(range(103))
    starts = [s.start_ns for s in reading.timeline.segments]
    assert starts == sorted(starts)


def test_file_names_past_99_are_ordered_by_number_and_not_by_letter(tmp_path: Path) -> None:
    place = bundle(tmp_path / "b", segment(99), segment(100), segment(2))
    (place / "manifest.json").unlink()
    assert [s.index for s in read(place).timeline.segments] == [2, 99, 100]


# --- small made ones ---------------------------------------------------------------------


def test_the_start_is_when_the_manifest_was_written_less_the_duration(tmp_path: Path) -> None:
    python = bundle(tmp_path / "a", segment())
    typescript = bundle(tmp_path / "b", segment(), generated_at="2026-05-07T10:16:25.078Z")
    assert read(python).started_at == datetime(2026, 5, 7, 10, 16, 24, 78266, UTC)
    assert read(typescript).started_at == datetime(2026, 5, 7, 10, 16, 24, 78000, UTC)


@pytest.mark.parametrize(
    "when",
    ["yesterday", 5, "0001-01-01T00:00:00+00:00", "9999-12-31T23:59-23:59", "9000-01-01T00:00Z"],
)
def test_an_impossible_date_is_a_warning(tmp_path: Path, when: Json) -> None:
    reading = read(bundle(tmp_path / "b", segment(), generated_at=when))
    assert reading.started_at is None
    assert codes(reading) == [("bad-field", None)]


def test_times_are_rounded_from_their_decimal_digits(tmp_path: Path) -> None:
    reading = read(
        bundle(tmp_path / "b", segment(start_time=0.1234567895, end_time=1), duration=153.1)
    )
    assert reading.timeline.segments[0].start_ns == 123_456_790
    assert reading.duration_ns == 153_100_000_000


@pytest.mark.parametrize(
    "file",
    ["../other.wav", "/etc/passwd", "/dev/zero", "segments/../../x.wav", "segments\\x.wav", "a\0"],
)
def test_a_segment_file_outside_the_bundle_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(BadInput):
        read(bundle(tmp_path / "b", segment(file=file)))


@pytest.mark.parametrize("manifest", ["[]", "null", '"text"', "7", "{", ""])
def test_a_manifest_that_is_no_object_is_refused(tmp_path: Path, manifest: str) -> None:
    place = bundle(tmp_path / "b", segment())
    (place / "manifest.json").write_text(manifest)
    with pytest.raises(BadInput):
        read(place)


def test_a_manifest_of_65_mib_is_refused(tmp_path: Path) -> None:
    place = bundle(tmp_path / "b", segment())
    with (place / "manifest.json").open("r+b") as file:
        file.truncate(65 << 20)
    with pytest.raises(BadInput, match="MiB"):
        read(place)


@pytest.mark.parametrize("bad", [-1, 1e300, 10**200, "soon", True, [1], {"s": 1}])
@pytest.mark.parametrize("key", ["start_time", "end_time", "duration"])
def test_one_wrong_time_costs_that_field_alone(tmp_path: Path, key: str, bad: Json) -> None:
    reading = read(bundle(tmp_path / "b", segment(), segment(1, **{key: bad})))
    found = reading.timeline.segments[1]
    assert (found.start_ns, found.end_ns) == (10**9, 2 * 10**9)
    assert codes(reading) == [("bad-field", None)]


def test_other_wrong_fields_are_warnings_and_the_rest_is_kept(tmp_path: Path) -> None:
    wrong = segment(1, transcript=5, transcript_truncated="yes", role="referee")
    reading = read(bundle(tmp_path / "b", segment(), wrong, "what?", 7, duration=None))
    first, second = reading.timeline.segments
    assert (first.role, first.text) == ("user", "hello")
    assert (second.role, second.speaker, second.text, second.truncated) == (
        "system",
        "referee",
        None,
        False,
    )
    assert reading.duration_ns == 2 * 10**9
    assert sorted(code for code, _ in codes(reading)) == [
        "bad-field",
        "bad-field",
        "bad-field",
        "bad-field",
        "segment-count-mismatch",
        "unknown-role",
    ]


def test_repeated_and_missing_numbers_leave_every_segment_with_its_own(tmp_path: Path) -> None:
    place = bundle(
        tmp_path / "b", segment(1), segment(2, idx=1), segment(3, idx=None), segment(0, idx=-4)
    )
    reading = read(place)
    assert [s.index for s in reading.timeline.segments] == [1, 2, 3, 4]
    assert [c for c, _ in codes(reading)] == ["bad-field", "bad-index", "bad-index", "bad-index"]


def test_a_segment_that_ends_before_it_starts_is_a_warning(tmp_path: Path) -> None:
    reading = read(bundle(tmp_path / "b", segment(start_time=5.0, end_time=1.0)))
    assert reading.timeline.segments[0].end_ns == 5 * 10**9
    assert codes(reading) == [("bad-interval", segment()["file"])]


def test_unknown_events_are_kept_and_broken_ones_noted(tmp_path: Path) -> None:
    events: list[Json] = [
        {"time": 0.5, "type": "agent_sneezed", "loudness": 11},
        {"time": "later", "type": "tool_call", "name": "x"},
        {"type": "tool_result"},
        {"time": 0.75},
        "noise",
    ]
    reading = read(bundle(tmp_path / "b", segment(), events=events))
    assert [(e.seq, e.type, e.offset_ns) for e in reading.timeline.events] == [
        (0, "agent_sneezed", 500_000_000),
        (1, "tool_call", 500_000_000),
        (2, "tool_result", 500_000_000),
        (3, "", 750_000_000),
    ]
    assert reading.timeline.events[0].data == {"loudness": 11}
    assert {c for c, _ in codes(reading)} == {"bad-field", "no-event-time", "unknown-event"}


def test_missing_and_orphan_files_are_kept_apart(tmp_path: Path) -> None:
    place = bundle(tmp_path / "b", segment(), segment(1))
    (place / "segments/01-user-1000ms.wav").rename(place / "segments/09-agent-9000ms.wav")
    (place / "full.wav").unlink()
    reading = read(place)
    assert codes(reading) == [
        ("missing-file", "segments/01-user-1000ms.wav"),
        ("missing-file", "full.wav"),
        ("orphan-file", "segments/09-agent-9000ms.wav"),
    ]
    assert "segments/09-agent-9000ms.wav" in [o.name for o in reading.originals]
    assert reading.timeline.segments[1].decoded_ns is None


def test_a_cut_wav_is_taken_with_a_warning(tmp_path: Path) -> None:
    place = bundle(tmp_path / "b", segment())
    file = place / "segments/00-user-0000ms.wav"
    file.write_bytes(file.read_bytes()[:-8000])
    reading = read(place)
    assert reading.timeline.segments[0].decoded_ns == 500_000_000
    assert [c for c, _ in codes(reading)] == ["truncated-audio", "audio-length-mismatch"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unreadable-audio"),
        (b"just text", "unreadable-audio"),
        (b"RIFF\xff\xff\xff\xffWAVE", "unreadable-audio"),
        (b"fLaC" + bytes(100), "mislabelled-media"),
    ],
)
def test_a_segment_that_is_no_wav_is_kept_with_a_warning(
    tmp_path: Path, data: bytes, code: str
) -> None:
    place = bundle(tmp_path / "b", segment())
    (place / "segments/00-user-0000ms.wav").write_bytes(data)
    reading = read(place)
    assert codes(reading) == [(code, "segments/00-user-0000ms.wav")]
    assert reading.timeline.segments[0].decoded_ns is None


def test_what_a_file_is_decides_its_kind_and_not_its_name(tmp_path: Path) -> None:
    place = bundle(tmp_path / "b", segment())
    (place / "sound.txt").write_bytes(wav(0.1))
    (place / "words.wav.bak").write_text("grüße")
    (place / "unknown.bin").write_bytes(b"\x00\x01\x02")
    kinds = {o.name: (o.kind, o.media_type) for o in read(place).originals}
    assert kinds["sound.txt"] == (Kind.AUDIO, "audio/wav")
    assert kinds["words.wav.bak"] == (Kind.TRANSCRIPT, "text/plain")
    assert kinds["unknown.bin"] == (Kind.OTHER, "application/octet-stream")
    assert kinds["manifest.json"] == (Kind.TRANSCRIPT, "application/json")


def test_a_manifest_without_segments_falls_back_to_file_names(tmp_path: Path) -> None:
    reading = read(bundle(tmp_path / "b", segment(), segment(1), segments=None))
    assert [s.start_ns for s in reading.timeline.segments] == [0, 10**9]
    assert [c for c, _ in codes(reading)] == ["no-segments"]


def test_warnings_are_bounded(tmp_path: Path) -> None:
    junk: list[Json] = [1] * 20_000
    reading = read(bundle(tmp_path / "b", segment(), events=junk))
    assert len(reading.warnings) == 10_001
    assert reading.warnings[-1].code == "more-warnings"
