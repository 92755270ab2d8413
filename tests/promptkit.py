"""PromptKit recordings made for tests, in all three variants, and read back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vault.formats import instants, promptkit
from vault.formats.source import Source
from vault.model import Reading

SESSION = "sess-1"
START = "2026-03-01T10:00:00.000000001+01:00"
START_NS = instants.parse(START) or 0


def event(seq: int, offset: int, kind: str = "vendor.custom", **more: Any) -> dict[str, Any]:
    """One recorded event, `offset` nanoseconds into the session."""
    return {
        "seq": seq,
        "type": kind,
        "timestamp": instants.write(START_NS + offset, instants.zone(START)),
        "offset": offset,
        "session_id": SESSION,
        "data": {"n": seq},
        **more,
    }


def audio(seq: int, offset: int, sound: bytes, *, blob: bool, **more: Any) -> dict[str, Any]:
    """A chunk of 8 kHz audio, inline or as a blob."""
    digest = hashlib.sha256(sound).hexdigest()
    payload: dict[str, Any] = {"mime_type": "audio/pcm", "size": len(sound)}
    if blob:
        ref = f"file://{SESSION}/{digest}.pcm"
        payload |= {"storage_ref": ref, "checksum": f"sha256:{digest}"}
    else:
        payload |= {"storage_ref": "", "inline_data": base64.b64encode(sound).decode()}
    data = {
        "direction": "input",
        "payload": payload,
        "metadata": {"sample_rate": 8000, "channels": 1, "duration_ms": len(sound) // 16},
        "turn_id": "turn-0",
        **more,
    }
    return event(seq, offset, "audio.input") | {"data": data}


def metadata(events: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The metadata of a recording of those events."""
    return {
        "session_id": SESSION,
        "start_time": START,
        "end_time": START,
        "duration": max((e["offset"] for e in events), default=0),
        "event_count": len(events),
        "version": "1.0",
        "created_at": START,
        **more,
    }


def recording(path: Path, events: Sequence[dict[str, Any]], **more: Any) -> Path:
    """The events as one JSON document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"metadata": metadata(events, **more), "events": list(events)}))
    return path


def lines(path: Path, events: Sequence[dict[str, Any]], **more: Any) -> Path:
    """The same as JSON lines."""
    rows = [{"metadata": metadata(events, **more), "type": "metadata"}]
    rows += [{"event": e, "type": "event"} for e in events]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def store(path: Path, events: Sequence[dict[str, Any]], **more: Any) -> Path:
    """The same as an event store keeps them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for each in events:
        inner = {key: value for key, value in each.items() if key not in {"seq", "offset"}} | more
        rows.append({"seq": each["seq"], "event": inner})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def blob(folder: Path, sound: bytes) -> Path:
    """A blob where an event refers to it."""
    path = folder / "blobs" / SESSION / f"{hashlib.sha256(sound).hexdigest()}.pcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound)
    return path


def read(path: Path) -> Reading:
    """The one session in a file, whose format is told by its content."""
    source = Source(path)
    name = promptkit.detect(source)
    assert name == "promptkit"
    (reading,) = promptkit.read(source, name)
    return reading


def codes(reading: Reading) -> list[str]:
    """What was noticed, without the neighbours that are no fault."""
    return [w.code for w in reading.warnings if w.code != "same-recording"]
