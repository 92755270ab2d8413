"""Whatever befalls those who try it, a job ends; crashes end it, outages never do."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import homes, recordings
from tests.integration.mortal import killed
from vault.errors import BackendError, BadInput
from vault.operations import attempt, jobs
from vault.operations.admission import Terms
from vault.operations.attempt import ATTEMPTS, Bench
from vault.operations.deposit import deposit
from vault.rows import JobRow

_SHORT_SECONDS = 0.02


def crash(_: Bench) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def told_to_stop(_: Bench) -> None:
    raise SystemExit


def store_away(_: Bench) -> None:
    raise BackendError(retryable=True)


def store_full(_: Bench) -> None:
    raise BackendError


def mistake(_: Bench) -> None:
    raise ZeroDivisionError


def damage(_: Bench) -> None:
    raise BadInput


def success(_: Bench) -> None:
    pass


Step = Callable[[Bench], None]
COUNTED: tuple[Step, ...] = (crash, mistake)
HARMLESS: tuple[Step, ...] = (told_to_stop, store_away, store_full)
steps = st.sampled_from([*COUNTED, *COUNTED, *HARMLESS, damage, success])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[homes.Home]:
    """A home with one session that has no job, whose leases and pauses are short."""
    folder = tmp_path_factory.mktemp("attempts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempt, "LEASE_SECONDS", _SHORT_SECONDS)
        patch.setattr(attempt, "_PAUSE_SECONDS", _SHORT_SECONDS)
        made = homes.made(folder / "home")
        with made.room() as room:
            deposit(room, [recordings.recording(folder / "a.wav", 0.1)], Terms(), wait=True)
        yield made


def added(home: homes.Home) -> JobRow:
    """One more job of the session, new in its version."""
    with home.room() as room, room.catalogue.transaction() as tx:
        (session,) = {row.session_id for row in tx.all_objects(limit=10)}
        job = jobs.new("transcode", session, attempt.real_now())
        tx.add_jobs([replace(job, version=time.monotonic_ns())])
    return job


def found(home: homes.Home, job: JobRow) -> JobRow:
    with home.room() as room, room.catalogue.transaction() as tx:
        return next(row for row in tx.jobs(job.session_id) if row.id == job.id)


def tried(home: homes.Home, step: Step) -> None:
    """One worker comes, takes the job if it is free, and this befalls it."""
    with home.room() as room, contextlib.suppress(BackendError, ZeroDivisionError, SystemExit):
        jobs.run_next(replace(room, jobs={"transcode": step}))


def foretold(befalls: list[Step]) -> tuple[str, int]:
    """How the job has to end, and after how many attempts."""
    counted = 0
    for step in befalls:
        counted += step not in HARMLESS
        if step is success:
            return "done", counted
        if step is damage or counted == ATTEMPTS:
            return "failed", counted
    return "done", counted + 1


@given(befalls=st.lists(steps, max_size=12))
@settings(max_examples=25, deadline=None)
def test_every_job_ends_as_its_attempts_say(home: homes.Home, befalls: list[Step]) -> None:
    job = added(home)
    crashes = 0
    coming = iter(befalls)
    while found(home, job).state not in attempt.ENDED:
        time.sleep(2 * _SHORT_SECONDS)
        step = next(coming, success)
        if step is crash:
            crashes += killed(partial(tried, home, step))
        else:
            tried(home, step)
    assert crashes <= ATTEMPTS
    assert (found(home, job).state, found(home, job).attempts) == foretold(befalls)


def test_outages_without_end_never_fail_a_job(home: homes.Home) -> None:
    job = added(home)
    for step in [crash] * (ATTEMPTS - 1) + list(HARMLESS) * ATTEMPTS:
        time.sleep(2 * _SHORT_SECONDS)
        killed(partial(tried, home, step))
    assert found(home, job).attempts == ATTEMPTS - 1
    time.sleep(2 * _SHORT_SECONDS)
    tried(home, success)
    assert (found(home, job).state, found(home, job).attempts) == ("done", ATTEMPTS)
