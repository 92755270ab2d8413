"""Vapi's end-of-call report, and its call object as the API gives it.

    message: type, startedAt, endedAt, durationMs, call{}, artifact{messages[]}   (webhook)
    messages[]: role bot|user|system|tool_calls|tool_call_result, message,
                time, endTime (epoch ms), secondsFromStart (s), duration (ms)

`artifact.performanceMetrics.turnLatencies[].turnLatency` (ms) are one for each answer of the bot.

Source: docs.vapi.ai, server messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vault.formats.fields import Fields
from vault.formats.rows import Number, Rows, Shape, Text, Value, left
from vault.formats.single import MS, Clock, Told, answered, epoch, rest, turn, unplaced
from vault.model import Event, Json, Segment

NAME = "vapi"
SIGNS = (b'"messages"', b'"artifact"')
REPORT = "end-of-call-report"
_SPEAKING = {"bot", "assistant", "user", "system"}
#: Twice told, or told in another way, by the messages.
_REPEATED = ("messages", "artifact", "transcript", "call", "performanceMetrics")


def claims(document: dict[str, Json]) -> bool:
    """The webhook by its type; the call object by its artifact and the organisation's id."""
    message = document.get("message")
    if isinstance(message, dict):
        return message.get("type") == REPORT
    return isinstance(document.get("artifact"), dict) and "orgId" in document


def tell(document: Fields) -> Told:
    """What the report says; offset 0 is `startedAt`."""
    body = document.object("message") if "message" in document.value else document
    call = body.object("call") if "call" in body.value else body
    artifact = body.object("artifact")
    place = artifact if isinstance(artifact.value.get("messages"), list) else body
    started = epoch(body.instant("startedAt") or call.instant("startedAt"))
    ended = epoch(body.instant("endedAt") or call.instant("endedAt"))
    clock = Clock(started, document.notes)
    segments, events = _messages(place, clock)
    latencies = artifact.object("performanceMetrics")
    duration = body.ns("durationMs", unit_ns=MS)
    if duration is None:
        duration = body.ns("durationSeconds")
    if duration is None and started is not None and ended is not None and ended >= started:
        duration = ended - started
    return Told(
        external_id=call.text("id"),
        zero_ns=clock.zero_ns,
        duration_ns=duration,
        segments=unplaced(segments, document.notes),
        events=answered("turnLatency", _latencies(latencies), segments, events),
        metrics={
            key: value
            for key, value in {
                "performanceMetrics": latencies.value or None,
                "cost": body.value.get("cost"),
                "costBreakdown": body.value.get("costBreakdown"),
            }.items()
            if value is not None
        },
        source={
            **rest(body, *_REPEATED, "cost", "costBreakdown"),
            **({"call": rest(call, *_REPEATED)} if call is not body else {}),
            "artifact": rest(artifact, "messages", "messagesOpenAIFormatted", *_REPEATED),
        },
        agent=call.text("assistantId") or call.object("assistant").text("id", "name"),
        subjects=[call.object("customer").text("number", "sipUri")],
        elsewhere=any(
            key in holder.value
            for holder in (body, artifact)
            for key in ("recordingUrl", "stereoRecordingUrl", "recording")
        ),
    )


class _Message(Shape, rename="camel"):
    """What Vapi says of a message."""

    role: Value = None
    message: Text = None
    content: Text = None
    seconds_from_start: Number = None
    duration: Number = None


def _messages(place: Fields, clock: Clock) -> tuple[list[Segment], list[Event]]:
    """What was said, and every other message as an event of its role."""
    segments: list[Segment] = []
    events: list[Event] = []
    last = 0
    rows = Rows(place, "messages", _Message)
    starts, lengths = rows.ns("seconds_from_start"), rows.ns("duration", MS)
    for n, (item, told) in enumerate(zip(rows.items, rows.shapes, strict=True)):
        start, length, kind = starts[n], lengths[n], told.role
        if start is None:
            start = clock.at(rows.fields(n).epoch_ns("time", unit_ns=MS))
        last = start = last if start is None else start
        if isinstance(kind, str) and kind not in _SPEAKING:
            events.append(Event(len(events), kind, start, left(item, "role")))
            continue
        if length is None:
            end = clock.at(rows.fields(n).epoch_ns("endTime", unit_ns=MS))
        else:
            end = start + length
        text = told.content if told.message is None else told.message
        who = rows.fields(n).role("role")
        data, at = left(item, "message", "role"), len(segments)
        segments.append(turn(who, start, end, text, data, index=at))
    return segments, events


def _latencies(metrics: Fields) -> Iterator[tuple[int | None, Mapping[str, Json]]]:
    for _, item in metrics.objects("turnLatencies") or ():
        yield item.ns("turnLatency", unit_ns=MS), item.value
