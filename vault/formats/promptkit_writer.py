"""Sessions written as PromptKit recordings, as JSON or as JSON lines, that its loader takes.

A session that came from PromptKit is written as it was: every number, nanosecond and unknown
field, its inline bytes from the original. Of any other session the turns become messages and
pieces of audio, whose bytes are in the blobs that are given, and its events stay what they are.
Source: SessionRecording.SaveTo and Load of the Go package recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timezone

from vault.formats import instants
from vault.formats.pieces import Pieces
from vault.formats.promptkit_events import (
    ENVELOPE,
    WRAPPED,
    Envelopes,
    is_safe_id,
    known_instant,
    zone_of,
)
from vault.formats.promptkit_media import EXTENT, INLINE
from vault.formats.promptkit_retold import Blob, retold
from vault.formats.promptkit_turns import MESSAGE
from vault.model import Event, Json, Reading

VERSION = "1.0"
_TYPES = {
    "conversation.started": "*events.ConversationStartedData",
    MESSAGE: "*events.MessageCreatedData",
    "audio.input": "*events.AudioEventData",
    "audio.output": "*events.AudioEventData",
}
#: What `odd` says of an event that is no field of it.
_MARKS = {"wrapped", "extra", "empty"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a recording says of itself beyond the session; None leaves what the source says."""

    provider_name: str | None = None
    model: str | None = None
    custom: Mapping[str, Json] | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    """A recording before it is text; `around` is what is unknown beside its metadata."""

    metadata: dict[str, Json]
    around: Mapping[str, Json]
    events: Sequence[Event]
    envelopes: Envelopes
    start_ns: int
    zone: timezone
    originals: Pieces

    def each(self) -> Iterator[dict[str, Json]]:
        """Every event as the recording has it."""
        try:
            for place, event in enumerate(self.events):
                yield self._event(place, event)
        finally:
            self.originals.close()

    def _event(self, place: int, event: Event) -> dict[str, Json]:
        said = self.envelopes.of(place, event)
        data: dict[str, Json] = dict(event.data)
        extra = data.pop(ENVELOPE, None) if said.get("extra") else None
        made: dict[str, Json] = {
            "seq": event.seq,
            "parent_seq": None,
            "type": event.type,
            "timestamp": instants.write(self.start_ns + event.offset_ns, self.zone),
            "offset": event.offset_ns,
        }
        made |= {key: value for key, value in said.items() if key not in _MARKS}
        made = {key: value for key, value in made.items() if value is not None}
        if said.get("wrapped"):
            made["data"] = data.get(WRAPPED)
        elif data or said.get("empty"):
            made["data"] = self._inlined(data)
        return made | extra if isinstance(extra, dict) else made

    def _inlined(self, data: dict[str, Json]) -> dict[str, Json]:
        """An event's payload with its inline bytes in it again."""
        payload = data.get("payload")
        extent = payload.get(EXTENT) if isinstance(payload, dict) else None
        if not isinstance(payload, dict) or not isinstance(extent, dict):
            return data
        file, start, length = (extent.get(key) for key in ("file", "start", "bytes"))
        rest = {key: value for key, value in payload.items() if key != EXTENT}
        if isinstance(file, str) and isinstance(start, int) and isinstance(length, int):
            text = self.originals.read(file, start, length)
            if text is not None:
                rest[INLINE] = text.replace(b"\\", b"").decode("ascii", "ignore")
        return data | {"payload": rest}


def write_json(
    reading: Reading, options: Options | None = None, blobs: Mapping[str, Blob] | None = None
) -> Iterator[bytes]:
    """The session as one JSON document, in pieces.

    Inline bytes are read from the originals, and left out where those are not kept. `blobs` are
    those of the turns of a session of another format, by the recordings that the turns name.
    """
    made = _recording(reading, options or Options(), blobs or {})
    yield b'{\n  "metadata": ' + _dump(made.metadata)
    for key, value in made.around.items():
        yield b",\n  " + _dump(key) + b": " + _dump(value)
    yield b',\n  "events": ['
    separator = b"\n    "
    for event in made.each():
        yield separator + _dump(event)
        separator = b",\n    "
    yield b"\n  ]\n}\n"


def write_lines(
    reading: Reading, options: Options | None = None, blobs: Mapping[str, Blob] | None = None
) -> Iterator[bytes]:
    """The same as JSON lines: the metadata, then an event a line."""
    made = _recording(reading, options or Options(), blobs or {})
    yield _dump({**made.around, "metadata": made.metadata, "type": "metadata"}) + b"\n"
    for event in made.each():
        line: dict[str, Json] = {"event": event, "type": "event"}
        if isinstance(event.get("line"), dict):  # what was unknown beside it stands there again
            line = {**_object(event.pop("line")), **line}
        yield _dump(line) + b"\n"


def _recording(reading: Reading, options: Options, blobs: Mapping[str, Blob]) -> _Written:
    start_ns, zone = _start(reading)
    envelopes = _envelopes(reading)
    if envelopes is not None:
        events: Sequence[Event] = reading.timeline.events
    else:
        envelopes = Envelopes({"session_id": session_id(reading)}, dict(_TYPES))
        found = enumerate(retold(reading.timeline, session_id(reading), blobs), 1)
        events = [Event(number, e.type, e.offset_ns, e.data) for number, e in found]
    last_ns = max((event.offset_ns for event in events), default=0)
    duration_ns = max(last_ns, reading.duration_ns or 0)  # its player goes no further than that
    metadata: dict[str, Json] = {
        "session_id": reading.external_id or "session",
        "start_time": instants.write(start_ns, zone),
        "end_time": instants.write(start_ns + duration_ns, zone),
        "duration": duration_ns,
        "version": VERSION,
        "created_at": instants.write(start_ns + duration_ns, zone),
    }
    stated, conversation = _stated(reading), envelopes.shared.get("conversation_id")
    if not stated and isinstance(conversation, str):
        metadata["conversation_id"] = conversation
    metadata |= stated | _chosen(options) | {"event_count": len(events)}
    if not isinstance(version := metadata["version"], str) or not version:
        metadata["version"] = VERSION  # by which its loader tells a recording from anything else
    around = {k: v for k, v in _around(reading).items() if k not in {"metadata", "events", "type"}}
    return _Written(metadata, around, events, envelopes, start_ns, zone, Pieces(reading.originals))


def session_id(reading: Reading) -> str:
    """The id that a recording has: of one that came from PromptKit its own, if that is no path."""
    stated = _stated(reading).get("session_id")
    return stated if isinstance(stated, str) else reading.external_id or "session"


def instant(reading: Reading, offset_ns: int) -> str:
    """An offset in the session as the recording writes instants."""
    start_ns, zone = _start(reading)
    return instants.write(start_ns + offset_ns, zone)


def _start(reading: Reading) -> tuple[int, timezone]:
    """When the session began, in nanoseconds since 1970, and the zone it is written in."""
    stated = reading.source.get("start_time")
    start_ns = known_instant(stated)
    if start_ns is not None and isinstance(stated, str):
        return start_ns, zone_of(stated)
    return instants.from_datetime(reading.started_at) if reading.started_at else 0, UTC


def _envelopes(reading: Reading) -> Envelopes | None:
    """What a PromptKit session kept to be written again; None for any other."""
    kept = reading.source.get("envelopes")
    if reading.format != "promptkit":
        return None
    if not isinstance(kept, dict):  # the privacy level kept the source's own fields out
        return Envelopes({"session_id": reading.external_id or "session"}, dict(_TYPES))
    parts = {each.name: kept.get(each.name) for each in fields(Envelopes)}
    return Envelopes(**{name: part for name, part in parts.items() if isinstance(part, dict)})


def _stated(reading: Reading) -> dict[str, Json]:
    """What the source's own metadata said, but for an id that could lead a path elsewhere."""
    stated = reading.source.get("metadata")
    if reading.format != "promptkit" or not isinstance(stated, dict):
        return {}
    safe = is_safe_id(stated.get("session_id"))
    return {key: value for key, value in stated.items() if safe or key != "session_id"}


def _around(reading: Reading) -> Mapping[str, Json]:
    return _object(reading.source.get("around")) if reading.format == "promptkit" else {}


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _chosen(options: Options) -> dict[str, Json]:
    """What the options say instead."""
    chosen: dict[str, Json] = {
        "provider_name": options.provider_name,
        "model": options.model,
        "custom": None if options.custom is None else dict(options.custom),
    }
    if options.created_at is not None:
        chosen["created_at"] = instants.write(instants.from_datetime(options.created_at))
    return {key: value for key, value in chosen.items() if value is not None}


def _dump(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
