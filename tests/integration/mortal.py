"""A room in which the n-th thing that is done to a back end is the last thing done: kill -9.

The process forks, the child works in such a room, and dies before or after a call, between
two blocks of a put, or on either side of a commit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from tests.homes import Home
from vault.operations.keys import Keys
from vault.operations.room import Room


class Death:
    """Comes at the n-th point."""

    def __init__(self, n: int) -> None:
        self._left = n
        self._lock = threading.Lock()

    def point(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def among(self, blocks: Iterable[Any]) -> Iterator[Any]:
        """The same blocks, with a point after each."""
        for block in blocks:
            yield block
            self.point()


class Mortal:
    """An adapter, and death around everything it does."""

    def __init__(self, adapter: Any, death: Death) -> None:
        self._adapter = adapter
        self._death = death

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if not callable(found):
            return found
        if name in ("transaction", "writing", "exclusive"):
            return lambda **given: self._block(found(**given))

        def call(*given: Any, **named: Any) -> Any:
            self._death.point()
            if name == "put":
                given = (given[0], self._death.among(given[1]))
            answer = found(*given, **named)
            self._death.point()
            return answer

        return call

    @contextlib.contextmanager
    def _block(self, block: contextlib.AbstractContextManager[Any]) -> Iterator[Any]:
        with block as inner:
            yield inner
            self._death.point()
        self._death.point()


def mortal(room: Room, death: Death) -> Room:
    """The same room, with death around its store, its catalogue, its ledger and its root key."""
    catalogue: Any = Mortal(room.catalogue, death)
    kms: Any = Mortal(room.kms, death)
    store: Any = Mortal(room.store, death)
    ledger: Any = Mortal(room.ledger, death)
    erasure: Any = Mortal(room.erasure, death)
    keys = Keys(catalogue, kms, room.clock, room.tenant, room.keys.expect_current)
    return replace(
        room, catalogue=catalogue, kms=kms, store=store, keys=keys, ledger=ledger, erasure=erasure
    )


def dies(home: Home, n: int, act: Callable[[Room], object]) -> bool:
    """Whether a child that acts in this home met its death; else it finished before it."""

    def child() -> None:
        with home.room() as room:
            act(mortal(room, Death(n)))

    return killed(child)


def killed(child: Callable[[], object]) -> bool:
    """Fork, and whether the child was killed; it must fail in no other way."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    ended = os.waitstatus_to_exitcode(status)
    assert ended in (0, -signal.SIGKILL), f"the child ended with {ended}"
    return ended != 0
