"""The session report of LiveKit Agents: events, chat history and what became of them.

    job_id, room_id, room, started_at?, audio_recording_started_at?, timestamp   (epoch s)
    duration_ms, events[]: type, created_at (epoch s), …
    chat_history.items[]: message, function_call, function_call_output, …; created_at (epoch s)

A message's times are those it states in `metrics`; else it starts when it was created and ends
when the event says that it was added. `metrics.e2e_latency` becomes that event's `latency`.

Source: `livekit.agents.voice.report.SessionReport.to_dict` of livekit-agents 1.8.
"""

from __future__ import annotations

from vault.formats.fields import Fields, note_repeated
from vault.formats.rows import Flag, Number, Rows, Shape, Text, Value, Word, left
from vault.formats.single import MS, Clock, Told, rest, turns, unplaced
from vault.formats.times import carried
from vault.model import Event, Json, Segment

NAME = "livekit"
SIGNS = (b'"chat_history"', b'"events"')
ADDED = "conversation_item_added"


def claims(document: dict[str, Json]) -> bool:
    """A report has a chat history, events and a job or room."""
    history = document.get("chat_history")
    return (
        isinstance(history, dict)
        and isinstance(document.get("events"), list)
        and bool({"job_id", "room_id", "room"} & document.keys())
    )


def tell(document: Fields) -> Told:
    """What the report says; offset 0 is when recording began, else when the session did."""
    clock = Clock(document.epoch_ns("audio_recording_started_at", "started_at"), document.notes)
    events, added = _events(document, clock)
    segments = _segments(document.object("chat_history"), clock, added)
    return Told(
        external_id=document.text("job_id", "room_id", "room"),
        zero_ns=clock.zero_ns,
        unit="s",
        duration_ns=document.ns("duration_ms", unit_ns=MS),
        segments=unplaced(segments, document.notes),
        events=events,
        metrics={key: document.value[key] for key in ("usage", "errors") if key in document.value},
        source=rest(document, "events", "chat_history", "usage", "errors"),
        agent=document.text("agent_name") or None,
        tags=document.texts("tags"),
        elsewhere=document.value.get("audio_recording_path") is not None,
    )


class _Happened(Shape):
    """What all events have."""

    type: Text = None
    created_at: Number = None


class _Item(Shape):
    """What a message of the history has."""

    type: Value = None
    id: Value = None
    role: Word = None
    content: Value = None
    interrupted: Flag = None
    created_at: Number = None
    metrics: Value = None


def _events(document: Fields, clock: Clock) -> tuple[list[Event], dict[str, int]]:
    """Every event, and when each item of the history was added."""
    events: list[Event] = []
    added: dict[str, int] = {}
    rows = Rows(document, "events", _Happened)
    offsets = carried(clock.all_at(rows.epoch_ns("created_at")))
    listed = zip(rows.places, rows.items, rows.shapes, offsets, strict=True)
    for n, (place, item, told, offset) in enumerate(listed):
        data = left(item, "type")
        if told.type == ADDED:
            about = rows.fields(n).object("item").value
            if isinstance(known := about.get("id"), str):
                added[known] = offset
            if about.get("metrics"):
                latency = _metrics(document, about).ns("e2e_latency")
                if latency is not None:
                    data["latency"] = latency / 1e9
        events.append(Event(place, told.type or "", offset, data))
    return events, added


def _metrics(document: Fields, item: dict[str, Json]) -> Fields:
    return Fields(item, "item", document.notes).object("metrics")


def _segments(history: Fields, clock: Clock, added: dict[str, int]) -> list[Segment]:
    """The messages, with the times that their metrics state, else when they were made and added."""
    everything = Rows(history, "items", _Item)
    note_repeated([told.id for told in everything.shapes], history.notes)
    rows = everything.only([told.type == "message" for told in everything.shapes])
    starts = clock.all_at(rows.epoch_ns("created_at"))
    ends = [added.get(told.id) if type(told.id) is str else None for told in rows.shapes]
    for n, told in enumerate(rows.shapes):
        if told.metrics:
            metrics = _metrics(history, rows.items[n])
            start = clock.at(metrics.epoch_ns("started_speaking_at"))
            end = clock.at(metrics.epoch_ns("stopped_speaking_at"))
            starts[n] = starts[n] if start is None else start
            ends[n] = ends[n] if end is None else end
    texts = [_text(told.content) for told in rows.shapes]
    cut = [told.interrupted is True for told in rows.shapes]
    who = rows.roles("role")
    return turns(who, starts, ends, texts, rows.rest("content", "role"), cut=cut)


def _text(content: Json) -> str | None:
    """The words among what a message holds."""
    if type(content) is str:
        return content or None
    parts = content if type(content) is list else ()
    return "\n".join([part for part in parts if type(part) is str]) or None
