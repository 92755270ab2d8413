"""The session report of LiveKit Agents: events, chat history and what became of them.

    job_id, room_id, room, started_at?, audio_recording_started_at?, timestamp   (epoch s)
    duration_ms, events[]: type, created_at (epoch s), …
    chat_history.items[]: message, function_call, function_call_output, …; created_at (epoch s)

A message's times are those it states in `metrics`; else it starts when it was created and ends
when the event says that it was added. `metrics.e2e_latency` becomes that event's `latency`.

Source: `livekit.agents.voice.report.SessionReport.to_dict` of livekit-agents 1.8.
"""

from __future__ import annotations

from vault.formats.fields import EPOCH_NS_LIMIT, Fields, Notes, plain_ns
from vault.formats.single import MS, Clock, Told, left, rest, turn, unplaced
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
    history = document.object("chat_history")
    times = plain_ns(history.value.get("items"), "created_at", limit=EPOCH_NS_LIMIT)
    segments = [
        _segment(item, clock, at, added.get(str(item.value.get("id"))))
        for (_, item), at in zip(history.each("items"), times, strict=False)
        if item.value.get("type") == "message"
    ]
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


def _events(document: Fields, clock: Clock) -> tuple[list[Event], dict[str, int]]:
    """Every event, and when each item of the history was added."""
    events: list[Event] = []
    added: dict[str, int] = {}
    offset = 0
    times = plain_ns(document.value.get("events"), "created_at", limit=EPOCH_NS_LIMIT)
    for (position, item), at in zip(document.each("events"), times, strict=False):
        stated = clock.at(item.epoch_ns("created_at") if at is None else at)
        offset = offset if stated is None else stated
        kind = item.text("type") or ""
        data = left(item, "type")
        if kind == ADDED:
            told = item.object("item")
            if isinstance(told.value.get("id"), str):
                added[str(told.value["id"])] = offset
            latency = _measured(told).ns("e2e_latency")
            if latency is not None:
                data["latency"] = latency / 1e9
        events.append(Event(position, kind, offset, data))
    return events, added


def _measured(item: Fields) -> Fields:
    """The metrics of an item; most have none."""
    return item.object("metrics") if item.value.get("metrics") not in (None, {}) else _NOTHING


_NOTHING = Fields({}, "metrics", Notes())


def _segment(item: Fields, clock: Clock, at: int | None, added_ns: int | None) -> Segment:
    """A message created at that instant, None where that takes a second look."""
    metrics = _measured(item)
    start = clock.at(metrics.epoch_ns("started_speaking_at"))
    if start is None:
        start = clock.at(item.epoch_ns("created_at") if at is None else at)
    end = clock.at(metrics.epoch_ns("stopped_speaking_at"))
    parts = item.value.get("content")
    said = parts if isinstance(parts, list) else [parts]
    text = "\n".join(part for part in said if isinstance(part, str))
    who, truncated = item.role("role"), item.flag("interrupted")
    return turn(
        who,
        start,
        added_ns if end is None else end,
        text or None,
        left(item, "content", "role"),
        truncated=truncated,
    )
