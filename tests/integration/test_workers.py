"""Workers behind a real broker: the catalogue is the truth, the broker only wakes them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tests import recordings, servers
from tests.homes import SCRIPT, Home
from vault.errors import BackendError, IntegrityError, NotFound
from vault.operations import attempt, jobs, retrieve
from vault.operations.room import Room
from vault.ports import Finding
from vault.rows import JobRow, SessionFilter

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PHRASES = ("My account number is in the letter", "Let me look that up for you")


@pytest.fixture
def broker(valkey_server: servers.ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def office(home: Home, valkey_server: servers.ValkeyServer, broker: redis.Redis) -> Home:
    """A home whose jobs go through the broker, which is told again after a second."""
    home.extra |= {
        "STRONGROOM_BROKER_URL": valkey_server.url,
        "STRONGROOM_REDELIVER_SECONDS": "1",
    }
    return home


@contextlib.contextmanager
def up(home: Home, log: Path) -> Iterator[psutil.Process]:
    """`strongroom up` until the block ends; it and its children are gone then."""
    with log.open("ab") as output, log.with_name(f"{log.name}.out").open("ab") as answers:
        process = subprocess.Popen(
            [SCRIPT, "--json", "up"],
            env=home.environment,
            stdin=subprocess.DEVNULL,
            stdout=answers,
            stderr=output,
        )
    watched = psutil.Process(process.pid)
    try:
        yield watched
    finally:
        end_family(watched)
        process.wait()


def end_family(parent: psutil.Process) -> None:
    """kill -9 for a process and all it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [parent, *parent.children(recursive=True)]
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def eventually(answer: Callable[[], Any], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not answer():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.1)


def states(home: Home) -> set[str]:
    """In which states jobs are."""
    with home.room() as room, room.catalogue.transaction() as tx:
        return set(tx.count_jobs())


def done(home: Home, sessions: int = 1) -> bool:
    """Whether so many sessions are ready, every job done."""
    with home.room() as room:
        rows = list(retrieve.sessions(room, SessionFilter()))
    return [row.state for row in rows] == ["ready"] * sessions and states(home) == {"done"}


def queued(broker: redis.Redis) -> list[dict[str, Any]]:
    return [json.loads(m) for m in broker.lrange("media", 0, -1)]


def deposited(home: Home, path: Path, *more: str) -> dict[str, Any]:
    (session,) = home.run("deposit", path, *more).document["sessions"]
    assert isinstance(session, dict)
    return session


def test_a_worker_does_what_a_deposit_left_for_it(office: Home, tmp_path: Path) -> None:
    session = deposited(office, recordings.bundle(tmp_path / "call", PHRASES))
    assert session["state"] == "sealed"
    with up(office, tmp_path / "log") as worker:
        eventually(lambda: done(office))
        worker.terminate()
        assert worker.wait(timeout=20) == 0
    with office.room() as room, room.catalogue.transaction() as tx:
        assert tx.session(session["id"]).state == "ready"
        assert {job.attempts for job in tx.jobs(session["id"])} == {1}
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert not any(phrase in log for phrase in PHRASES)
    assert len(re.findall(f"job .* of session {session['id']} has ended: transcode", log)) == 1
    assert (tmp_path / "log.out").read_text() == ""


def test_messages_carry_ids_and_nothing_else(
    office: Home, broker: redis.Redis, tmp_path: Path
) -> None:
    source = recordings.bundle(tmp_path / "mrs-smith", PHRASES)
    session = deposited(office, source, "--subject", "ann@example.com", "--external-id", "c-77")
    messages = queued(broker)
    bodies = [json.loads(base64.b64decode(message["body"])) for message in messages]
    with office.room() as room, room.catalogue.transaction() as tx:
        ids = sorted(job.id for job in tx.jobs(session["id"]))
    assert sorted(arguments for arguments, _, _ in bodies) == [[i] for i in ids]
    assert [named for _, named, _ in bodies] == [{}] * len(ids)
    everything = json.dumps(messages) + json.dumps(bodies)
    for word in ("ann@", "example.com", "c-77", "full.wav", "segments", "smith", *PHRASES):
        assert word not in everything
    assert {message["content-type"] for message in messages} == {"application/json"}


def test_a_wiped_broker_loses_nothing(office: Home, broker: redis.Redis, tmp_path: Path) -> None:
    for seed in range(3):
        deposited(office, recordings.recording(tmp_path / f"{seed}.wav", seed=seed))
    assert len(queued(broker)) >= 3
    broker.flushall()
    with up(office, tmp_path / "log"):
        eventually(lambda: done(office, 3))
    assert [s["state"] for s in office.run("list").document["sessions"]] == ["ready"] * 3


def test_a_broker_that_is_away_stops_no_deposit_and_may_come_back(
    home: Home, tmp_path: Path
) -> None:
    with servers.valkey(tmp_path) as broker:
        port = broker.url.rpartition(":")[2].removesuffix("/0")
        command = [psutil.Process(broker.pid).exe(), "--port", port, "--bind", servers.LOOPBACK]
        home.extra |= {
            "STRONGROOM_BROKER_URL": broker.url,
            "STRONGROOM_REDELIVER_SECONDS": "1",
        }
    away = home.run("deposit", recordings.recording(tmp_path / "a.wav"))
    assert away.document["sessions"][0]["state"] == "sealed"
    assert "broker" in away.err
    with up(home, tmp_path / "log"):
        time.sleep(1)
        with subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL) as again:
            try:
                eventually(lambda: done(home), 60)
            finally:
                again.kill()


def test_nobody_waits_for_a_broker_that_does_not_answer(home: Home, tmp_path: Path) -> None:
    session = home.run("deposit", recordings.recording(tmp_path / "a.wav"), "--no-wait")
    with home.room() as room:

        class Silent:
            def send(self, jobs: Sequence[JobRow]) -> None:
                with ThreadPoolExecutor() as others, contextlib.suppress(NotFound):
                    others.submit(set_title, room).result(timeout=5)
                raise BackendError("No answer.")

            def serve(self, concurrency: int) -> None:
                raise NotImplementedError

            def probe(self) -> Sequence[Finding]:
                raise NotImplementedError

        def set_title(room: Room) -> None:
            with room.catalogue.transaction() as tx:
                tx.set_metadata("no such session", b"")

        with pytest.raises(BackendError):
            jobs.relay(replace(room, queue=Silent()))
        with room.catalogue.transaction() as tx:
            states = {job.state for job in tx.jobs(session.document["sessions"][0]["id"])}
        assert states == {"pending"}


def test_a_message_delivered_twice_does_the_job_once(
    office: Home, broker: redis.Redis, tmp_path: Path
) -> None:
    session = deposited(office, recordings.recording(tmp_path / "a.wav"))
    for message in broker.lrange("media", 0, -1) * 3:
        broker.lpush("media", message)
    with up(office, tmp_path / "log"):
        eventually(lambda: done(office))
        eventually(lambda: not queued(broker))
    with office.room() as room, room.catalogue.transaction() as tx:
        assert {job.attempts for job in tx.jobs(session["id"])} == {1}
        kinds = [o.kind for o in tx.objects(session["id"])]
    assert len(set(kinds)) == len(kinds)
    assert office.run("fixity").document["orphans"] == []


def test_a_worker_killed_in_the_middle_of_a_job_loses_nothing(
    office: Home, broker: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deposited(office, recordings.recording(tmp_path / "long.wav", 600))

    def working() -> bool:
        with office.room() as room, room.catalogue.transaction() as tx:
            (found,) = {o.session_id for o in tx.all_objects(limit=10)}
            return any(j.name == "transcode" and j.lease_until for j in tx.jobs(found))

    with up(office, tmp_path / "log") as worker:
        eventually(working)
        end_family(worker)
    assert not done(office)
    # What the dead worker held is free after its lease, and told again after that.
    with up(office, tmp_path / "log"):
        eventually(lambda: done(office), 60)
    assert office.run("fixity", "--all", "--repair").code == 0
    assert queued(broker) == []


def test_without_a_broker_up_takes_jobs_from_the_catalogue_and_ends_cleanly(
    home: Home, tmp_path: Path
) -> None:
    for seed in range(2):
        deposited(home, recordings.recording(tmp_path / f"{seed}.wav", seed=seed), "--no-wait")
    with up(home, tmp_path / "log") as worker:
        eventually(lambda: done(home, 2))
        # It goes on looking: what is deposited now is done too.
        deposited(home, recordings.recording(tmp_path / "2.wav", seed=2), "--no-wait")
        eventually(lambda: done(home, 3))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0


def test_damage_fails_its_job_and_stops_no_worker(home: Home, tmp_path: Path) -> None:
    first = deposited(home, recordings.recording(tmp_path / "0.wav"), "--no-wait")
    (stored,) = home.objects()
    stored.chmod(0o600)
    os.truncate(stored, stored.stat().st_size - 1)
    second = deposited(home, recordings.recording(tmp_path / "1.wav", seed=1), "--no-wait")
    with up(home, tmp_path / "log"):
        eventually(lambda: states(home) == {"done", "failed"})
    warnings = home.run("show", first["id"]).document["warnings"]
    assert "job-failed" in {w["code"] for w in warnings}
    assert home.run("show", second["id"]).document["state"] == "ready"


def test_a_catalogue_that_was_altered_stops_no_worker(home: Home, tmp_path: Path) -> None:
    deposited(home, recordings.recording(tmp_path / "0.wav"), "--no-wait")
    with contextlib.closing(sqlite3.connect(home.folder / "catalogue.db")) as database:
        database.execute("UPDATE objects SET manifest = zeroblob(length(manifest))")
        database.commit()
    with home.room() as room:
        while jobs.run_next(room):
            pass
    assert states(home) == {"failed"}


def test_what_is_away_puts_a_job_off_however_often_and_never_fails_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = deposited(home, recordings.recording(tmp_path / "0.wav"), "--no-wait")
    monkeypatch.setattr(attempt, "LEASE_SECONDS", 0.01)
    monkeypatch.setattr(attempt, "_PAUSE_SECONDS", 0.01)
    calls = iter(range(100))

    def away(_bench: attempt.Bench) -> None:
        next(calls)
        raise BackendError(retryable=True)

    monkeypatch.setattr(attempt, "_handler", lambda *_: away)
    with home.room() as room:
        for _ in range(4 * attempt.ATTEMPTS):
            time.sleep(0.02)
            with pytest.raises(BackendError):
                jobs.run_next(room)
        assert next(calls) == 4 * attempt.ATTEMPTS
        time.sleep(0.02)
        monkeypatch.undo()
        while jobs.run_next(room):
            pass
        with room.catalogue.transaction() as tx:
            assert tx.session(session["id"]).state == "ready"


def test_a_step_that_always_breaks_is_given_up(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = deposited(home, recordings.recording(tmp_path / "0.wav"), "--no-wait")

    def broken(_bench: attempt.Bench) -> None:
        raise ZeroDivisionError("the caller's name is Ann")

    monkeypatch.setattr(attempt, "_handler", lambda *_: broken)
    with home.room() as room:
        broke, left = 0, True
        while left:
            try:
                left = jobs.run_next(room)
            except ZeroDivisionError:
                broke += 1
        with room.catalogue.transaction() as tx:
            steps = tx.jobs(session["id"])
        assert broke == len(steps) * (attempt.ATTEMPTS - 1)
    assert {(job.state, job.error) for job in steps} == {("failed", "ZeroDivisionError")}


def test_damage_is_given_up_at_once(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = deposited(home, recordings.recording(tmp_path / "0.wav"), "--no-wait")

    def damaged(_bench: attempt.Bench) -> None:
        raise IntegrityError

    monkeypatch.setattr(attempt, "_handler", lambda *_: damaged)
    with home.room() as room:
        while jobs.run_next(room):
            pass
        with room.catalogue.transaction() as tx:
            assert {job.attempts for job in tx.jobs(session["id"])} == {1}
    assert states(home) == {"failed"}
