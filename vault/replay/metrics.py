"""How a conversation went, measured on its timeline alone; no audio is decoded.

Source: the latency figures of langwatch scenario's recordings, with negative latencies (clocks
that disagree) left out.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from vault.model import Event, Json, Segment, Timeline

_SECOND_NS = 1_000_000_000
_YEAR_SECONDS = 366 * 86_400


def measure(timeline: Timeline, duration_ns: int | None) -> dict[str, Json]:
    """The metrics of one session, in seconds; a pure function of the timeline.

    `latency` has `count, avg_seconds, p50_seconds, p95_seconds, time_to_first_byte_seconds,
    interrupt_response_seconds`, each null where there is nothing to measure. By transport time:
    `overlap_seconds` is how long two or more segments run at once, `speech_coverage_seconds`
    how long at least one does, `silence_seconds` the rest of `duration_ns` (null if that is
    unknown), `role_seconds` the sum of each role's segments, user and agent always there.
    `event_counts` counts by the source's own types; `segment_count` counts segments.
    """
    covered_ns, overlap_ns = _coverage(timeline.segments)
    roles = {"user": 0, "agent": 0}
    for segment in timeline.segments:
        roles[segment.role] = roles.get(segment.role, 0) + segment.end_ns - segment.start_ns
    counts = Counter(event.type for event in timeline.events)
    silence_ns = None if duration_ns is None else max(0, duration_ns - covered_ns)
    return {
        "latency": latency(timeline.events),
        "overlap_seconds": overlap_ns / _SECOND_NS,
        "speech_coverage_seconds": covered_ns / _SECOND_NS,
        "silence_seconds": None if silence_ns is None else silence_ns / _SECOND_NS,
        "role_seconds": {role: total / _SECOND_NS for role, total in roles.items()},
        "event_counts": dict(sorted(counts.items())),
        "segment_count": len(timeline.segments),
    }


def latency(events: Sequence[Event]) -> dict[str, Json]:
    """The response times that events state, summed up.

    `p50` is the median, `p95` the value at rank ceil(0.95 (n - 1)) of the sorted ones. Time to
    first byte is the first response time; interrupt response the shortest time from a
    `user_interrupt` to the next `agent_stop_speaking` in the source's order.
    """
    found = [seconds for _, seconds in stated(events)]
    return {
        **summed(found),
        "time_to_first_byte_seconds": found[0] if found else None,
        "interrupt_response_seconds": _interrupt_response(events),
    }


def summed(seconds: Sequence[float]) -> dict[str, Json]:
    """`count, avg_seconds, p50_seconds, p95_seconds` of some times, as `latency` has them."""
    ranked = sorted(seconds)
    last = len(ranked) - 1
    return {
        "count": len(ranked),
        "avg_seconds": sum(seconds) / len(seconds) if seconds else None,
        "p50_seconds": statistics.median(ranked) if ranked else None,
        "p95_seconds": ranked[min(last, math.ceil(0.95 * last))] if ranked else None,
    }


def stated(events: Iterable[Event]) -> Iterator[tuple[int, float]]:
    """The response times that events state, in their order: (offset of the event in ns, seconds).

    An event's `latency` is in seconds.
    """
    answers: set[int] = set()
    for event in events:
        value, scale = event.data.get("latency"), 1
        # PromptKit says it of a message, in milliseconds, after the message; and of users' too.
        index = event.data.get("Index")
        if event.type == "message.created" and event.data.get("Role") == "assistant":
            answers |= {index} if isinstance(index, int) else set()
        elif event.type == "message.updated" and isinstance(index, int) and index in answers:
            value, scale = event.data.get("LatencyMs"), 1000
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 <= value <= _YEAR_SECONDS * scale
        ):
            yield event.offset_ns, value / scale


def _interrupt_response(events: Sequence[Event]) -> float | None:
    waits: list[int] = []
    open_since: list[int] = []
    for event in events:
        if event.type == "user_interrupt":
            open_since.append(event.offset_ns)
        elif event.type == "agent_stop_speaking":
            waits += [event.offset_ns - since for since in open_since]
            open_since.clear()
    return min((wait / _SECOND_NS for wait in waits if wait >= 0), default=None)


def _coverage(segments: Iterable[Segment]) -> tuple[int, int]:
    """(ns that one or more segments cover, ns that two or more cover)."""
    edges = [(segment.start_ns, 1) for segment in segments if segment.end_ns > segment.start_ns]
    edges += [(segment.end_ns, -1) for segment in segments if segment.end_ns > segment.start_ns]
    covered = overlap = running = previous = 0
    for at, step in sorted(edges):
        covered += at - previous if running > 0 else 0
        overlap += at - previous if running > 1 else 0
        running, previous = running + step, at
    return covered, overlap
