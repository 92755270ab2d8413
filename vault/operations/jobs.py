"""Jobs: work on a session after its deposit, told by the catalogue, done by whoever is awake.

A job is a row written in the same transaction as the fact that needs it. The broker only
wakes workers; it may be wiped at any time. A job may be delivered twice or die half-way:
it holds a short lease that it keeps renewing, its objects count only once the transaction
that ends it has committed, and of two that end it one wins and the other removes what it
made. Leases run on the real clock, in a home with a test clock too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from vault.errors import BackendError, BadInput, IntegrityError, NotFound, StrongroomError
from vault.model import Compartment, JobRow, ObjectRow, State, new_id
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.operations.writer import ObjectWriter

LEASE_SECONDS = 15
ATTEMPTS = 5
#: The longest that a job waits to be tried again while a back end is away.
_PAUSE_SECONDS = 60
_RELAY_JOBS = 500
_HELD_SECONDS = 0.2

#: Which queue carries which job; media is slow and hungry, compliance must never wait for it.
QUEUES = {"transcode": "media", "analyse": "media"}


def new(name: str, session_id: str, now: datetime) -> JobRow:
    """A job to be added with the fact that needs it."""
    return JobRow(
        id=new_id(),
        name=name,
        queue=QUEUES[name],
        session_id=session_id,
        version=1,
        state="pending",
        attempts=0,
        created_at=now,
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
    def object(self, kind: str) -> Iterator[ObjectWriter]:
        """A new object in the compartment of derived parts."""
        data_key = self.room.keys.data_key(self.session.row, Compartment.DERIVED)
        with ObjectWriter(self.room, data_key, Compartment.DERIVED, kind) as writer:
            yield writer
        self.made.append(writer.row)


Handler = Callable[[Bench], None]


def wake(
    room: Room, session_ids: Sequence[str], *, wait: bool, progress: Progress = silent
) -> str | None:
    """See that the jobs of these sessions get done: by workers if there is a broker, else here.

    What keeps them waiting is no error, for the catalogue keeps them: it is told in a sentence.
    """
    if room.queue is not None:
        try:
            relay(room)
        except BackendError:
            return "The broker does not answer; the jobs wait in the catalogue."
    elif wait and not run(room, session_ids, progress=progress):
        return "A back end failed; jobs wait in the catalogue to be done again."
    return None


def relay(room: Room) -> int:
    """Tell the broker of every job that nobody was told of, or told of too long ago; how many."""
    if room.queue is None:
        return 0
    told = 0
    while True:
        now = _now()
        before = now - timedelta(seconds=room.redeliver_seconds)
        with room.catalogue.transaction() as tx:
            rows = tx.claim_to_send(limit=_RELAY_JOBS, sent_before=before)
            if rows:
                room.queue.send(rows)
                tx.mark_sent([r.id for r in rows], now)
        told += len(rows)
        if len(rows) < _RELAY_JOBS:
            return told


def run(room: Room, session_ids: Sequence[str], *, progress: Progress = silent) -> bool:
    """Do every job of these sessions in this process, as many at a time as there are processors.

    Waits for a job that another process holds: either that one ends it, or its lease runs out.
    False if a back end failed and jobs were left to be done later.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ends = pool.map(lambda one: _run_session(room, one, progress, stop), session_ids)
        return all(list(ends))


def _run_session(room: Room, session_id: str, progress: Progress, stop: threading.Event) -> bool:
    while not stop.is_set():
        job = _next(room, [session_id])
        if job is None and not _held(room, session_id):
            return True
        try:
            if job is not None:
                _do(room, job, progress)
            else:
                stop.wait(_HELD_SECONDS)
        except BackendError:
            stop.set()
    return False


def run_next(room: Room) -> bool:
    """Do the oldest job that nobody holds; False if there is none."""
    job = _next(room, None)
    if job is not None:
        _do(room, job, silent)
    return job is not None


def run_one(room: Room, job_id: str) -> bool:
    """Do one job by its id; False if it has ended or another holds it."""
    now = _now()
    with room.catalogue.transaction() as tx:
        job = tx.lease_job(job_id, now=now, until=_lease(now))
    if job is None:
        return False
    _do(room, job, silent)
    return True


def _do(room: Room, job: JobRow, progress: Progress) -> None:
    """Run a leased job to its end, or give it back."""
    made: list[ObjectRow] = []
    try:
        with room.catalogue.writing():
            with _renewed(room, job):
                _handler(room, job.name)(_bench(room, job, made, progress))
            if not _end(room, job, made):
                _discard(room, made)
    except (BadInput, NotFound, IntegrityError) as error:
        _fail(room, job, made, error)
    except BaseException as error:
        if isinstance(error, BackendError) and error.retryable:
            _put_off(room, job)
        elif isinstance(error, Exception) and job.attempts >= ATTEMPTS:
            _fail(room, job, made, error)
            return
        else:
            _discard(room, made)
            with room.catalogue.transaction() as tx:
                tx.return_job(job.id, error=type(error).__name__)
        raise


def _bench(room: Room, job: JobRow, made: list[ObjectRow], progress: Progress) -> Bench:
    with room.catalogue.transaction() as tx:
        row = tx.session(job.session_id)
    return Bench(room, Opened(room, row), progress, made)


def _put_off(room: Room, job: JobRow) -> None:
    """Leave a job under its lease for a while: what it needs is away, however often one tries.

    What it had stored by then is left to `fixity --repair`, for the store may be what is away.
    """
    pause = min(LEASE_SECONDS * 2 ** (job.attempts - 1), _PAUSE_SECONDS)
    with room.catalogue.transaction() as tx:
        tx.renew_job(job.id, until=_now() + timedelta(seconds=pause))


def _handler(room: Room, name: str) -> Handler:
    if name not in room.jobs:
        raise BackendError(f"No worker here knows the job {name}.")
    return room.jobs[name]


def _end(room: Room, job: JobRow, made: Sequence[ObjectRow], error: str | None = None) -> bool:
    """Record what a job made and that it has ended, in one step; False if it had ended before."""
    with room.catalogue.transaction() as tx:
        if not tx.end_job(job.id, error=error):
            return False
        for row in made:
            tx.add_object(row)
        if all(j.state in {"done", "failed"} for j in tx.jobs(job.session_id)):
            tx.set_state(job.session_id, State.READY)
    return True


def _fail(room: Room, job: JobRow, made: Sequence[ObjectRow], error: Exception) -> None:
    """End a job for good; only errors of our own have messages that are free of content."""
    _discard(room, made)
    own = f": {error}" if isinstance(error, StrongroomError) else ""
    _end(room, job, (), error=f"{type(error).__name__}{own}")


def _discard(room: Room, made: Sequence[ObjectRow]) -> None:
    for row in made:
        room.store.delete(row.store_key, row.version)


def _next(room: Room, session_ids: Sequence[str] | None) -> JobRow | None:
    now = _now()
    with room.catalogue.transaction() as tx:
        return tx.next_job(now=now, until=_lease(now), session_ids=session_ids)


def _held(room: Room, session_id: str) -> bool:
    with room.catalogue.transaction() as tx:
        return any(job.state not in {"done", "failed"} for job in tx.jobs(session_id))


@contextmanager
def _renewed(room: Room, job: JobRow) -> Iterator[None]:
    """Keep the lease of a job while it runs."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE_SECONDS / 3):
            with room.catalogue.transaction() as tx:
                tx.renew_job(job.id, until=_lease(_now()))

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _now() -> datetime:
    return datetime.now(UTC)


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)
