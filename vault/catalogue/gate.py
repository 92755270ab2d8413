"""Who may be putting objects, and who may be removing orphans: many of one or one of the other.

A door is the lock itself, held by the operating system or the database server for as long
as this process lives; the gate counts how many in this process stand behind it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from vault.errors import Refused

_POLL_SECONDS = 0.05


class Held(Protocol):
    """A lock that is ours until it is closed or its process dies."""

    def check(self) -> None:
        """Raises `BackendError(retryable=True)` if it was lost without our doing."""
        ...

    def close(self) -> None:
        """Let go. Never raises."""
        ...


class Door(Protocol):
    """A lock that knows two ways to be held. Both raise `BackendError`."""

    def shared(self) -> Held:
        """Wait until nobody is alone, then hold it with the others."""
        ...

    def alone(self) -> Held | None:
        """Hold it alone, or None at once if anybody else holds it."""
        ...


class Gate:
    """Lets in any number of writers, or one alone; safe to use from many threads."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._entrance = threading.Lock()  # held while waiting at the door
        self._mutex = threading.Lock()  # held for moments only: every commit asks `check`
        self._writers = 0
        self._shared: Held | None = None
        self._alone: Held | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the door with others; within a process it is taken once and counted."""
        with self._entrance:
            self._enter()
        try:
            yield
        finally:
            # Nobody waits at the door now: it is ours.
            with self._entrance, self._mutex:
                self._writers -= 1
                if self._writers == 0 and self._shared is not None:
                    self._shared.close()
                    self._shared = None

    def _enter(self) -> None:
        if self._shared is None:
            held = self._door.shared()
            with self._mutex:
                self._shared = held
        else:
            self._shared.check()
        self._writers += 1

    @contextmanager
    def exclusive(self, timeout_seconds: float) -> Iterator[None]:
        """Hold the door alone. Raises `Refused` if that takes longer than `timeout_seconds`."""
        held = self._wait(time.monotonic() + timeout_seconds)
        with self._mutex:
            self._alone = held
        try:
            yield
        finally:
            with self._mutex:
                self._alone = None
            held.close()

    def _wait(self, deadline: float) -> Held:
        while (held := self._door.alone()) is None:
            if time.monotonic() >= deadline:
                raise Refused(
                    "Sessions are being deposited right now. Try again when that is done."
                )
            time.sleep(_POLL_SECONDS)
        return held

    def check(self) -> None:
        """Raise `BackendError(retryable=True)` if a lock that this process relies on was lost.

        Asked before every commit: what was put under a lost lock may have been removed as an
        orphan, so it must not be recorded.
        """
        with self._mutex:
            for held in (self._shared, self._alone):
                if held is not None:
                    held.check()
