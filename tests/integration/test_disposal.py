"""Disposing: cut off anywhere it is finished by the next, told once, and never of what is held."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from policies.model import Element
from tests import recordings
from tests.homes import Home, made
from tests.integration.mortal import dies
from vault.errors import BackendError, NotFound, Refused, UsageError
from vault.ledger import certificate
from vault.model import Compartment, State, new_id
from vault.operations import (
    disposal,
    elements,
    evidence,
    fetch,
    fixity,
    jobs,
    remarks,
    retrieve,
    upkeep,
)
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.disposal import Cause
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room
from vault.ports import Lock
from vault.rows import HoldRow

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
#: More points than disposing has.
ENDLESS = 200


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


_seeds = count(1)


def deposited(home: Home, folder: Path, **terms: Any) -> str:
    """A session whose class has long ended, unless the terms say otherwise."""
    path = a_bundle(folder)
    said: dict[str, Any] = {"class_name": "short", "started_at": LONG_AGO, **terms}
    with home.room() as room:
        (answer,) = deposit(room, [path], Terms(**said), wait=False).sessions
    return answer.id


def a_bundle(folder: Path) -> Path:
    """One that was never given before."""
    seed = next(_seeds)
    path = recordings.bundle(folder / f"call-{seed}", (), seed=seed, seconds=0.05)
    recordings.recording(path / "full.wav", 0.05, seed=seed)
    return path


def told(room: Room) -> list[dict[str, Any]]:
    evidence.publish(room)
    return [json.loads(entry) for entry in room.ledger.entries()]


def held(room: Room, session_id: str, state: str = "active", **changed: Any) -> HoldRow:
    row = HoldRow(
        id=new_id(),
        tenant=room.tenant,
        state="proposed",
        future=False,
        preserve_unredacted=False,
        proposed_at=room.clock.now(),
        proposed_by=room.actor.id,
        details=b"",
    )
    with room.catalogue.transaction() as tx:
        tx.add_hold(row, [])
        tx.add_members(row.id, [session_id])
        tx.set_hold(row := replace(row, state=state, **changed))
    return row


def test_what_is_due_goes_whole_with_a_certificate_that_needs_nobody(
    home: Home, tmp_path: Path
) -> None:
    session_id = deposited(home, tmp_path)
    with home.room() as room:
        done = disposal.dispose(room, session_id, Cause("plan", "p"))
        assert (done.kept, done.unfinished) == ((), None)
        assert Element.ORIGINAL_AUDIO in done.destroyed
        with room.catalogue.transaction() as tx:
            session = tx.session(session_id)
            assert (session.state, session.metadata, session.timeline) == (State.ERASED, b"", b"")
            assert (tx.records(session_id), tx.objects(session_id)) == ([], [])
            assert tx.lookups(session_id) == []
        assert list(room.store.versions()) == []
        with pytest.raises(NotFound, match="certificate"):
            fetch.originals(room, session_id, tmp_path / "out")
        assert done.certificate is not None
        document = room.ledger.certificate(done.certificate)
        public = (home.folder / "ledger" / "public-key").read_text().strip()
        stated = certificate.verify(document, public)
        assert stated["source"] == {"session": session_id, "elements": sorted(done.destroyed)}
        assert (
            disposal.dispose(room, session_id, Cause("plan", "p")).certificate == done.certificate
        )
        assert fixity.check(room, all_bytes=True).missing == []


def test_killed_at_any_point_it_is_finished_by_the_next_and_told_once(
    home: Home, tmp_path: Path
) -> None:
    stride = 7 if "STRONGROOM_CATALOGUE_URL" not in home.extra else 19
    for n in range(1, ENDLESS, stride):
        session_id = deposited(home, tmp_path)
        act = partial(disposal.dispose, session_id=session_id, cause=Cause("plan", f"p{n}"))
        died = dies(home, n, act)
        with home.room() as room:
            if n % 2:  # by whoever keeps time, as far as keys are gone
                list(upkeep.run(room))
            done = act(room)
            assert done.certificate is not None
            assert room.ledger.certificate(done.certificate)
            assert list(room.store.versions()) == []
            mine = [e for e in told(room) if e.get("session") == session_id]
            counted = Counter((e["type"], e.get("key")) for e in mine)
            assert {kind for kind, _ in counted} >= {"key-destroyed", "certificate-issued"}
            assert set(counted.values()) == {1}
            keys = {e["key"] for e in mine if e["type"] == "key-destroyed"}
            assert keys == {c.value for c in Compartment}
            assert [e["type"] for e in mine].index("key-destroy-intent") < [
                e["type"] for e in mine
            ].index("key-destroyed")
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
    assert n > 8


def test_what_was_destroyed_does_not_come_back_by_a_late_upload(home: Home, tmp_path: Path) -> None:
    path = a_bundle(tmp_path)
    terms = Terms(class_name="short", started_at=LONG_AGO)
    with home.room() as room:
        (answer,) = deposit(room, [path], terms, wait=False).sessions
        done = disposal.dispose(room, answer.id, Cause("plan", "p"))
        again = deposit(room, [path], terms, wait=False)
        ((refused, error),) = again.refused
        assert (again.sessions, refused, type(error)) == ([], path, Refused)
        assert str(done.certificate) in str(error)
        assert list(room.store.versions()) == []


def test_a_hold_outranks_what_is_due_and_an_end_waits_for_its_grace(
    home: Home, tmp_path: Path
) -> None:
    session_id = deposited(home, tmp_path)
    with home.room() as room:
        first, second = held(room, session_id, "proposed"), held(room, session_id)
        for row in (first, second):
            done = disposal.dispose(room, session_id, Cause("plan", row.id))
            assert (done.destroyed, done.certificate) == ((), None)
            assert {e for e, _ in done.kept} >= {Element.ORIGINAL_AUDIO, Element.METADATA}
            with room.catalogue.transaction() as tx:
                tx.set_hold(
                    replace(
                        row, state="released", grace_until=room.clock.now() + timedelta(days=14)
                    )
                )
        assert disposal.dispose(room, session_id, Cause("plan", "grace")).destroyed == ()
        assert not [e for e in told(room) if e["type"] == "key-destroyed"]
        with room.catalogue.transaction() as tx:
            for row in (first, second):
                tx.set_hold(replace(row, state="released", grace_until=room.clock.now()))
        assert disposal.dispose(room, session_id, Cause("plan", "after")).certificate


def test_a_hold_that_comes_between_the_look_and_the_lock_wins(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = deposited(home, tmp_path)
    with home.room() as room:
        intend = disposal._intend

        def and_then_it_is_held(*given: Any) -> None:
            intend(*given)
            held(room, session_id)

        monkeypatch.setattr(disposal, "_intend", and_then_it_is_held)
        done = disposal.dispose(room, session_id, Cause("plan", "p"))
        assert done.destroyed == ()
        retrieve.Opened(room, retrieve.session(room, session_id)).timeline()
        assert [e["type"] for e in told(room)][-1] == "kept"


def test_a_race_of_hold_and_disposal_has_one_winner(home: Home, tmp_path: Path) -> None:
    for _ in range(6):
        session_id = deposited(home, tmp_path)
        outcome: dict[str, Any] = {}

        def place(outcome: dict[str, Any] = outcome, session_id: str = session_id) -> None:
            with home.room() as room:
                outcome["hold"] = held(room, session_id)

        with home.room() as room:
            thread = threading.Thread(target=place)
            thread.start()
            done = disposal.dispose(room, session_id, Cause("plan", "p"))
            thread.join()
            with room.catalogue.transaction() as tx:
                left = {r.compartment for r in tx.records(session_id)}
        # A hold on what is gone already protects nothing; on what is there, everything.
        assert left == (set() if done.destroyed else set(Compartment))


def test_without_its_ledger_nothing_is_destroyed(home: Home, tmp_path: Path) -> None:
    class Away:
        def append(self, *_: object) -> None:
            raise BackendError("The ledger is away.")

    session_id = deposited(home, tmp_path)
    with home.room() as room:
        away: Any = Away()
        with pytest.raises(BackendError, match="ledger"):
            disposal.dispose(replace(room, ledger=away), session_id, Cause("plan", "p"))
        retrieve.Opened(room, retrieve.session(room, session_id)).timeline()
        assert disposal.dispose(room, session_id, Cause("plan", "p")).certificate


def test_an_object_under_a_lock_is_deleted_when_the_lock_has_ended(
    home: Home, tmp_path: Path
) -> None:
    session_id = deposited(home, tmp_path)
    with home.room() as room:
        (stored,) = room.store.versions()
        ends_at = datetime.now(UTC) + timedelta(seconds=4)
        room.store.lock(stored.key, stored.version, Lock("compliance", ends_at))
        done = disposal.dispose(room, session_id, Cause("plan", "p"))
        assert done.certificate is None
        assert done.unfinished
        with pytest.raises(NotFound):
            retrieve.session(room, session_id)
        while datetime.now(UTC) <= ends_at + timedelta(seconds=1):
            time.sleep(0.2)
        assert [d.certificate for d in disposal.resume(room)] != [None]
        assert list(room.store.versions()) == []


def test_nothing_is_destroyed_before_its_time(home: Home, tmp_path: Path) -> None:
    soon = datetime.now(UTC) - timedelta(days=6, hours=23)
    session_id = deposited(home, tmp_path, started_at=soon)
    with home.room() as room:
        done = disposal.dispose(room, session_id, Cause("plan", "p"))
        assert done.destroyed == ()
        with room.catalogue.transaction() as tx:
            due = tx.session(session_id).due_at
        assert due is not None
        assert soon + timedelta(days=7) <= due <= soon + timedelta(days=8)


def test_an_element_goes_whole_or_not_at_all() -> None:
    lies = elements.carried([(c, k) for c, k in elements._OF_PART if c is Compartment.ORIGINAL])
    every = list(Compartment)
    sound = {Element.ORIGINAL_AUDIO}
    assert elements.free(lies, every, sound) == set()
    assert elements.free(lies, every, {*sound, Element.ANALYSIS}) == {Element.ANALYSIS}
    both = {*sound, Element.TRANSCRIPT, Element.METADATA}
    assert elements.free(lies, every, both) == both
    assert set(elements.ending(lies, every, both)) == set(Compartment) - {Compartment.ANALYSIS}


def test_who_opens_and_who_takes_away_is_told(home: Home, tmp_path: Path) -> None:
    session_id = deposited(home, tmp_path, started_at=datetime.now(UTC))
    with home.room() as room:
        fetch.originals(room, session_id, tmp_path / "out", reason="a call back")
        choice, request = Choice(ids=[session_id]), Request("json")
        export(room, choice, request, tmp_path / "one.json")
        with pytest.raises(UsageError):
            export(room, choice, request, tmp_path / "two.wav")
        opened, exported = (e for e in told(room) if e["type"] in {"opened", "exported"})
        assert (opened["session"], opened["what"]) == (session_id, "originals")
        assert "call back" not in json.dumps(told(room))
        assert opened["reason"] == evidence.commitment(room, "a call back")
        assert (exported["sessions"], exported["format"]) == ([session_id], "json")


def test_nothing_is_written_into_a_session_that_is_gone(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = deposited(home, tmp_path)
    with home.room() as room:
        with room.catalogue.transaction() as tx:
            (job, *_) = tx.jobs(session_id)
            tx.end_job(job.id, error="too much for it")
        found = retrieve.session(room, session_id)
        disposal.dispose(room, session_id, Cause("plan", "p"))
        with pytest.raises(NotFound):
            remarks.set_title(room, session_id, "Late")
        monkeypatch.setattr(retrieve, "session", lambda *_: found)  # who had looked before
        with pytest.raises(NotFound):
            remarks.set_title(room, session_id, "Late")
        assert jobs.retry(room, None) == []
        with room.catalogue.transaction() as tx:
            assert tx.session(session_id).state is State.ERASED
