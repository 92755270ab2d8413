"""VoiceMode's logs, against real ones and against everything that may be wrong with one."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.recordings import noise
from vault import formats
from vault.errors import BadInput
from vault.formats import jsontext, loglines
from vault.model import Json, Kind, Original, Reading

LOGS = FIXTURES / "voicemode"
needs_logs = pytest.mark.skipif(not LOGS.is_dir(), reason="the recordings are not here")
SCHEMAS = ("v1", "v2", "v3", "v3b", "v4")
CALL, OTHER = "conv_20260110_120000_aaaaaa", "conv_20260110_130000_bbbbbb"


def row(text: Json = "hello", **changes: Json) -> dict[str, Json]:
    made: dict[str, Json] = {
        "version": 4,
        "timestamp": "2026-01-10T12:00:00.000000+10:00",
        "conversation_id": CALL,
        "type": "stt",
        "text": text,
        "project_path": "/tmp",
    }
    return {key: value for key, value in (made | changes).items() if value is not None}


def log(place: Path, *rows: Json | bytes, day: str = "2026-01-10") -> Path:
    """A day's log; bytes go into it as they are."""
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"exchanges_{day}.jsonl"
    path.write_bytes(
        b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in rows)
    )
    return path


def content(original: Original) -> bytes:
    with original.open() as stream:
        found = stream.read()
    assert len(found) == original.size_bytes
    return found


def one(place: Path) -> Reading:
    (reading,) = formats.read(place)
    return reading


def codes(reading: Reading) -> list[str]:
    return [warning.code for warning in reading.warnings]


def by_id(place: Path) -> Mapping[str | None, Reading]:
    return {reading.external_id: reading for reading in formats.read(place)}


# --- real logs ---------------------------------------------------------------------------


@needs_logs
@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_conversation_of_a_folder_of_logs_holds_its_own_lines_byte_for_byte(
    schema: str,
) -> None:
    lines: dict[tuple[str, str], bytes] = defaultdict(bytes)
    for path in sorted((LOGS / schema).glob("*.jsonl")):
        for line in path.read_bytes().splitlines(keepends=True):
            lines[json.loads(line)["conversation_id"], path.name] += line
    readings = formats.read(LOGS / schema)
    assert {
        (str(r.external_id), o.name): content(o) for r in readings for o in r.originals
    } == lines
    assert [r.external_id for r in readings] == list(dict.fromkeys(key for key, _ in lines))


@needs_logs
@pytest.mark.parametrize("schema", SCHEMAS)
def test_nothing_a_row_says_is_lost(schema: str) -> None:
    rows = [json.loads(x) for p in sorted((LOGS / schema).iterdir()) for x in p.open("rb")]
    segments = [s for r in formats.read(LOGS / schema) for s in r.timeline.segments]
    assert [{**s.data, "text": s.text} for s in segments] == rows
    assert [s.role for s in segments] == [{"stt": "user", "tts": "agent"}[r["type"]] for r in rows]
    assert [s.end_ns - s.start_ns for s in segments] == [r["duration_ms"] * 10**6 for r in rows]


#: What is new in the rows that VoiceMode writes since a commit: version, fields of the metadata.
WRITTEN_SINCE: dict[str, tuple[int, set[str]]] = {
    "62be6e3": (1, {"voice_mode_version", "model", "provider", "language", "voice", "emotion"}),
    "4a3c652": (2, {"transport", "silence_detection"}),
    "26813f3": (3, {"provider_url", "provider_type", "total_turnaround_time"}),
    "3d7f0ce": (3, {"is_fallback", "fallback_reason"}),
    "wheel-9.0.1": (4, {"voice_requested", "voice_resolved", "voice_via"}),
}


@needs_logs
def test_every_log_is_read_as_what_its_commit_of_voicemode_writes() -> None:
    told = json.loads((LOGS / "expected_conversation_ids.json").read_text())
    assert [each["schema"] for each in told] == list(SCHEMAS)
    assert [each["commit"] for each in told] == list(WRITTEN_SINCE)
    for place, each in enumerate(told):
        segments = [s for r in formats.read(LOGS / each["schema"]) for s in r.timeline.segments]
        metadata: list[dict[str, Json]] = [
            found for s in segments if isinstance(found := s.data["metadata"], dict)
        ]
        assert {found["voice_mode_version"] for found in metadata} == {each["voice_mode_version"]}
        assert {s.data["version"] for s in segments} == {WRITTEN_SINCE[each["commit"]][0]}
        fields = set().union(*metadata)
        for number, (_, new) in enumerate(WRITTEN_SINCE.values()):
            assert new <= fields if number <= place else not new & fields


@needs_logs
def test_times_count_from_the_first_row_of_the_conversation() -> None:
    reading = formats.read(LOGS / "v4")[0]
    assert reading.format == "voicemode"
    assert reading.started_at is not None
    assert reading.started_at.isoformat() == "2026-01-14T13:50:00.123456+00:00"
    assert reading.source["started_at"] == "2026-01-14T23:50:00.123456+10:00"
    starts = [segment.start_ns for segment in reading.timeline.segments]
    assert starts == [0, 20_000_000_000, 319_500_000_000]
    assert reading.duration_ns == 319_500_000_000 + 1_502_000_000
    assert [event.type for event in reading.timeline.events] == ["stt", "tts", "stt"]
    assert [event.data for event in reading.timeline.events] == [{}, {"latency": 1.2}, {}]


@needs_logs
def test_a_real_row_without_a_duration_has_that_of_its_playback() -> None:
    reading = one(LOGS / "real_entry_from_upstream_tests.jsonl")
    assert reading.external_id == "conv_20250713_131401_x333ig"
    (segment,) = reading.timeline.segments
    assert (segment.role, segment.end_ns) == ("agent", 6_000_000_000)
    assert reading.timeline.events[0].data == {"latency": 4.8}
    assert codes(reading) == ["missing-file"]


@needs_logs
def test_the_malformed_log_loses_one_row_and_not_a_byte() -> None:
    path = LOGS / "malformed" / "exchanges_2026-05-01.jsonl"
    reading = one(path)
    assert content(reading.originals[0]) == path.read_bytes()
    versions = [segment.data.get("version") for segment in reading.timeline.segments]
    assert versions == [3, 9, None, 3]
    assert reading.timeline.segments[1].data["future_field"] == {"x": 1}
    assert sorted(codes(reading)) == [
        "bad-interval",  # a row of another year
        "refused-path",
        "truncated-row",
        "unknown-version",
    ]
    assert reading.timeline.segments[0].data["audio_file"] == "../../../etc/passwd"
    assert [original.name for original in reading.originals] == [path.name]


@needs_logs
def test_a_last_line_of_more_than_a_kilobyte_is_read() -> None:
    reading = one(LOGS / "v4_long_line")
    assert [len(s.text or "") > 1000 for s in reading.timeline.segments] == [False, True, False]
    assert not reading.warnings


@needs_logs
def test_a_folder_that_holds_more_than_logs_is_searched() -> None:
    places = [place.path.name for place in formats.walk(LOGS)]
    assert {*SCHEMAS, "events", "malformed", "v4_long_line"} < set(places)


# --- one log, many conversations ---------------------------------------------------------


def test_conversations_that_take_turns_in_a_log_part_without_a_trace(tmp_path: Path) -> None:
    secret = [row(f"first {n}") for n in range(3)]
    other = [row(f"second {n}", conversation_id=OTHER) for n in range(3)]
    rows = [r for pair in zip(secret, other, strict=True) for r in pair]
    readings = by_id(log(tmp_path, *rows))
    mine = content(readings[CALL].originals[0])
    assert [json.loads(line) for line in mine.splitlines()] == secret
    assert b"second" not in mine
    assert OTHER.encode() not in mine


def test_a_conversation_over_midnight_is_one_session_with_an_original_of_each_day(
    tmp_path: Path,
) -> None:
    log(tmp_path, row("before", timestamp="2026-01-10T23:59:50+10:00"))
    log(
        tmp_path,
        row("after", timestamp="2026-01-11T00:00:05+10:00"),
        row("other", timestamp="2026-01-11T09:00:00+10:00", conversation_id=OTHER),
        day="2026-01-11",
    )
    call = by_id(tmp_path)[CALL]
    assert [o.name for o in call.originals] == [
        "exchanges_2026-01-10.jsonl",
        "exchanges_2026-01-11.jsonl",
    ]
    assert [(s.text, s.start_ns) for s in call.timeline.segments] == [
        ("before", 0),
        ("after", 15_000_000_000),
    ]
    assert all(original.kind is Kind.TRANSCRIPT for original in call.originals)


def test_every_line_of_a_log_is_in_one_of_its_sessions(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        b"\n",
        row("a"),
        b"{broken\n",
        row("nobody's", conversation_id=None),
        row("b", conversation_id=OTHER),
        b"[1, 2]\n",
        b"\r\n",
        row("c", conversation_id=OTHER),
        b'{"version": 4, "conversation_id": "conv_2026',
    )
    readings = by_id(path)
    kept = [
        line for r in readings.values() for o in r.originals for line in content(o).split(b"\n")
    ]
    assert sorted(kept) == sorted([*path.read_bytes().split(b"\n"), b""])
    assert codes(readings[CALL]) == []
    assert codes(readings[OTHER]) == [
        "unreadable-row",
        "no-conversation-id",
        "unreadable-row",
        "truncated-row",
    ]
    assert b"nobody's" in content(readings[OTHER].originals[0])
    assert [s.text for s in readings[OTHER].timeline.segments] == ["b", "c"]


def test_a_last_row_without_its_newline_is_a_row(tmp_path: Path) -> None:
    reading = one(log(tmp_path, row("a"), json.dumps(row("b")).encode()))
    assert [s.text for s in reading.timeline.segments] == ["a", "b"]
    assert not reading.warnings


def test_rows_of_two_days_whose_second_day_is_garbage_lose_nothing(tmp_path: Path) -> None:
    log(tmp_path, row("a"))
    log(tmp_path, b"garbage\n", day="2026-01-11")
    reading = one(tmp_path)
    assert [content(o) for o in reading.originals][1] == b"garbage\n"
    assert codes(reading) == ["unreadable-row"]


def test_a_log_that_grows_while_it_is_deposited_gives_what_was_read(tmp_path: Path) -> None:
    path = log(tmp_path, row("a"))
    before = path.read_bytes()
    reading = one(path)
    with path.open("ab") as stream:
        stream.write(json.dumps(row("b")).encode() + b"\n")
    assert content(reading.originals[0]) == before


def test_a_log_that_is_rewritten_while_it_is_deposited_is_refused(tmp_path: Path) -> None:
    path = log(tmp_path, row("aaaa"))
    reading = one(path)
    log(tmp_path, row("bbbb"))
    with pytest.raises(BadInput, match="changed"):
        content(reading.originals[0])
    log(tmp_path, b"{}")
    with pytest.raises(BadInput, match="changed"):
        content(reading.originals[0])


# --- rows that are not as they should be -------------------------------------------------


def test_fields_of_wrong_types_are_noted_and_the_row_stays(tmp_path: Path) -> None:
    reading = one(
        log(
            tmp_path,
            row(
                "kept",
                timestamp=12,
                duration_ms="long",
                metadata=[1],
                audio_file=7,
                version=True,
            ),
            row(timestamp=None, text=["no", "text"], type=3, duration_ms=-5),
            row("late", duration_ms=1.5, metadata={"time_to_first_audio": -1}),
        )
    )
    assert [s.text for s in reading.timeline.segments] == ["kept", None, "late"]
    assert [s.role for s in reading.timeline.segments] == ["user", "system", "user"]
    assert reading.timeline.segments[2].end_ns == 1_500_000
    assert set(codes(reading)) == {"bad-field", "unknown-role", "unknown-version"}
    assert [event.type for event in reading.timeline.events] == ["stt", "", "stt"]


@pytest.mark.parametrize(
    "text",
    [
        *("9999-12-31T23:59:59-23:59", "9998-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
        *("yesterday", "", "2026-02-30T00:00"),
    ],
)
def test_a_time_that_is_none_places_its_row_at_the_one_before(tmp_path: Path, text: str) -> None:
    later = "2026-01-10T12:00:09+10:00"
    reading = one(log(tmp_path, row(), row(timestamp=later), row(timestamp=text)))
    assert [s.start_ns for s in reading.timeline.segments] == [0, 9 * 10**9, 9 * 10**9]
    assert codes(reading) == ["bad-field"]


def test_a_clock_that_stepped_back_moves_the_start_and_no_time_is_negative(tmp_path: Path) -> None:
    earlier = "2026-01-10T11:59:58+10:00"
    reading = one(log(tmp_path, row(), row(timestamp=earlier, duration_ms=100)))
    assert [s.start_ns for s in reading.timeline.segments] == [2 * 10**9, 0]
    assert reading.source["started_at"] == earlier


def test_a_time_without_an_offset_is_taken_as_utc(tmp_path: Path) -> None:
    reading = one(log(tmp_path, row(timestamp="2026-01-10T12:00:00")))
    assert codes(reading) == ["no-utc-offset"]
    assert str(reading.started_at) == "2026-01-10 12:00:00+00:00"


def test_rows_that_json_does_not_allow_are_kept_unread(tmp_path: Path) -> None:
    line = json.dumps(row()).encode()
    twice = line.replace(b'"version": 4', b'"type": "tts", "version": 4') + b"\n"
    infinite = line.replace(b'"version": 4', b'"version": 1e999') + b"\n"
    deep = b'{"a":' * 101 + b"1" + b"}" * 101 + b"\n"
    latin = line.replace(b"hello", b"\xe9") + b"\n"
    reading = one(log(tmp_path, row(), twice, infinite, deep, latin))
    assert codes(reading) == ["unreadable-row"] * 4
    assert len(reading.timeline.segments) == 1


def test_a_line_that_is_too_long_is_kept_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loglines, "LINE_BYTES_LIMIT", 300)
    path = log(tmp_path, row(), row("x" * 1000), row("y" * 2000, conversation_id=OTHER), row())
    reading = one(path)
    assert content(reading.originals[0]) == path.read_bytes()
    assert codes(reading) == ["unreadable-row"] * 2


def test_more_logs_than_memory_is_for_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats.voicemode, "LOGS_BYTES_LIMIT", 1000)
    log(tmp_path, *[row()] * 3)
    log(tmp_path, *[row()] * 3, day="2026-01-11")
    assert formats.read(tmp_path / "exchanges_2026-01-10.jsonl")
    with pytest.raises(BadInput, match="MiB of logs"):
        formats.read(tmp_path)


def test_a_log_without_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        formats.read(log(tmp_path, b"not a log\n"), "voicemode")
    with pytest.raises(BadInput, match="holds no row"):
        formats.read(log(tmp_path, row(conversation_id=None)), "voicemode")
    with pytest.raises(BadInput, match="holds no row"):
        formats.read(log(tmp_path, row()), "voicemode-events")


# --- what is a log ------------------------------------------------------------------------


def test_a_log_is_told_by_its_rows_and_not_by_its_name(tmp_path: Path) -> None:
    path = log(tmp_path, row()).rename(tmp_path / "notes.txt")
    assert one(path).format == "voicemode"


def test_a_log_whose_first_row_is_longer_than_what_is_peeked_at_is_known(tmp_path: Path) -> None:
    assert one(log(tmp_path, row("x" * 100_000))).format == "voicemode"


def test_a_log_that_begins_with_a_broken_row_is_known(tmp_path: Path) -> None:
    assert codes(one(log(tmp_path, b'_mode"}\n', row()))) == ["unreadable-row"]


def test_the_home_of_voicemode_is_one_place(tmp_path: Path) -> None:
    named = "20260110_120000_123_aaaaaa_stt.wav"
    log(tmp_path / "logs/conversations", row(audio_file=named))
    (tmp_path / "audio/2026/01").mkdir(parents=True)
    (tmp_path / "audio/2026/01" / named).write_bytes(noise(0.25))
    (tmp_path / "voicemode.env").write_text("OPENAI_API_KEY=x")
    (place,) = formats.walk(tmp_path)
    (reading,) = formats.read(place)
    assert [original.name for original in reading.originals] == [
        "logs/conversations/exchanges_2026-01-10.jsonl",
        f"audio/2026/01/{named}",
    ]


# --- recordings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "lies"),
    [
        ("x.wav", "audio/2026/01/x.wav"),
        ("20251231_235959_1_ab_tts.wav", "audio/2025/12/20251231_235959_1_ab_tts.wav"),
        ("x.wav", "audio/x.wav"),
        ("audio/x.wav", "audio/x.wav"),
        ("2026/01/x.wav", "audio/2026/01/x.wav"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_recording_is_found_where_voicemode_keeps_it(
    tmp_path: Path, named: str, lies: str, alone: bool
) -> None:
    path = log(tmp_path, row(audio_file=named))
    (tmp_path / lies).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / lies).write_bytes(noise(0.25))
    reading = one(path if alone else tmp_path)
    assert not reading.warnings
    (segment,) = reading.timeline.segments
    assert (segment.file, segment.decoded_ns, segment.end_ns) == (lies, 250_000_000, 250_000_000)
    assert hashlib.sha256(content(reading.originals[1])).digest() == (
        hashlib.sha256(noise(0.25)).digest()
    )


def test_a_recording_with_the_ending_of_another_kind_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "a_tts.mp3").write_bytes(noise(0.1))
    reading = one(log(tmp_path, row(audio_file="audio/a_tts.mp3")))
    assert codes(reading) == ["mislabelled-media"]
    assert [s.decoded_ns for s in reading.timeline.segments] == [100_000_000]


@pytest.mark.parametrize(
    "named",
    ["../x.wav", "/etc/hostname", "audio/../../x.wav", "a\\b.wav", "a\0b.wav", "\ud800.wav"],
)
def test_a_path_that_leads_out_is_refused_and_its_row_stays(tmp_path: Path, named: str) -> None:
    (tmp_path / "x.wav").write_bytes(noise(0.1))
    reading = one(log(tmp_path / "logs", row("said", audio_file=named)))
    assert set(codes(reading)) <= {"refused-path", "missing-file"}
    assert len(codes(reading)) == 1
    assert [s.text for s in reading.timeline.segments] == ["said"]
    assert len(reading.originals) == 1


def test_a_recording_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(noise(0.1))
    place = tmp_path / "logs"
    path = log(place, row(audio_file="x.wav"), row(audio_file="y.wav"))
    (place / "audio/2026").mkdir(parents=True)
    (place / "audio/2026/01").symlink_to(tmp_path)
    (place / "x.wav").symlink_to(tmp_path / "secret.wav")
    reading = one(path)
    assert codes(reading) == ["refused-path", "refused-path"]
    assert len(reading.originals) == 1


def test_a_row_cannot_pull_another_log_into_its_session(tmp_path: Path) -> None:
    log(tmp_path, row("private", conversation_id=OTHER), day="2026-01-09")
    log(tmp_path, row(audio_file="exchanges_2026-01-09.jsonl"))
    call = by_id(tmp_path)[CALL]
    assert codes(call) == ["unreadable-audio"]
    assert b"private" not in b"".join(content(original) for original in call.originals)


def test_a_recording_that_two_conversations_name_is_kept_with_the_first(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(noise(0.1))
    named = row(audio_file="x.wav")
    readings = by_id(log(tmp_path, named, named, named | {"conversation_id": OTHER}))
    assert [o.name for o in readings[CALL].originals][1:] == ["x.wav"]
    assert len(readings[OTHER].originals) == 1
    assert codes(readings[OTHER]) == ["shared-file"]


def test_a_log_that_looks_like_sound_and_names_itself_is_no_recording(tmp_path: Path) -> None:
    itself = log(tmp_path, b"ID3\n", row(audio_file="exchanges_2026-01-10.jsonl"))
    (reading,) = formats.read(itself, "voicemode")
    assert [original.name for original in reading.originals] == [itself.name]
    assert codes(reading) == ["unreadable-row", "unreadable-audio"]


def test_a_recording_that_no_row_names_is_told_and_stays_out(tmp_path: Path) -> None:
    log(tmp_path, row())
    (tmp_path / "audio/2026/01").mkdir(parents=True)
    (tmp_path / "audio/2026/01/x.wav").write_bytes(noise(0.1))
    reading = one(tmp_path)
    assert [(w.code, w.file) for w in reading.warnings] == [("orphan-file", "audio/2026/01/x.wav")]
    assert len(reading.originals) == 1


def test_a_recording_that_no_row_names_and_nobody_can_name_is_told_without_its_name(
    tmp_path: Path,
) -> None:
    log(tmp_path, row())
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / os.fsdecode(b"caf\xe9.wav")).write_bytes(noise(0.1))
    assert [(w.code, w.file) for w in one(tmp_path).warnings] == [("orphan-file", None)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_recording_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(noise(0.1))
    (tmp_path / "x.wav").chmod(0)
    assert codes(one(log(tmp_path, row(audio_file="x.wav")))) == ["refused-path"]


def test_half_characters_in_a_row_are_replaced_and_whole_ones_are_not() -> None:
    assert jsontext.parse(rb'"\ud83d\ude9a"', "x") == "\U0001f69a"
    assert jsontext.parse(rb'"\ud83d\ud83d\ude9a"', "x") == "\ufffd\U0001f69a"
    assert jsontext.parse(rb'"\\\ud83d\ude9a"', "x") == "\\\U0001f69a"
    assert jsontext.parse(rb'"\\ud83d\ude9a"', "x") == "\\ud83d\ufffd"
