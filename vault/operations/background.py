"""Exports that run while somebody else waits: submit, ask, be told, cancel.

They live as long as this object: nothing of them is kept when the process ends, and a file
is there only once its export is complete.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import TracebackType
from typing import Self

from vault.errors import NotFound
from vault.model import new_id
from vault.operations.delivery import Exported
from vault.operations.room import Progress

#: What is to be done, told of its progress: an `export` or a `report` with all but that.
Work = Callable[[Progress], Exported]


class Stage(StrEnum):
    """Where an export stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Stage.DONE, Stage.FAILED, Stage.CANCELLED})


@dataclass(frozen=True, slots=True)
class Status:
    """How far an export is. `error` is why it failed, `result` what it wrote."""

    id: str
    stage: Stage
    sessions: int = 0
    of: int | None = None
    error: Exception | None = None
    result: Exported | None = None


def _nobody(_status: Status) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Who is told, in the thread of the export. What they raise is theirs and changes nothing."""

    on_start: Callable[[Status], None] = _nobody
    on_progress: Callable[[Status], None] = _nobody
    on_complete: Callable[[Status], None] = _nobody
    on_error: Callable[[Status], None] = _nobody


class Exports:
    """Runs exports in threads, a few at a time. Leaving the block cancels what still runs."""

    def __init__(self, at_once: int = 2) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="export")
        self._known: dict[str, _Export] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        for export_id in self._known:
            self.cancel(export_id)
        self._pool.shutdown()

    def submit(self, work: Work, callbacks: Callbacks | None = None) -> str:
        """Begin when there is room for it; the id to ask by."""
        one = _Export(new_id(), work, callbacks or Callbacks())
        self._known[one.id] = one
        one.future = self._pool.submit(one.run)
        return one.id

    def status(self, export_id: str) -> Status:
        """Where it stands now. Raises `NotFound`."""
        return self._export(export_id).status

    def cancel(self, export_id: str) -> bool:
        """End it before its next block, leaving no file; False if it had ended already."""
        return self._export(export_id).cancel()

    def wait(self, export_id: str, timeout_seconds: float | None = None) -> Status:
        """Its status once it has ended, or as it is when the time is over."""
        one = self._export(export_id)
        one.ended.wait(timeout_seconds)
        return one.status

    def _export(self, export_id: str) -> _Export:
        if export_id not in self._known:
            raise NotFound("There is no export of that id in this process.")
        return self._known[export_id]


class _Cancelled(Exception):
    """Passes through an export that is to end."""


@dataclass(slots=True)
class _Export:
    id: str
    work: Work
    callbacks: Callbacks
    future: Future[None] | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _status: Status = field(init=False)

    def __post_init__(self) -> None:
        self._status = Status(self.id, Stage.WAITING)

    @property
    def status(self) -> Status:
        with self._lock:
            return self._status

    def cancel(self) -> bool:
        with self._lock:
            if self._status.stage in ENDED:
                return False
            self._stop.set()
        if self.future is not None and self.future.cancel():  # it had not begun
            self._become(stage=Stage.CANCELLED)
            self.ended.set()
        return True

    def run(self) -> None:
        if self._stop.is_set():
            self._become(stage=Stage.CANCELLED)
            self.ended.set()
            return
        self._tell(self.callbacks.on_start, self._become(stage=Stage.RUNNING))
        try:
            result = self.work(self._progress)
        except _Cancelled:
            self._become(stage=Stage.CANCELLED)
        except Exception as error:  # noqa: BLE001  whoever asks is told, whatever it was
            self._tell(self.callbacks.on_error, self._become(stage=Stage.FAILED, error=error))
        else:
            done = self._become(stage=Stage.DONE, result=result)
            self._tell(self.callbacks.on_complete, done)
        finally:
            self.ended.set()

    def _progress(self, what: str, done: int, total: int | None) -> None:
        if self._stop.is_set():
            raise _Cancelled
        if what == "exporting":
            self._tell(self.callbacks.on_progress, self._become(sessions=done, of=total))

    def _become(self, **changes: object) -> Status:
        with self._lock:
            self._status = replace(self._status, **changes)  # type: ignore[arg-type]  # fields of it
            return self._status

    @staticmethod
    def _tell(callback: Callable[[Status], None], status: Status) -> None:
        with suppress(Exception):
            callback(status)
