"""Jobs: work on a session after its deposit, told by the catalogue, done by whoever is awake.

A job is a row written in the same transaction as the fact that needs it. The broker only
wakes workers; it may be wiped at any time. A job may be delivered twice or die half-way:
it holds a short lease that it keeps renewing, its objects count only once the transaction
that ends it has committed, and of two that end it one wins and the other removes what it
made. What becomes of a leased job is told in `attempt.py`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from vault.errors import BackendError
from vault.model import State, new_id
from vault.operations.actors import permit
from vault.operations.attempt import ENDED, Attempt, lease_until, real_now
from vault.operations.crew import Crew
from vault.operations.room import Progress, Room, silent
from vault.rows import JobRow

_PAGE = 500
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
    """Tell the broker of every job that nobody was told of, or told of too long ago; how many.

    A broker may take long to answer or not to, so no transaction waits for it. Who dies between
    the two leaves jobs that count as told: they are told of again like any whose message was lost.
    """
    if room.queue is None:
        return 0
    told = 0
    while True:
        rows = _claimed(room)
        try:
            room.queue.send(rows)
        except BackendError:
            with room.catalogue.transaction() as tx:
                tx.mark_sent([r.id for r in rows], None)
            raise
        told += len(rows)
        if len(rows) < _PAGE:
            return told


def _claimed(room: Room) -> Sequence[JobRow]:
    """Some jobs to tell of, which no other relay tells of now."""
    now = real_now()
    before = now - timedelta(seconds=room.redeliver_seconds)
    with room.catalogue.transaction() as tx:
        rows = tx.claim_to_send(limit=_PAGE, sent_before=before)
        tx.mark_sent([r.id for r in rows], now)
    return rows


def run(room: Room, session_ids: Sequence[str], *, progress: Progress = silent) -> bool:
    """Do every job of these sessions in this process, as many at a time as there are processors.

    Waits for a job that another process holds: either that one ends it, or its lease runs out.
    False if a back end failed and jobs were left to be done later.
    """
    crew, failed = Crew(), threading.Event()

    def session(one: str) -> bool:
        while not failed.is_set():
            try:
                if _do_next(room, [one], crew, progress):
                    continue
            except BackendError:
                failed.set()
                break
            if not _held(room, one):
                return True
            failed.wait(_HELD_SECONDS)
        return False

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return all(list(pool.map(session, session_ids)))


def run_next(room: Room, stop: threading.Event | None = None, crew: Crew | None = None) -> bool:
    """Do the oldest job that nobody holds; False if there is none.

    A worker passes its `stop`, and the `crew` of its process.
    """
    return _do_next(room, None, crew or Crew(), silent, stop)


def _do_next(
    room: Room,
    session_ids: Sequence[str] | None,
    crew: Crew,
    progress: Progress,
    stop: threading.Event | None = None,
) -> bool:
    """Do the oldest free job; False if there is none.

    One that was tried before may have killed who tried it, and all that ran beside it. It is
    done while the crew rests, and held only then: no other job shall die with it, nor it with
    another.
    """
    with crew.beside():
        job = _next(room, session_ids)
        if job is None:
            return False
        if job.attempts == 1:
            Attempt(room, job, progress, stop).run()
            return True
        Attempt(room, job).release()
    with crew.alone():
        again = None if stop is not None and stop.is_set() else _lease(room, job.id)
        if again is not None:
            Attempt(room, again, progress, stop).run()
    return True


def run_one(room: Room, job_id: str, stop: threading.Event | None = None) -> JobRow | None:
    """Do one job by its id, and say which; None if it has ended or another holds it."""
    job = _lease(room, job_id)
    if job is not None:
        Attempt(room, job, stop=stop).run()
    return job


def retry(room: Room, session_id: str | None) -> list[JobRow]:
    """Open the failed jobs of a session, or of all, to be tried as if for the first time.

    They are as they were when they had failed. Where something was disposed of, nothing is made
    anew. Raises `NotFound` for an unknown session.
    """
    permit(room, "jobs")
    opened: list[JobRow] = []
    seen: str | None = None
    while True:
        with room.catalogue.transaction() as tx:
            if session_id is None:
                some = tx.failed_jobs(limit=_PAGE, after=seen)
            else:
                tx.session(session_id)
                some = [job for job in tx.jobs(session_id) if job.state == "failed"]
            again = [job for job in some if not tx.disposals(session_id=job.session_id)]
            tx.reopen_jobs([job.id for job in again])
            for one in {job.session_id for job in again}:
                if tx.session(one).state is State.READY:
                    tx.set_state(one, State.SEALED)
        seen = some[-1].id if some else None
        opened += again
        if len(some) < _PAGE or session_id is not None:
            return opened


def _next(room: Room, session_ids: Sequence[str] | None) -> JobRow | None:
    now = real_now()
    with room.catalogue.transaction() as tx:
        return tx.next_job(now=now, until=lease_until(now), session_ids=session_ids)


def _lease(room: Room, job_id: str) -> JobRow | None:
    now = real_now()
    with room.catalogue.transaction() as tx:
        return tx.lease_job(job_id, now=now, until=lease_until(now))


def _held(room: Room, session_id: str) -> bool:
    with room.catalogue.transaction() as tx:
        return any(job.state not in ENDED for job in tx.jobs(session_id))
