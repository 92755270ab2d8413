"""What a unit of work can do with jobs: the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from vault.rows import JobRow


class JobWork(Protocol):
    """Work that was promised in the transaction that made it necessary."""

    def add_jobs(self, rows: Sequence[JobRow]) -> None:
        """Insert those whose (name, session_id, version) is new; the others are left alone."""
        ...

    def claim_to_send(self, *, limit: int, sent_before: datetime) -> Sequence[JobRow]:
        """Pending jobs, and those sent before `sent_before` that no worker holds, locked with
        SKIP LOCKED where the database has it, so that many relays may run.
        """
        ...

    def mark_sent(self, job_ids: Sequence[str], at: datetime | None) -> None:
        """Somebody was told of these at `at`; None: nobody was, after all."""
        ...

    def lease_job(self, job_id: str, *, now: datetime, until: datetime) -> JobRow | None:
        """Take the job and count the attempt, before anything else can happen to it; None if it is
        done, failed or held by another.
        """
        ...

    def renew_job(self, job_id: str, *, until: datetime) -> None:
        """Extend the lease of a job that has not ended."""
        ...

    def next_job(
        self, *, now: datetime, until: datetime, session_ids: Sequence[str] | None = None
    ) -> JobRow | None:
        """Lease the oldest job that is neither ended nor held, of these sessions if given."""
        ...

    def end_job(self, job_id: str, *, error: str | None) -> bool:
        """Done, or failed for good with `error`; False, and nothing done, if it had ended already.

        Of two that end the same job at once exactly one gets True.
        """
        ...

    def return_job(self, job_id: str, *, error: str) -> None:
        """Give the job back to be tried again."""
        ...

    def uncount_attempt(self, job_id: str) -> None:
        """One attempt fewer, if the job has not ended: nobody can say that it was tried."""
        ...

    def failed_jobs(self, *, limit: int, after: str | None = None) -> Sequence[JobRow]:
        """In order of id, those after `after` only."""
        ...

    def reopen_jobs(self, job_ids: Sequence[str]) -> None:
        """Those of them that failed are pending again, as if never tried."""
        ...

    def jobs(self, session_id: str) -> Sequence[JobRow]: ...

    def count_jobs(self) -> Mapping[str, int]:
        """How many jobs are in each state."""
        ...
