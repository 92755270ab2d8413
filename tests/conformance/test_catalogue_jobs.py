"""The outbox of the catalogue, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest

from tests.conformance.archived import HOUR, NOON, a_deposit, a_job, jobs_stored, stored
from vault.model import new_id
from vault.ports import Catalogue, Transaction
from vault.rows import JobRow

SECOND = timedelta(seconds=1)
THREADS = 8
Answer = TypeVar("Answer")


def job_of(catalogue: Catalogue, job: JobRow) -> JobRow:
    with catalogue.transaction() as tx:
        return next(row for row in tx.jobs(job.session_id) if row.id == job.id)


class TestAdding:
    def test_jobs_that_are_there_are_left_alone(self, catalogue: Catalogue) -> None:
        [job] = jobs_stored(catalogue, 1)
        again = a_job(job.session_id, version=0, queue="text")
        another = a_job(job.session_id, name="peaks", version=0, created_at=NOON + HOUR)
        with catalogue.transaction() as tx:
            tx.add_jobs([again, another])
            tx.add_jobs([])
        with catalogue.transaction() as tx:
            assert tx.jobs(job.session_id) == [job, another]
            assert tx.jobs(new_id()) == []

    def test_jobs_are_counted_by_state(self, catalogue: Catalogue) -> None:
        jobs = jobs_stored(catalogue, 4)
        with catalogue.transaction() as tx:
            tx.mark_sent([jobs[1].id], NOON)
            tx.end_job(jobs[2].id, error=None)
            tx.end_job(jobs[3].id, error="BackendError")
            assert tx.count_jobs() == {"pending": 1, "sent": 1, "done": 1, "failed": 1}


class TestSending:
    def test_pending_jobs_are_claimed_oldest_first_and_up_to_the_limit(
        self, catalogue: Catalogue
    ) -> None:
        jobs = jobs_stored(catalogue, 5)
        with catalogue.transaction() as tx:
            assert tx.claim_to_send(limit=3, sent_before=NOON - HOUR) == jobs[:3]
            tx.mark_sent([job.id for job in jobs[:3]], NOON)
            assert tx.claim_to_send(limit=3, sent_before=NOON - HOUR) == jobs[3:]
        assert job_of(catalogue, jobs[0]) == replace(jobs[0], state="sent", sent_at=NOON)

    def test_sent_jobs_are_claimed_again_once_that_is_long_ago(self, catalogue: Catalogue) -> None:
        [job] = jobs_stored(catalogue, 1)
        with catalogue.transaction() as tx:
            tx.mark_sent([job.id], NOON)
            assert tx.claim_to_send(limit=9, sent_before=NOON) == []
            [again] = tx.claim_to_send(limit=9, sent_before=NOON + SECOND)
            assert again.id == job.id

    def test_jobs_of_which_nobody_was_told_after_all_are_as_before(
        self, catalogue: Catalogue
    ) -> None:
        [job] = jobs_stored(catalogue, 1)
        with catalogue.transaction() as tx:
            tx.mark_sent([job.id], NOON)
            tx.mark_sent([job.id], None)
            assert tx.claim_to_send(limit=9, sent_before=NOON - HOUR) == [job]

    def test_a_job_that_a_worker_holds_is_not_claimed(self, catalogue: Catalogue) -> None:
        [pending, sent] = jobs_stored(catalogue, 2)
        with catalogue.transaction() as tx:
            tx.mark_sent([sent.id], NOON)
            for job in (pending, sent):
                assert tx.lease_job(job.id, now=NOON, until=NOON + HOUR)
            assert tx.claim_to_send(limit=9, sent_before=NOON + HOUR - SECOND) == []
            assert len(tx.claim_to_send(limit=9, sent_before=NOON + HOUR)) == 2

    def test_an_ended_job_is_neither_claimed_nor_marked(self, catalogue: Catalogue) -> None:
        [done, failed] = jobs_stored(catalogue, 2)
        with catalogue.transaction() as tx:
            tx.end_job(done.id, error=None)
            tx.end_job(failed.id, error="x")
            tx.mark_sent([done.id, failed.id], NOON)
            assert tx.claim_to_send(limit=9, sent_before=NOON + HOUR) == []
            assert tx.count_jobs() == {"done": 1, "failed": 1}

    def test_many_relays_claim_every_job_once(self, catalogue: Catalogue) -> None:
        jobs = jobs_stored(catalogue, 40)

        def relay(tx: Transaction) -> list[str]:
            rows = tx.claim_to_send(limit=3, sent_before=NOON - HOUR)
            tx.mark_sent([row.id for row in rows], NOON)
            return [row.id for row in rows]

        assert Counter(until_nothing_is_left(catalogue, relay)) == Counter(job.id for job in jobs)


class TestLeasing:
    def test_a_lease_counts_the_attempt_and_keeps_others_out_until_it_ends(
        self, catalogue: Catalogue
    ) -> None:
        [job] = jobs_stored(catalogue, 1)
        until = NOON + HOUR
        with catalogue.transaction() as tx:
            leased = tx.lease_job(job.id, now=NOON, until=until)
            assert leased == replace(job, attempts=1, lease_until=until)
            assert tx.lease_job(job.id, now=until - SECOND, until=until) is None
            assert tx.next_job(now=until - SECOND, until=until) is None
        with catalogue.transaction() as tx:
            again = tx.lease_job(job.id, now=until, until=until + HOUR)
            assert again == replace(job, attempts=2, lease_until=until + HOUR)
            assert tx.lease_job(new_id(), now=NOON, until=until) is None

    def test_a_lease_is_renewed_while_there_is_one(self, catalogue: Catalogue) -> None:
        [job, returned, ended] = jobs_stored(catalogue, 3)
        later = NOON + 2 * HOUR
        with catalogue.transaction() as tx:
            for row in (job, returned, ended):
                tx.lease_job(row.id, now=NOON, until=NOON + HOUR)
            tx.return_job(returned.id, error="x")
            tx.end_job(ended.id, error=None)
            for row in (job, returned, ended):
                tx.renew_job(row.id, until=later)
        assert job_of(catalogue, job).lease_until == later
        assert job_of(catalogue, returned).lease_until is None
        assert job_of(catalogue, ended).lease_until is None

    def test_the_next_job_is_the_oldest_free_one(self, catalogue: Catalogue) -> None:
        jobs = jobs_stored(catalogue, 4)
        with catalogue.transaction() as tx:
            tx.lease_job(jobs[0].id, now=NOON, until=NOON + HOUR)
            tx.end_job(jobs[1].id, error=None)
            tx.mark_sent([jobs[2].id], NOON)
            taken = [tx.next_job(now=NOON, until=NOON + HOUR) for _ in range(3)]
        assert [row and row.id for row in taken] == [jobs[2].id, jobs[3].id, None]
        assert taken[0] == replace(
            jobs[2], state="sent", sent_at=NOON, attempts=1, lease_until=NOON + HOUR
        )

    def test_the_next_job_may_be_asked_for_some_sessions(self, catalogue: Catalogue) -> None:
        old, new = jobs_stored(catalogue, 1), jobs_stored(catalogue, 1)
        with catalogue.transaction() as tx:
            nobody = [new_id() for _ in range(70_000)]
            assert tx.next_job(now=NOON, until=NOON + HOUR, session_ids=[]) is None
            assert tx.next_job(now=NOON, until=NOON + HOUR, session_ids=nobody) is None
            wanted = [*nobody, new[0].session_id]
            row = tx.next_job(now=NOON, until=NOON + HOUR, session_ids=wanted)
            assert row is not None
            assert row.id == new[0].id
            assert tx.next_job(now=NOON, until=NOON + HOUR, session_ids=wanted) is None
            assert tx.next_job(now=NOON, until=NOON + HOUR, session_ids=[old[0].session_id])

    def test_eight_threads_never_get_the_same_job(self, catalogue: Catalogue) -> None:
        jobs = jobs_stored(catalogue, 60)

        def take(tx: Transaction) -> list[str]:
            row = tx.next_job(now=NOON, until=NOON + HOUR)
            return [row.id] if row else []

        assert Counter(until_nothing_is_left(catalogue, take)) == Counter(job.id for job in jobs)

    def test_of_eight_that_want_one_job_one_gets_it(self, catalogue: Catalogue) -> None:
        for job in jobs_stored(catalogue, 4):
            got = all_at_once(
                catalogue,
                lambda tx, job=job: tx.lease_job(job.id, now=NOON, until=NOON + HOUR),  # type: ignore[misc] # a bound default
            )
            assert sum(row is not None for row in got) == 1
            assert job_of(catalogue, job).attempts == 1


class TestEnding:
    @pytest.mark.parametrize(("error", "state"), [(None, "done"), ("BackendError", "failed")])
    def test_a_job_that_ended_never_comes_back(
        self, catalogue: Catalogue, error: str | None, state: str
    ) -> None:
        [job] = jobs_stored(catalogue, 1)
        with catalogue.transaction() as tx:
            tx.lease_job(job.id, now=NOON, until=NOON + SECOND)
            assert tx.end_job(job.id, error=error)
        with catalogue.transaction() as tx:
            assert not tx.end_job(job.id, error="other")
            assert not tx.end_job(job.id, error=None)
            tx.return_job(job.id, error="other")
            tx.add_jobs([job])
            assert tx.lease_job(job.id, now=NOON + HOUR, until=NOON + 2 * HOUR) is None
            assert tx.next_job(now=NOON + HOUR, until=NOON + 2 * HOUR) is None
        assert job_of(catalogue, job) == replace(job, state=state, attempts=1, error=error)

    def test_a_returned_job_is_pending_and_remembers_why(self, catalogue: Catalogue) -> None:
        [job] = jobs_stored(catalogue, 1)
        with catalogue.transaction() as tx:
            tx.mark_sent([job.id], NOON)
            tx.lease_job(job.id, now=NOON, until=NOON + HOUR)
            tx.return_job(job.id, error="interrupted")
        with catalogue.transaction() as tx:
            [again] = tx.claim_to_send(limit=9, sent_before=NOON - HOUR)
            assert (again.state, again.error, again.attempts) == ("pending", "interrupted", 1)
            assert tx.lease_job(job.id, now=NOON, until=NOON + HOUR)

    def test_an_attempt_is_uncounted_and_the_lease_stays(self, catalogue: Catalogue) -> None:
        [job, untried, ended] = jobs_stored(catalogue, 3)
        until = NOON + HOUR
        with catalogue.transaction() as tx:
            for _ in range(2):
                tx.lease_job(job.id, now=until, until=until)
            tx.lease_job(ended.id, now=NOON, until=until)
            tx.end_job(ended.id, error="x")
            for row in (job, untried, ended):
                tx.uncount_attempt(row.id)
            tx.uncount_attempt(new_id())
        assert job_of(catalogue, job) == replace(job, attempts=1, lease_until=until)
        assert job_of(catalogue, untried) == untried
        assert job_of(catalogue, ended).attempts == 1

    def test_failed_jobs_are_found_page_by_page(self, catalogue: Catalogue) -> None:
        jobs = jobs_stored(catalogue, 5)
        with catalogue.transaction() as tx:
            tx.end_job(jobs[0].id, error=None)
            for job in jobs[2:]:
                tx.end_job(job.id, error="x")
            first = tx.failed_jobs(limit=2)
            rest = tx.failed_jobs(limit=2, after=first[-1].id)
            assert tx.failed_jobs(limit=2, after=rest[-1].id) == []
        wanted = sorted(job.id for job in jobs[2:])
        assert [job.id for job in [*first, *rest]] == wanted
        assert first[0].error == "x"

    def test_a_failed_job_is_opened_again_as_if_never_tried(self, catalogue: Catalogue) -> None:
        [failed, done, held] = jobs_stored(catalogue, 3)
        with catalogue.transaction() as tx:
            tx.mark_sent([failed.id], NOON)
            for row in (failed, done, held):
                tx.lease_job(row.id, now=NOON, until=NOON + HOUR)
            tx.end_job(failed.id, error="x")
            tx.end_job(done.id, error=None)
            tx.reopen_jobs([failed.id, done.id, held.id, new_id()])
            tx.reopen_jobs([])
        assert job_of(catalogue, failed) == failed
        assert job_of(catalogue, done).state == "done"
        assert job_of(catalogue, held).lease_until == NOON + HOUR
        with catalogue.transaction() as tx:
            assert [job.id for job in tx.claim_to_send(limit=9, sent_before=NOON)] == [failed.id]
            tx.uncount_attempt(failed.id)
            assert tx.lease_job(failed.id, now=NOON, until=NOON + HOUR)
        assert job_of(catalogue, failed).attempts == 1

    def test_of_eight_that_end_one_job_one_is_told_so(self, catalogue: Catalogue) -> None:
        for job in jobs_stored(catalogue, 4):
            got = all_at_once(catalogue, lambda tx, job=job: tx.end_job(job.id, error=None))  # type: ignore[misc] # a bound default
            assert sorted(got) == [False] * (THREADS - 1) + [True]

    def test_jobs_of_a_deposit_that_was_left_out_do_not_exist(self, catalogue: Catalogue) -> None:
        first = a_deposit(jobs=1)
        stored(catalogue, first)
        stored(catalogue, a_deposit(jobs=5, fingerprint=first.session.fingerprint))
        with catalogue.transaction() as tx:
            assert tx.count_jobs() == {"pending": 1}


def until_nothing_is_left(
    catalogue: Catalogue, take: Callable[[Transaction], list[str]]
) -> list[str]:
    """What eight threads took together, each in transactions of its own until one is empty."""
    start = Barrier(THREADS)

    def work(_: int) -> list[str]:
        start.wait()
        taken: list[str] = []
        while True:
            with catalogue.transaction() as tx:
                got = take(tx)
            if not got:
                return taken
            taken += got

    with ThreadPoolExecutor(THREADS) as pool:
        return [one for taken in pool.map(work, range(THREADS)) for one in taken]


def all_at_once(catalogue: Catalogue, ask: Callable[[Transaction], Answer]) -> list[Answer]:
    """What eight threads were answered that asked at the same moment."""
    start = Barrier(THREADS)

    def work(_: int) -> Answer:
        start.wait()
        with catalogue.transaction() as tx:
            return ask(tx)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))
