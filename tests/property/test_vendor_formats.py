"""Whatever arrives as a vendor's document, its reader answers with sessions or `BadInput`."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from tests.property.test_formats import SLOW_DISK, answers
from tests.unit.test_formats_scenario import wav
from vault import formats
from vault.errors import BadInput
from vault.formats.documents import VENDORS

FILES = sorted(
    file
    for file in (FIXTURES / "other").rglob("*")
    if file.is_file() and file.suffix != ".wav" and file.stat().st_size < 100_000
)
DOCUMENTS = [file for file in FILES if file.suffix == ".json"]
SESSIONS = sorted((FIXTURES / "voice_agents_platform" / "recordings").glob("sess_*"))
NAMES = [
    *(vendor.NAME for vendor in VENDORS),
    *("openai-realtime", "siprec", "webvtt", "srt"),
]
ID = "sess_0123456789ab"

pytestmark = pytest.mark.skipif(not (FILES and SESSIONS), reason="no outside recordings")

WORDS = """
    message type artifact messages role time secondsFromStart duration call orgId startedAt customer
    call_id call_status transcript_object words start end latency e2e values content number
    data agent_id conversation_id transcript metadata time_in_call_secs start_time_unix_secs
    sid account_sid date_created Transcript Participants ParticipantId BeginOffsetMillis
    ConversationCharacteristics Interruptions InterruptionsByInterrupter CustomerMetadata
    conversationId transcripts phrases participantPurpose startTimeMs analytics participants
    chat_history events items created_at job_id metrics event item_id audio delta ts session item
    session_id privacy_level segments timestamp end_timestamp text speaker_id tags user_id
    sample_rate channels bit_depth encrypted quality_metrics start_time end_time
"""
MARKS = """
    end-of-call-report post_call_transcription user bot agent tool_calls system external disabled
    session.created response.audio.delta input_audio_buffer.append full 2026-01-15T09:30:00Z
    RE00000000deadbeefdeadbeefdeadbeef 9999-12-31T23:59:59-23:59 \ud800
"""
KEYS = st.sampled_from(WORDS.split())
TEXTS = st.sampled_from(["", "Thu, 15 Jan 2026 09:30:00 +0000", *MARKS.split()])
NUMBERS = (
    st.integers()
    | st.integers(10**17, 10**40)
    | st.floats()
    | st.sampled_from([0, 1, -1, 1_768_469_400, 1_768_469_400_000, 253_402_300_799, 31_622_400])
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS | st.text(max_size=10)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=30,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=12)


def tried(data: bytes, name: str | None = None) -> None:
    """The bytes as a file in a folder, found by content and read as what they are said to be."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "call.json"
        place.write_bytes(data)
        answers(place)
        if name is not None:
            with_name(place, name)


def with_name(place: Path, name: str) -> None:
    try:
        for reading in formats.read(place, name):
            starts = [segment.start_ns for segment in reading.timeline.segments]
            assert all(type(start) is int for start in starts)
            assert all(type(event.offset_ns) is int for event in reading.timeline.events)
            assert reading.duration_ns is None or type(reading.duration_ns) is int
            assert all(subject.strip() for subject in reading.subjects)
            json.dumps([reading.source, reading.metrics], allow_nan=False).encode()
    except BadInput as error:
        str(error).encode()


def spoilt(value: Any, data: st.DataObject) -> Any:
    """A JSON value with one value somewhere in it replaced."""
    place = value
    while isinstance(place, dict | list) and place:
        key = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
        )
        if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 4)) == 0:
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    return value


@SLOW_DISK
@given(OBJECTS | VALUES, st.sampled_from(NAMES))
def test_any_json_as_any_vendors_document_is_read_or_refused(value: Any, name: str) -> None:
    tried(json.dumps(value).encode(), name)


@settings(SLOW_DISK, max_examples=300)
@given(st.data())
def test_a_real_document_with_one_value_replaced_is_read_or_refused(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(DOCUMENTS))
    value = json.loads(file.read_text())
    for _ in range(data.draw(st.integers(1, 4))):
        value = spoilt(value, data)
    tried(json.dumps(value).encode(), data.draw(st.sampled_from(NAMES)))


@settings(SLOW_DISK, max_examples=300)
@given(
    st.sampled_from(FILES), st.integers(0), st.binary(max_size=12), st.integers(0, 12), st.data()
)
def test_a_real_file_with_bytes_changed_is_read_or_refused(
    file: Path, at: int, put: bytes, drop: int, data: st.DataObject
) -> None:
    text = file.read_bytes()
    at %= len(text) + 1
    tried(text[:at] + put + text[at + drop :], data.draw(st.sampled_from(NAMES)))


@SLOW_DISK
@given(st.sampled_from(FILES), st.integers(0))
def test_a_real_file_cut_anywhere_is_read_or_refused(file: Path, at: int) -> None:
    text = file.read_bytes()
    tried(text[: at % len(text)], None)


@SLOW_DISK
@given(st.lists(OBJECTS | st.builds(lambda e: {"event": e, "ts": "2026-01-15T09:30:00Z"}, OBJECTS)))
def test_any_lines_as_a_realtime_log_are_read_or_refused(rows: list[Any]) -> None:
    first = {"event_id": "e", "type": "session.created", "session": {}}
    tried("\n".join(json.dumps(row) for row in [first, *rows]).encode(), "openai-realtime")


CUES = st.text("0123456789:.,-> \r\n<v>/&;#AUserBOT\t", max_size=200)


@SLOW_DISK
@given(CUES, CUES)
def test_any_text_as_captions_is_read_or_refused(before: str, after: str) -> None:
    middle = "\n\n00:01.000 --> 00:02.000\n"
    for text in (before + after, "WEBVTT\n\n" + before + middle + after, "1" + middle + after):
        tried(text.encode(), "srt")
        tried(text.encode(), "webvtt")


XML = st.text("<>/!&;?= '\"[]%recodingsapt-", max_size=120)


@SLOW_DISK
@given(XML, st.sampled_from(["recording", "session", "participant"]))
def test_any_xml_in_a_siprec_body_is_read_or_refused(inner: str, tag: str) -> None:
    xml = f"<recording><session id='1'/><{tag}>{inner}</{tag}></recording>"
    for text in (inner, xml):
        body = f"--b\nContent-Type: application/rs-metadata+xml\n\n{text}\n--b--"
        tried(body.encode(), "siprec")


@SLOW_DISK
@given(st.data())
def test_any_platform_recording_is_read_or_refused(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "recordings" / ID
        folder.mkdir(parents=True)
        for part in ("metadata.json", "quality.json", "transcript.json"):
            text = json.dumps(data.draw(OBJECTS | VALUES)).encode()
            (folder / f"{ID}_{part}").write_bytes(text)
        packed = bytearray(gzip.compress(wav(0.01)))
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
        (folder / f"{ID}_audio.wav.gz").write_bytes(packed)
        (folder / f"{ID}_transcript.txt").write_text(data.draw(CUES))
        answers(folder)


@SLOW_DISK
@given(st.data())
def test_a_real_platform_recording_with_one_value_replaced_is_read_or_refused(
    data: st.DataObject,
) -> None:
    session = data.draw(st.sampled_from(SESSIONS))
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / session.name
        folder.mkdir()
        for file in session.iterdir():
            text = file.read_bytes()
            if file.suffix == ".json":
                text = json.dumps(spoilt(json.loads(text), data)).encode()
            (folder / file.name).write_bytes(text[:100_000])
        answers(folder)
        with_name(folder, "voice-agents-platform")


def test_the_fuzzing_above_starts_from_readable_files() -> None:
    for place in (*FILES, *SESSIONS):
        assert formats.read(place)
