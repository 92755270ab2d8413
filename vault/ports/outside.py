"""The time, and what wakes workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from vault.ports.finding import Finding
from vault.rows import JobRow


class Clock(Protocol):
    """Tells the time, as an aware UTC datetime."""

    def now(self) -> datetime: ...


class Queue(Protocol):
    """Wakes workers. It may forget anything at any time; the catalogue does not."""

    def send(self, jobs: Sequence[JobRow]) -> None:
        """Tell the workers; `BackendError(retryable=True)` if the broker does not answer."""
        ...

    def serve(self, concurrency: int) -> None:
        """Work and keep time in this process until it is told to stop."""
        ...

    def probe(self) -> Sequence[Finding]: ...
