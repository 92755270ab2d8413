"""The outbox: work that was promised in the transaction that made it necessary.

A job is open (pending or sent) until it is done or failed, and only an operator opens a
failed one again. It is held while `lease_until` lies in the future; a worker that dies lets go
by saying nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, update

from vault.catalogue.rows import Rows, found
from vault.catalogue.tables import job_is_open, jobs
from vault.rows import JobRow


class Jobs(Rows):
    """The jobs of the Transaction port."""

    def add_jobs(self, rows: Sequence[JobRow]) -> None:
        self._add_new(jobs, rows)

    def claim_to_send(self, *, limit: int, sent_before: datetime) -> Sequence[JobRow]:
        """Oldest first. A lease counts as let go once it ended before `sent_before`."""
        due = (jobs.c.state == "pending") | (jobs.c.sent_at < sent_before)
        some = select(jobs).where(job_is_open, due, _free(sent_before))
        some = some.order_by(jobs.c.created_at, jobs.c.id).limit(limit)
        return self._select_all(JobRow, some.with_for_update(skip_locked=True))

    def mark_sent(self, job_ids: Sequence[str], at: datetime | None) -> None:
        these = update(jobs).where(job_is_open, self._among(jobs.c.id, job_ids))
        self._run(these.values(state="pending" if at is None else "sent", sent_at=at))

    def lease_job(self, job_id: str, *, now: datetime, until: datetime) -> JobRow | None:
        return self._lease((jobs.c.id == job_id) & _free(now), until)

    def next_job(
        self, *, now: datetime, until: datetime, session_ids: Sequence[str] | None = None
    ) -> JobRow | None:
        oldest = select(jobs.c.id).where(job_is_open, _free(now))
        if session_ids is not None:
            oldest = oldest.where(self._among(jobs.c.session_id, session_ids))
        oldest = oldest.order_by(jobs.c.created_at, jobs.c.id).limit(1)
        chosen = oldest.with_for_update(skip_locked=True).scalar_subquery().correlate(None)
        return self._lease(jobs.c.id == chosen, until)

    def renew_job(self, job_id: str, *, until: datetime) -> None:
        """Does nothing to a job that has ended or was given back."""
        this = update(jobs).where(job_is_open, jobs.c.id == job_id, jobs.c.lease_until.is_not(None))
        self._run(this.values(lease_until=until))

    def _lease(self, chosen: ColumnElement[bool], until: datetime) -> JobRow | None:
        """Choosing and taking are one statement: of two that come at once, one gets it."""
        this = update(jobs).where(job_is_open, chosen)
        taken = this.values(lease_until=until, attempts=jobs.c.attempts + 1).returning(*jobs.c)
        row = self._run(taken).mappings().first()
        return None if row is None else JobRow(**row)

    def end_job(self, job_id: str, *, error: str | None) -> bool:
        """Raises `NotFound`."""
        return self._let_go(job_id, state="done" if error is None else "failed", error=error)

    def return_job(self, job_id: str, *, error: str) -> None:
        """Pending again, for a relay to send; an ended job stays ended. Raises `NotFound`."""
        self._let_go(job_id, state="pending", error=error)

    def uncount_attempt(self, job_id: str) -> None:
        """Never below none: a job that was opened again has forgotten who still tries it."""
        this = update(jobs).where(job_is_open, jobs.c.id == job_id, jobs.c.attempts > 0)
        self._run(this.values(attempts=jobs.c.attempts - 1))

    def failed_jobs(self, *, limit: int, after: str | None = None) -> Sequence[JobRow]:
        these = select(jobs).where(jobs.c.state == "failed")
        if after is not None:
            these = these.where(jobs.c.id > after)
        return self._select_all(JobRow, these.order_by(jobs.c.id).limit(limit))

    def reopen_jobs(self, job_ids: Sequence[str]) -> None:
        these = update(jobs).where(jobs.c.state == "failed", self._among(jobs.c.id, job_ids))
        self._run(these.values(state="pending", attempts=0, sent_at=None, error=None))

    def _let_go(self, job_id: str, *, state: str, error: str | None) -> bool:
        this = update(jobs).where(job_is_open, jobs.c.id == job_id)
        if self._run(this.values(state=state, error=error, lease_until=None)).rowcount > 0:
            return True
        found(self._run(select(jobs.c.id).where(jobs.c.id == job_id)).first(), "job")
        return False

    def jobs(self, session_id: str) -> Sequence[JobRow]:
        """Oldest first."""
        these = select(jobs).where(jobs.c.session_id == session_id)
        return self._select_all(JobRow, these.order_by(jobs.c.created_at, jobs.c.id))

    def count_jobs(self) -> Mapping[str, int]:
        return self._counts(jobs.c.state, jobs)


def _free(at: datetime) -> ColumnElement[bool]:
    """No worker held the job at that instant; a lease ends at its own last instant."""
    return jobs.c.lease_until.is_(None) | (jobs.c.lease_until <= at)
