"""Going to any instant of an hour: what there was then, and the sound from there on."""

from __future__ import annotations

import dataclasses
import random
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from tests.benchmarks import inputs, transcoding
from tests.benchmarks.measure import Row, Spread, at_most
from tests.benchmarks.ranges import Counted
from vault import bootstrap
from vault.media import ogg
from vault.model import Annotation, Event, Json, Segment, Timeline
from vault.operations import jobs, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.listen import listen
from vault.operations.retrieve import Opened
from vault.operations.room import Room
from vault.ports import ObjectStore
from vault.replay.player import Player
from vault.settings import load

HOUR_NS = 3600 * 10**9
EVENTS, TURNS, ANNOTATIONS = 100_000, 1000, 200
INSTANTS = 500
PLACES = 40


def rows() -> Iterator[Row]:
    """The state at an instant after the first; the bytes read for the first sound of one."""
    yield from _states()
    with inputs.scratch() as folder:
        path = folder / "hour.wav"
        transcoding.speech(path, length_seconds=3600)
        settings = load(folder / "home")
        bootstrap.init(settings)
        with bootstrap.open_room(settings) as room:
            made = deposit(room, [path], Terms(), wait=False).sessions[0]
            jobs.run(room, [made.id])
            yield _sound(room, Opened(room, retrieve.session(room, made.id)), path)


def _states() -> Iterator[Row]:
    timeline = _timeline()
    chance = random.Random(1)
    began = time.perf_counter()
    player = Player(timeline, HOUR_NS)
    player.moment()
    first = time.perf_counter() - began
    found = []
    for _ in range(INSTANTS):
        at_ns = chance.randrange(HOUR_NS)
        began = time.process_time()
        _state(player, at_ns)
        found.append(1000 * (time.process_time() - began))
    text = f"{INSTANTS} instants; the first, with everything sorted, {first:.2f} s"
    what = f"state at an instant of an hour with {EVENTS:,} events"
    # What is promised holds for the slowest, not for the middle.
    worst = dataclasses.replace(Spread.of(found), median=max(found))
    yield dataclasses.replace(
        at_most(what, worst, 5, " ms", text, digits=3), result=Spread.of(found).show(3, " ms")
    )


def _state(player: Player, at_ns: int) -> None:
    player.seek(at_ns)
    if not player.moment().recent_events:
        raise AssertionError("nothing is found where there is an event every 36 ms")


def _timeline() -> Timeline:
    """An hour of events of all sorts, with messages, turns and annotations among them."""
    chance = random.Random(2)
    kinds = ("audio.input", "audio.output", "provider.call", "tool.call.started")
    sound: dict[str, Json] = {"metadata": {"duration_ms": 30}, "payload": {"size": 480}}
    events = [
        Event(n, kinds[n % 4], chance.randrange(HOUR_NS), sound if n % 4 < 2 else {})
        for n in range(EVENTS - TURNS)
    ]
    events += [
        Event(EVENTS + n, "message.created", n * HOUR_NS // TURNS, {"Role": "user", "Content": "x"})
        for n in range(TURNS)
    ]
    step = HOUR_NS // TURNS
    segments = [
        Segment(n, ("user", "agent")[n % 2], None, n * step, (n + 1) * step, None, "x", False, None)
        for n in range(TURNS)
    ]
    notes = [
        Annotation(f"a{n}", "label", "mood", "calm", target="event", where={"sequence": n})
        for n in range(ANNOTATIONS)
    ]
    return Timeline(segments, events, notes)


def _sound(room: Room, whole: Opened, path: Path) -> Row:
    """From opening the session to the first block of sound, every time anew."""
    (part,) = [p for p in whole.parts if p.name.startswith("playback/")]
    pages = list(ogg._pages(b"".join(whole.stream(part)), 0))
    chance = random.Random(3)
    given, took, calls = [], [], 0
    for _ in range(PLACES):
        at_ns = chance.randrange(_length_ns(path))
        counted = Counted(room.store)
        watched = dataclasses.replace(room, store=cast("ObjectStore", counted))
        began = time.perf_counter()
        heard = listen(Opened(watched, whole.row), part, at_ns)
        next(heard)  # the headers
        block = bytes(next(heard))
        took.append(1000 * (time.perf_counter() - began))
        (begun,) = [p for p in pages if p.ends_at == int.from_bytes(block[6:14], "little")]
        if not at_ns * ogg.RATE // 10**9 - 2 * ogg.RATE < begun.ends_at - ogg.RATE:
            raise AssertionError("the sound begins long before the instant")
        given.append(counted.given_bytes / 1000)
        calls = max(calls, counted.calls)
    size = part.size_bytes / 1e6
    text = f"{PLACES} instants of {size:.0f} MB; {Spread.of(took).show(1, ' ms')}, {calls} requests"
    what = "read from the store for the first sound at an instant of an hour"
    worst = dataclasses.replace(Spread.of(given), median=max(given))
    return dataclasses.replace(
        at_most(what, worst, 200, " kB", text, digits=1), result=Spread.of(given).show(1, " kB")
    )


def _length_ns(path: Path) -> int:
    with wave.open(str(path)) as file:
        frames: int = file.getnframes()
        return frames * 10**9 // int(file.getframerate())
