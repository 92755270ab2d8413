"""Keys are rotated while others deposit and read, and nobody notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import recordings
from tests.homes import Home, ended, made
from vault.errors import NotFound, Refused
from vault.operations import fetch, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.room import Room
from vault.rows import SessionFilter

SESSIONS = 25

#: Deposits what it is given, one by one, in a room that it opens once.
DEPOSITOR = """
import sys
from pathlib import Path
from vault import settings
from vault.bootstrap import open_room
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
with open_room(settings.load()) as room:
    for n, path in enumerate(map(Path, sys.argv[1:])):
        terms = Terms(class_name=("short", "long")[n % 2], tags=["rotated"])
        outcome = deposit(room, [path], terms, wait=False)
        assert not outcome.refused, outcome.refused
        print(outcome.sessions[0].id, flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A home, on each database."""
    if request.param == "sqlite":
        return made(tmp_path / "home")
    url = request.getfixturevalue("database_url")
    return made(tmp_path / "home", STRONGROOM_CATALOGUE_URL=url)


def rotate(room: Room) -> None:
    room.keys.rotate(lambda *_: None)


def test_every_session_stays_readable_while_keys_rotate_under_deposits(
    shared: Home, tmp_path: Path
) -> None:
    files = [recordings.recording(tmp_path / f"{n}.wav", 0.1, seed=n) for n in range(SESSIONS)]
    rotations = 0
    with shared.room() as reader, shared.room() as officer:
        depositor = shared.python(DEPOSITOR, *files)
        while depositor.poll() is None:
            rotate(officer)
            rotations += 1
            if rotations % 4 == 0:
                officer.keys.rotate_root()
            # One who opened the archive long ago, with keys of old generations in mind.
            for row in retrieve.sessions(reader, SessionFilter(), limit=2):
                retrieve.Opened(reader, row).metadata()
        answer = ended(depositor)
        assert rotations > 3
        rotate(officer)
        by_name = {path.name: path.read_bytes() for path in files}
        assert len(answer.out.split()) == SESSIONS
        for session_id in answer.out.split():
            back = tmp_path / session_id
            (wrote,) = fetch.originals(reader, session_id, back)
            name = str(wrote["name"])
            assert (back / name).read_bytes() == by_name.pop(name)
        tagged = SessionFilter(lookups=[("tag", reader.keys.lookup("tag", "Rotated"))])
        assert len(list(retrieve.sessions(reader, tagged))) == SESSIONS
        with officer.catalogue.transaction() as tx:
            rows, counts = tx.keys(), tx.count_records()
    assert all(row.state == "active" for row in rows if counts.get(row.id))
    assert max(row.generation for row in rows) > 3


def test_two_rotations_at_once_leave_one_active_key_a_bucket(shared: Home, tmp_path: Path) -> None:
    with shared.room() as room:
        for n in range(6):
            file = recordings.recording(tmp_path / f"{n}.wav", 0.1, seed=n)
            deposit(room, [file], Terms(), wait=False)
        others = [shared.start("keys", "rotate", "--root") for _ in range(3)]
        rotate(room)
        for other in others:
            # Whoever comes second finishes what is under way, or is told to wait.
            assert ended(other, None).code in (0, 4)
        with room.catalogue.transaction() as tx:
            active = [row.bucket for row in list(tx.keys()) if row.state == "active"]
        assert len(set(active)) == len(active) == 2
        for row in retrieve.sessions(room, SessionFilter()):
            fetch.originals(room, row.id, tmp_path / "back")


def test_an_old_generation_is_of_no_use_once_it_was_rotated_away(
    shared: Home, tmp_path: Path
) -> None:
    with shared.room() as room:
        file = recordings.recording(tmp_path / "a.wav", 0.1)
        deposit(room, [file], Terms(), wait=False)
        with room.catalogue.transaction() as tx:
            (old,) = (k for k in list(tx.keys()) if k.bucket != "tenant")
        rotate(room)
        with room.catalogue.transaction() as tx:
            now = tx.key(old.id)
        assert (now.state, now.wrapped) == ("destroyed", None)
        with pytest.raises(NotFound):
            room.keys._unwrapped(now)


def test_a_rotation_that_comes_second_is_refused_and_changes_nothing(
    shared: Home, tmp_path: Path
) -> None:
    with shared.room() as room:
        deposit(room, [recordings.recording(tmp_path / "a.wav", 0.1)], Terms(), wait=False)
        with room.catalogue.transaction() as tx:
            seen = list(tx.keys())
        room.keys._retire_all(seen)
        with room.catalogue.transaction() as tx:
            before = list(tx.keys())
        with pytest.raises(Refused):
            room.keys._retire_all(seen)
        with room.catalogue.transaction() as tx:
            assert list(tx.keys()) == before
        assert room.keys.rotate(lambda *_: None)["resumed"] is True
