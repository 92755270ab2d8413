"""What a timeline says about how a conversation went."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from vault import formats
from vault.errors import BadInput
from vault.model import Event, Json, Segment, Timeline
from vault.replay.analysis import analyse
from vault.replay.metrics import latency, measure


def turn(role: str, start: float, end: float) -> Segment:
    return Segment(0, role, None, round(start * 1e9), round(end * 1e9), None, None, False, None)


def event(kind: str, at: float, **fields: Json) -> Event:
    return Event(0, kind, round(at * 1e9), fields)


def answered(*latencies: Json) -> list[Event]:
    return [event("agent_start_speaking", n, latency=v) for n, v in enumerate(latencies)]


def test_without_measurements_every_latency_is_null_and_not_zero() -> None:
    assert latency([event("user_start_speaking", 0)]) == {
        "count": 0,
        "avg_seconds": None,
        "p50_seconds": None,
        "p95_seconds": None,
        "time_to_first_byte_seconds": None,
        "interrupt_response_seconds": None,
    }


def test_latencies_are_summed_up_in_the_order_they_came() -> None:
    found = latency(answered(3.0, 1.0, 2.0, 10.0))
    assert found == {
        "count": 4,
        "avg_seconds": 4.0,
        "p50_seconds": 2.5,
        "p95_seconds": 10.0,
        "time_to_first_byte_seconds": 3.0,
        "interrupt_response_seconds": None,
    }


def test_p95_takes_the_rank_above() -> None:
    assert latency(answered(*range(100)))["p95_seconds"] == 95
    assert latency(answered(*range(20)))["p95_seconds"] == 19


@pytest.mark.parametrize("odd", [-0.1, None, "1.0", True, [1], 10**200, 1e300])
def test_negative_and_impossible_latencies_are_left_out(odd: Json) -> None:
    assert latency(answered(odd, 1.0)) == latency(answered(1.0))


def test_the_interrupt_response_is_the_shortest_way_to_silence() -> None:
    events = [
        event("agent_stop_speaking", 0.5),
        event("user_interrupt", 1.0),
        event("agent_stop_speaking", 1.75),
        event("user_interrupt", 3.0),
        event("user_interrupt", 3.5),
        event("agent_stop_speaking", 3.75),
        event("user_interrupt", 9.0),
    ]
    assert latency(events)["interrupt_response_seconds"] == 0.25


def test_clocks_that_disagree_give_no_negative_response() -> None:
    events = [event("user_interrupt", 2.0), event("agent_stop_speaking", 1.0)]
    assert latency(events)["interrupt_response_seconds"] is None


def test_overlap_coverage_and_silence_add_up() -> None:
    timeline = Timeline(
        [
            turn("user", 1, 4),
            turn("agent", 3, 6),
            turn("system", 3.5, 3.75),
            turn("user", 6, 7),
            turn("agent", 8, 8),
        ]
    )
    found = measure(timeline, 10 * 10**9)
    assert found["overlap_seconds"] == 1.0
    assert found["speech_coverage_seconds"] == 6.0
    assert found["silence_seconds"] == 4.0
    assert found["role_seconds"] == {"user": 4.0, "agent": 3.0, "system": 0.25}
    assert found["segment_count"] == 5


def test_silence_is_never_negative_and_null_when_the_length_is_unknown() -> None:
    timeline = Timeline([turn("user", 0, 5)])
    assert measure(timeline, 10**9)["silence_seconds"] == 0.0
    assert measure(timeline, None)["silence_seconds"] is None


def test_an_empty_timeline_is_all_zeros_and_json() -> None:
    found = measure(Timeline(), 0)
    assert json.loads(json.dumps(found)) == found
    assert found["role_seconds"] == {"user": 0.0, "agent": 0.0}
    assert found["event_counts"] == {}


@pytest.mark.parametrize(
    "family",
    ["scenario", "voicemode", "voice_agents_platform/recordings", "promptkit", "vcon", "other"],
)
def test_no_time_that_is_derived_of_a_real_session_is_negative(
    fixtures_folder: Path, family: str
) -> None:
    found = 0
    for place in formats.walk(fixtures_folder / family):
        with contextlib.suppress(BadInput):
            for reading in formats.read(place):
                timeline, length = reading.timeline, reading.duration_ns
                for derived in (measure(timeline, length), analyse(timeline, length)):
                    told = list(seconds(derived))
                    assert min(told, default=0) >= 0, place.path
                    found += len(told)
    assert found > 50


def seconds(value: Any, name: str = "") -> Iterator[float]:
    """Every number under a name in seconds."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from seconds(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from seconds(inner, name)
    elif name.endswith("_seconds") and isinstance(value, int | float):
        yield value
