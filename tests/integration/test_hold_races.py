"""Holds race what destroys: on either database one of the two comes first, and both know which."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests import recordings
from tests.homes import Home, ended, made
from vault.model import Compartment
from vault.operations import disposal, holds
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.disposal import Cause, Disposed
from vault.operations.hold_scope import Scope
from vault.operations.holds import Matter, Placed
from vault.operations.outcome import Outcome
from vault.operations.room import Room

ROUNDS = 10
#: Longer than a deposit takes that nobody stops.
MOMENT_SECONDS = 2.0
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

#: Destroys the keys of the sessions it is told, one by one, without looking at anything before.
DESTROYER = """
import sys, time
from vault import settings
from vault.bootstrap import open_room
from vault.errors import Refused
from vault.model import Compartment, new_id
from vault.rows import DisposalRow
with open_room(settings.load()) as room:
    print("ready", flush=True)
    for one in sys.argv[1:]:
        row = DisposalRow(
            new_id(), room.tenant, one, "plan", "p", "certified", room.clock.now(), b"{}")
        try:
            with room.catalogue.transaction() as tx:
                tx.destroy_records(one, list(Compartment))
                tx.add_disposal(row)
        except Refused:
            print(one, "refused", flush=True)
        else:
            print(one, "destroyed", flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A home, on each database."""
    if request.param == "sqlite":
        return made(tmp_path / "home")
    url = request.getfixturevalue("database_url")
    return made(tmp_path / "home", STRONGROOM_CATALOGUE_URL=url)


def deposited(room: Room, folder: Path, count: int) -> list[str]:
    """Sessions that may be destroyed."""
    paths = [recordings.recording(folder / f"{n}.wav", 0.05, seed=n) for n in range(count)]
    terms = Terms(class_name="short", started_at=LONG_AGO, tags=["due"])
    return [one.id for one in deposit(room, paths, terms, wait=False).sessions]


def placed(room: Room, *sessions: str) -> Placed:
    return holds.place(room, Matter("race"), Scope(sessions=sessions))


def keys(room: Room, session_id: str) -> int:
    with room.catalogue.transaction() as tx:
        return len(tx.records(session_id))


def test_of_a_hold_and_a_disposal_at_the_same_moment_exactly_one_comes_first(
    shared: Home, tmp_path: Path
) -> None:
    with shared.room() as officer, shared.room() as sweeper:
        whole = len(Compartment)
        for session_id in deposited(officer, tmp_path, ROUNDS):
            hold, gone = at_once(
                partial(placed, officer, session_id),
                partial(disposal.dispose, sweeper, session_id, Cause("plan", "p")),
            )
            assert isinstance(hold, Placed)
            assert isinstance(gone, Disposed)
            if gone.destroyed:
                assert list(hold.unpreservable) == [(session_id, gone.certificate)]
                assert keys(officer, session_id) == 0
            else:
                assert (list(hold.unpreservable), keys(officer, session_id)) == ([], whole)
            assert disposal.dispose(sweeper, session_id, Cause("plan", "q")).destroyed == ()


def test_another_process_that_destroys_without_looking_is_refused_or_was_first(
    shared: Home, tmp_path: Path
) -> None:
    with shared.room() as room:
        ids = deposited(room, tmp_path, 3 * ROUNDS)
        process = shared.python(DESTROYER, *reversed(ids))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        late = {s for one in ids for s, _ in placed(room, one).unpreservable}
        said = dict(line.split() for line in ended(process).out.splitlines())
        assert set(said) == set(ids)
        for one, happened in said.items():
            assert (happened == "destroyed") == (one in late) == (keys(room, one) == 0)


def test_many_who_place_the_same_hold_do_not_lock_each_other_out(
    shared: Home, tmp_path: Path
) -> None:
    with shared.room() as room:
        ids = deposited(room, tmp_path, ROUNDS)

        def place(n: int) -> int:
            order = ids if n % 2 else ids[::-1]
            return placed(room, *order).sessions

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(place, range(6))) == [ROUNDS] * 6
        with room.catalogue.transaction() as tx:
            assert [len(tx.holds_on(one)) for one in ids] == [6] * ROUNDS


def test_what_is_deposited_while_a_hold_on_the_future_is_placed_is_held(
    shared: Home, tmp_path: Path
) -> None:
    late = recordings.recording(tmp_path / "late.wav", 0.05, seed=90)
    running: list[Future[Outcome]] = []
    with shared.room() as officer, shared.room() as agent, ThreadPoolExecutor(1) as pool:
        before = set(deposited(officer, tmp_path, 2))

        def when_members_were_found(what: str, _done: int, _total: int | None) -> None:
            """In the midst of the hold's transaction: somebody deposits, as far as he is let."""
            if what == "held" and not running:
                terms = Terms(tags=["due"])
                running.append(pool.submit(deposit, agent, [late], terms, wait=False))
                wait(running, MOMENT_SECONDS)

        scope = Scope(tags=["Due"], future=True)
        done = holds.place(officer, Matter("race"), scope, progress=when_members_were_found)
        (new,) = running[0].result(60).sessions
        assert set(holds.members(officer, done.hold)) == before | {new.id}


def test_a_hold_that_was_placed_by_a_process_that_died_stands(shared: Home, tmp_path: Path) -> None:
    with shared.room() as room:
        (session_id,) = deposited(room, tmp_path, 1)
    program = (
        "import os, sys, json\n"
        "from vault import settings\n"
        "from vault.bootstrap import open_room\n"
        "from vault.operations import holds\n"
        "from vault.operations.hold_scope import Scope\n"
        "with open_room(settings.load()) as room:\n"
        "    done = holds.place(room, holds.Matter('m'), Scope(sessions=sys.argv[1:]))\n"
        "    print(json.dumps(done.hold), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    out = ended(shared.python(program, session_id), code=-9).out
    with shared.room() as room:
        assert holds.show(room, json.loads(out)).row.state == "active"
        assert disposal.dispose(room, session_id, Cause("plan", "p")).destroyed == ()
        assert keys(room, session_id) == len(Compartment)


def at_once(first: Callable[[], object], second: Callable[[], object]) -> tuple[object, object]:
    """What both answered, begun at the same moment."""
    start = threading.Barrier(2)

    def begin(act: Callable[[], object]) -> object:
        start.wait()
        return act()

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(begin, act) for act in (first, second)]
        return running[0].result(60), running[1].result(60)
