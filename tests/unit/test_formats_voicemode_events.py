"""VoiceMode's event log: every event kept, what was said read from them, no time negative."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.recordings import noise
from vault import formats
from vault.formats.voicemode_events import timings
from vault.formats.voicemode_write import write_events
from vault.model import Event, Json, Reading

LOG = FIXTURES / "voicemode" / "events" / "voicemode_events_2026-11-21.jsonl"
needs_log = pytest.mark.skipif(not LOG.exists(), reason="the recordings are not here")
BEGUN = datetime(2026, 11, 21, 8, tzinfo=UTC)


def log(place: Path, *events: tuple[float, str, Json], session: str | None = "conv_1") -> Path:
    path = place / "voicemode_events_2026-11-21.jsonl"
    with path.open("a") as stream:
        for seconds, kind, data in events:
            at = (BEGUN + timedelta(seconds=seconds)).isoformat()
            line = {"timestamp": at, "event_type": kind, "session_id": session, "data": data}
            stream.write(json.dumps(line) + "\n")
    return path


def one(path: Path) -> Reading:
    (reading,) = formats.read(path)
    return reading


@needs_log
def test_a_real_event_log_keeps_every_event_as_it_is() -> None:
    rows = [json.loads(line) for line in LOG.open("rb")]
    reading = one(LOG)
    assert (reading.format, reading.external_id) == ("voicemode-events", "conv_1768000000000")
    assert [(e.type, e.data) for e in reading.timeline.events] == [
        (r["event_type"], r["data"]) for r in rows
    ]
    assert reading.timeline.events[-1].offset_ns == reading.duration_ns == 302_830_000
    assert [(s.role, s.text, s.start_ns) for s in reading.timeline.segments] == [
        ("agent", "Hello", 80_653_000),
        ("user", "hi", 121_109_000),
    ]


@needs_log
def test_a_real_event_log_is_written_again_byte_for_byte() -> None:
    reading = one(LOG)
    assert reading.started_at is not None
    written = write_events(
        reading.timeline, reading.started_at, str(reading.external_id), reading.source
    )
    assert b"".join(written) == LOG.read_bytes()


@needs_log
def test_the_response_time_of_a_real_log_that_played_before_it_heard_is_unknown() -> None:
    found = timings(one(LOG).timeline.events)
    assert found["response_time"] == {
        "count": 0,
        "avg_seconds": None,
        "min_seconds": None,
        "max_seconds": None,
    }
    assert found["session_duration"] == {
        "count": 1,
        "avg_seconds": 0.30283,
        "min_seconds": 0.30283,
        "max_seconds": 0.30283,
    }


def test_times_are_taken_from_the_nearest_start_to_the_next_end() -> None:
    marks = [
        (5.0, "TTS_PLAYBACK_START"),  # before anything was recorded
        (6.0, "RECORDING_START"),
        (7.0, "RECORDING_START"),
        (9.0, "RECORDING_END"),
        (9.5, "TTS_PLAYBACK_START"),
        (10.0, "RECORDING_END"),
    ]
    found = timings([Event(n, kind, int(at * 1e9)) for n, (at, kind) in enumerate(marks)])
    assert [found[name] for name in ("recording_duration", "response_time")] == [
        {"count": 1, "avg_seconds": s, "min_seconds": s, "max_seconds": s} for s in (2.0, 0.5)
    ]


def test_a_turn_that_the_user_cut_is_marked(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        (0, "TTS_START", {"message": "Let me tell you"}),
        (1, "TTS_PLAYBACK_START", {}),
        (2, "BARGE_IN_DETECTED", {"interrupted_at_seconds": 1.0}),
        (2, "TTS_PLAYBACK_END", {}),
        (3, "STT_COMPLETE", {"text": "stop"}),
    )
    said = [
        (s.role, s.text, s.start_ns, s.end_ns, s.truncated) for s in one(path).timeline.segments
    ]
    assert said == [
        ("agent", "Let me tell you", 10**9, 2 * 10**9, True),
        ("user", "stop", 3 * 10**9, 3 * 10**9, False),
    ]


def test_the_recording_of_what_was_heard_is_an_original(tmp_path: Path) -> None:
    (tmp_path / "audio/2026/11").mkdir(parents=True)
    (tmp_path / "audio/2026/11/x.wav").write_bytes(noise(0.5))
    path = log(
        tmp_path,
        (0, "RECORDING_START", {}),
        (1, "RECORDING_END", {}),
        (1, "RECORDING_SAVED", {"file": "x.wav"}),
        (2, "STT_COMPLETE", {"text": "hi"}),
    )
    reading = one(path)
    (segment,) = reading.timeline.segments
    assert (segment.file, segment.decoded_ns) == ("audio/2026/11/x.wav", 500_000_000)
    assert segment.text == "hi"
    assert len(reading.originals) == 2


def test_events_of_no_session_are_kept_with_the_last_one(tmp_path: Path) -> None:
    log(tmp_path, (0, "PROVIDER_SWITCH", {}), session=None)
    path = log(tmp_path, (1, "SESSION_START", {}))
    reading = one(path)
    assert [w.code for w in reading.warnings] == ["no-conversation-id"]
    assert reading.originals[0].open().read() == path.read_bytes()


def test_sessions_and_conversations_of_one_folder_are_all_read(tmp_path: Path) -> None:
    log(tmp_path, (0, "SESSION_START", {}))
    row = {
        "timestamp": BEGUN.isoformat(),
        "conversation_id": "conv_2",
        "type": "stt",
        "text": "hi",
    }
    (tmp_path / "exchanges_2026-11-21.jsonl").write_text(json.dumps(row) + "\n")
    assert {r.external_id: r.format for r in formats.read(tmp_path)} == {
        "conv_1": "voicemode-events",
        "conv_2": "voicemode",
    }


def test_unknown_types_fields_and_wrong_data_survive(tmp_path: Path) -> None:
    path = log(tmp_path, (0, "DREAM_START", {"deep": {"x": [1]}}), (1, "STT_COMPLETE", "text"))
    row = json.loads(path.read_text().splitlines()[0]) | {"host": "h", "event_type": "TTS_REQUEST"}
    with path.open("a") as stream:
        stream.write(json.dumps(row) + "\n")
    reading = one(path)
    assert [event.type for event in reading.timeline.events] == [
        "DREAM_START",
        "STT_COMPLETE",
        "TTS_REQUEST",
    ]
    assert reading.timeline.events[0].data == {"deep": {"x": [1]}}
    assert reading.source["fields"] == {"2": {"host": "h"}}
    assert [w.code for w in reading.warnings] == ["bad-field"]
    assert reading.started_at is not None
    written = list(write_events(reading.timeline, reading.started_at, "conv_1", reading.source))
    assert json.loads(written[2]) == row
