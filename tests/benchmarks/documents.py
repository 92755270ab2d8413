"""Long sessions as other systems would have written them, for reading: some MB of JSON each.

Every format gets what its vendor really writes of a turn, the fields nobody asks for too, so
that no reader looks good because there is little to read.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests import promptkit

Turn = dict[str, Any]
ZERO = 1_768_469_400.0
_SAID = (
    "Hello, I'd like to know about your products.",
    "Hello, how can I help you today?",
    "Tell me about every product feature you offer in detail – please.",
    "We offer features such as secure data storage. Our business hours are 9:00 to 17:00.",
)


@dataclass(frozen=True, slots=True)
class Document:
    """A session of a format: its files by name, and the bytes in them that are JSON.

    `texts` are the JSON texts as they stand in the files: a whole one, or one a line.
    """

    format: str
    files: dict[str, bytes]
    texts: list[bytes]

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.texts))


def every() -> Iterator[Document]:
    """One of each format that is JSON and can be long."""
    for name, file, make in _WHOLE:
        text = json.dumps(make(), indent=1).encode()
        yield Document(name, {file: text}, [text])
    for name, file, rows in _LINES:
        lines = [json.dumps(row).encode() for row in rows()]
        yield Document(name, {file: b"\n".join((*lines, b""))}, lines)
    turns = [
        {
            "timestamp": ZERO + turn["start"],
            "end_timestamp": ZERO + turn["end"],
            "text": turn["text"],
            "speaker_id": turn["who"][0],
            "confidence": 0.93,
            "language": "en",
            "is_final": True,
        }
        for turn in _turns(16_000)
    ]
    transcript = json.dumps({"session_id": "sess_1", "segments": turns}, indent=2).encode()
    metadata = json.dumps({"session_id": "sess_1", "privacy_level": "full"}).encode()
    files = {"sess_1_metadata.json": metadata, "sess_1_transcript.json": transcript}
    yield Document("voice-agents-platform", files, [metadata, transcript])


def _turns(count: int) -> Iterator[Turn]:
    """Somebody says something every four seconds; times have as many digits as clocks give."""
    chance = random.Random(1)
    for n in range(count):
        start, text = n * 4 + chance.random(), _SAID[n % len(_SAID)]
        who = (("user", "external", "CUSTOMER"), ("agent", "internal", "AGENT"))[n % 2]
        end = start + 2 + chance.random()
        yield {"n": n, "who": who, "text": text, "start": start, "end": end}


def _words(turn: Turn, start: str, end: str, unit: float = 1) -> list[dict[str, Any]]:
    return [
        {"word": word, start: round((turn["start"] + n / 5) * unit, 3), end: round(n / 5 * unit, 3)}
        for n, word in enumerate(turn["text"].split())
    ]


def _scenario() -> Any:
    turns = [
        {
            "idx": t["n"],
            "file": None,
            "role": t["who"][0],
            "start_time": t["start"],
            "end_time": t["end"],
            "duration": t["end"] - t["start"],
            "transcript": t["text"],
        }
        for t in _turns(10_000)
    ]
    events = [
        {"time": t[f"{edge}_time"], "type": f"{t['role']}_{edge}_speaking"}
        for t in turns
        for edge in ("start", "end")
    ]
    return {"duration": 4 * len(turns), "segments": turns, "events": events}


def _vapi() -> Any:
    messages = [
        {
            "role": ("user", "bot")[t["n"] % 2],
            "message": t["text"],
            "time": int((ZERO + t["start"]) * 1000),
            "endTime": int((ZERO + t["end"]) * 1000),
            "secondsFromStart": t["start"],
            "duration": (t["end"] - t["start"]) * 1000,
            "source": "",
        }
        for t in _turns(14_000)
    ]
    artifact = {"messages": messages}
    return {"message": {"type": "end-of-call-report", "artifact": artifact, "messages": messages}}


def _retell() -> Any:
    said = [
        {"role": t["who"][0], "content": t["text"], "words": _words(t, "start", "end")}
        for t in _turns(5_000)
    ]
    return {"call_id": "call_1", "call_status": "ended", "transcript_object": said}


def _elevenlabs() -> Any:
    empty = dict.fromkeys(("tool_calls", "tool_results", "feedback"))
    said = [
        {
            "role": t["who"][0],
            "message": t["text"],
            **empty,
            "time_in_call_secs": int(t["start"]),
            "conversation_turn_metrics": {"convai_llm_service_ttfb": {"elapsed_time": t["start"]}}
            if t["n"] % 2
            else None,
        }
        for t in _turns(12_000)
    ]
    data = {"agent_id": "a", "conversation_id": "c", "transcript": said, "metadata": {}}
    return {"type": "post_call_transcription", "event_timestamp": ZERO, "data": data}


def _livekit() -> Any:
    items = [
        {
            "id": f"item_{t['n']:012x}",
            "type": "message",
            "role": ("user", "assistant")[t["n"] % 2],
            "content": [t["text"]],
            "interrupted": False,
            "transcript_confidence": None,
            "extra": {},
            "metrics": {},
            "created_at": ZERO + t["start"],
            "hash": None,
        }
        for t in _turns(5_000)
    ]
    events: list[Any] = []
    for item in items:
        at = item["created_at"]
        state = {"old_state": "listening", "new_state": "speaking", "created_at": at}
        added = {"type": "conversation_item_added", "item": item, "created_at": at + 1}
        events += ({"type": "user_state_changed", **state}, added)
    return {"job_id": "AJ_1", "events": events, "chat_history": {"items": items}}


def _genesys() -> Any:
    phrases = [
        {
            "phraseIndex": t["n"],
            "participantPurpose": t["who"][1],
            "text": t["text"].lower(),
            "decoratedText": t["text"],
            "stability": 1.0,
            "confidence": 0.91,
            "startTimeMs": int((ZERO + t["start"]) * 1000),
            "duration": {"milliseconds": 1200},
            "words": _words(t, "startTimeMs", "confidence", 1000),
        }
        for t in _turns(4_000)
    ]
    start = int(ZERO * 1000)
    return {"conversationId": "c", "startTime": start, "transcripts": [{"phrases": phrases}]}


def _contact_lens() -> Any:
    transcript = [
        {
            "Id": f"7c77422d-{t['n']:04x}",
            "ParticipantId": t["who"][2],
            "Content": t["text"],
            "BeginOffsetMillis": int(t["start"] * 1000),
            "EndOffsetMillis": int(t["end"] * 1000),
            "Sentiment": "NEUTRAL",
            "LoudnessScore": [68.0, 71.5, 70.25],
        }
        for t in _turns(14_000)
    ]
    people = [{"ParticipantId": who, "ParticipantRole": who} for who in ("AGENT", "CUSTOMER")]
    return {"Version": "1.1.0", "Participants": people, "Transcript": transcript}


def _vcon() -> Any:
    dialogs = [
        {
            "type": "text",
            "start": f"2026-01-15T{t['n'] // 900 % 24:02d}:{t['n'] // 15 % 60:02d}:00.123Z",
            "duration": t["end"] - t["start"],
            "parties": [t["n"] % 2],
            "originator": t["n"] % 2,
            "mediatype": "text/plain",
            "encoding": "none",
            "body": t["text"],
        }
        for t in _turns(12_000)
    ]
    parties = [{"name": "Ann", "role": "customer"}, {"name": "Ada", "role": "agent"}]
    return {"vcon": "0.4.0", "uuid": "u", "parties": parties, "dialog": dialogs}


def _promptkit_events() -> list[dict[str, Any]]:
    sound = base64.b64encode(random.Random(1).randbytes(1600)).decode()
    events: list[dict[str, Any]] = []
    for t in _turns(500):
        at, role = int(t["start"] * 10**9), ("user", "assistant")[t["n"] % 2]
        shared = {"turn_id": f"turn-{t['n']}"}
        way = ("input", "output")[t["n"] % 2]
        for n in range(2):
            payload = {"mime_type": "audio/pcm", "size": 1600, "inline_data": sound}
            known = {"sample_rate": 8000, "channels": 1, "duration_ms": 100}
            data: Any = {"direction": way, "payload": payload, "metadata": known} | shared
            events.append(_event(len(events), at + n * 10**8, f"audio.{way}", data))
        told = {"text": t["text"], "is_final": True, "language": "en", **shared}
        message = {"Role": role, "Content": t["text"], "Index": t["n"]}
        called = {"ToolName": "lookup_account", "CallID": "call_1", "Args": {"account": "A-100"}}
        events.append(_event(len(events), at + 10**9, "audio.transcription", told))
        events.append(_event(len(events), at + 10**9, "message.created", message))
        events.append(_event(len(events), at + 10**9, "tool.call.started", called))
    return events


def _event(seq: int, offset: int, kind: str, data: Any) -> dict[str, Any]:
    names = {"session_id": promptkit.SESSION, "conversation_id": "conv-1", "run_id": "run-1"}
    return promptkit.event(seq, offset, kind, data_type="*events.Data", **names) | {"data": data}


def _promptkit() -> Any:
    events = _promptkit_events()
    return {"metadata": promptkit.metadata(events), "events": events}


def _promptkit_lines() -> Iterator[Any]:
    events = _promptkit_events()
    yield {"metadata": promptkit.metadata(events), "type": "metadata"}
    for event in events:
        yield {"event": event, "type": "event"}


def _voicemode() -> Iterator[Any]:
    for t in _turns(6_000):
        measured = {"transcription_time": 0.41, "total_turnaround_time": 2.2, "model": "whisper-1"}
        provider = {"provider": "whisper", "provider_url": "http://127.0.0.1:2022/v1"}
        yield {
            "version": 4,
            "timestamp": _stamp(t["start"]) + "+10:00",
            "conversation_id": "conv_20260115_000000_1et63w",
            "type": ("stt", "tts")[t["n"] % 2],
            "text": t["text"],
            "project_path": "/srv/project",
            "duration_ms": 1500,
            "metadata": {**measured, **provider, "timing": "record 1.5s, stt 0.4s"},
        }


def _voicemode_events() -> Iterator[Any]:
    kinds = ("TTS_START", "TTS_PLAYBACK_START", "TTS_PLAYBACK_END", "STT_COMPLETE")
    for t in _turns(16_000):
        yield {
            "timestamp": _stamp(t["start"]) + "+00:00",
            "event_type": kinds[t["n"] % 4],
            "session_id": "conv_1768000000000",
            "data": {"text": t["text"], "provider": "whisper"},
        }


def _realtime() -> Iterator[Any]:
    sound = base64.b64encode(random.Random(1).randbytes(4800)).decode()
    for t in _turns(2_500):
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("input_audio_buffer.speech_started", {"audio_start_ms": int(t["start"] * 1000)}),
            ("response.output_audio_transcript.done", {"transcript": t["text"]}),
        ]
        if not t["n"] % 5:
            kinds.append(("response.output_audio.delta", {"delta": sound, "output_index": 0}))
        for kind, data in kinds:
            event = {"event_id": "event_1", "type": kind, "item_id": f"item_{t['n']}", **data}
            yield {"ts": _stamp(t["start"])[:-3] + "Z", "direction": "server", "event": event}


def _stamp(second: float) -> str:
    micros = int(second % 1 * 1_000_000)
    clock = f"{int(second) // 3600 % 24:02d}:{int(second) // 60 % 60:02d}:{int(second) % 60:02d}"
    return f"2026-01-15T{clock}.{micros:06d}"


_WHOLE: tuple[tuple[str, str, Callable[[], Any]], ...] = (
    ("scenario", "manifest.json", _scenario),
    ("vcon", "call.vcon", _vcon),
    ("livekit", "session_report.json", _livekit),
    ("vapi", "call.json", _vapi),
    ("retell", "call.json", _retell),
    ("elevenlabs", "call.json", _elevenlabs),
    ("contact-lens", "call.json", _contact_lens),
    ("genesys", "call.json", _genesys),
    ("promptkit", "sess-1.recording.json", _promptkit),
)
_LINES: tuple[tuple[str, str, Callable[[], Iterator[Any]]], ...] = (
    ("promptkit", "sess-1.recording.jsonl", _promptkit_lines),
    ("voicemode", "exchanges_2026-01-15.jsonl", _voicemode),
    ("voicemode-events", "voicemode_events_2026-01-15.jsonl", _voicemode_events),
    ("openai-realtime", "session.jsonl", _realtime),
)
