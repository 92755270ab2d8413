"""How fast the machine behind the voice was: responses, tools, stages."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

from vault.model import Event, Json
from vault.replay import metrics
from vault.replay.analysis.session import SECOND_NS, Session, result, seconds, share, spread

CALLED = frozenset({"tool_call", "tool.call.started"})
ANSWERED = frozenset({"tool_result", "tool.call.completed", "tool.call.failed"})
#: Stage timings in seconds, under the names that sources give them.
STAGES = (
    "time_to_first_audio",
    "generation_time",
    "playback_time",
    "transcription_time",
    "total_turnaround_time",
)
_YEAR_SECONDS = 366 * 86_400
_IDS = ("call_id", "tool_call_id", "id")
_NAMES = ("name", "tool_name", "tool")
_MATCHED = (
    "a result is matched to its call by id, else by name, else by order; failed are those that "
    "say so or carry an error"
)


def analyse(session: Session) -> dict[str, Json]:
    """Latencies as stated, tool calls and how long they took, stage timings, events by type.

    `latency` is that of `vault.replay.metrics`. A tool's result answers the oldest open call
    with its id, else with its name, else the oldest. Times are never negative.
    """
    timeline = session.timeline
    calls = _tools(timeline.events)
    counts = Counter(event.type for event in timeline.events)
    failed = sum(e.type == "tool.call.failed" or _erred(e.data) for e in timeline.events)
    minutes = seconds(session.duration_ns or 0) / 60
    stages: dict[str, Json] = {
        name: spread(times) for name in STAGES if (times := list(_stage(session, name)))
    }
    return result(
        {
            "duration_seconds": None if session.duration_ns is None else minutes * 60,
            "latency": metrics.latency(timeline.events),
            "stages": stages,
            "event_counts": dict(sorted(counts.items())),
            "turns_per_minute": share(len(session.turns), minutes),
        },
        {
            "tools": (
                {
                    "calls": len(calls),
                    "answered": sum(wait is not None for _, wait in calls),
                    "failed": failed,
                    "by_name": dict(sorted(Counter(name for name, _ in calls).items())),
                    "time": spread(wait for _, wait in calls if wait is not None),
                },
                _MATCHED,
            )
        },
    )


def _tools(events: Sequence[Event]) -> list[tuple[str, int | None]]:
    """Every call by its name, and how long until its result; None where there is none."""
    calls: list[tuple[Event, int | None]] = []
    waiting: dict[tuple[str, str], deque[int]] = {}
    for event in events:
        if event.type in CALLED:
            for key in _keys(event):
                waiting.setdefault(key, deque()).append(len(calls))
            calls.append((event, None))
        elif event.type in ANSWERED:
            for line in (waiting.get(key, deque()) for key in _keys(event)):
                while line and calls[line[0]][1] is not None:
                    line.popleft()
                if line:
                    call, _ = calls[line[0]]
                    calls[line[0]] = call, max(0, event.offset_ns - call.offset_ns)
                    break
    return [(_text(call, *_NAMES) or "unknown", wait) for call, wait in calls]


def _keys(event: Event) -> list[tuple[str, str]]:
    """By what calls and results find each other, the surest first."""
    by_id, by_name = _text(event, *_IDS), _text(event, *_NAMES)
    keys = [("id", by_id)] if by_id else []
    return [*keys, *([("name", by_name)] if by_name else []), ("order", "")]


def _text(event: Event, *keys: str) -> str | None:
    found = (event.data.get(key) for key in keys)
    return next((value for value in found if isinstance(value, str) and value), None)


def _erred(data: Mapping[str, Json]) -> bool:
    outcome = data.get("result")
    return isinstance(outcome, dict) and bool(outcome.get("error"))


def _stage(session: Session, name: str) -> Iterator[int]:
    timeline = session.timeline
    for data in [s.data for s in timeline.segments] + [e.data for e in timeline.events]:
        inner = data.get("metadata")  # where VoiceMode puts it
        value = data.get(name, inner.get(name) if isinstance(inner, dict) else None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if math.isfinite(value) and 0 <= value <= _YEAR_SECONDS:
            yield round(value * SECOND_NS)
