"""What becomes of a catalogue whose PostgreSQL server goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Event

import psutil
import psycopg
import pytest

from tests import servers
from tests.conformance.archived import (
    a_deposit,
    count_of_sessions,
    jobs_stored,
    stored,
)
from tests.conftest import _started
from vault.catalogue import open_catalogue
from vault.errors import BackendError
from vault.ports import Catalogue

MOMENT = 0.3


class TestServerLoss:
    def test_a_server_that_goes_and_comes_back(self, tmp_path: Path) -> None:
        with _started(servers.postgres) as server:
            url = servers.fresh_database(server)
            catalogue = open_catalogue(url, home=tmp_path)
            catalogue.create()
            jobs_stored(catalogue, 1)
            revive = stop(server.pid)

            asked: list[Callable[[], object]] = [
                lambda: count_of_sessions(catalogue),
                lambda: catalogue.writing().__enter__(),
                lambda: catalogue.exclusive(timeout_seconds=1).__enter__(),
                open_catalogue(url, home=tmp_path).create,
            ]
            for ask in asked:
                with pytest.raises(BackendError) as caught:
                    ask()
                assert caught.value.retryable
            assert not catalogue.probe()[0].ok

            with revive(url) as pid:
                assert count_of_sessions(catalogue) == 1
                with catalogue.writing():
                    stored(catalogue, a_deposit())
                with pytest.raises(BackendError) as caught:
                    lose(catalogue, pid)
                assert caught.value.retryable

    def test_a_database_that_is_not_there_is_not_worth_a_retry(
        self, database_url: str, tmp_path: Path
    ) -> None:
        nowhere = database_url.rpartition("/")[0] + "/nowhere"
        with pytest.raises(BackendError) as caught:
            open_catalogue(nowhere, home=tmp_path).create()
        assert not caught.value.retryable

    def test_transactions_that_lock_each_other_out_end_in_a_retryable_error(
        self, database_url: str, tmp_path: Path
    ) -> None:
        catalogue = open_catalogue(database_url, home=tmp_path)
        catalogue.create()
        with catalogue.transaction() as tx:
            tx.set_setting("a", b"")
            tx.set_setting("b", b"")
        inside = Event()

        def other() -> None:
            with catalogue.transaction() as tx:
                tx.set_setting("b", b"2")
                inside.set()
                tx.set_setting("a", b"2")

        with ThreadPoolExecutor(1) as pool:

            def mine() -> Future[None]:
                with catalogue.transaction() as tx:
                    tx.set_setting("a", b"1")
                    crossing = pool.submit(other)
                    inside.wait()
                    time.sleep(MOMENT)
                    tx.set_setting("b", b"1")
                return crossing

            with pytest.raises(BackendError) as caught:
                mine().result(30)
        assert caught.value.retryable


def lose(catalogue: Catalogue, pid: int) -> None:
    """Have the server stop under an open transaction, and go on until that is noticed."""
    with catalogue.transaction() as tx:
        tx.set_setting("name", b"value")
        os.kill(pid, signal.SIGQUIT)
        for _ in range(100):
            tx.setting("name")
            time.sleep(0.1)


def stop(pid: int) -> Callable[[str], AbstractContextManager[int]]:
    """Stop that server at once; answers what starts it again as it was started before."""
    process = psutil.Process(pid)
    command, folder, user = process.cmdline(), process.cwd(), process.uids().effective
    process.send_signal(signal.SIGQUIT)
    gone, _ = psutil.wait_procs([process], timeout=20)
    assert gone or process.status() == psutil.STATUS_ZOMBIE

    @contextmanager
    def revive(url: str) -> Iterator[int]:
        again = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user if os.geteuid() == 0 else None,
        )
        try:
            for _ in range(200):
                with suppress(psycopg.OperationalError):
                    psycopg.connect(url).close()
                    break
                time.sleep(0.05)
            yield again.pid
        finally:
            if again.poll() is None:
                again.send_signal(signal.SIGQUIT)
            again.wait(20)

    return revive
