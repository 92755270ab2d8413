"""A back-up comes back: what was destroyed since stays destroyed, what was held stays held."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.conformance.archived import connected
from tests.homes import Home, made
from tests.integration.mortal import Death, Mortal, dies, killed
from tests.integration.test_disposal import LONG_AGO, a_bundle, deposited, told
from vault import bootstrap
from vault.catalogue import tables
from vault.errors import NotFound, Refused
from vault.model import Compartment, State
from vault.operations import (
    disposal,
    doctor,
    erasure,
    evidence,
    fetch,
    holds,
    restoring,
    retrieve,
)
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.disposal import Cause
from vault.operations.export import Request, export
from vault.operations.hold_scope import Scope
from vault.operations.holds import Matter
from vault.operations.records import Choice
from vault.operations.room import Room
from vault.settings import Settings

#: More points than a replay has.
ENDLESS = 300
BackUp = Callable[[], Callable[[], None]]


@pytest.fixture(params=["file and sqlite", "s3 and postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    extra: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "file and sqlite":
            server = request.getfixturevalue("s3_server")
            for name, value in server.environment.items():
                patch.setenv(name, value)
            extra["STRONGROOM_STORE_URL"] = f"s3://{request.getfixturevalue('bucket')}"
            extra["STRONGROOM_CATALOGUE_URL"] = request.getfixturevalue("database_url")
        yield made(tmp_path / "home", **extra)


def backed_up(home: Home) -> Callable[[], None]:
    """Copy the catalogue; what is given puts it back as an operator would, behind our back."""
    if "STRONGROOM_CATALOGUE_URL" in home.extra:
        return dumped(home)
    folder = home.folder.with_name(f"backup-{time.monotonic_ns()}")
    back_up(home, folder)

    def put_back() -> None:
        for file in home.folder.glob("catalogue.db-*"):
            file.unlink()
        shutil.copy(folder / "catalogue.db", home.folder / "catalogue.db")

    return put_back


def back_up(home: Home, folder: Path) -> None:
    """As the runbook says."""
    folder.mkdir()
    with closing(sqlite3.connect(home.folder / "catalogue.db")) as database:
        database.execute("VACUUM INTO ?", [str(folder / "catalogue.db")])
    shutil.copy(home.folder / "home.json", folder)


def dumped(home: Home) -> Callable[[], None]:
    """The rows of every table, and what writes them back as pg_restore does: triggers sleep."""
    every = tables.metadata.sorted_tables
    with home.room() as room, connected(room.catalogue) as connection:
        rows = {t: [dict(r) for r in connection.execute(t.select()).mappings()] for t in every}

    def put_back() -> None:
        with home.room() as room, connected(room.catalogue) as connection:
            connection.execute(text("SET session_replication_role = replica"))
            for table in reversed(every):
                connection.execute(table.delete())
            for table in every:
                if rows[table]:
                    connection.execute(table.insert(), rows[table])
            connection.execute(text("SET session_replication_role = origin"))
            connection.commit()

    return put_back


def dispose(room: Room, session_id: str) -> str:
    done = disposal.dispose(room, session_id, Cause("plan", "p"))
    assert done.certificate
    return done.certificate


def hold(room: Room, *ids: str, **scope: Any) -> str:
    return holds.place(room, Matter("Doe v. Roe"), Scope(sessions=ids, **scope)).hold


def gone(room: Room, session_id: str, certificate: str) -> None:
    """Nothing of that session can be opened, and the certificate is the one that was given."""
    with pytest.raises(NotFound, match=certificate):
        retrieve.session(room, session_id)
    with room.catalogue.transaction() as tx:
        row = tx.session(session_id)
        assert (row.state, row.metadata, row.timeline) == (State.ERASED, b"", b"")
        assert (tx.records(session_id), tx.objects(session_id)) == ([], [])
        assert [d.state for d in tx.disposals(session_id=session_id)] == ["certified"]


def opens(room: Room, session_id: str) -> None:
    retrieve.Opened(room, retrieve.session(room, session_id)).timeline()


def test_no_read_and_no_deposit_until_it_is_replayed(home: Home, tmp_path: Path) -> None:
    ended, kept = deposited(home, tmp_path), deposited(home, tmp_path)
    put_back = backed_up(home)
    with home.room() as room:
        certificate = dispose(room, ended)
    put_back()
    with home.room() as room:
        acts: list[Callable[[], object]] = [
            lambda: fetch.originals(room, ended, tmp_path / "out"),
            lambda: fetch.originals(room, kept, tmp_path / "out"),
            lambda: export(room, Choice(ids=[kept]), Request("json"), tmp_path / "one.json"),
            lambda: retrieve.Opened(room, retrieve.session(room, kept)).metadata(),
            lambda: disposal.dispose(room, kept, Cause("plan", "q")),
            lambda: hold(room, kept),
        ]
        for act in acts:
            with pytest.raises(Refused, match="strongroom restore"):
                act()
        terms = Terms(class_name="short", started_at=LONG_AGO)
        outcome = deposit(room, [a_bundle(tmp_path)], terms, wait=False)
        assert [type(error) for _, error in outcome.refused] == [Refused]
        (age,) = (f for f in doctor.examine(room, home.folder) if f.name == "catalogue-age")
        assert not age.ok
        done = restoring.replay(room)
        assert (done.disposals, done.holds, done.unfinished) == (1, 0, ())
        gone(room, ended, certificate)
        opens(room, kept)
        assert restoring.replay(room).disposals == 0
        entries = told(room)
    told_of = [e["type"] for e in entries if e.get("session") == ended]
    assert [told_of.count(t) for t in ("key-destroyed", "certificate-issued")] == [
        len(set(Compartment) & {e["key"] for e in entries if e["type"] == "key-destroyed"}),
        1,
    ]
    assert [e["type"] for e in entries].count("restored") == 1


def test_what_is_in_the_record_needs_nothing_else(home: Home, tmp_path: Path) -> None:
    """The catalogue of before the first act of all: everything is done again in its order."""
    first, second, third = (deposited(home, tmp_path) for _ in range(3))
    put_back = backed_up(home)
    with home.room() as room:
        certificate = dispose(room, first)
        held = hold(room, second, subjects=("+1 555 0100",), future=True)
        other = dispose(room, third)
        came_later = deposited(home, tmp_path)
        dispose(room, came_later)
    put_back()
    with home.room() as room:
        done = restoring.replay(room)
        assert (done.disposals, done.holds, done.absent) == (3, 1, 1)
        gone(room, first, certificate)
        gone(room, third, other)
        assert disposal.dispose(room, second, Cause("plan", "q")).destroyed == ()
        with pytest.raises(Refused), room.catalogue.transaction() as tx:
            tx.destroy_records(second, list(Compartment))
        seen = holds.show(room, held)
        assert (seen.row.state, seen.sessions, seen.row.future) == ("active", 1, True)
        assert seen.details["matter"] == "Doe v. Roe"
        with room.catalogue.transaction() as tx:
            assert tx.scopes(held)
        opens(room, second)


def test_a_hold_that_was_released_since_is_released_again(home: Home, tmp_path: Path) -> None:
    home.run("actor", "add", "olga", "--role", "officer")
    session_id = deposited(home, tmp_path)
    with home.room() as room:
        held = hold(room, session_id)
    put_back = backed_up(home)
    with home.room() as room:
        holds.release(room, held, "settled")
    with home.room("olga") as room:
        row = holds.approve(room, held)
    put_back()
    with home.room() as room:
        assert restoring.replay(room).holds == 2
        again = holds.show(room, held).row
        assert replace(again, details=b"") == replace(row, details=b"")


def test_killed_at_any_point_of_a_replay_the_next_goes_on(home: Home, tmp_path: Path) -> None:
    ended, held = deposited(home, tmp_path), deposited(home, tmp_path)
    put_back = backed_up(home)
    with home.room() as room:
        certificate = dispose(room, ended)
        placed = hold(room, held)
    stride = 7 if "STRONGROOM_CATALOGUE_URL" not in home.extra else 23
    for n in range(1, ENDLESS, stride):
        put_back()
        died = dies(home, n, restoring.replay)
        with home.room() as room:
            if erasure.behind(room.catalogue, room.erasure):
                with pytest.raises(Refused):
                    opens(room, held)
            restoring.replay(room)
            gone(room, ended, certificate)
            opens(room, held)
            assert holds.show(room, placed).sessions == 1
        if not died:
            break
    else:
        pytest.fail("it never ended")
    with home.room() as room:
        types = [e["type"] for e in told(room) if e.get("session") == ended]
        assert types.count("certificate-issued") == 1
        assert len(list(room.store.versions())) == 1


def test_killed_between_commit_and_record_the_next_who_comes_records_it(
    home: Home, tmp_path: Path
) -> None:
    stride = 7 if "STRONGROOM_CATALOGUE_URL" not in home.extra else 19
    for n in range(1, ENDLESS, stride):
        session_id = deposited(home, tmp_path)
        put_back = backed_up(home)
        act = partial(disposal.dispose, session_id=session_id, cause=Cause("plan", f"p{n}"))
        died = dies(home, n, act)
        with home.room() as room:
            assert not erasure.behind(room.catalogue, room.erasure)
            public = [e for e in told_so_far(room) if e.get("session") == session_id]
        put_back()
        with home.room() as room:
            behind = erasure.behind(room.catalogue, room.erasure)
            # Nobody has heard of a destruction that the record does not have.
            assert behind or "key-destroyed" not in {e["type"] for e in public}
            restoring.replay(room)
            if behind:
                with pytest.raises(NotFound):
                    retrieve.session(room, session_id)
            else:
                opens(room, session_id)
        if not died:
            break
    else:
        pytest.fail("it never ended")


def told_so_far(room: Room) -> list[dict[str, Any]]:
    return [json.loads(entry) for entry in room.ledger.entries()]


def test_a_lost_record_is_made_again_of_the_catalogue(home: Home, tmp_path: Path) -> None:
    one, two = deposited(home, tmp_path), deposited(home, tmp_path)
    with home.room() as room:
        dispose(room, one)
        hold(room, two)
        before = [act for act, _ in room.erasure.acts(after=0)]
        (home.folder / "erasure" / "record").unlink()
        evidence.opened(room, two, "originals", None)
        assert [act for act, _ in room.erasure.acts(after=0)] == before
        assert len(before) == 2


def test_what_was_certified_is_destroyed_again_without_a_record(home: Home, tmp_path: Path) -> None:
    ended, held = deposited(home, tmp_path), deposited(home, tmp_path)
    put_back = backed_up(home)
    with home.room() as room:
        certificate, other = dispose(room, ended), dispose(room, held)
    put_back()
    (home.folder / "erasure" / "record").unlink()
    with home.room() as room:
        hold(room, held)  # nobody can notice
        done = restoring.replay(room, back_up=True)
        assert done.disposals == 1
        gone(room, ended, certificate)
        assert [held in why for why in done.unfinished] == [True]
        opens(room, held)
        size = room.ledger.size()
        assert restoring.replay(room).disposals == 0
        assert room.ledger.size() == size
        assert other in str(told(room))
        assert not erasure.behind(room.catalogue, room.erasure)


def test_an_archive_that_went_another_way_is_not_mistaken_for_a_back_up(
    home: Home, tmp_path: Path
) -> None:
    one, two = deposited(home, tmp_path), deposited(home, tmp_path)
    put_back = backed_up(home)
    record = home.folder / "erasure" / "record"
    with home.room() as room:
        dispose(room, one)
    mine = record.read_bytes()
    put_back()
    record.unlink()
    with home.room() as room:
        dispose(room, two)
    record.write_bytes(mine)
    with home.room() as room:
        with pytest.raises(Refused, match="restore"):
            opens(room, one)
        with pytest.raises(Refused, match="no back-up"):
            restoring.replay(room)


def test_killed_at_any_time_while_a_catalogue_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = made(tmp_path / "home")
    ended, kept = deposited(home, tmp_path), deposited(home, tmp_path)
    back_up(home, folder := tmp_path / "backup")
    with home.room() as room:
        certificate = dispose(room, ended)
    opened, here = bootstrap._catalogue, dict[str, Any](home=home.folder)
    for n in range(1, ENDLESS):
        with monkeypatch.context() as patch:
            mortal: Any = Mortal(None, Death(n))
            patch.setattr(bootstrap, "_catalogue", lambda s, d=mortal: Mortal(opened(s), d._death))
            died = killed(lambda: bootstrap.put_back(Settings(**here), folder))
        with home.room() as room:
            if erasure.behind(room.catalogue, room.erasure):
                with pytest.raises(Refused):
                    opens(room, kept)
        if not died:
            break
    for milliseconds in range(200, 1400, 150):
        process = home.start("restore", folder)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.communicate()
        with home.room() as room, pytest.raises((Refused, NotFound)):
            opens(room, ended)
    home.run("restore", folder)
    with home.room() as room:
        gone(room, ended, certificate)
        opens(room, kept)
        assert [f for f in room.catalogue.probe() if not f.ok] == []
