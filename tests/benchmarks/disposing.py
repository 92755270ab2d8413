"""Deciding and destroying, beside what has to reach the disk for it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from policies.decide import decide_all
from policies.model import Element, Facts
from tests.benchmarks import inputs
from tests.benchmarks.evidence import durable_table
from tests.benchmarks.measure import Row, beside, in_turn, ratios, seconds
from vault import bootstrap
from vault.errors import IntegrityError
from vault.operations import disposal
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.disposal import Cause
from vault.operations.policy import packaged
from vault.operations.room import Room
from vault.settings import load

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DECISIONS = 500
SESSIONS = 40
ROUNDS = 5
#: What the disposal of one session commits: four times to the ledger, thrice to the catalogue.
COMMITS = 7


def rows() -> Iterator[Row]:
    """A decision on every element of a session; then sessions destroyed, certificates and all."""
    yield _deciding()
    with inputs.scratch() as folder, contextlib.closing(durable_table(folder / "t.db")) as table:
        home = folder / "home"
        bootstrap.init(load(home))
        settings = load(home)
        bundles = inputs.bundles(folder / "bundles", SESSIONS * ROUNDS)
        with bootstrap.open_room(settings) as room:
            terms = Terms(class_name="short", started_at=LONG_AGO)
            taken = deposit(room, [bundles], terms, wait=False).sessions
            yield _disposing(room, iter([s.id for s in taken]), table)


def _deciding() -> Row:
    facts = Facts(
        started_at=LONG_AGO,
        jurisdictions=("DE", "US-CA"),
        regimes=("gdpr", "mifid"),
        class_name="long",
        elements=frozenset(Element),
    )
    packs, now = packaged(), datetime.now(UTC)
    text = Path(__file__).read_bytes().decode()
    document = json.dumps({str(n): text[:40] for n in range(100)})

    def ours() -> float:
        return seconds(lambda: [decide_all(facts, packs, now) for _ in range(DECISIONS)])

    def theirs() -> float:
        return seconds(lambda: [json.loads(document) for _ in range(DECISIONS)])

    found = in_turn(ROUNDS, {"ours": ours, "theirs": theirs})
    each = sorted(found["ours"])[ROUNDS // 2] / DECISIONS
    what = f"decide on {len(Element)} elements / json.loads of {len(document) / 1e3:.0f} kB"
    return beside(what, ratios(found["ours"], found["theirs"]), f"{each * 1e3:.2f} ms a session")


def _disposing(room: Room, ids: Iterator[str], table: sqlite3.Connection) -> Row:
    def ours() -> float:
        some = [next(ids) for _ in range(SESSIONS)]
        return seconds(lambda: all(_gone(room, one) for one in some))

    def theirs() -> float:
        return seconds(lambda: all(_commit(table) for _ in range(SESSIONS * COMMITS)))

    found = in_turn(ROUNDS, {"ours": ours, "theirs": theirs})
    each = sorted(found["ours"])[ROUNDS // 2] / SESSIONS
    what = f"dispose of a session / {COMMITS} rows inserted and committed one by one"
    return beside(what, ratios(found["ours"], found["theirs"]), f"{each * 1e3:.1f} ms a session")


def _gone(room: Room, session_id: str) -> bool:
    if disposal.dispose(room, session_id, Cause("plan", "benchmark")).certificate is None:
        raise IntegrityError("A session that is due was not destroyed.")
    return True


def _commit(table: sqlite3.Connection) -> bool:
    table.execute("BEGIN IMMEDIATE")
    table.execute("INSERT INTO entries (entry) VALUES (?)", (bytes(250),))
    table.execute("COMMIT")
    return True
