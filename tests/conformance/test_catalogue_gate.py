"""Who may write and who may be alone with the store, on both databases."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from tests.conformance.archived import (
    a_deposit,
    another_process,
    count_of_sessions,
    kill,
    stored,
    wait_until_ready,
)
from vault.catalogue import open_catalogue
from vault.errors import BackendError, Refused
from vault.ports import Catalogue

MOMENT = 0.3


class TestGate:
    def test_many_write_at_once_in_threads_and_processes(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        code = "with catalogue.writing(), catalogue.writing():\n    ready()\n"
        others = [another_process(catalogue_url, code) for _ in range(2)]
        for other in others:
            wait_until_ready(other)
        with catalogue.writing(), catalogue.writing(), in_a_thread(catalogue.writing):
            pass
        assert [other.communicate("go\n", timeout=30)[0] for other in others] == ["", ""]

    def test_nobody_is_alone_while_another_process_writes(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        other = another_process(catalogue_url, "with catalogue.writing():\n    ready()\n")
        wait_until_ready(other)
        began = time.monotonic()
        with pytest.raises(Refused), catalogue.exclusive(timeout_seconds=MOMENT):
            pass
        assert MOMENT <= time.monotonic() - began < 10
        other.communicate("go\n", timeout=30)
        with catalogue.exclusive(timeout_seconds=10):
            pass

    def test_whoever_is_alone_can_commit_while_a_thread_waits_to_write(
        self, catalogue: Catalogue
    ) -> None:
        waiting, written = Event(), Event()

        def write() -> None:
            waiting.set()
            with catalogue.writing():
                written.set()

        writer, committer = Thread(target=write), Thread(target=stored, args=(catalogue,))
        with catalogue.exclusive(timeout_seconds=10):
            writer.start()
            assert waiting.wait(10)
            time.sleep(MOMENT)  # it is at the door now
            committer.start()
            committer.join(10)
            assert not committer.is_alive()
            assert not written.is_set()
        writer.join(10)
        assert written.is_set()

    def test_nobody_is_alone_while_a_thread_of_the_same_process_writes(
        self, catalogue: Catalogue
    ) -> None:
        with in_a_thread(catalogue.writing):
            with pytest.raises(Refused), catalogue.exclusive(timeout_seconds=0):
                pass
            with catalogue.writing():
                pass
            with pytest.raises(Refused), catalogue.exclusive(timeout_seconds=0):
                pass
        with catalogue.exclusive(timeout_seconds=0), pytest.raises(Refused):  # noqa: SIM117 - the inner one is the subject
            with catalogue.exclusive(timeout_seconds=0):
                pass

    def test_the_lock_goes_when_its_process_is_killed(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        for how in ("writing()", "exclusive(timeout_seconds=0)"):
            killed = another_process(catalogue_url, f"with catalogue.{how}:\n    ready()\n")
            wait_until_ready(killed)
            kill(killed)
            with catalogue.exclusive(timeout_seconds=10):
                pass

    def test_the_lock_goes_when_the_block_raises(self, catalogue: Catalogue) -> None:
        with pytest.raises(KeyboardInterrupt), catalogue.writing():
            raise KeyboardInterrupt
        with pytest.raises(KeyboardInterrupt), catalogue.exclusive(timeout_seconds=0):
            raise KeyboardInterrupt
        with catalogue.exclusive(timeout_seconds=0):
            pass

    def test_writers_wait_until_nobody_is_alone(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        code = (
            "print('ready', flush=True)\nwith catalogue.writing():\n    print('in', flush=True)\n"
        )
        with catalogue.exclusive(timeout_seconds=0):
            other = another_process(catalogue_url, code)
            wait_until_ready(other)
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(2 * MOMENT)
        assert other.communicate(timeout=30)[0] == "in\n"

    def test_what_was_written_under_a_lost_lock_is_not_recorded(
        self, database_url: str, tmp_path: Path
    ) -> None:
        catalogue = open_catalogue(database_url, home=tmp_path)
        catalogue.create()
        stored(catalogue)
        with catalogue.writing():
            assert stored(catalogue, a_deposit()) == set()
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                    " AND database = (SELECT oid FROM pg_database"
                    " WHERE datname = current_database())"
                )
            for _ in range(2):
                with pytest.raises(BackendError, match=r"lost|57P01|answer") as caught:
                    stored(catalogue, a_deposit())
                assert caught.value.retryable
        assert count_of_sessions(catalogue) == 1
        with catalogue.writing():
            assert stored(catalogue, a_deposit()) == set()


@contextmanager
def in_a_thread(enter: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Another thread stays inside `enter()` for the length of the block."""
    inside, over = Event(), Event()

    def stay() -> None:
        with enter():
            inside.set()
            over.wait()

    thread = Thread(target=stay)
    thread.start()
    assert inside.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join()
