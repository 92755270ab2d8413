"""Retell's call object, alone or in the webhook that carries it.

    call: call_id, agent_id, start_timestamp, end_timestamp (epoch ms), duration_ms,
          transcript_object[]: role, content, words[]: word, start, end (s from the start)
          transcript_with_tool_calls[]: the same with tool_call_invocation, tool_call_result
          latency.e2e.values[] (ms), one for each answer of the agent

Source: docs.retellai.com, the call object of the API, version 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vault.formats.fields import Fields, Notes
from vault.formats.rows import Rows, Shape, Text, Value, left
from vault.formats.single import MS, Told, answered, rest, role, turn, unplaced
from vault.model import Event, Json, Segment

NAME = "retell"
SIGNS = (b'"call_id"', b'"call_status"')
ROLES = {"agent": "agent", "user": "user", "transfer_target": "user"}
_REPEATED = ("transcript", "transcript_object", "transcript_with_tool_calls")


def claims(document: dict[str, Json]) -> bool:
    """The webhook holds the call under `call`; the API gives it bare."""
    call = document.get("call", document)
    return isinstance(call, dict) and {"call_id", "call_status"} <= call.keys()


def tell(document: Fields) -> Told:
    """What the call says; its words are timed from its start."""
    call = document.object("call") if "call" in document.value else document
    start = call.epoch_ns("start_timestamp", unit_ns=MS)
    end = call.epoch_ns("end_timestamp", unit_ns=MS)
    duration = call.ns("duration_ms", unit_ns=MS)
    if duration is None and start is not None and end is not None and end >= start:
        duration = end - start
    segments, _ = _turns(call, "transcript_object")
    with_tools, tools = _turns(call, "transcript_with_tool_calls")
    segments = segments or with_tools
    customer = "to_number" if call.value.get("direction") == "outbound" else "from_number"
    return Told(
        external_id=call.text("call_id"),
        zero_ns=start,
        duration_ns=duration,
        segments=unplaced(segments, document.notes),
        events=answered("e2e_latency", _latencies(call), segments, tools),
        metrics={
            key: call.value[key]
            for key in ("latency", "call_cost", "llm_token_usage")
            if call.value.get(key) is not None
        },
        source={
            **({"event": document.value.get("event")} if call is not document else {}),
            **rest(call, *_REPEATED, "latency", "call_cost", "llm_token_usage"),
        },
        agent=call.text("agent_id"),
        subjects=[call.text(customer)],
        elsewhere=call.value.get("recording_url") is not None,
    )


class _Turn(Shape):
    """What the transcript says of a turn, or of a tool."""

    role: Value = None
    content: Text = None


def _turns(call: Fields, key: str) -> tuple[list[Segment], list[Event]]:
    """The turns of a list, and its tool calls and results as events where they stand.

    A turn without words, and a tool, is placed at the end of the turn before it.
    """
    segments: list[Segment] = []
    events: list[Event] = []
    last = 0
    rows = Rows(call, key, _Turn)
    for n, (item, told) in enumerate(zip(rows.items, rows.shapes, strict=True)):
        kind, fields = told.role, rows.fields(n)
        if isinstance(kind, str) and kind.startswith("tool_call"):
            stated = fields.ns("time_sec")
            events.append(Event(0, kind, last if stated is None else stated, left(item, "role")))
            continue
        start, end = _span(fields)
        start = last if start is None else start
        who, data, at = role(fields, "role", ROLES), left(item, "content", "role"), len(segments)
        segments.append(turn(who, start, end, told.content, data, index=at))
        last = segments[-1].end_ns
    return segments, events


def _span(item: Fields) -> tuple[int | None, int | None]:
    """When the first word of a turn begins and the last one ends."""
    words = item.value.get("words")
    if not isinstance(words, list) or set(map(type, words)) != {dict}:
        words = [word.value for _, word in item.objects("words") or ()]
    edges = Fields({"words": [*words[:1], *words[-1:]]}, "words", item.notes).objects("words")
    spoken = [word for _, word in edges or ()]
    return (spoken[0].ns("start"), spoken[-1].ns("end")) if spoken else (None, None)


def _latencies(call: Fields) -> Iterator[tuple[int | None, Mapping[str, Json]]]:
    e2e = call.object("latency").object("e2e")
    values = e2e.value.get("values")
    for value in values if isinstance(values, list) else []:
        one = Fields({"e2e": value}, "latency", Notes())
        yield one.ns("e2e", unit_ns=MS), {"e2e": value, "unit": "ms"}
