"""Many at one catalogue: threads, processes, and those that die in the middle."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.conformance.archived import (
    KEY_ID,
    TENANT,
    a_deposit,
    a_key,
    another_process,
    count_of_sessions,
    kill,
    stored,
    wait_until_ready,
)
from vault.model import Compartment
from vault.ports import Catalogue, NewSession, Transaction
from vault.rows import RecordRow, SessionFilter

MOMENT = 0.3


class TestWriters:
    def test_two_processes_add_the_same_sessions_and_each_goes_in_once(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        stored(catalogue)
        code = (
            "prints = [bytes([n]) * 32 for n in range(40)]\n"
            "if sys.argv[2] == 'backwards': prints.reverse()\n"
            "ready()\n"
            "with catalogue.transaction() as tx:\n"
            "    left = tx.add_sessions([a_deposit(fingerprint=p) for p in prints])\n"
            "print(len(left))\n"
        )
        both = [another_process(catalogue_url, code, way) for way in ("forwards", "backwards")]
        go_together(both)
        left = [int(process.communicate(timeout=30)[0]) for process in both]
        assert sum(left) == 40
        with catalogue.transaction() as tx:
            assert tx.count_sessions(TENANT, SessionFilter()) == 40
            assert tx.count_records() == {KEY_ID: 120}
            assert tx.count_jobs() == {"pending": 40}

    def test_batches_in_opposite_order_do_not_lock_each_other_out(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        code = (
            "prints = [n.to_bytes(32, 'big') for n in range(3000)]\n"
            "if sys.argv[2] == 'backwards': prints.reverse()\n"
            "new = [NewSession(a_session(fingerprint=p), (), (), (), ()) for p in prints]\n"
            "ready()\n"
            "with catalogue.transaction() as tx:\n"
            "    print(len(tx.add_sessions(new)))\n"
        )
        both = [another_process(catalogue_url, code, way) for way in ("forwards", "backwards")]
        go_together(both)
        assert sorted(int(process.communicate(timeout=60)[0]) for process in both) == [0, 3000]

    def test_eight_threads_add_and_all_of_it_is_there(self, catalogue: Catalogue) -> None:
        stored(catalogue)

        def work(_: int) -> None:
            for _ in range(5):
                with catalogue.transaction() as tx:
                    assert tx.add_sessions([a_deposit() for _ in range(3)]) == set()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        with catalogue.transaction() as tx:
            assert tx.count_sessions(TENANT, SessionFilter()) == 120

    def test_nothing_is_seen_of_a_transaction_before_it_ends(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        stored(catalogue)
        code = (
            "with catalogue.transaction() as tx:\n"
            "    tx.add_sessions([a_deposit() for _ in range(20)])\n"
            "    ready()\n"
        )
        other = another_process(catalogue_url, code)
        wait_until_ready(other)
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(count_of_sessions, catalogue)
            time.sleep(MOMENT)
            # PostgreSQL answers at once without them; SQLite waits for the writer.
            assert not seen.done() or seen.result() == 0
            other.communicate("go\n", timeout=30)
            assert seen.result(30) in ({0} if catalogue_url.startswith("postgres") else {20})
        assert count_of_sessions(catalogue) == 20

    def test_a_process_killed_in_a_transaction_leaves_nothing_and_blocks_nobody(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        stored(catalogue)
        code = (
            "with catalogue.transaction() as tx:\n"
            "    tx.add_sessions([a_deposit(fingerprint=b'f' * 32) for _ in range(300)])\n"
            "    tx.set_setting('half', b'way')\n"
            "    ready()\n"
        )
        killed = another_process(catalogue_url, code)
        wait_until_ready(killed)
        kill(killed)
        assert stored(catalogue, a_deposit(fingerprint=b"f" * 32)) == set()
        with catalogue.transaction() as tx:
            assert tx.count_sessions(TENANT, SessionFilter()) == 1
            assert tx.setting("half") is None

    def test_a_committed_transaction_survives_its_process(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        code = "stored(catalogue, a_deposit())\nready()\n"
        killed = another_process(catalogue_url, code)
        wait_until_ready(killed)
        kill(killed)
        assert count_of_sessions(catalogue) == 1


class TestKeysInUse:
    def test_a_key_that_is_being_used_is_retired_only_afterwards(
        self, catalogue: Catalogue
    ) -> None:
        stored(catalogue)
        deposit = a_deposit()

        def retire(tx: Transaction) -> None:
            tx.set_key(KEY_ID, state="retired", wrapped=b"wrapped")
            assert tx.count_records() == {KEY_ID: 3}

        def use(tx: Transaction) -> None:
            [key] = tx.keys_shared([KEY_ID])
            assert key.state == "active"
            tx.add_sessions([deposit])

        assert meanwhile(catalogue, use, retire) == "waited"

    def test_two_may_use_a_key_at_once_where_the_database_has_shared_locks(
        self, catalogue: Catalogue
    ) -> None:
        stored(catalogue)
        happened = meanwhile(
            catalogue, lambda tx: tx.keys_shared([KEY_ID]), lambda tx: tx.keys_shared([KEY_ID])
        )
        assert happened == ("went on" if catalogue.url.startswith("postgres") else "waited")

    def test_a_record_added_meanwhile_keeps_its_key_from_being_destroyed(
        self, catalogue: Catalogue
    ) -> None:
        deposit = a_deposit()
        bare = NewSession(deposit.session, (), (), (), ())
        with catalogue.transaction() as tx:
            tx.add_key(a_key(state="retired"))
            tx.add_sessions([bare])
        answers: list[bool] = []
        record = RecordRow(deposit.session.id, Compartment.DERIVED, KEY_ID, b"r" * 77)
        meanwhile(
            catalogue,
            lambda tx: tx.add_record(record),
            lambda tx: answers.append(tx.destroy_unused_key(KEY_ID)),
        )
        assert answers == [False]

    def test_records_that_one_is_moving_are_not_given_to_another(
        self, catalogue: Catalogue
    ) -> None:
        stored(catalogue, *(a_deposit() for _ in range(3)))
        given: list[RecordRow] = []

        def take(tx: Transaction) -> None:
            rows = tx.records_under(KEY_ID, limit=5)
            given.extend(rows)
            for row in rows:
                moved = RecordRow(row.session_id, row.compartment, b"2" * 16, row.record)
                tx.replace_record(moved)

        with catalogue.transaction() as tx:
            tx.add_key(a_key(id=b"2" * 16, generation=2))
        meanwhile(catalogue, take, take)
        assert len(given) == len(set(given)) == 9


def go_together(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Let processes that wait in `ready()` go on at the same moment."""
    for process in processes:
        wait_until_ready(process)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def meanwhile(
    catalogue: Catalogue,
    first: Callable[[Transaction], object],
    second: Callable[[Transaction], object],
) -> str:
    """Run `second` in a transaction begun while `first`'s is still open; what it did then."""

    def other() -> None:
        with catalogue.transaction() as tx:
            second(tx)

    with ThreadPoolExecutor(1) as pool:
        with catalogue.transaction() as tx:
            first(tx)
            running = pool.submit(other)
            time.sleep(MOMENT)
            happened = "went on" if running.done() else "waited"
        running.result(30)
    return happened
