"""A conversation as VoiceMode writes it: version 4, one row an utterance.

What came from a VoiceMode log goes out as it came in, every field of it, known here or not, and
with VoiceMode's own order of fields. Other sessions become rows that VoiceMode's reader takes:
all that it always writes, nothing that is None, `voice_mode_version` wherever there is metadata.

    {"version", "timestamp", "conversation_id", "type", "text",
     "project_path", "audio_file", "duration_ms", "metadata": {"voice_mode_version", …}}
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from vault.formats.sound import RECORDING_NS
from vault.model import Event, Json, Segment, Timeline, Warn

VERSION = 4
#: What made the rows; VoiceMode's reader asks for it and compares it with nothing.
WRITER = "strongroom"
ORDER = (
    "version",
    "timestamp",
    "conversation_id",
    "type",
    "text",
    "project_path",
    "audio_file",
    "duration_ms",
    "metadata",
)
#: What no row that VoiceMode reads is without, beside the version; all of it text.
ALWAYS = ("timestamp", "conversation_id", "type", "text", "project_path")
#: A row has these, and nothing else that has a conversation's id does.
_SOME = frozenset({"timestamp", "type"})
#: What other sources say of a turn under the names that VoiceMode has for it.
_SAID = ("model", "voice", "provider", "transport", "language")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def write(
    timeline: Timeline, started_at: datetime, conversation_id: str | None = None
) -> Iterator[bytes]:
    """The rows of a session that began at that aware instant, each with its newline.

    Timestamps have the offset of `started_at`. Without an id one is made from the start, always
    the same for the same start.
    """
    return (dump(row) for _, row in rows(timeline, started_at, conversation_id))


def rows(
    timeline: Timeline, started_at: datetime, conversation_id: str | None = None
) -> Iterator[tuple[Segment, dict[str, Json]]]:
    """Each turn, and the row that `write` makes of it.

    A row names a recording where it came with one, or the turn alone has it.
    """
    made = conversation_id or new_id(started_at)
    named = Counter(segment.file for segment in timeline.segments)
    for segment in timeline.segments:
        row = _foreign(segment, started_at, made)
        if is_own(segment):
            row = _own(segment, row)
        elif named[segment.file] > 1 or RECORDING_NS in segment.data:
            row.pop("audio_file", None)
        yield segment, row


def write_events(
    timeline: Timeline, started_at: datetime, session_id: str, source: Mapping[str, Json]
) -> Iterator[bytes]:
    """The rows of an event log, each with its newline; `source` is what the reader kept."""
    return (dump(row) for row in event_rows(timeline, started_at, session_id, source))


def event_rows(
    timeline: Timeline, started_at: datetime, session_id: str, source: Mapping[str, Json]
) -> Iterator[dict[str, Json]]:
    """The same before they are lines."""
    other, zone = source.get("fields"), source.get("started_at")
    if isinstance(zone, str):
        started_at = started_at.astimezone(datetime.fromisoformat(zone).tzinfo)
    for event in timeline.events:
        row: dict[str, Json] = {
            "timestamp": _instant(started_at, event.offset_ns),
            "event_type": event.type,
            "session_id": session_id,
            "data": dict(event.data),
        }
        rest = other.get(str(event.seq)) if isinstance(other, dict) else None
        yield row | rest if isinstance(rest, dict) else row


def left_out(timeline: Timeline) -> list[Warn]:
    """What `write` cannot say in rows: events that are no utterance, annotations, cut turns."""
    rows = {s.index: s.data.get("type") for s in timeline.segments if is_own(s)}
    counts = {
        "events": sum(not _is_row(event, rows) for event in timeline.events),
        "annotations": len(timeline.annotations),
        "truncation marks": sum(segment.truncated for segment in timeline.segments),
    }
    return [
        Warn("left-out", f"{count} {what}: a VoiceMode log has no place for them.")
        for what, count in counts.items()
        if count
    ]


def is_own(segment: Segment) -> bool:
    """Whether a segment holds the row of a VoiceMode log that it was read from."""
    return "conversation_id" in segment.data and not _SOME.isdisjoint(segment.data)


def new_id(started_at: datetime, salt: str = "") -> str:
    """`conv_YYYYMMDD_HHMMSS_xxxxxx` for what began then; the same for the same arguments."""
    digest = hashlib.sha256(f"{started_at.isoformat()}\0{salt}".encode()).digest()
    suffix = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:6])
    return f"conv_{started_at:%Y%m%d_%H%M%S}_{suffix}"


def dump(row: Mapping[str, Json]) -> bytes:
    """One line, as Python's `json` writes it; `ValueError` for a number that JSON has not."""
    return json.dumps(row, allow_nan=False).encode() + b"\n"


def _own(segment: Segment, made: Mapping[str, Json]) -> dict[str, Json]:
    """The row again, with the text that the segment has now; without any, what stood for it.

    What VoiceMode's reader cannot do without, and the row does not have, is as in `made`.
    """
    row = {**{key: made[key] for key in _SOME}, "text": "", **segment.data}
    if segment.text is not None:
        row["text"] = segment.text
    ordered = {key: row[key] for key in ORDER if key in row}
    return ordered | {key: value for key, value in row.items() if key not in ORDER}


def _foreign(segment: Segment, started_at: datetime, conversation_id: str) -> dict[str, Json]:
    metadata: dict[str, Json] = {"voice_mode_version": WRITER}
    for key in _SAID:
        if isinstance(value := segment.data.get(key), str):
            metadata[key] = value
    if segment.speaker is not None or segment.role == "system":
        metadata["speaker"] = segment.speaker or segment.role
    row: dict[str, Json] = {
        "version": VERSION,
        "timestamp": _instant(started_at, segment.start_ns),
        "conversation_id": conversation_id,
        "type": "stt" if segment.role == "user" else "tts",
        "text": segment.text or "",
        "project_path": "",
    }
    if segment.file is not None:
        row["audio_file"] = segment.file
    length = max(segment.end_ns - segment.start_ns, segment.decoded_ns or 0)
    return row | {"duration_ms": round(length / 1_000_000), "metadata": metadata}


def _instant(started_at: datetime, offset_ns: int) -> str:
    at = started_at.astimezone(UTC) + timedelta(microseconds=offset_ns // 1000)
    return at.astimezone(started_at.tzinfo).isoformat()


def _is_row(event: Event, rows: Mapping[int, Json]) -> bool:
    """Whether the event only says that the row of its number was there."""
    return event.seq in rows and event.type in ("", rows[event.seq])
