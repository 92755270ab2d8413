"""The call to the pharmacy as a recording of PromptKit: JSON, blobs of samples, annotations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from vault.model import Json
from vault.samples.call import RATE, STARTED_AT, Turn

ID = "refill-0142"
_NEVER = "0001-01-01T00:00:00Z"  # how Go writes a time that is not used
_TYPES = {
    "conversation.started": "ConversationStartedData",
    "audio.input": "AudioEventData",
    "audio.output": "AudioEventData",
    "audio.transcription": "AudioTranscriptionData",
    "message.created": "MessageCreatedData",
    "message.updated": "MessageUpdatedData",
    "tool.call.started": "ToolCallEventData",
    "tool.call.completed": "ToolCallEventData",
    "stream.interrupted": "StreamInterruptedData",
}
#: When something happened, in seconds, what it was, and what it says.
_Event = tuple[float, str, dict[str, Json]]


def write(place: Path, call: Sequence[Turn]) -> None:
    """Write the recording with all that lies beside it."""
    (place / "blobs" / ID).mkdir(parents=True)
    (place / "annotations").mkdir()
    for turn in call:
        (place / "blobs" / ID / f"{_digest(turn)}.pcm").write_bytes(turn.sound.tobytes())
    document = json.dumps(_recording(call), indent=2) + "\n"
    (place / f"{ID}.recording.json").write_text(document)
    lines = (json.dumps({"annotation": each}) + "\n" for each in _annotations())
    (place / "annotations" / f"{ID}.annotations.jsonl").write_text("".join(lines))


def _digest(turn: Turn) -> str:
    return hashlib.sha256(turn.sound.tobytes()).hexdigest()


def _recording(call: Sequence[Turn]) -> dict[str, Json]:
    happened = sorted(_happened(call), key=lambda event: event[0])
    events: list[Json] = [
        {
            "seq": seq,
            "type": kind,
            "timestamp": _instant(at),
            "offset": round(at * 1e9),
            "session_id": ID,
            "conversation_id": f"conv-{ID}",
            "data_type": f"*events.{_TYPES[kind]}",
            "data": data,
        }
        for seq, (at, kind, data) in enumerate(happened, 1)
    ]
    end = max(turn.end for turn in call)
    metadata: dict[str, Json] = {
        "session_id": ID,
        "conversation_id": f"conv-{ID}",
        "start_time": _instant(0),
        "end_time": _instant(end),
        "duration": round(end * 1e9),
        "event_count": len(events),
        "provider_name": "example",
        "model": "example-voice-1",
        "version": "1.0",
        "created_at": _instant(end + 1),
    }
    return {"metadata": metadata, "events": events}


def _happened(call: Sequence[Turn]) -> Iterator[_Event]:
    yield 0.0, "conversation.started", {"SystemPrompt": "You answer for Birch Lane Pharmacy."}
    for index, turn in enumerate(call):
        yield from _turn(index, turn)
    asked = call[1].end
    tool: dict[str, Json] = {"ToolName": "find_prescription", "CallID": "call-1"}
    yield asked + 0.1, "tool.call.started", {**tool, "Args": {"phone": "555-0142"}}
    done: dict[str, Json] = {"Duration": 400_000_000, "Status": "success"}
    yield asked + 0.5, "tool.call.completed", {**tool, **done}
    yield call[3].start, "stream.interrupted", {"Reason": "user_speech"}


def _turn(index: int, turn: Turn) -> Iterator[_Event]:
    """Its sound, what was heard in it, the message it is, and how long an answer took."""
    user = turn.role == "user"
    name = f"turn-{index}"
    yield turn.start, "audio.input" if user else "audio.output", _audio(name, turn)
    if user:
        heard: dict[str, Json] = {
            "text": turn.text,
            "language": "en",
            "confidence": 0.93,
            "turn_id": name,
            "is_final": True,
        }
        yield turn.end, "audio.transcription", heard
    at = turn.end + 0.001 if user else turn.start
    role = "user" if user else "assistant"
    yield at, "message.created", {"Role": role, "Content": turn.text, "Index": index}
    if turn.wait is not None:
        took: dict[str, Json] = {"Index": index, "LatencyMs": round(turn.wait * 1000)}
        yield at + 0.002, "message.updated", took


def _audio(name: str, turn: Turn) -> dict[str, Json]:
    digest = _digest(turn)
    return {
        "direction": "input" if turn.role == "user" else "output",
        "actor": turn.role,
        "payload": {
            "storage_ref": f"file://{ID}/{digest}.pcm",
            "mime_type": "audio/pcm",
            "size": 2 * len(turn.sound),
            "checksum": f"sha256:{digest}",
        },
        "metadata": {
            "sample_rate": RATE,
            "channels": 1,
            "encoding": "pcm_linear16",
            "bits_per_sample": 16,
            "duration_ms": round(turn.seconds * 1000),
        },
        "turn_id": name,
        "chunk_index": 0,
        "is_final": True,
    }


def _annotations() -> Iterator[Json]:
    """A score, the score that replaced it, and a label on the turn that was cut short."""
    whole: dict[str, Json] = {"type": "session", "start_time": _NEVER, "end_time": _NEVER}
    said: dict[str, Json] = {"session_id": ID, "created_by": "reviewer"}
    said["created_at"] = _instant(3600)
    quality: dict[str, Json] = {**said, "type": "score", "key": "quality", "target": whole}
    yield {"id": "score-1", **quality, "value": {"score": 0.7}, "version": 1}
    yield {
        "id": "score-2",
        **quality,
        "value": {"score": 0.9},
        "version": 2,
        "previous_id": "score-1",
    }
    yield {
        "id": "label-1",
        **said,
        "type": "label",
        "key": "outcome",
        "value": {"label": "interrupted"},
        "target": {**whole, "type": "turn", "turn_index": 2},
        "version": 1,
    }


def _instant(seconds: float) -> str:
    at = STARTED_AT + timedelta(seconds=int(seconds))
    return f"{at:%Y-%m-%dT%H:%M:%S}.{round(seconds % 1 * 1e9):09d}Z"
