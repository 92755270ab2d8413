"""One attempt at a job: its handler runs, and its end is recorded, or the job is given back.

An attempt is counted as its lease is taken, before anything can go wrong, so one that kills its
worker is counted like one that raises. It is uncounted when not the job was to blame: a back
end was away, or the worker was told to stop. Whoever leases a job for the sixth time knows that
five attempts came to nothing, and fails it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from vault.errors import BackendError, BadInput, IntegrityError, NotFound, StrongroomError
from vault.model import Compartment, State
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.operations.writer import ObjectWriter
from vault.rows import JobRow, ObjectRow

LEASE_SECONDS = 15
ATTEMPTS = 5
ENDED = frozenset({"done", "failed"})
#: How long a job waits to be tried again while a back end is away.
_PAUSE_SECONDS = 30
_NO_ANSWER = (
    f"no result in {ATTEMPTS} attempts; in the last its worker was killed or crashed, "
    "as happens when memory runs out."
)


@dataclass(slots=True)
class Bench:
    """What a job's handler may do: read its session, write objects of its own.

    Objects that it writes are recorded when the handler returns, all at once.
    """

    room: Room
    session: Opened
    progress: Progress = silent
    made: list[ObjectRow] = field(default_factory=list)

    @contextmanager
    def object(
        self, kind: str, compartment: Compartment = Compartment.DERIVED
    ) -> Iterator[ObjectWriter]:
        """A new object in a compartment; `NotFound` where that has no key."""
        data_key = self.room.keys.data_key(self.session.row, compartment)
        with ObjectWriter(self.room, data_key, compartment, kind) as writer:
            yield writer
        self.made.append(writer.row)


Handler = Callable[[Bench], None]


@dataclass(slots=True)
class Attempt:
    """A leased job, about to be tried.

    A worker passes `stop`, which is set once it was told to end: from then on its death says
    nothing about the job. Nobody waits for a worker, so it is patient: it keeps what it has to
    tell a catalogue that is away.
    """

    room: Room
    job: JobRow
    progress: Progress = silent
    stop: threading.Event | None = None
    _made: list[ObjectRow] = field(default_factory=list)
    _counted: bool = True

    def run(self) -> None:
        """Bring the job to its end, or give it back; raises what kept it from its end."""
        if self.job.attempts > ATTEMPTS:
            self._give_up()
            return
        try:
            with self.room.catalogue.writing():
                with self._renewed():
                    _handler(self.room, self.job.name)(self._bench())
                if not self._end():
                    self._discard()
        except (BadInput, NotFound, IntegrityError) as error:
            self._fail(error)
        except BackendError:
            self._put_off()
            raise
        except Exception as error:
            if self.job.attempts >= ATTEMPTS:
                self._fail(error)
                return
            self._discard()
            self._give_back(error)
            raise
        except BaseException as told_to_stop:
            # Nothing is discarded: nobody knows whether the end was recorded just now.
            with suppress(BackendError):
                self._give_back(told_to_stop, counted=False)
            raise

    def release(self) -> None:
        """Give the job back as if nobody had taken it."""
        self._uncount()
        with self.room.catalogue.transaction() as tx:
            tx.return_job(self.job.id, error=self.job.error or "")

    def _bench(self) -> Bench:
        with self.room.catalogue.transaction() as tx:
            row = tx.session(self.job.session_id)
        return Bench(self.room, Opened(self.room, row), self.progress, self._made)

    def _end(self, error: str | None = None) -> bool:
        """Record what the job made and that it has ended, in one step; False if it had already."""
        with self.room.catalogue.transaction() as tx:
            if not tx.end_job(self.job.id, error=error):
                return False
            for row in self._made:
                tx.add_object(row)
            ended = all(job.state in ENDED for job in tx.jobs(self.job.session_id))
            # What is kept apart, restricted or erased meanwhile stays so.
            if ended and tx.session(self.job.session_id).state is State.SEALED:
                tx.set_state(self.job.session_id, State.READY)
        return True

    def _fail(self, error: Exception) -> None:
        """End the job for good; only errors of our own have messages that are free of content."""
        self._discard()
        own = f": {error}" if isinstance(error, StrongroomError) else ""
        self._end(f"{type(error).__name__}{own}")

    def _give_up(self) -> None:
        """End the job for good, without the attempt that this would have been."""
        self._uncount()
        self._end(_NO_ANSWER)

    def _give_back(self, error: BaseException, *, counted: bool = True) -> None:
        """Free for whoever comes next."""
        if not counted:
            self._uncount()
        with self.room.catalogue.transaction() as tx:
            tx.return_job(self.job.id, error=type(error).__name__)

    def _put_off(self) -> None:
        """Leave the job under its lease for a while: what it needs is away, and that is no attempt.

        What it had stored by then is left to `fixity --repair`, for the store may be what is away.
        """
        pause = timedelta(seconds=_PAUSE_SECONDS)
        while True:
            try:
                self._uncount()
                with self.room.catalogue.transaction() as tx:
                    tx.renew_job(self.job.id, until=real_now() + pause)
            except BackendError:
                if self.stop is None or self.stop.wait(_PAUSE_SECONDS):
                    raise
            else:
                return

    def _uncount(self) -> None:
        if self._counted:
            with self.room.catalogue.transaction() as tx:
                tx.uncount_attempt(self.job.id)
            self._counted = False

    def _discard(self) -> None:
        """Remove what the job made; what will not go is an orphan, for `fixity --repair`."""
        for row in self._made:
            with suppress(StrongroomError):
                self.room.store.delete(row.store_key, row.version)
        self._made.clear()

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """Keep the lease while the job runs, also past a catalogue that is away for a while."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(LEASE_SECONDS / 3):
                with suppress(BackendError):
                    if self.stop is not None and self.stop.is_set():
                        self._uncount()
                    with self.room.catalogue.transaction() as tx:
                        tx.renew_job(self.job.id, until=lease_until(real_now()))

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def real_now() -> datetime:
    """The machine's own time, in a home with a test clock too: leases run on it."""
    return datetime.now(UTC)


def lease_until(now: datetime) -> datetime:
    """The end of a lease that is taken or renewed at `now`."""
    return now + timedelta(seconds=LEASE_SECONDS)


def _handler(room: Room, name: str) -> Handler:
    if name not in room.jobs:
        raise BackendError(f"No worker here knows the job {name}.")
    return room.jobs[name]
