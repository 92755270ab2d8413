"""The player, whatever the timeline: what a slow and plain reading of the rules would say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vault.model import Event, Segment, Timeline
from vault.replay.player import Player, clock_text

MS = 1_000_000
offsets = st.integers(0, 8_000).map(lambda ms: ms * MS)
timelines = st.lists(
    st.tuples(st.sampled_from(["audio.input", "audio.output", "x"]), offsets, st.integers(0, 900)),
    max_size=40,
).map(
    lambda rows: Timeline(
        events=tuple(
            Event(seq, kind, at, {"metadata": {"duration_ms": ms}})
            for seq, (kind, at, ms) in enumerate(rows)
        )
    )
)


@given(timelines, st.integers(-100, 9_000).map(lambda ms: ms * MS))
def test_an_instant_is_what_the_rules_say(timeline: Timeline, at: int) -> None:
    moment = Player(timeline, 8_000 * MS).moment(at)
    events = sorted(timeline.events, key=lambda e: e.offset_ns)
    assert list(moment.current_events) == [e for e in events if abs(e.offset_ns - at) <= 50 * MS]
    recent = [e for e in events if at - 2_000 * MS < e.offset_ns <= at]
    assert list(moment.recent_events) == recent

    def heard(kind: str) -> bool:
        found = [e for e in events if e.type == kind]
        lengths = [dict[str, Any](e.data)["metadata"]["duration_ms"] * MS for e in found]
        return any(
            e.offset_ns <= at < e.offset_ns + ns for e, ns in zip(found, lengths, strict=True)
        )

    assert moment.audio_input_active == heard("audio.input")
    assert moment.audio_output_active == heard("audio.output")


@given(timelines, st.lists(st.integers(0, 4_000).map(lambda ms: ms * MS), max_size=20))
def test_advancing_gives_every_event_once_and_in_order(
    timeline: Timeline, steps: list[int]
) -> None:
    player = Player(timeline, 8_000 * MS)
    given_out = [event for step in steps for event in player.advance(step)]
    given_out += player.advance_to(8_000 * MS)
    events = sorted(timeline.events, key=lambda e: e.offset_ns)
    assert given_out == (events if steps or player.position_ns else [])


@given(
    timelines,
    st.lists(
        st.one_of(
            st.tuples(st.just("wait"), st.integers(0, 3_000)),
            st.tuples(st.sampled_from(["play", "pause", "resume", "tick"]), st.just(0)),
            st.tuples(st.just("speed"), st.sampled_from([0.5, 1, 2, 10])),
        ),
        max_size=30,
    ),
)
def test_playing_tells_every_event_once_whatever_is_pressed(
    timeline: Timeline, pressed: list[tuple[str, float]]
) -> None:
    clock = [0]
    player = Player(timeline, 8_000 * MS, clock=lambda: clock[0])
    heard: list[int] = []
    player.play()
    ended = False
    for what, value in pressed:
        before = player.position_ns
        if what == "wait":
            clock[0] += int(value) * MS
        elif what == "speed":
            player.speed = value
            assert player.position_ns == before
        elif what == "tick":
            heard += [event.seq for event in player.tick()]
        elif what == "pause":
            heard += [e.seq for e in player.tick()]
            player.pause()
        elif not ended:
            getattr(player, what)()
        ended = player.state == "stopped"
        if ended:
            break
        assert player.position_ns >= before
    due = [e.seq for e in sorted(timeline.events, key=lambda e: e.offset_ns)]
    assert heard == due[: len(heard)]
    if ended:
        assert heard == due


@given(st.integers(0, 10**16))
def test_a_position_says_minutes_seconds_and_milliseconds(at: int) -> None:
    minutes, _, rest = clock_text(at).partition(":")
    seconds, _, millis = rest.partition(".")
    assert (len(seconds), len(millis)) == (2, 3)
    assert int(seconds) < 60
    assert (int(minutes) * 60 + int(seconds)) * 1000 + int(millis) == at // MS


@given(st.lists(st.tuples(offsets, st.integers(0, 3_000)), max_size=20), offsets)
def test_segments_are_heard_from_start_to_end(spans: list[tuple[int, int]], at: int) -> None:
    segments = [
        Segment(n, "user", None, start, start + ms * MS, None, None, False, None)
        for n, (start, ms) in enumerate(spans)
    ]
    heard = Player(Timeline(segments)).moment(at).audio_input_active
    assert heard == any(s.start_ns <= at < s.end_ns for s in segments)
