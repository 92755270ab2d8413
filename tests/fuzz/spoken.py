"""Seeds with sound inside of a text, or packed: cut short, so that they can be changed quickly."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from typing import Any

from tests import recordings as recorded
from tests.fuzz import scratch
from vault.model import Json

_SOUND = re.compile(r"[A-Za-z0-9+/]{200,}={0,2}")
_KEPT_CHARACTERS = 96
_PCM = base64.b64encode(recorded.noise(0.002)[44:]).decode()


def shorter(data: bytes) -> bytes:
    """JSON, or lines of it, with the beginnings of the sound that lies in it."""
    lines = []
    for line in data.split(b"\n"):
        try:
            lines.append(json.dumps(_shorter(json.loads(line))).encode())
        except ValueError:
            lines.append(line)
    return b"\n".join(lines)


def _shorter(value: Any) -> Any:
    if isinstance(value, list):
        return [_shorter(each) for each in value]
    if isinstance(value, dict):
        made = {key: _shorter(each) for key, each in value.items()}
        if made.get("inline_data") != value.get("inline_data"):
            made["size"] = len(base64.b64decode(made["inline_data"]))
            made.pop("checksum", None)
        return made
    sound = isinstance(value, str) and _SOUND.fullmatch(value)
    return value[:_KEPT_CHARACTERS] if sound else value


def realtime() -> list[bytes]:
    """Logs of OpenAI Realtime with sound in every place and form that is known."""
    session: Json = {"id": "s", "input_audio_format": "g711_ulaw", "output_audio_format": "pcm16"}
    newer: Json = {
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 16000}},
            "output": {"format": {"type": "audio/pcma"}},
        }
    }
    whole: Json = {"id": "i", "type": "message", "role": "user", "content": [{"audio": _PCM}]}
    told: list[dict[str, Json]] = [
        {"type": "session.created", "session": session},
        {"type": "input_audio_buffer.speech_started", "item_id": "a", "audio_start_ms": 100},
        {"type": "input_audio_buffer.append", "audio": _PCM},
        {"type": "input_audio_buffer.append", "audio": "no sound"},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "a", "audio_end_ms": 400},
        {"type": "input_audio_buffer.committed", "item_id": "a"},
        {"type": "response.audio.delta", "item_id": "b", "delta": _PCM},
        {"type": "session.updated", "session": newer},
        {"type": "response.output_audio.delta", "item_id": "c", "delta": _PCM[:-2] + "=="},
        {"type": "response.output_audio.delta", "item_id": "c", "delta": _PCM},
        {"type": "conversation.item.truncated", "item_id": "c", "audio_end_ms": 1},
        {"type": "conversation.item.created", "item": whole},
        {"type": "response.output_audio.done", "item_id": "c"},
    ]
    named: list[dict[str, Json]] = [
        {"event_id": f"e{at}", **event} for at, event in enumerate(told)
    ]
    at_times = ((1_768_469_400 + at / 10, each) for at, each in enumerate(named))
    stamped: list[dict[str, Json]] = [{"ts": second, "event": each} for second, each in at_times]
    return [_lines(named), _lines(stamped), _lines([*named, *named[:3]])]


def enclosed() -> list[bytes]:
    """ElevenLabs' webhook with sound, in two containers and in none."""
    heads = (recorded.noise(0.01), b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64" + bytes(200), b"none")
    made = []
    for head in heads:
        sound = base64.b64encode(head).decode()
        data: Json = {"agent_id": "a", "conversation_id": "c", "full_audio": sound}
        webhook = {"type": "post_call_audio", "event_timestamp": 1739537319, "data": data}
        made.append(json.dumps(webhook).encode())
    return made


def exchanges() -> bytes:
    """A log of VoiceMode with two conversations and a line of none."""
    row: dict[str, Json] = {
        "version": 4,
        "timestamp": "2026-01-10T10:00:00+00:00",
        "conversation_id": "conv_20260110_101010_abcdef",
        "type": "stt",
        "text": "hello",
        "project_path": "/tmp",
        "duration_ms": 1500,
    }
    other = {**row, "conversation_id": "conv_20260110_111111_abcdef", "type": "tts"}
    return _lines([row, other, row]) + b"\nhalf a li"


def packed() -> list[bytes]:
    """Packed logs alone, beside one that is not, beside themselves, and damaged."""
    log = exchanges()
    small = gzip.compress(log, mtime=0)
    two = gzip.compress(log[:300], mtime=0) + gzip.compress(log[300:], mtime=0)
    name = "exchanges_2026-01-10.jsonl"
    return [
        scratch.pack({f"{name}.gz": small}),
        scratch.pack({f"{name}.gz": two, "exchanges_2026-01-11.jsonl": log}),
        scratch.pack({f"{name}.gz": small[:-9], name: log}),
        scratch.pack({f"logs/conversations/{name}.gz": small[:-20], "audio/2026/01/a.wav": b""}),
        small,
        two,
    ]


def grown() -> list[bytes]:
    """A log, whole or not, and the rows to add to it."""
    log = exchanges()
    rows = b"\n".join(log.split(b"\n")[:2])
    more = rows.replace(b'"hello"', b'"hello", "latency": 0.5, "x": [null]')
    return [log + b"\n%%%\n" + rows, b"\n%%%\n" + more, log[:400] + b"\n%%%\n{}\n" + rows]


def remarks() -> list[bytes]:
    """Lines of PromptKit's annotations: each type, a correction, a deletion."""
    made: list[dict[str, Json]] = []
    values: dict[str, Json] = {
        "score": {"score": 0.5},
        "label": "calm",
        "comment": {"text": "late"},
        "flag": True,
        "metric": 3,
        "assertion": False,
        "ground_truth": ["a", "b"],
        "other": [1, None],
    }
    for at, (kind, value) in enumerate(values.items()):
        target: Json = {"type": ("session", "turn", "message", "event", "time_range")[at % 5]}
        one: Json = {"id": f"a{at}", "type": kind, "key": "k", "value": value, "target": target}
        made.append({"annotation": one})
    correction: Json = {"id": "b", "type": "score", "value": 1, "previous_id": "a0", "version": 2}
    made.append({"annotation": correction})
    made.append({"annotation": correction, "deleted": True, "deleted_at": "2026-01-01T00:00:00Z"})
    return [_lines(made), _lines(made[:2]) + b"\nnot one\n"]


def variants() -> list[bytes]:
    """How each of PromptKit's variants begins, on one line and on several."""
    event: dict[str, Json] = {
        "seq": 1,
        "type": "conversation.started",
        "timestamp": "2026-02-01T23:59:58.5Z",
        "offset": 0,
        "data": {},
    }
    about: Json = {"session_id": "s", "start_time": "2026-02-01T23:59:58.5Z", "event_count": 1}
    whole = {"metadata": about, "events": [event]}
    return [
        json.dumps(whole).encode(),
        json.dumps(whole, indent=2).encode(),
        _lines([{"type": "metadata", "metadata": about}, {"type": "event", "event": event}]),
        _lines([{"event": event, "type": "event"}, {"metadata": about, "type": "metadata"}]),
        _lines([{"seq": 1, "parent_id": 1, "event": {**event, "session_id": "s"}}]),
        json.dumps({"events": [event], "metadata": about}, indent=1).encode(),
    ]


def recordings() -> list[bytes]:
    """PromptKit recordings with what lies beside them: a blob, sound inside, annotations."""
    blob = recorded.noise(0.002)[44:]
    digest = hashlib.sha256(blob).hexdigest()
    ref = f"file://s/{digest}.pcm"
    heard: Json = {"storage_ref": ref, "size": len(blob), "mime_type": "audio/pcm"}
    inline: Json = {"inline_data": _PCM, "size": len(base64.b64decode(_PCM))}
    shape: Json = {"sample_rate": 24_000, "channels": 1, "encoding": "pcm_linear16"}
    payloads = {"audio.input": heard, "audio.output": inline}
    events: list[dict[str, Json]] = [
        {
            "seq": at,
            "type": kind,
            "timestamp": f"2026-02-01T23:59:5{at}Z",
            "offset": at * 10**9,
            "session_id": "s",
            "data": {"payload": payload, "metadata": shape, "turn_id": str(at)},
        }
        for at, (kind, payload) in enumerate(payloads.items(), 1)
    ]
    about: Json = {"session_id": "s", "start_time": "2026-02-01T23:59:50Z", "event_count": 2}
    whole = {"metadata": about, "events": list[Json](events)}
    stored = _lines([{"seq": each["seq"], "event": each} for each in events])
    rows: list[dict[str, Json]] = [{"event": each, "type": "event"} for each in events]
    lines = _lines([{"type": "metadata", "metadata": about}, *rows])
    beside = {f"blobs/s/{digest}.pcm": blob, "annotations/s.annotations.jsonl": remarks()[0]}
    return [
        scratch.pack({"s.recording.json": json.dumps(whole).encode(), **beside}),
        scratch.pack({"s.recording.jsonl": lines, **beside}),
        scratch.pack({"events/s.jsonl": stored, **beside}),
    ]


def _lines(rows: list[dict[str, Json]]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)
