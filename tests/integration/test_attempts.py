"""A job that ends its worker every time is given up; one that an outage keeps waiting is not."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import recordings, servers
from tests.homes import Home
from vault.errors import BackendError, NotFound
from vault.operations import attempt, jobs
from vault.operations.admission import Terms
from vault.operations.attempt import ATTEMPTS, Bench
from vault.operations.deposit import deposit
from vault.rows import JobRow

#: `strongroom up` with short leases, whose transcoding does what stands in place of STEP.
_UP = """
import os, signal, sys, time
import workers.app, workers.transcode
from vault import cli
from vault.operations import attempt

def step(bench):
    STEP

attempt.LEASE_SECONDS = 0.5
workers.app.RELAY_SECONDS = 0.5
workers.transcode.transcode = step
sys.argv = ["strongroom", "up", *sys.argv[1:]]
cli.main()
"""
KILLS = _UP.replace("STEP", "os.kill(os.getpid(), signal.SIGKILL)")
#: Lets the others begin, and kills all at work before they are done: but for one, they are healthy.
KILLS_OTHERS = _UP.replace(
    "STEP",
    """
    kills = bench.session.row.id == os.environ["POISON"]
    time.sleep(0.5 if kills else 1.5)
    if kills:
        os.kill(os.getpid(), signal.SIGKILL)
    """,
)
#: Leaves a mark each time.
SLEEPS = _UP.replace("STEP", 'open(os.environ["MARKS"], "a").write("x"); time.sleep(600)')


@pytest.fixture
def session(home: Home, tmp_path: Path) -> str:
    """One whose jobs are all still to be done."""
    with home.room() as room:
        source = recordings.recording(tmp_path / "a.wav", 0.1)
        (answer,) = deposit(room, [source], Terms(), wait=False).sessions
    return answer.id


@pytest.fixture
def office(home: Home, valkey_server: servers.ValkeyServer) -> Home:
    """A home whose jobs go through a broker, which is told again after a second."""
    home.extra |= {
        "STRONGROOM_BROKER_URL": valkey_server.url,
        "STRONGROOM_REDELIVER_SECONDS": "1",
    }
    return home


def tried(home: Home, session: str) -> Mapping[str, JobRow]:
    """The session's jobs by name."""
    with home.room() as room, room.catalogue.transaction() as tx:
        return {job.name: job for job in tx.jobs(session)}


def all_ended(home: Home, session: str) -> bool:
    return {job.state for job in tried(home, session).values()} <= {"done", "failed"}


def eventually(answer: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not answer():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.1)


@contextlib.contextmanager
def running(home: Home, program: str) -> Iterator[psutil.Process]:
    """A worker and all that it starts, until the block ends."""
    process = home.python(program)
    worker = psutil.Process(process.pid)
    try:
        yield worker
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [*worker.children(recursive=True), worker]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        process.communicate()


def test_a_job_that_kills_its_worker_every_time_is_given_up(home: Home, session: str) -> None:
    deaths = 0
    while not all_ended(home, session):
        deaths += died(home, session)
    assert deaths == ATTEMPTS
    is_told(home, session)


def died(home: Home, *sessions: str, program: str = KILLS, at_once: int = 1) -> bool:
    """Whether a worker was killed before every job had ended."""
    process = home.python(program, "--concurrency", str(at_once))
    eventually(lambda: process.poll() is not None or all(all_ended(home, s) for s in sessions))
    was_killed = process.poll() == -signal.SIGKILL
    process.kill()
    process.communicate()
    return was_killed


def test_a_job_that_kills_its_worker_fails_no_other_that_runs_beside_it(
    home: Home, tmp_path: Path
) -> None:
    sources = [recordings.recording(tmp_path / f"{n}.wav", 0.1, seed=n) for n in range(3)]
    with home.room() as room:
        poison, *healthy = (s.id for s in deposit(room, sources, Terms(), wait=False).sessions)
    home.extra["POISON"] = poison
    deaths = 0
    while not all(all_ended(home, one) for one in (poison, *healthy)):
        deaths += died(home, poison, *healthy, program=KILLS_OTHERS, at_once=3)
    assert deaths == ATTEMPTS
    assert tried(home, poison)["transcode"].state == "failed"
    for one in healthy:
        assert (tried(home, one)["transcode"].state, tried(home, one)["analyse"].state) == (
            "done",
            "done",
        )
        assert tried(home, one)["transcode"].attempts <= 2


def test_a_job_that_kills_its_child_of_the_pool_is_given_up(office: Home, session: str) -> None:
    with running(office, KILLS) as worker:
        eventually(lambda: all_ended(office, session))
        worker.terminate()
        assert worker.wait(timeout=120) == 0
    is_told(office, session)


def is_told(home: Home, session: str) -> None:
    """A job was given up, the other is done, and whoever asks is told so, without content."""
    given_up, done = tried(home, session)["transcode"], tried(home, session)["analyse"]
    assert (given_up.state, given_up.attempts) == ("failed", ATTEMPTS)
    assert (done.state, done.error) == ("done", None)
    shown = home.run("show", session).document
    assert shown["state"] == "ready"
    (warning,) = (w for w in shown["warnings"] if w["code"] == "job-failed")
    assert "transcode" in warning["text"]
    assert "killed or crashed" in warning["text"]
    (listed,) = home.run("list", "--state", "ready").document["sessions"]
    assert listed["id"] == session
    (check,) = (c for c in home.run("doctor").document["checks"] if c["name"] == "jobs")
    assert not check["ok"]
    assert session in check["detail"]


def test_a_child_of_the_pool_that_is_told_to_stop_gives_its_attempt_back(
    office: Home, session: str, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.touch()
    office.extra["MARKS"] = str(marks)
    with running(office, SLEEPS) as worker:
        for begun in range(1, ATTEMPTS + 3):
            eventually(lambda begun=begun: len(marks.read_text()) == begun)  # type: ignore[misc]  # a bound default
            assert tried(office, session)["transcode"].attempts == 1
            for child in worker.children():
                child.terminate()


def test_a_broker_that_is_lost_in_the_middle_of_a_job_is_no_attempt(
    home: Home, session: str, tmp_path: Path
) -> None:
    home.extra["MARKS"] = str(tmp_path / "marks")
    with servers.valkey(tmp_path) as broker:
        home.extra["STRONGROOM_BROKER_URL"] = broker.url
        with running(home, SLEEPS):
            eventually(lambda: tried(home, session)["transcode"].attempts == 1)
            os.kill(broker.pid, signal.SIGKILL)
            eventually(lambda: tried(home, session)["transcode"].attempts == 0)


def test_a_worker_that_is_told_to_stop_and_killed_later_is_no_attempt(
    home: Home, session: str, tmp_path: Path
) -> None:
    home.extra["MARKS"] = str(tmp_path / "marks")
    for _ in range(2):
        with running(home, SLEEPS) as worker:
            eventually(lambda: tried(home, session)["transcode"].attempts == 1)
            worker.terminate()
            eventually(lambda: tried(home, session)["transcode"].attempts == 0)
            assert worker.is_running()


class Away:
    """A catalogue, and after `left` is set so many transactions that get no answer."""

    def __init__(self, catalogue: Any) -> None:
        self.catalogue, self.left = catalogue, 0

    def transaction(self) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise BackendError(retryable=True)
        return self.catalogue.transaction()

    def writing(self) -> Any:
        return self.catalogue.writing()


@pytest.mark.parametrize("step", ["store", "catalogue"])
def test_a_worker_tells_a_catalogue_that_was_away_too_that_it_was_no_attempt(
    home: Home, session: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(attempt, "_PAUSE_SECONDS", 0.05)

    with home.room() as room:
        catalogue: Any = Away(room.catalogue)

        def outage(_: Bench) -> None:
            catalogue.left = 4
            if step == "store":
                raise BackendError(retryable=True)

        names = dict.fromkeys(("transcode", "analyse"), outage)
        away = replace(room, catalogue=catalogue, jobs=names)
        with pytest.raises(BackendError):
            jobs.run_next(away, threading.Event())
        assert catalogue.left < 0
        assert sum(job.attempts for job in tried(home, session).values()) == 0
        # A command, or a worker that was told to stop, does not wait for it.
        time.sleep(0.1)
        stop = threading.Event()
        stop.set()
        for told in (None, stop):
            with pytest.raises(BackendError):
                jobs.run_next(away, told)
            assert catalogue.left > 0
            catalogue.left = 0
        assert sum(job.attempts for job in tried(home, session).values()) == 2


def test_failed_jobs_are_tried_again_when_an_operator_says_so(home: Home, session: str) -> None:
    with home.room() as room, room.catalogue.transaction() as tx:
        for job in tx.jobs(session):
            tx.lease_job(job.id, now=attempt.real_now(), until=attempt.real_now())
            tx.end_job(job.id, error="x")
    assert home.run("doctor").document.keys() == {"checks"}
    assert home.run("doctor", "--retry", "nobody", code=3).out == ""
    home.run("actor", "add", "ann", "--role", "auditor")
    home.run("doctor", "--retry", "all", "--actor", "ann", code=4)
    answer = home.run("doctor", "--retry", session).document
    assert sorted(r["job"] for r in answer["retried"]) == ["analyse", "transcode"]
    assert {r["session"] for r in answer["retried"]} == {session}
    assert {(j.state, j.attempts) for j in tried(home, session).values()} == {("done", 1)}
    assert home.run("show", session).document["state"] == "ready"
    assert home.run("doctor", "--retry", "all").document["retried"] == []


def test_all_failed_jobs_are_opened_again_and_nothing_else(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_PAGE", 2)
    with home.room() as room:
        sources = [recordings.recording(tmp_path / f"{n}.wav", 0.1, seed=n) for n in range(5)]
        ids = [s.id for s in deposit(room, sources, Terms(), wait=False).sessions]
        with room.catalogue.transaction() as tx:
            rows = [job for one in ids for job in tx.jobs(one)]
            for job in rows:
                tx.end_job(job.id, error="x" if job.session_id != ids[0] else None)
        opened = jobs.retry(room, None)
        assert {job.id for job in opened} == {j.id for j in rows if j.session_id != ids[0]}
        with room.catalogue.transaction() as tx:
            assert tx.count_jobs() == {"done": 2, "pending": 8}
        with pytest.raises(NotFound):
            jobs.retry(room, "nobody")
