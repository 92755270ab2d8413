"""Who spoke when, out of PromptKit's events.

Audio arrives in chunks; the chunks of one direction and one `turn_id` are a turn. What was said
in it comes from its transcription, else from the message that was created while it was going on
or shortly before. A message without audio is a turn of no length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vault.formats.fields import NS_LIMIT, ROLES
from vault.formats.sound import law_of
from vault.model import Event, Json, Segment

AUDIO = {"audio.input": "user", "audio.output": "agent"}
MESSAGE, TRANSCRIPTION, INTERRUPTED = "message.created", "audio.transcription", "stream.interrupted"
#: Speech that is written before it is spoken comes at most this much later, and a text of what
#: was spoken at most this long after it.
AHEAD_NS, LATE_NS = 5_000_000_000, 30_000_000_000
_MS_NS = 1_000_000
_PLAYABLE = {
    "payload": ("storage_ref", "checksum", "size", "mime_type"),
    "metadata": ("sample_rate", "channels", "encoding", "bits_per_sample", "duration_ms"),
}
_PLACED = ("direction", "turn_id", "chunk_index", "is_final")
_DRY = re.compile(r"[!-~]{0,1024}")


@dataclass(slots=True)
class _Turn:
    role: str
    start_ns: int
    end_ns: int
    decoded_ns: int = 0
    text: str | None = None
    heard: bool = False
    has_message: bool = False
    chunks: list[Json] = field(default_factory=list)
    data: dict[str, Json] = field(default_factory=dict)


def chunk_ns(data: Mapping[str, Json]) -> int:
    """How long a chunk of audio sounds: what it states, else what its samples last; else 0."""
    metadata, payload = data.get("metadata"), data.get("payload")
    metadata = metadata if isinstance(metadata, dict) else {}
    stated = metadata.get("duration_ms")
    if type(stated) is int and 0 < stated <= NS_LIMIT // _MS_NS:
        return stated * _MS_NS
    size = payload.get("size") if isinstance(payload, dict) else None
    rate, channels = metadata.get("sample_rate"), metadata.get("channels")
    bits = 8 if law_of(metadata.get("encoding")) else metadata.get("bits_per_sample", 16)
    known = [n for n in (size, rate, channels, bits) if type(n) is int and 0 < n < 2**40]
    if len(known) < 4:
        return 0
    bytes_, rate_, channels_, bits_ = known
    return min(NS_LIMIT, bytes_ * 8 * 1_000_000_000 // (rate_ * channels_ * bits_))


def sound_of(event: Event) -> dict[str, Json]:
    """Of a piece of audio only what it takes to find and play it; of any other event nothing.

    Texts are kept where they are a word for a machine, and dropped where they could be a phrase.
    Bytes inside the recording are referred to like a blob, for the recording is not kept.
    """
    if event.type not in AUDIO:
        return {}
    found: dict[str, Json] = {}
    for part, names in _PLAYABLE.items():
        value = event.data.get(part)
        if isinstance(value, dict):
            found[part] = {k: value[k] for k in names if k in value and _is_dry(value[k])}
    found |= {k: event.data[k] for k in _PLACED if k in event.data and _is_dry(event.data[k])}
    extent, payload = extent_of(event.data), found.get("payload")
    if extent is not None and isinstance(payload, dict):
        payload |= {"storage_ref": f"file://{inline_name(extent[1])}", "size": extent[3]}
    return found


def extent_of(data: Mapping[str, Json]) -> tuple[str, int, int, int] | None:
    """Where in a recording the bytes of a piece of audio lie: file, start, length, real size."""
    payload = data.get("payload")
    inline = payload.get("inline") if isinstance(payload, dict) else None
    if not isinstance(inline, dict):
        return None
    file, start, length, size = (inline.get(key) for key in ("file", "start", "bytes", "size"))
    if isinstance(file, str) and type(start) is type(length) is type(size) is int:
        return file, start, length, size
    return None


def inline_name(start: int) -> str:
    """What bytes that begin at that place of a recording are called once they are out of it."""
    return f"inline/{start}.pcm"


def _is_dry(value: Json) -> bool:
    if isinstance(value, str):
        return _DRY.fullmatch(value) is not None
    return isinstance(value, int | float)


def message_text(data: Mapping[str, Json]) -> str | None:
    """What a message says, its parts joined where it has parts; None if that is nothing."""
    content = data.get("Content", data.get("content"))
    if isinstance(content, str) and content:
        return content
    parts = data.get("Parts", data.get("parts"))
    said = [
        part["text"]
        for part in (parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return "\n".join(str(text) for text in said) or None


def message_role(data: Mapping[str, Json]) -> str:
    """The source's own word for who speaks, empty if there is none."""
    role = data.get("Role", data.get("role"))
    return role if isinstance(role, str) else ""


def segments(events: Sequence[Event]) -> tuple[Segment, ...]:
    """The turns of a session, in the order they start. `events` are in the order of time."""
    turns, by_id = _spoken(events)
    _transcribe(events, by_id)
    turns += _written(events, turns)
    turns.sort(key=lambda turn: turn.start_ns)
    stops = [event.offset_ns for event in events if event.type == INTERRUPTED]
    return tuple(_segment(index, turn, stops) for index, turn in enumerate(turns))


def _spoken(events: Sequence[Event]) -> tuple[list[_Turn], dict[str, _Turn]]:
    """The turns that have audio, and those that have an id by it."""
    turns: list[_Turn] = []
    known: dict[tuple[str, str], _Turn] = {}
    by_id: dict[str, _Turn] = {}
    for event in events:
        role = AUDIO.get(event.type)
        if role is None:
            continue
        data = event.data
        name = data.get("turn_id")
        turn = known.get((role, name)) if isinstance(name, str) else None
        if turn is None:
            turn = _Turn(role, event.offset_ns, event.offset_ns)
            turns.append(turn)
            if isinstance(name, str):
                turn.data["turn_id"] = name
                known[role, name] = turn
                by_id.setdefault(name, turn)
        length = chunk_ns(data)
        turn.end_ns = max(turn.end_ns, event.offset_ns + length)
        turn.decoded_ns += length
        turn.chunks.append(event.seq)
    return turns, by_id


def _transcribe(events: Sequence[Event], by_id: dict[str, _Turn]) -> None:
    """Give every turn the text that was heard in it; final text replaces what was interim."""
    for event in events:
        if event.type != TRANSCRIPTION:
            continue
        name, text = event.data.get("turn_id"), event.data.get("text")
        turn = by_id.get(name) if isinstance(name, str) else None
        if turn is None or not isinstance(text, str):
            continue
        final = event.data.get("is_final") is not False
        if turn.heard and not final:
            continue
        turn.text = f"{turn.text} {text}" if turn.heard and turn.text else text
        turn.heard = turn.heard or final
        for key in ("language", "confidence", "provider"):
            if key in event.data:
                turn.data[key] = event.data[key]


def _written(events: Sequence[Event], turns: Sequence[_Turn]) -> list[_Turn]:
    """Give messages to the turns they belong to; those that belong to none are turns too."""
    spoken: dict[str, list[_Turn]] = {}
    for turn in sorted(turns, key=lambda turn: turn.start_ns):
        spoken.setdefault(turn.role, []).append(turn)
    starts = {role: [turn.start_ns for turn in found] for role, found in spoken.items()}
    alone: list[_Turn] = []
    for event, role, text in _messages(events):
        found = spoken.get(role, [])
        after = bisect_right(starts.get(role, []), event.offset_ns)
        near = found[max(0, after - 1) : after + 1]
        first_ns, last_ns = event.offset_ns - LATE_NS, event.offset_ns + AHEAD_NS
        free = [
            t for t in near if not t.has_message and first_ns <= t.end_ns and t.start_ns <= last_ns
        ]
        turn = free[0] if free else _Turn(role, event.offset_ns, event.offset_ns)
        if not free:
            alone.append(turn)
        turn.has_message = True
        turn.text = turn.text or text
        index = event.data.get("Index")
        if isinstance(index, int):
            turn.data["message_index"] = index
    return alone


def _messages(events: Sequence[Event]) -> Iterator[tuple[Event, str, str]]:
    for event in events:
        if event.type == MESSAGE:
            role = ROLES.get(message_role(event.data).lower())
            text = message_text(event.data)
            if role is not None and text is not None:
                yield event, role, text


def _segment(index: int, turn: _Turn, stops: Sequence[int]) -> Segment:
    stop = bisect_right(stops, turn.end_ns)
    cut = (
        turn.role == "agent" and bool(turn.chunks) and stop > 0 and stops[stop - 1] > turn.start_ns
    )
    if turn.chunks:
        turn.data["chunks"] = turn.chunks
    return Segment(
        index=index,
        role=turn.role,
        speaker=None,
        start_ns=turn.start_ns,
        end_ns=turn.end_ns,
        decoded_ns=turn.decoded_ns if turn.chunks else None,
        text=turn.text,
        truncated=cut,
        file=None,
        data=turn.data,
    )
