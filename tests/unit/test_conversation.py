"""Which utterances belong together, which of them one wants, and what they add up to."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import FIXTURES
from vault import formats
from vault.errors import UsageError
from vault.model import Segment, Timeline
from vault.operations.conversations import regrouped
from vault.replay.conversation import Exchange, Where, derive_ids, exchanges, grouped, select
from vault.replay.conversation_counts import count

LOGS = FIXTURES / "voicemode"
needs_logs = pytest.mark.skipif(not LOGS.is_dir(), reason="the recordings are not here")
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


def logged(schema: str) -> list[Exchange]:
    return [
        exchange
        for reading in formats.read(LOGS / schema)
        for exchange in exchanges(reading.timeline, reading.started_at, reading.external_id)
    ]


def said(seconds: float, project: str | None = "/p", **more: Any) -> Exchange:
    at = NOON + timedelta(seconds=seconds)
    return replace(Exchange("stt", "x", at, project_path=project), **more)


def shape(ids: Sequence[object]) -> list[int]:
    """Which are equal, whatever they are: each as the place where it first came."""
    return [list(ids).index(one) for one in ids]


# --- which belong together ----------------------------------------------------------------


@needs_logs
@pytest.mark.parametrize("schema", ["v1", "v2", "v3", "v3b", "v4"])
def test_ids_derived_anew_are_those_that_the_original_wrote(schema: str) -> None:
    (answers,) = (
        each["conversation_ids_in_order"]
        for each in json.loads((LOGS / "expected_conversation_ids.json").read_text())
        if each["schema"] == schema
    )
    # The first is the id before any row; a pair says which id a restart began with.
    expected = [each for each in answers if isinstance(each, str)][1:]
    rows = logged(schema)
    assert [row.conversation_id for row in rows] == expected
    assert derive_ids(rows) == expected
    unnamed = [replace(row, conversation_id=None) for row in rows]
    assert shape(derive_ids(unnamed)) == shape(expected)


@needs_logs
def test_a_row_two_hours_later_is_another_conversation_though_the_log_says_not() -> None:
    rows = logged("v4_long_line")
    first, second, third = derive_ids(rows)
    assert first == second == rows[0].conversation_id == rows[2].conversation_id != third
    assert third.startswith("conv_20260301_140000_")


def test_a_pause_of_300_seconds_begins_another_and_a_shorter_one_does_not() -> None:
    rows = [said(0), said(299.999999), said(599.999999), said(899)]
    assert shape(derive_ids(rows)) == [0, 0, 2, 2]


def test_a_day_and_a_second_is_a_long_pause() -> None:
    assert shape(derive_ids([said(0), said(86_401)])) == [0, 1]


def test_projects_that_take_turns_keep_their_own_conversations() -> None:
    rows = [said(0), said(10, "/q"), said(20), said(30, None), said(40, "/q"), said(320)]
    assert shape(derive_ids(rows)) == [0, 1, 0, 3, 1, 5]


def test_midnight_in_another_zone_is_no_pause() -> None:
    later = (NOON + timedelta(seconds=60)).astimezone()
    assert shape(derive_ids([said(0), replace(said(0), at=later)])) == [0, 0]


def test_a_row_without_a_time_or_from_the_past_goes_with_the_one_before() -> None:
    rows = [said(0), replace(said(0), at=None), said(-5), said(310)]
    assert shape(derive_ids(rows)) == [0, 0, 0, 3]


def test_derived_ids_are_never_used_twice() -> None:
    rows = [said(n * 300, conversation_id="same") for n in range(50)]
    rows += [replace(said(0, f"/{n}"), at=None) for n in range(50)]
    assert len(set(derive_ids(rows))) == 100
    assert derive_ids(rows) == derive_ids(rows)


@needs_logs
def test_rows_are_grouped_by_what_the_log_says() -> None:
    found = grouped(logged("v1"))
    assert [len(rows) for rows in found.values()] == [3, 2, 1, 1]


# --- which of them one wants ---------------------------------------------------------------


@needs_logs
@pytest.mark.parametrize(
    ("where", "matches"),
    [
        (Where(), 7),
        (Where(kind="STT"), 4),
        (Where(text="ORDER"), 4),
        (Where(pattern=r"\d-\d-\d-\d"), 1),
        (Where(pattern="^(sure|thanks)"), 2),
        (Where(transport="Speak-Only"), 1),
        (Where(provider="whisper"), 4),
        (Where(voice="nova"), 3),
        (Where(model="tts-1"), 3),
        (Where(project="other"), 1),
        (Where(conversation_id="conv_20260114_235000_1et63w"), 3),
        (Where(since=datetime.fromisoformat("2026-01-15T00:00:00+10:00")), 4),
        (Where(until=datetime.fromisoformat("2026-01-14T23:55:19.623456+10:00")), 2),
        (Where(audio=True), 5),
        (Where(audio=False), 2),
        (Where(error=False), 7),
        (Where(error=True), 0),
        (Where(silence=True), 4),
        (Where(silence=False), 0),
        (Where(shortest_ns=2_300_000_000), 3),
        (Where(longest_ns=1_502_000_000), 3),
        (Where(kind="tts", provider="openai", longest_ns=10**9), 0),
    ],
)
def test_rows_are_chosen_by_what_they_are(where: Where, matches: int) -> None:
    assert sum(1 for _ in select(logged("v4"), where)) == matches


def test_a_row_that_does_not_say_meets_no_condition_on_it() -> None:
    bare = Exchange("stt", "x")
    for where in (
        Where(voice="nova"),
        Where(since=NOON),
        Where(until=NOON),
        Where(longest_ns=1),
        Where(silence=False),
        Where(project="/"),
    ):
        assert not list(select([bare], where))


def test_an_error_is_found() -> None:
    wrong = said(0, metadata={"error": "no speech"})
    assert list(select([wrong, said(1)], Where(error=True))) == [wrong]


@pytest.mark.parametrize(
    "pattern", ["(", "a" * 501, r"\1", "((a{1000}){1000}){1000}", r"\pL{999}", "\ud800"]
)
def test_a_pattern_that_cannot_be_searched_in_bounds_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        list(select([said(0)], Where(pattern=pattern)))


@pytest.mark.parametrize("pattern", ["(x+x+)+y", "(x*)*y", "(.*.*.*.*)="])
def test_a_pattern_made_to_backtrack_is_answered(pattern: str) -> None:
    # A search that backtracks would never come to the second row.
    rows = [said(0, text="x" * 50_000), said(1, text="= xxy")]
    assert list(select(rows, Where(pattern=pattern))) == rows[1:]


def test_any_session_has_exchanges() -> None:
    data = {"model": "m", "type": "message"}  # LiveKit's word; only a log has kinds of exchange
    turns = [
        Segment(0, "user", None, 0, 10**9, None, "hi", False, "a.wav"),
        Segment(1, "agent", None, 2 * 10**9, 2 * 10**9, None, None, False, None, data),
        Segment(2, "system", None, 0, 0, None, None, False, None),
    ]
    first, second, third = exchanges(Timeline(turns), NOON, "id")
    assert first == Exchange("stt", "hi", NOON, 10**9, "id", None, "a.wav")
    assert (second.kind, second.at, second.duration_ns, second.said("model")) == (
        "tts",
        NOON + timedelta(seconds=2),
        None,
        "m",
    )
    assert third.kind == "system"


# --- what they add up to ------------------------------------------------------------------


@needs_logs
def test_a_real_log_adds_up() -> None:
    found: Any = count(logged("v4"))
    assert (found["exchanges"], found["conversations"]) == (7, 4)
    assert found["by_type"] == {"stt": 4, "tts": 3}
    assert found["by_provider"] == {"openai": 3, "whisper": 4}
    assert found["by_model"] == {"stt": {"whisper-1": 4}, "tts": {"tts-1": 3}}
    assert found["by_voice"] == {"nova": 3}
    assert found["by_transport"] == {"local": 6, "speak-only": 1}
    assert found["hourly"] == {"00": 4, "23": 3}
    assert found["daily"] == {"2026-01-14": 3, "2026-01-15": 2, "2026-01-16": 2}
    assert found["timing"]["total_turnaround_time"]["count"] == 7
    assert found["timing"]["transcription_time"]["avg_seconds"] == pytest.approx(0.41)
    assert found["timing"]["turnaround"]["max_seconds"] == 299.5
    assert (found["fallbacks"], found["silence_detection"]) == (3, {"on": 4})


@needs_logs
def test_an_old_log_is_timed_by_its_text() -> None:
    timing: Any = count(logged("v1"))["timing"]
    assert timing["time_to_first_audio"] == {
        "count": 3,
        "avg_seconds": pytest.approx(1.2),
        "min_seconds": 1.2,
        "max_seconds": 1.2,
        "p50_seconds": 1.2,
    }
    assert timing["generation_time"]["count"] == 3


def test_errors_are_counted_by_who_made_them() -> None:
    rows = [said(0, metadata={"error": "e", "provider": "p"}), said(1), said(2, kind="tts")]
    assert count(rows)["errors"] == {
        "count": 1,
        "rate": 1 / 3,
        "by_type": {"stt": 1},
        "by_provider": {"p": 1},
    }


def test_rows_that_were_counted_are_forgotten() -> None:
    def rows(number: int) -> Iterator[Exchange]:
        for index in range(number):
            yield said(index, kind=("stt", "tts")[index % 2], text=f"{index:0>20000}")

    count(rows(10))
    tracemalloc.start()
    found = count(rows(2000))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found["exchanges"], found["conversations"]) == (2000, 1)
    assert most_bytes < 1_000_000


def test_more_exchanges_than_may_be_held_are_not_regrouped() -> None:
    every = [("one", [said(0), said(1)]), ("two", [said(2)])]
    assert [name for name, _ in regrouped(iter(every), 3)] == ["one", "two"]
    with pytest.raises(UsageError):
        regrouped(iter(every), 2)


def test_nothing_adds_up_to_nothing_and_no_time_is_negative() -> None:
    found: Any = count([])
    assert found["errors"]["rate"] is None
    assert found["timing"]["turnaround"]["avg_seconds"] is None
    rows = [said(5, metadata={"time_to_first_audio": -1.0}), said(0, kind="tts")]
    timing: Any = count(rows)["timing"]
    assert timing["turnaround"]["count"] == timing["time_to_first_audio"]["count"] == 0
