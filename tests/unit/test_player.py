"""The player: what it shows at an instant, what comes by, and how it keeps time."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import promptkit as made
from tests import work
from tests.unit.test_formats_promptkit import REAL, SESSIONS, real, variants
from vault.errors import BadInput, IntegrityError, NotFound, UsageError
from vault.formats import instants
from vault.model import Annotation, Event, Json, Reading, Segment, Timeline
from vault.replay.player import PlaybackState, Player, Signal, clock_text
from vault.replay.tracks import Fetch, samples, tracks, wav

SECOND = 1_000_000_000

#: Where the original player's answer is not the right one: it counted the length of every chunk
#: from the session's start, gaps left out. Right is: a chunk sounds from its own time for its own
#: length. (session, offset): (input, output) as they really were.
REALLY_HEARD = {
    # Nobody has said anything yet; the first chunks begin at 1.44 s and 5.33 s.
    ("pk-dev-inline", 0): (False, False),
    # The first input chunk, 0.1 s at 1.437 s, is sounding.
    ("pk-dev-inline", 1_500_000_000): (True, False),
    # An output chunk began 2.6 ms ago.
    ("pk-dev-inline", 6_336_876_041): (False, True),
    # The first input begins at 1.997 s, the first output at 1.999 s.
    ("pk-dev-interruption", 0): (False, False),
    ("pk-dev-interruption", 1_500_000_000): (False, False),
    # The caller talks from 5.551 s to 10.351 s; the agent was cut off at 5.697 s.
    ("pk-dev-interruption", 8_038_772_145): (True, False),
    # The agent's last turn goes on past the last event.
    ("pk-dev-interruption", 16_076_544_291): (False, True),
    ("pk-dev-interruption", 16_077_544_291): (False, True),
}


def seqs(events: Any) -> list[int]:
    return [event.seq for event in events]


def player(events: list[tuple[int, int]], duration: int = 10 * SECOND) -> tuple[Player, list[int]]:
    """A player of events (number, offset), and its clock: set element 0."""
    clock = [0]
    timeline = Timeline(events=tuple(Event(seq, "e", at) for seq, at in events))
    return Player(timeline, duration, clock=lambda: clock[0]), clock


@real
@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("which", range(3))
def test_a_real_recording_plays_as_expected(session: str, which: int) -> None:
    path = variants(session)[which]
    key = path.relative_to(REAL / session).as_posix()
    expected = json.loads((REAL / session / "expected_replay.json").read_text())[key]
    reading = made.read(path)
    play = Player(reading.timeline, reading.duration_ns)
    assert len(reading.timeline.events) == expected["event_count"]
    assert play.duration_ns == expected["duration_ns"]
    assert {k: len(play.of_type(k)) for k in expected["by_type"]} == expected["by_type"]
    assert seqs(play.events(SECOND, 4 * SECOND)) == expected["iterator_1s_4s"]
    play.seek(2 * SECOND)
    assert seqs(play.advance(3 * SECOND)) == expected["advance_from_2s_by_3s"]
    assert play.position_text == expected["format_position_after"]
    assert len(play.advance_to(SECOND)) == expected["advance_to_backwards_returns"]
    assert play.position_text == expected["format_position_back"]
    play.seek(10**18)
    assert play.position_ns == expected["seek_high_ns"]
    play.seek(-1)
    assert play.position_ns == expected["seek_low_ns"]
    for state in expected["states"]:
        _compare(session, play, reading, state)


@real
@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("which", range(3))
def test_a_real_recording_is_described_as_its_own_library_describes_it(
    session: str, which: int
) -> None:
    path = variants(session)[which]
    key = path.relative_to(REAL / session).as_posix()
    expected = json.loads((REAL / session / "expected_replay.json").read_text())[key]
    reading = made.read(path)
    events, seconds = reading.timeline.events, Decimal(reading.duration_ns or 0) / SECOND
    told = f"session={reading.external_id}, events={len(events)}, duration={seconds}s"
    assert f"SessionRecording{{{told}}}" == expected["string"]
    # The library drops the run where it reads its store of events; here it is kept.
    dropped = {f"run-{session}": len(events)} if which == 2 else expected["run_ids"]
    assert (which == 2) == ("" in expected["run_ids"])
    assert reading.metrics["run_ids"] == dropped
    (agent,) = (p for p in reading.participants if p.role == "agent")
    assert agent.data.get("provider_name", "") == expected["provider"]
    # Of these the library itself cannot read the data of a tool that failed; here all is kept.
    lost = {event.seq: event.data for event in events if event.type == "tool.call.failed"}
    assert list(lost) == expected["typed_data_lost_seqs"]
    assert lost == {seq: data for seq, data in _written(path) if seq in lost}


def _written(path: Path) -> list[tuple[int, Any]]:
    """The number and the data of every event, as the file has them."""
    if path.suffix == ".json":
        rows = json.loads(path.read_text())["events"]
    else:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        rows = [{"seq": line.get("seq"), **line["event"]} for line in lines if "event" in line]
    return [(row["seq"], row.get("data")) for row in rows]


def _compare(session: str, play: Player, reading: Reading, state: dict[str, Any]) -> None:
    at = state["offset_ns"]
    moment = play.moment(at)
    assert seqs(moment.current_events) == state["current_seqs"]
    assert seqs(moment.recent_events) == state["recent_seqs"]
    assert [(m.role, m.text, m.offset_ns) for m in moment.messages] == [
        (m["Role"], m["Content"], m["Offset"]) for m in state["messages"] or ()
    ]
    start = str(reading.source["start_time"])
    start_ns, zone = instants.parse(start) or 0, instants.zone(start)
    assert [instants.write(start_ns + m.offset_ns, zone) for m in moment.messages] == [
        m["Timestamp"] for m in state["messages"] or ()
    ]
    assert instants.write(start_ns + at, zone) == state["timestamp"]
    heard = moment.audio_input_active, moment.audio_output_active
    theirs = state["audio_in"], state["audio_out"]
    if (session, at) in REALLY_HEARD:
        assert theirs != REALLY_HEARD[session, at]
    assert heard == REALLY_HEARD.get((session, at), theirs)
    # The original shows a score beside the one that replaced it; only the newest holds.
    replaced = ["score/quality"]
    active = sorted(f"{a.type}/{a.key}" for a in moment.annotations)
    assert sorted(active + replaced) == sorted(state["active_annotations"])
    (quality,) = (a for a in moment.annotations if a.key == "quality")
    assert quality.version == 2
    assert quality in reading.timeline.annotations


def fetcher(folder: Path) -> Fetch:
    def fetch(name: str, start: int, length: int) -> bytes:
        with (folder / name).open("rb") as stream:
            stream.seek(start)
            return stream.read(length)

    return fetch


@real
@pytest.mark.parametrize("session", SESSIONS)
def test_each_track_is_the_expected_wav(session: str) -> None:
    folder = REAL / session
    for path in variants(session):
        expected = json.loads((folder / "expected_replay.json").read_text())
        expected = expected[path.relative_to(folder).as_posix()]["tracks"]
        reading = made.read(path)
        sizes = {o.name: o.size_bytes for o in reading.originals}
        found = tracks(reading.timeline)
        assert set(found) == set(expected) == {"audio_input", "audio_output"}
        for name, track in found.items():
            assert len(track.chunks) == expected[name]["segments"]
            assert track.length_ns == expected[name]["total_ns"]
            sound = b"".join(wav(track, fetcher(folder), sizes))
            assert sound == (folder / f"expected_{name}.wav").read_bytes()


@real
def test_a_flipped_byte_of_a_stored_blob_is_refused() -> None:
    folder = REAL / "pk-dev-interruption"
    reading = made.read(variants("pk-dev-interruption")[0])
    sizes = {o.name: o.size_bytes for o in reading.originals}
    honest = fetcher(folder)
    track = tracks(reading.timeline)["audio_output"]

    def flipped(name: str, start: int, length: int) -> bytes:
        sound = bytearray(honest(name, start, length))
        sound[-1] ^= 0x80
        return bytes(sound)

    with pytest.raises(IntegrityError):
        list(samples(track, flipped, sizes))
    sizes.pop(next(name for name in sizes if track.chunks[3].ref and track.chunks[3].ref in name))
    with pytest.raises(NotFound):
        list(samples(track, honest, sizes))


def test_coded_audio_is_not_written_as_raw_samples(tmp_path: Path) -> None:
    event = made.audio(1, 0, b"OggS", blob=False)
    event["data"]["metadata"]["encoding"] = "opus"
    reading = made.read(made.recording(tmp_path / "a.json", [event]))
    with pytest.raises(BadInput, match="raw"):
        list(wav(tracks(reading.timeline)["audio_input"], fetcher(tmp_path), {}))


def test_frames_and_screenshots_are_a_track_with_their_offsets(tmp_path: Path) -> None:
    kinds = ("video.frame", "screenshot", "image.output")
    events = [made.event(n, n * 5, kind) for n, kind in enumerate(kinds)]
    reading = made.read(made.recording(tmp_path / "a.json", events))
    assert [c.offset_ns for c in tracks(reading.timeline)["visual"].chunks] == [0, 5, 10]


def test_no_event_comes_twice_and_none_is_left_out() -> None:
    play, _ = player([(n, n * SECOND) for n in range(11)])
    first, second = play.advance(5 * SECOND), play.advance(5 * SECOND)
    assert seqs(first) == [0, 1, 2, 3, 4, 5]
    assert seqs(second) == [6, 7, 8, 9, 10]
    assert play.advance(SECOND) == ()
    assert play.advance(-SECOND) == ()
    play.seek(5 * SECOND)
    assert seqs(play.advance(0)) == [5]
    assert play.advance(0) == ()
    assert play.advance_to(5 * SECOND) == ()
    assert seqs(play.advance_to(6 * SECOND)) == [6]
    assert play.advance_to(3 * SECOND) == ()
    assert play.position_ns == 3 * SECOND
    assert seqs(play.advance_to(4 * SECOND)) == [3, 4]


def test_ranges_hold_both_their_ends() -> None:
    play, _ = player([(1, 0), (2, 10), (3, 10), (4, 20)])
    assert seqs(play.between(10, 20)) == [2, 3, 4]
    assert seqs(play.between(0, 10)) == [1, 2, 3]
    assert play.between(20, 10) == ()
    assert seqs(play.events()) == [1, 2, 3, 4]


def test_ticks_go_on_after_a_pause() -> None:
    play, clock = player([(n, n * SECOND) for n in range(1, 10)])
    told: list[Any] = []
    play.on(Signal.POSITION, lambda at, _: told.append(at // SECOND))
    play.on(Signal.EVENT, lambda _, event: told.append(event.seq if event else None))
    play.play()
    clock[0] = 2 * SECOND
    play.tick()
    assert told == [1, 2, 2]
    clock[0] = 3 * SECOND
    play.pause()
    assert told == [1, 2, 2, 3, 3]
    clock[0] = 60 * SECOND
    assert play.tick() == ()
    assert play.position_ns == 3 * SECOND
    play.resume()
    clock[0] = 61 * SECOND
    assert seqs(play.tick()) == [4]
    assert told == [1, 2, 2, 3, 3, 4, 4]
    assert play.state is PlaybackState.PLAYING


def test_speed_changes_where_it_is_and_not_where_it_was() -> None:
    play, clock = player([], 100 * SECOND)
    play.play()
    clock[0] = 10 * SECOND
    play.speed = 2
    assert play.position_ns == 10 * SECOND
    clock[0] = 15 * SECOND
    assert play.position_ns == 20 * SECOND
    play.speed = 0.5
    clock[0] = 17 * SECOND
    assert play.position_ns == 21 * SECOND
    for wrong in (0, -1, float("nan"), float("inf"), 1000):
        with pytest.raises(UsageError):
            play.speed = wrong


def test_the_end_is_told_once_and_playing_again_begins_anew() -> None:
    play, clock = player([(1, 0), (2, 10 * SECOND)])
    told: list[Signal] = []
    for signal in Signal:
        if signal not in {Signal.POSITION, Signal.EVENT}:
            play.on(signal, lambda _, __, signal=signal: told.append(signal))  # type: ignore[misc]  # bound in the loop
    play.play()
    clock[0] = 99 * SECOND
    assert seqs(play.tick()) == [1, 2]
    assert play.tick() == ()
    assert play.state is PlaybackState.STOPPED
    assert play.position_ns == 10 * SECOND
    play.play()
    assert play.position_ns == 0
    play.pause()
    play.play()
    play.seek(4)
    play.stop()
    assert play.position_ns == 0
    start, pause, resume = Signal.START, Signal.PAUSE, Signal.RESUME
    assert told == [start, Signal.END, start, pause, resume, Signal.SEEK, Signal.STOP]


def test_a_listener_may_pause_the_player() -> None:
    play, clock = player([(n, n * SECOND) for n in range(1, 5)])
    play.on(Signal.EVENT, lambda _, event: play.pause() if event and event.seq == 2 else None)
    play.play()
    clock[0] = 2 * SECOND
    assert seqs(play.tick()) == [1, 2]
    assert play.state is PlaybackState.PAUSED


def test_running_ends_with_the_session() -> None:
    play, clock = player([(1, SECOND)], 2 * SECOND)

    def sleep(seconds: float) -> None:
        clock[0] += round(seconds * SECOND)

    heard: list[int] = []
    play.on(Signal.EVENT, lambda at, _: heard.append(at))
    play.play()
    play.run(sleep)
    assert heard == [SECOND]
    assert play.state is PlaybackState.STOPPED


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "00:00.000"),
        (999_999, "00:00.000"),
        (59_999_999_999, "00:59.999"),
        (61 * SECOND, "01:01.000"),
        (3_725 * SECOND + 4_999_999, "62:05.004"),
        (360_000 * SECOND, "6000:00.000"),
    ],
)
def test_a_position_is_cut_and_its_minutes_never_become_hours(at: int, text: str) -> None:
    assert clock_text(at) == text


def test_a_session_without_audio_events_is_heard_by_its_segments() -> None:
    segments = (
        Segment(0, "user", None, 0, 10, None, "Hi", False, None),
        Segment(1, "agent", None, 5, 30, None, "Yes", False, None),
        Segment(2, "system", None, 50, 60, None, None, False, None),
    )
    play = Player(Timeline(segments))
    assert play.duration_ns == 60
    heard = [(m.audio_input_active, m.audio_output_active) for m in map(play.moment, (0, 7, 10))]
    assert heard == [(True, False), (True, True), (False, True)]
    assert not play.moment(55).audio_output_active
    assert [(m.role, m.text) for m in play.moment(5).messages] == [("user", "Hi"), ("agent", "Yes")]


def test_a_stated_duration_stands_unless_something_begins_after_it() -> None:
    said = Segment(0, "user", None, 10, 40, None, "Hi", False, None)
    assert Player(Timeline((said,)), 10).duration_ns == 10
    for short in (Player(Timeline((said,)), 9), Player(Timeline((), (Event(1, "x", 40),)), 9)):
        assert short.duration_ns == 40
        short.seek(30)
        assert short.position_ns == 30


def test_a_player_ends_where_it_is_told_to() -> None:
    timeline = Timeline((), tuple(Event(n, "x", n * 10) for n in range(5)))
    player = Player(timeline, 40, until_ns=20)
    assert [e.seq for e in player.advance(100)] == [0, 1, 2]
    assert player.position_ns == 20
    assert Player(timeline, 40, until_ns=99).duration_ns == 40


def test_an_instant_is_found_in_no_more_steps_among_many_events() -> None:
    hour = 3600 * SECOND
    kinds = ("message.created", "audio.input", "audio.output", "tool.call.started")
    text: dict[str, Json] = {"Content": "x"}
    audio: dict[str, Json] = {"metadata": {"duration_ms": 20}}
    notes = [
        Annotation(str(n), "flag", "k", True, target="event", where={"seq": n}) for n in range(100)
    ]

    def most(count: int) -> int:
        """The lines of the dearest of 50 instants."""
        events = [
            Event(n, kinds[n % 4], n * hour // count, audio if n % 4 in {1, 2} else text)
            for n in range(count)
        ]
        play = Player(Timeline((), events, notes), hour)
        for n in range(50):
            assert len(play.moment(n * hour // 50).messages) == n * (count // 200) + 1
        return max(work.lines(partial(play.moment, n * hour // 50)) for n in range(50))

    assert most(100_000) <= most(1000)
