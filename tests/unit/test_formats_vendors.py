"""Vendors' documents: real shapes, what they tell, and what may be wrong with them."""

from __future__ import annotations

import base64
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import promptkit
from tests.conftest import FIXTURES
from tests.unit.test_formats_scenario import codes, read, wav
from vault import formats
from vault.errors import BadInput
from vault.formats.documents import VENDORS, Vendor
from vault.formats.sound import sound
from vault.model import Json, Kind
from vault.replay.metrics import measure

REAL = FIXTURES / "other"
needs_documents = pytest.mark.skipif(not REAL.is_dir(), reason="the documents are not here")
NINE_THIRTY = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
RECORDING = "RE" + "0" * 32


def document(place: Path, value: Json, name: str = "call.json") -> Path:
    (place / name).write_text(json.dumps(value))
    return place / name


# --- as vendors write them ---------------------------------------------------------------


@needs_documents
@pytest.mark.parametrize(
    ("file", "name", "external_id", "started_at", "duration_ns", "turns", "agent", "subjects"),
    [
        (
            "livekit/session_report.json",
            "livekit",
            "AJ_dev1",
            datetime(2026, 1, 9, 23, 6, 40, tzinfo=UTC),
            11_158_000_000,
            "uauaua",
            None,
            [],
        ),
        (
            "vapi/end_of_call_report.json",
            "vapi",
            "00000000deadbeefdeadbeefdeadbeef",
            NINE_THIRTY,
            11_158_000_000,
            "suauaua",
            "asst-1",
            ["+15551234567"],
        ),
        (
            "retell/call_analyzed.json",
            "retell",
            "call_00000000deadbeefdeadbeefdeadbeef",
            NINE_THIRTY,
            11_158_000_000,
            "uauaua",
            "agent_1",
            ["+15551234567"],
        ),
        (
            "elevenlabs/post_call_transcription.json",
            "elevenlabs",
            "abc",
            datetime(2025, 2, 14, 12, 48, 17, tzinfo=UTC),
            22_000_000_000,
            "aua",
            "xyz",
            ["user123"],
        ),
        (
            "elevenlabs/post_call_audio.json",
            "elevenlabs",
            "abc",
            datetime(2025, 2, 14, 12, 48, 39, tzinfo=UTC),
            None,
            "",
            "xyz",
            [],
        ),
        (
            "contact_lens/analysis.json",
            "contact-lens",
            "7c77422d-f9ba-4111-ad48-b2f5dadf8540",
            NINE_THIRTY,
            11_673_000_000,
            "uaua",
            None,
            [],
        ),
        (
            "genesys/transcript.json",
            "genesys",
            "00000000deadbeefdeadbeefdeadbeef",
            NINE_THIRTY,
            11_158_000_000,
            "uauaua",
            "u1",
            ["+15551234567"],
        ),
        (
            "twilio/RE00000000deadbeefdeadbeefdeadbeef.json",
            "twilio",
            "RE00000000deadbeefdeadbeefdeadbeef",
            NINE_THIRTY,
            16_000_000_000,
            "",
            None,
            [],
        ),
    ],
)
def test_each_document_tells_its_session(
    file: str,
    name: str,
    external_id: str,
    started_at: datetime | None,
    duration_ns: int | None,
    turns: str,
    agent: str | None,
    subjects: list[str],
) -> None:
    reading = read(REAL / file)
    assert (reading.format, reading.external_id) == (name, external_id)
    assert (reading.started_at, reading.duration_ns) == (started_at, duration_ns)
    assert "".join(s.role[0] for s in reading.timeline.segments) == turns
    assert (reading.agent, list(reading.subjects)) == (agent, subjects)
    with reading.originals[0].open() as stream:
        assert stream.read() == (REAL / file).read_bytes()
    assert not {"bad-field", "unknown-role"} & {code for code, _ in codes(reading)}


@needs_documents
def test_livekit_messages_keep_the_times_of_the_report() -> None:
    reading = read(REAL / "livekit/session_report.json")
    first, second, *_ = reading.timeline.segments
    assert (first.start_ns, first.end_ns) == (1_996_940_000, 1_998_324_000)
    assert (second.start_ns, second.end_ns) == (1_998_602_000, 2_599_403_900)
    assert second.text == "Hello, how can I help you today?"
    kinds = measure(reading.timeline, None)["event_counts"]
    assert kinds == {
        "agent_state_changed": 3,
        "close": 1,
        "conversation_item_added": 6,
        "function_tools_executed": 1,
        "user_input_transcribed": 3,
        "user_state_changed": 3,
    }


@needs_documents
def test_vapi_times_are_seconds_from_the_start() -> None:
    _, first, second, *_ = read(REAL / "vapi/end_of_call_report.json").timeline.segments
    assert first.start_ns == 1_996_939_833
    assert second.end_ns - second.start_ns == 600_801_750
    assert second.speaker == "bot"


@needs_documents
def test_retell_words_tools_and_latencies_are_where_they_belong() -> None:
    reading = read(REAL / "retell/call_analyzed.json")
    second = reading.timeline.segments[1]
    assert (second.start_ns, second.end_ns) == (1_999_000_000, 3_379_000_000)
    assert [(e.type, e.offset_ns) for e in reading.timeline.events if "tool" in e.type] == [
        ("tool_call_invocation", 3_379_000_000),
        ("tool_call_result", 3_379_000_000),
    ]
    latency = measure(reading.timeline, None)["latency"]
    assert isinstance(latency, dict)
    assert (latency["count"], latency["p50_seconds"]) == (3, 0.8)


@needs_documents
def test_elevenlabs_turns_have_whole_seconds_and_no_end() -> None:
    reading = read(REAL / "elevenlabs/post_call_transcription.json")
    assert [s.start_ns for s in reading.timeline.segments] == [0, 2_000_000_000, 9_000_000_000]
    assert ("no-end-time", None) in codes(reading)
    (event,) = reading.timeline.events
    assert (event.type, event.offset_ns) == ("conversation_turn_metrics", 9_000_000_000)


@needs_documents
def test_sound_inside_a_document_is_taken_out_byte_for_byte() -> None:
    place = REAL / "elevenlabs/post_call_audio.json"
    reading = read(place)
    assert [o.kind for o in reading.originals] == [Kind.OTHER]
    assert "full_audio" not in reading.source
    assert reading.inside is not None
    (found,) = reading.inside()
    given = base64.b64decode(json.loads(place.read_bytes())["data"]["full_audio"])
    assert found.open().read() == given
    assert (found.name, found.kind, found.size_bytes) == ("full_audio.mp3", Kind.AUDIO, len(given))
    assert (found.media_type, sound(found).container) == ("audio/mpeg", "mp3")


@needs_documents
def test_a_call_of_which_only_the_sound_is_sent_began_when_that_was_sent_or_before() -> None:
    reading = read(REAL / "elevenlabs/post_call_audio.json")
    assert reading.started_at == datetime.fromtimestamp(1739537319, UTC)
    assert codes(reading) == [("assumed-start", None)]


@pytest.mark.parametrize("said", ["bm8gc291bmQ=", "no base64", 7])
def test_what_should_be_sound_in_a_document_and_is_none_is_told_of(
    tmp_path: Path, said: Json
) -> None:
    data = {"agent_id": "a", "conversation_id": "c", "full_audio": said}
    place = tmp_path / "call.json"
    place.write_text(json.dumps({"type": "post_call_audio", "data": data}))
    reading = read(place)
    assert (reading.inside, codes(reading)) == (None, [("inline-audio", None)])
    assert [o.kind for o in reading.originals] == [Kind.OTHER]


@needs_documents
def test_contact_lens_keeps_sentiment_redaction_and_characteristics() -> None:
    reading = read(REAL / "contact_lens/analysis_redacted.json")
    first = reading.timeline.segments[0]
    assert (first.start_ns, first.end_ns) == (1_437_000_000, 2_848_000_000)
    assert first.data["Sentiment"] == "NEUTRAL"
    assert first.data["Redaction"]
    assert reading.source["ContentMetadata"]
    (event,) = reading.timeline.events
    assert (event.type, event.offset_ns, event.data["Category"]) == (
        "Category",
        1_437_000_000,
        "Billing",
    )
    assert "TalkTime" in dict(reading.metrics["ConversationCharacteristics"])  # type: ignore[arg-type]  # an object in this file


@needs_documents
def test_genesys_phrases_are_shown_as_they_are_written_for_people() -> None:
    first, second, *_ = read(REAL / "genesys/transcript.json").timeline.segments
    assert first.text == "Hello, I'd like to know about your products."
    assert first.data["text"] == "hello, i'd like to know about your products."
    assert (second.start_ns, second.end_ns) == (1_998_000_000, 2_598_000_000)
    assert (first.speaker, second.speaker) == ("external", "internal")


# --- recordings beside documents ---------------------------------------------------------


@needs_documents
def test_a_twilio_recording_and_its_object_are_one_session() -> None:
    (place,) = formats.walk(REAL / "twilio")
    (reading,) = formats.read(place)
    assert [(o.name[34:], o.kind) for o in reading.originals] == [
        (".json", Kind.METADATA),
        (".dual.wav", Kind.AUDIO),
    ]
    assert codes(reading) == []


@needs_documents
def test_a_recording_that_is_not_beside_it_is_said_to_be_elsewhere(tmp_path: Path) -> None:
    (file,) = (REAL / "twilio").glob("*.json")
    shutil.copy(file, tmp_path)
    assert codes(read(tmp_path / file.name)) == [("recording-elsewhere", file.name)]


def test_a_folder_of_many_pairs_gives_one_session_for_each(tmp_path: Path) -> None:
    for number in range(3):
        call: Json = {"call_id": f"call_{number}", "call_status": "ended"}
        document(tmp_path, call, f"{number}.json")
        (tmp_path / f"{number}.wav").write_bytes(wav(1))
    (tmp_path / "3.wav").write_bytes(wav(1))
    document(tmp_path, {"external_id": "a sidecar"}, "3.json")
    found = [reading for place in formats.walk(tmp_path) for reading in formats.read(place)]
    assert [(r.format, len(r.originals)) for r in found] == [("retell", 2)] * 3 + [("wav", 2)]
    assert [r.external_id for r in found] == ["call_0", "call_1", "call_2", "a sidecar"]
    named = formats.named(sorted(tmp_path.iterdir()))
    assert [place.name for place in named] == ["0.json", "1.json", "2.json", "3.wav"]


@needs_documents
def test_a_livekit_report_takes_the_recording_it_was_stored_with(tmp_path: Path) -> None:
    shutil.copy(REAL / "livekit/session_report.json", tmp_path)
    (tmp_path / "audio.ogg").write_bytes(b"OggS" + bytes(100))
    (place,) = formats.walk(tmp_path)
    (reading,) = formats.read(place)
    assert [o.name for o in reading.originals] == ["session_report.json", "audio.ogg"]
    assert codes(reading) == []


def test_a_recording_longer_than_stated_is_reported(tmp_path: Path) -> None:
    call: Json = {"call_id": "call_1", "call_status": "ended", "duration_ms": 1000}
    place = document(tmp_path, call)
    (tmp_path / "call.stereo.wav").write_bytes(wav(4))
    assert codes(read(place)) == [("duration-mismatch", "call.json")]


def test_a_link_beside_a_document_refuses_it(tmp_path: Path) -> None:
    place = document(tmp_path, {"call_id": "call_1", "call_status": "ended"})
    (tmp_path / "call.wav").symlink_to("/etc/hostname")
    with pytest.raises(BadInput, match="link"):
        formats.read(place)


# --- other shapes of the same ------------------------------------------------------------


def test_vapi_calls_from_the_api_are_read_like_the_report(tmp_path: Path) -> None:
    call: Json = {
        "id": "call-1",
        "orgId": "org-1",
        "assistantId": "asst-1",
        "startedAt": "2026-01-15T09:30:00.000Z",
        "endedAt": "2026-01-15T09:30:08.000Z",
        "artifact": {
            "messages": [
                {
                    "role": "user",
                    "message": "Hello",
                    "time": 1768469401000,
                    "endTime": 1768469402000,
                },
                {"role": "tool_calls", "toolCalls": [{"id": "t1"}], "secondsFromStart": 2.5},
                {"role": "bot", "message": "Hi", "secondsFromStart": 3, "duration": 500},
            ],
            "performanceMetrics": {"turnLatencies": [{"turnLatency": 1250}]},
        },
    }
    reading = read(document(tmp_path, call))
    assert (reading.format, reading.external_id) == ("vapi", "call-1")
    assert reading.duration_ns == 8_000_000_000
    first, second = reading.timeline.segments
    assert (first.start_ns, first.end_ns) == (1_000_000_000, 2_000_000_000)
    assert (second.start_ns, second.end_ns) == (3_000_000_000, 3_500_000_000)
    assert [(e.type, e.offset_ns) for e in reading.timeline.events] == [
        ("tool_calls", 2_500_000_000),
        ("turnLatency", 3_000_000_000),
    ]
    assert reading.timeline.events[1].data["latency"] == 1.25


def test_livekit_metrics_give_times_and_latency(tmp_path: Path) -> None:
    item: Json = {
        "id": "item_1",
        "type": "message",
        "role": "assistant",
        "content": ["One.", {"image": "x"}, "Two."],
        "interrupted": True,
        "created_at": 1000.0,
        "metrics": {
            "started_speaking_at": 1001.5,
            "stopped_speaking_at": 1002.25,
            "e2e_latency": 0.75,
        },
    }
    report: Json = {
        "room": "room",
        "started_at": 999.0,
        "events": [{"type": "conversation_item_added", "item": item, "created_at": 1003.0}],
        "chat_history": {"items": [item, {"type": "function_call", "name": "f"}]},
    }
    reading = read(document(tmp_path, report))
    (turn,) = reading.timeline.segments
    assert (turn.start_ns, turn.end_ns) == (2_500_000_000, 3_250_000_000)
    assert (turn.text, turn.truncated) == ("One.\nTwo.", True)
    assert reading.timeline.events[0].data["latency"] == 0.75


def test_a_retell_call_that_nobody_answered_is_a_session_without_words(tmp_path: Path) -> None:
    call: Json = {
        "call_id": "c",
        "call_status": "not_connected",
        "direction": "outbound",
        "from_number": "+15557654321",
        "to_number": "+15550001111",
    }
    reading = read(document(tmp_path, call))
    assert (len(reading.timeline.segments), list(reading.subjects)) == (0, ["+15550001111"])
    assert reading.duration_ns is None


@pytest.mark.parametrize(
    ("duration", "expected", "noted"),
    [
        ("16", 16_000_000_000, []),
        (None, None, []),
        ("-1", None, ["bad-field"]),
        ("1e9", None, ["bad-field"]),
        ("9" * 5000, None, ["bad-field"]),
        (16, None, ["bad-field"]),
    ],
)
def test_twilio_durations_are_whole_seconds_as_text(
    tmp_path: Path, duration: Json, expected: int | None, noted: list[str]
) -> None:
    value: Json = {"sid": RECORDING, "account_sid": "AC", "duration": duration}
    reading = read(document(tmp_path, value))
    assert reading.duration_ns == expected
    assert [code for code, _ in codes(reading) if code != "recording-elsewhere"] == noted


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Thu, 15 Jan 2026 09:30:00 +0000", NINE_THIRTY),
        ("Thu, 15 Jan 2026 10:30:00 +0100", NINE_THIRTY),
        ("15 Jan 2026 09:30:00", NINE_THIRTY),
        ("yesterday", None),
        ("Thu, 15 Jan 1960 09:30:00 +0000", None),
        ("Fri, 31 Dec 9999 23:59:59 +0000", None),
        ("Thu, 99 Jan 2026 09:30:00 +9999", None),
        ("(" * 5000, None),
    ],
)
def test_twilio_dates_are_those_of_mail(
    tmp_path: Path, date: str, expected: datetime | None
) -> None:
    value: Json = {"sid": RECORDING, "account_sid": "AC", "duration": "1", "start_time": date}
    assert read(document(tmp_path, value)).started_at == expected


# --- what is none of them ----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "3",
        '{"message": "hello"}',
        '{"message": {"type": "status-update", "messages": [], "artifact": {}}}',
        '{"conversation_id": "c", "agent_id": "a"}',
        '{"sid": "CA00000000000000000000000000000000", "account_sid": "A", "duration": "3"}',
        '{"call_id": "x"}',
        "// a comment\n{}",
    ],
)
def test_json_of_no_known_session_is_refused_and_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "some.json").write_text(text)
    with pytest.raises(BadInput, match="not a session in any format"):
        formats.read(tmp_path / "some.json")
    (tmp_path / "call.wav").write_bytes(wav(1))
    assert [place.path.name for place in formats.walk(tmp_path)] == ["call.wav"]


@needs_documents
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.NAME)
def test_a_document_cut_short_is_refused_aloud_even_in_a_folder(
    tmp_path: Path, vendor: Vendor
) -> None:
    (file, *_) = (p for p in REAL.rglob("*.json") if formats.read(p)[0].format == vendor.NAME)
    text = file.read_text()
    (tmp_path / "cut.json").write_text(text[: len(text) - 20])
    (place,) = formats.walk(tmp_path)
    with pytest.raises(BadInput, match="not valid JSON"):
        formats.read(place)


@needs_documents
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.NAME)
def test_a_document_named_as_another_vendors_is_refused(tmp_path: Path, vendor: Vendor) -> None:
    place = document(tmp_path, {"some": "thing"})
    with pytest.raises(BadInput, match="is no"):
        formats.read(place, vendor.NAME)
    with pytest.raises(BadInput, match="is a folder"):
        formats.read(tmp_path, vendor.NAME)


@needs_documents
def test_fields_and_events_that_nobody_knows_survive(tmp_path: Path) -> None:
    value = json.loads((REAL / "retell/call_analyzed.json").read_text())
    value["call"]["tomorrow"] = {"x": [1]}
    value["call"]["transcript_object"][0]["mood"] = "sunny"
    value["call"]["transcript_with_tool_calls"].append({"role": "tool_call_dream", "z": 1})
    reading = read(document(tmp_path, value))
    assert reading.source["tomorrow"] == {"x": [1]}
    assert reading.timeline.segments[0].data["mood"] == "sunny"
    assert "tool_call_dream" in {event.type for event in reading.timeline.events}


@needs_documents
def test_times_out_of_reach_are_left_out_with_a_warning(tmp_path: Path) -> None:
    value = json.loads((REAL / "genesys/transcript.json").read_text())
    phrases = value["transcripts"][0]["phrases"]
    phrases[0]["startTimeMs"] = value["startTime"] - 5000
    phrases[1]["startTimeMs"] = value["startTime"] + 400 * 86_400_000
    phrases[2]["startTimeMs"] = 10**40
    phrases[3]["startTimeMs"] = "soon"
    reading = read(document(tmp_path, value))
    assert [s.start_ns for s in reading.timeline.segments[:4]] == [0, 0, 0, 0]
    assert [code for code, _ in codes(reading)] == [
        "before-start",
        "bad-time",
        "bad-field",
        "bad-field",
    ]


# --- ids -------------------------------------------------------------------------------------

LIVEKIT_ITEM = {"type": "message", "role": "user", "content": ["Hi"], "created_at": 1.5}
PHRASE = {"ParticipantId": "AGENT", "Content": "Hi", "BeginOffsetMillis": 1, "EndOffsetMillis": 2}
SAID = {"timestamp": 1.5, "end_timestamp": 2, "speaker_id": "user", "text": "Hi"}
SPEECH = {"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": 5}


def _listed(kind: str, ids: tuple[str, str]) -> dict[str, bytes]:
    """The files of a session in which two turns or events have these ids."""
    first, second = ids
    match kind:
        case "livekit":
            items = [LIVEKIT_ITEM | {"id": each} for each in ids]
            report = {"job_id": "AJ_1", "events": [], "chat_history": {"items": items}}
            return {"session_report.json": json.dumps(report).encode()}
        case "contact-lens":
            spoken = [PHRASE | {"Id": each} for each in ids]
            return {"call.json": json.dumps({"Participants": [], "Transcript": spoken}).encode()}
        case "openai-realtime":
            rows = [json.dumps(SPEECH | {"event_id": each}) for each in ids]
            return {"session.jsonl": "\n".join(rows).encode()}
        case "promptkit":
            numbers = {name: n for n, name in enumerate(sorted(set(ids)))}
            events = [promptkit.event(numbers[each], 0, "message.created") for each in ids]
            whole = {"metadata": promptkit.metadata(events), "events": events}
            return {"sess-1.recording.json": json.dumps(whole).encode()}
        case _:
            turns = {"segments": [SAID | {"id": first}, SAID | {"id": second}]}
            return {
                "sess_1_metadata.json": b"{}",
                "sess_1_transcript.json": json.dumps(turns).encode(),
            }


@pytest.mark.parametrize(
    "kind", ["livekit", "contact-lens", "openai-realtime", "promptkit", "voice-agents-platform"]
)
def test_an_id_that_is_used_again_is_told_of_and_nothing_is_lost(kind: str, tmp_path: Path) -> None:
    noted = []
    for ids in (("a", "b"), ("a", "a")):
        folder = tmp_path / "".join(ids)
        folder.mkdir()
        files = _listed(kind, ids)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        place = folder if kind == "voice-agents-platform" else folder / next(iter(files))
        reading = read(place)
        assert reading.format == kind
        assert max(len(reading.timeline.segments), len(reading.timeline.events)) == 2
        noted.append([code for code, _ in codes(reading) if code == "repeated-id"])
    assert noted == [[], ["repeated-id"]]
