"""Plays a session back: what there is at an instant, and what comes by as time goes on.

The player opens nothing and waits for nothing. It knows the time by the clock it is given and
tells of what came by when `tick` is called; `run` calls it until the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from enum import StrEnum

from vault.errors import UsageError
from vault.model import Event, Timeline
from vault.replay.timeline import Chronology, Moment

#: Slower or faster is no replay any more.
SLOWEST, FASTEST = 0.01, 100.0
TICK_SECONDS = 0.1


class PlaybackState(StrEnum):
    """What a player is doing."""

    STOPPED = "stopped"
    PLAYING = "playing"
    PAUSED = "paused"


class Signal(StrEnum):
    """What a listener can be told of."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    SEEK = "seek"
    POSITION = "position"  # at every tick
    EVENT = "event"  # for every event that came by
    END = "end"


#: Gets the position (ns) and, for `EVENT`, the event.
Listener = Callable[[int, Event | None], None]


class Player:
    """One session, and a position in it from 0 to its duration (ns, both included).

    The duration is that of the source, unless none is stated or something begins after it: then
    it is the end of all. Nothing after `until_ns` is played, which is the end then. `clock`
    counts nanoseconds of real time and never goes back. Not for several threads at once.
    """

    def __init__(
        self,
        timeline: Timeline,
        duration_ns: int | None = None,
        *,
        until_ns: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._chronology = Chronology(timeline)
        self.duration_ns = self._chronology.length_ns(duration_ns)
        if until_ns is not None:
            self.duration_ns = max(0, min(self.duration_ns, until_ns))
        self._clock = clock
        self._listeners: list[tuple[Signal, Listener]] = []
        self._state = PlaybackState.STOPPED
        self._speed = 1.0
        #: The position at the moment `_since` of the clock; it moves on only while playing.
        self._anchor_ns = 0
        self._since = clock()
        #: Up to where events have been given out, and whether the one just there was as well.
        self._given_ns = 0
        self._given_here = False

    # --- where it is ----------------------------------------------------------------------

    @property
    def state(self) -> PlaybackState:
        """What it is doing now."""
        return self._state

    @property
    def position_ns(self) -> int:
        """Where it is now."""
        if self._state is not PlaybackState.PLAYING:
            return self._anchor_ns
        gone = (self._clock() - self._since) * self._speed
        return min(self.duration_ns, self._anchor_ns + int(gone))

    @property
    def position_text(self) -> str:
        """Position and duration as `MM:SS.mmm / MM:SS.mmm`, cut and not rounded."""
        return f"{clock_text(self.position_ns)} / {clock_text(self.duration_ns)}"

    @property
    def speed(self) -> float:
        """How many seconds of the session pass in a second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not (math.isfinite(speed) and SLOWEST <= speed <= FASTEST):
            raise UsageError(f"The speed is from {SLOWEST} to {FASTEST}.")
        self._settle(self.position_ns)
        self._speed = speed

    def moment(self, at_ns: int | None = None) -> Moment:
        """The session at an instant, by default where the player is; the position stays."""
        return self._chronology.at(self.position_ns if at_ns is None else at_ns)

    # --- moving by the clock --------------------------------------------------------------

    def play(self) -> None:
        """Go on from the position; from the beginning if that is the end."""
        if self._state is PlaybackState.PAUSED:
            self.resume()
        elif self._state is PlaybackState.STOPPED:
            if self._anchor_ns >= self.duration_ns:
                self._jump(0)
            self._enter(PlaybackState.PLAYING, Signal.START)

    def pause(self) -> None:
        """Hold the position, once everything up to it has been told; nothing if not playing."""
        if self._state is PlaybackState.PLAYING:
            self.tick()
        if self._state is PlaybackState.PLAYING:
            self._enter(PlaybackState.PAUSED, Signal.PAUSE)

    def resume(self) -> None:
        """Go on after a pause; nothing if it is not paused."""
        if self._state is PlaybackState.PAUSED:
            self._enter(PlaybackState.PLAYING, Signal.RESUME)

    def stop(self) -> None:
        """Go back to the beginning and stay there."""
        if self._state is not PlaybackState.STOPPED:
            self._enter(PlaybackState.STOPPED, Signal.STOP)
        self._jump(0)

    def seek(self, to_ns: int) -> None:
        """Go to a position, cut to the session's length; a playing player goes on from there."""
        self._jump(min(max(to_ns, 0), self.duration_ns))
        self._tell(Signal.SEEK)

    def tick(self) -> tuple[Event, ...]:
        """Tell of the position and of every event since the last time; the events are given.

        At the end of the session the player stops there. Nothing happens unless it plays.
        """
        if self._state is not PlaybackState.PLAYING:
            return ()
        now = self.position_ns
        passed = self._take(now)
        for event in passed:
            self._tell(Signal.EVENT, event)
        self._tell(Signal.POSITION)
        if now >= self.duration_ns and self._state is PlaybackState.PLAYING:
            self._enter(PlaybackState.STOPPED, Signal.END)
        return passed

    def run(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Tick until the player is stopped or at the end. A paused one is waited for."""
        while self._state is not PlaybackState.STOPPED:
            self.tick()
            sleep(TICK_SECONDS)

    def on(self, signal: Signal, listener: Listener) -> None:
        """Have a listener told. It may call the player; what it raises reaches the caller."""
        self._listeners.append((signal, listener))

    # --- moving by hand -------------------------------------------------------------------

    def advance(self, by_ns: int) -> tuple[Event, ...]:
        """Go forward and give the events on the way, the one at the new position included.

        The one at the old position is given too, unless it has been already: so no event comes
        twice in a row of advances, and none is left out. Backwards gives nothing and stays.
        """
        if by_ns < 0:
            return ()
        target = min(self.position_ns + by_ns, self.duration_ns)
        self._settle(target)
        return self._take(target)

    def advance_to(self, to_ns: int) -> tuple[Event, ...]:
        """The same up to a position. Backwards it goes there and gives nothing."""
        if to_ns > self.position_ns:
            return self.advance(to_ns - self.position_ns)
        if to_ns < self.position_ns:
            self._jump(max(to_ns, 0))
        return ()

    # --- looking without moving -----------------------------------------------------------

    def between(self, start_ns: int, end_ns: int) -> tuple[Event, ...]:
        """The events from one position to another, both ends included."""
        return self._chronology.between(start_ns, end_ns)

    def of_type(self, kind: str) -> tuple[Event, ...]:
        """Every event of a type, in the order of time."""
        return self._chronology.of_type(kind)

    def events(self, start_ns: int = 0, end_ns: int | None = None) -> Iterator[Event]:
        """An iterator over the same as `between`, to the end by default."""
        end = self._chronology.end_ns if end_ns is None else end_ns
        return iter(self._chronology.between(start_ns, end))

    # --- within ---------------------------------------------------------------------------

    def _settle(self, at_ns: int) -> None:
        self._anchor_ns, self._since = at_ns, self._clock()

    def _jump(self, to_ns: int) -> None:
        """Be somewhere else, with nothing given out yet there."""
        self._settle(to_ns)
        self._given_ns, self._given_here = to_ns, False

    def _enter(self, state: PlaybackState, signal: Signal) -> None:
        self._settle(self.position_ns)
        self._state = state
        self._tell(signal)

    def _take(self, to_ns: int) -> tuple[Event, ...]:
        """The events up to a position that have not been given yet."""
        look = self._chronology.after if self._given_here else self._chronology.between
        taken = look(self._given_ns, to_ns)
        self._given_ns, self._given_here = to_ns, True
        return taken

    def _tell(self, signal: Signal, event: Event | None = None) -> None:
        for wanted, listener in tuple(self._listeners):
            if wanted is signal:
                listener(self.position_ns if event is None else event.offset_ns, event)


def clock_text(at_ns: int) -> str:
    """A time as `MM:SS.mmm`, cut; minutes go on past 59."""
    minutes, rest = divmod(at_ns // 1_000_000, 60_000)
    return f"{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
