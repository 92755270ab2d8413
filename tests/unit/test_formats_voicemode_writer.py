"""VoiceMode's rows, written so that its own reader takes them and nothing is lost."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.conftest import FIXTURES
from vault import formats, samples
from vault.formats import voicemode_write
from vault.formats.voicemode_write import ORDER, left_out, new_id, write
from vault.model import Event, Reading, Segment, Timeline

LOGS = FIXTURES / "voicemode"
needs_logs = pytest.mark.skipif(not LOGS.is_dir(), reason="the recordings are not here")
BEGUN = datetime(2026, 1, 10, 23, 59, 59, tzinfo=timezone(timedelta(hours=10)))
ID = re.compile(r"conv_\d{8}_\d{6}_[a-z0-9]{6}")


def written(reading: Reading) -> bytes:
    assert reading.started_at is not None
    return b"".join(write(reading.timeline, reading.started_at, reading.external_id))


def segment(index: int, role: str, text: str | None, **more: Any) -> Segment:
    start = index * 1_500_000_000
    made: dict[str, Any] = {"speaker": None, "decoded_ns": None, "truncated": False, "file": None}
    made |= {"start_ns": start, "end_ns": start + 1_000_000_000} | more
    return Segment(index=index, role=role, text=text, **made)


@needs_logs
@pytest.mark.parametrize("schema", ["v1", "v2", "v3", "v3b", "v4", "v4_long_line"])
def test_real_logs_are_written_again_byte_for_byte(schema: str) -> None:
    for reading in formats.read(LOGS / schema):
        originals = b"".join(original.open().read() for original in reading.originals)
        assert written(reading) == originals


@needs_logs
def test_rows_of_unknown_versions_and_without_one_are_written_as_they_were() -> None:
    path = LOGS / "malformed" / "exchanges_2026-05-01.jsonl"
    (reading,) = formats.read(path)
    rows = [json.loads(line) for line in path.read_bytes().splitlines()[:4]]
    again = [json.loads(line) for line in written(reading).splitlines()]
    assert again == rows
    assert [list(r) for r in again] == [
        [*(k for k in ORDER if k in r), *(k for k in r if k not in ORDER)] for r in rows
    ]


def test_another_session_becomes_rows_that_voicemode_takes() -> None:
    told: dict[str, Any] = {"language": "en", "provider": "whisper"}
    turns = [
        segment(0, "user", "Hello?", data=told, file="a.wav", decoded_ns=2_800_000_000),
        segment(1, "agent", "Good evening.", speaker="Nova"),
        segment(2, "system", None),
    ]
    rows = [json.loads(line) for line in write(Timeline(turns), BEGUN, "call 7")]
    common = {"version": 4, "conversation_id": "call 7", "project_path": ""}
    assert rows == [
        {
            **common,
            "timestamp": "2026-01-10T23:59:59+10:00",
            "type": "stt",
            "text": "Hello?",
            "audio_file": "a.wav",
            "duration_ms": 2800,
            "metadata": {
                "voice_mode_version": "strongroom",
                "provider": "whisper",
                "language": "en",
            },
        },
        {
            **common,
            "timestamp": "2026-01-11T00:00:00.500000+10:00",
            "type": "tts",
            "text": "Good evening.",
            "duration_ms": 1000,
            "metadata": {"voice_mode_version": "strongroom", "speaker": "Nova"},
        },
        {
            **common,
            "timestamp": "2026-01-11T00:00:02+10:00",
            "type": "tts",
            "text": "",
            "duration_ms": 1000,
            "metadata": {"voice_mode_version": "strongroom", "speaker": "system"},
        },
    ]
    assert [list(row)[:6] for row in rows] == [list(ORDER[:6])] * 3


def test_what_is_written_of_a_sample_is_read_again(tmp_path: Any) -> None:
    (sample,) = formats.read(samples.folder() / "pharmacy-refill")
    path = tmp_path / "exchanges_2026-01-10.jsonl"
    path.write_bytes(b"".join(write(sample.timeline, BEGUN)))
    (again,) = formats.read(path)
    assert ID.fullmatch(str(again.external_id))
    assert [(s.role, s.text) for s in again.timeline.segments] == [
        (s.role, s.text) for s in sample.timeline.segments
    ]


@pytest.mark.parametrize("text", [5, ["no", {"text": 1.5}], None, True])
def test_a_row_with_fields_of_other_types_is_written_as_it_came(text: Any, tmp_path: Any) -> None:
    row: dict[str, Any] = {
        "version": 4,
        "timestamp": "2026-01-10T12:00:00+10:00",
        "conversation_id": "conv_20260110_120000_aaaaaa",
        "type": "stt",
        "text": text,
        "project_path": None,
        "audio_file": None,
        "duration_ms": "long",
        "metadata": None,
        "new": None,
    }
    path = tmp_path / "exchanges_2026-01-10.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (reading,) = formats.read(path)
    assert [segment.text for segment in reading.timeline.segments] == [None]
    assert written(reading) == path.read_bytes()


def test_a_text_that_was_changed_since_is_the_one_that_is_written() -> None:
    data = {"timestamp": "2026-01-10T12:00:00+10:00", "conversation_id": "c", "type": "stt"}
    for kept in (data, data | {"text": 5}):
        (line,) = write(Timeline([segment(0, "user", "[redacted]", data=kept)]), BEGUN)
        assert json.loads(line) == data | {"text": "[redacted]"}


def test_what_rows_cannot_say_is_named() -> None:
    data = {"timestamp": "2026-01-10T12:00:00+10:00", "conversation_id": "c", "type": "stt"}
    own = segment(0, "user", "x", data=data, truncated=True)
    events = [Event(0, "stt", 0), Event(1, "tool_call", 0), Event(2, "tool_result", 0)]
    assert [w.text.split(":")[0] for w in left_out(Timeline([own], events))] == [
        "2 events",
        "1 truncation marks",
    ]
    assert left_out(Timeline([segment(0, "user", "x")])) == []


def test_ids_have_the_form_of_voicemode_and_differ_by_salt() -> None:
    assert ID.fullmatch(new_id(BEGUN))
    assert new_id(BEGUN) == new_id(BEGUN) != new_id(BEGUN, "1")
    assert new_id(BEGUN.astimezone(UTC)).startswith("conv_20260110_135959_")
    assert voicemode_write.VERSION == 4
