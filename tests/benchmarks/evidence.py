"""Telling the evidence ledger, beside one row in a table of SQLite that is as durable."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import inputs
from tests.benchmarks.measure import Row, Spread, beside, in_turn, ratios, seconds
from vault.ledger.note import SigningKey
from vault.model import new_id
from vault.ports.ledger import Entry
from vault.storage.evidence import EvidenceLedger

#: Entries in a call, and calls in a round.
BATCHES = {1: 300, 64: 60}
ROUNDS = 7
KEY = SigningKey("example.com/archive", bytes(32))


def rows() -> Iterator[Row]:
    """Entries told one by one and 64 at a time; then all of them read and checked again."""
    with inputs.scratch() as folder:
        ledger = EvidenceLedger(folder / "ledger", KEY.verifier_key, lambda: KEY)
        ledger.create()
        with contextlib.closing(durable_table(folder / "plain.db")) as plain:
            for size, calls in BATCHES.items():
                yield _appending(ledger, plain, size, calls)
        speed = Spread.of([ledger.size() / seconds(ledger.verify) for _ in range(ROUNDS)])
        text = f"{ledger.size()} entries"
        yield Row("`ledger verify`, entries a second", speed.show(0), measured=text)
        ledger.close()


def _appending(ledger: EvidenceLedger, plain: sqlite3.Connection, size: int, calls: int) -> Row:
    def ours() -> float:
        batches = [[_entry() for _ in range(size)] for _ in range(calls)]
        return seconds(lambda: [ledger.append(batch) for batch in batches])

    def theirs() -> float:
        batches = [[(_entry().once, bytes(250)) for _ in range(size)] for _ in range(calls)]
        return seconds(lambda: _insert(plain, batches))

    found = in_turn(ROUNDS, {"ours": ours, "theirs": theirs})
    each = {side: sorted(taken)[ROUNDS // 2] / calls for side, taken in found.items()}
    text = ", ".join(
        f"{who} {each[side] * 1e3:.2f} ms ({size / each[side]:.0f} entries/s)"
        for who, side in (("ledger", "ours"), ("table", "theirs"))
    )
    ratio = ratios(found["ours"], found["theirs"])
    return beside(f"tell the ledger {size} / insert {size} and commit", ratio, text)


_numbers = itertools.count()


def _entry() -> Entry:
    """As an operation tells it: some ids and an instant."""
    ids = {"session": new_id(), "actor": new_id(), "auth": "local"}
    return Entry("opened", f"opened:{next(_numbers)}", {"at": "2026-03-10T12:00:00+00:00", **ids})


def durable_table(path: Path) -> sqlite3.Connection:
    """A table whose commits are on the disk when they return, as those of the ledger are."""
    database = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, once TEXT UNIQUE, entry BLOB)",
    ):
        database.execute(statement)
    return database


def _insert(database: sqlite3.Connection, batches: list[list[tuple[str, bytes]]]) -> None:
    for batch in batches:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO entries (once, entry) VALUES (?, ?)", batch)
        database.execute("COMMIT")
