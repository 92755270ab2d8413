"""Those who do jobs side by side in one process, and so die together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Crew:
    """Threads that do jobs beside each other, or one of them alone while the others rest.

    Who wants to be alone waits for those who are at work, and nobody begins before him.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at_work = 0
        self._want_to_be_alone = 0

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Together with any number of others."""
        with self._changed:
            self._changed.wait_for(lambda: not self._want_to_be_alone)
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With nobody else at work."""
        with self._changed:
            self._want_to_be_alone += 1
            self._changed.wait_for(lambda: not self._at_work)
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._want_to_be_alone -= 1
                self._changed.notify_all()
