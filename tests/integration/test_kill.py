"""kill -9 at any moment: the archive opens, a session is whole or absent, a re-run finishes."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests import recordings, servers
from tests.homes import Home, ended, made
from tests.integration.mortal import Death, Mortal, dies, killed
from vault import bootstrap
from vault.operations import attempt, fetch, fixity, jobs, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.room import Room
from vault.rows import ObjectRow, SessionFilter, SessionRow
from vault.settings import load

#: More points than any of these acts has.
ENDLESS = 500


@dataclass
class Archive:
    """A home, what was ever given to it, and a folder for what comes back.

    Of the points to die at every `stride`-th is tried.
    """

    home: Home
    scratch: Path
    stride: int = 1
    sources: list[Path] = field(default_factory=list)

    def source(self) -> Path:
        """A bundle that was never given before."""
        n = len(self.sources)
        path = recordings.bundle(self.scratch / f"call-{n}", (), seed=n, seconds=0.05)
        recordings.recording(path / "full.wav", 0.05, seed=n)
        self.sources.append(path)
        return path

    def points(self) -> Iterator[int]:
        """Numbers of points to die at; fails if there is no end to them."""
        yield from range(1, ENDLESS, self.stride)
        pytest.fail("it never came to its end")

    def check(self, last: int | None = None) -> int:
        """Sessions (the last few, or all) are whole, and after a repair nothing else is stored.

        How many sessions there are.
        """
        recent = self.sources if last is None else self.sources[-last - 1 :]
        given = [recordings.files(path) for path in recent]
        with self.home.room() as room:
            for row in retrieve.sessions(room, SessionFilter(), limit=last):
                assert came_back(room, row, self.scratch / "back") in given
            report = fixity.check(room, all_bytes=last is None, repair=True)
            assert (report.damaged, report.missing, report.kept) == ([], [], [])
            known = {(o.store_key, o.version) for o in objects(room)}
            assert {(s.key, s.version) for s in room.store.versions()} == known
            assert room.store.abort_unfinished() == 0
            with room.catalogue.transaction() as tx:
                return tx.count_sessions(room.tenant, SessionFilter())


def objects(room: Room) -> list[ObjectRow]:
    with room.catalogue.transaction() as tx:
        return list(tx.all_objects(limit=10_000))


def came_back(room: Room, row: SessionRow, out: Path) -> dict[str, bytes]:
    """The originals of a session, as fetched; every other part is read too."""
    fetch.originals(room, row.id, out)
    files = recordings.files(out)
    for name in files:
        (out / name).unlink()
    opened = retrieve.Opened(room, row)
    for part in opened.parts:
        assert sum(len(block) for block in opened.stream(part)) == part.size_bytes
    opened.metadata()
    opened.timeline()
    return files


@pytest.fixture(params=["file and sqlite", "s3 and postgresql"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    extra: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "file and sqlite":
            server: servers.S3Server = request.getfixturevalue("s3_server")
            for name, value in server.environment.items():
                patch.setenv(name, value)
            extra["STRONGROOM_STORE_URL"] = f"s3://{request.getfixturevalue('bucket')}"
            extra["STRONGROOM_CATALOGUE_URL"] = request.getfixturevalue("database_url")
        # A dead worker's lease need not be waited for any longer than this.
        patch.setattr(attempt, "LEASE_SECONDS", 0.3)
        stride = 12 if extra else 1
        yield Archive(made(tmp_path / "home", **extra), tmp_path, stride)


def test_a_deposit_killed_at_any_point_is_whole_or_absent(archive: Archive) -> None:
    for n in archive.points():
        source = archive.source()
        act = partial(deposit, paths=[source], terms=Terms(), wait=False)
        died = dies(archive.home, n, act)
        kept = archive.check(last=1)
        with archive.home.room() as room:
            (answer,) = act(room).sessions
        assert answer.already == (kept == len(archive.sources))
        assert archive.check(last=1) == len(archive.sources)
        if not died:
            break
    assert n > 8
    archive.check()


def test_a_job_killed_at_any_point_is_done_by_the_next_who_tries(archive: Archive) -> None:
    with archive.home.room() as room:
        (undisturbed,) = deposit(room, [archive.source()], Terms()).sessions
        wanted = kinds(room, undisturbed.id)
    archive.stride += 1  # two jobs run here, and renditions are dear
    for n in archive.points():
        with archive.home.room() as room:
            (answer,) = deposit(room, [archive.source()], Terms(), wait=False).sessions
        died = dies(archive.home, n, jobs.run_next)
        with archive.home.room() as room:
            assert jobs.run(room, [answer.id])
            with room.catalogue.transaction() as tx:
                assert tx.session(answer.id).state == "ready"
                assert {(j.state, j.error) for j in tx.jobs(answer.id)} == {("done", None)}
            assert kinds(room, answer.id) == wanted
        archive.check(last=1)
        if not died:
            break
    assert n > 8
    archive.check()


def kinds(room: Room, session_id: str) -> list[str]:
    """What objects a session has."""
    with room.catalogue.transaction() as tx:
        return sorted(o.kind for o in tx.objects(session_id))


@pytest.mark.parametrize("root", [False, True], ids=["keys", "root"])
def test_a_rotation_killed_at_any_point_is_finished_by_the_next(
    archive: Archive, root: bool
) -> None:
    with archive.home.room() as room:
        for name in ("short", "permanent"):
            deposit(room, [archive.source()], Terms(class_name=name), wait=False)

    def rotate(room: Room) -> None:
        if root:
            room.keys.rotate_root()
        else:
            room.keys.rotate(lambda *_: None)

    for n in archive.points():
        died = dies(archive.home, n, rotate)
        assert archive.check() == 2
        with archive.home.room() as room:
            rotate(room)
            with room.catalogue.transaction() as tx:
                counts, rows = tx.count_records(), tx.keys()
            used = {row.id for row in rows if row.state == "active"}
            assert {key for key, records in counts.items() if records} <= used
            assert all(row.wrapped is None for row in rows if row.state != "active")
            versions = {room.kms.version_of(row.wrapped) for row in rows if row.wrapped}
            assert len(versions) == 1
        if not died:
            break
    assert n > 5
    assert archive.check() == 2


def test_an_init_killed_at_any_point_is_finished_by_the_next(tmp_path: Path) -> None:
    n, died = 0, True
    while died:
        n += 1
        settings = load(tmp_path / f"home-{n}")
        with pytest.MonkeyPatch.context() as patch:
            surround(patch, Death(n))
            died = killed(partial(bootstrap.init, settings))
        if died:
            bootstrap.init(settings)
        with Home(settings.folder).room() as room:
            named = (settings.folder / "ledger" / "public-key").read_text().partition("+")[0]
            assert named == f"strongroom/{room.archive_id}"
            source = recordings.recording(tmp_path / "a.wav")
            assert deposit(room, [source], Terms(), wait=False).sessions
    assert n > 5


def surround(patch: pytest.MonkeyPatch, death: Death) -> None:
    """Every adapter that is opened from now on is mortal."""

    def replaced(name: str) -> None:
        real = getattr(bootstrap, name)
        patch.setattr(bootstrap, name, lambda settings: Mortal(real(settings), death))

    for name in ("_kms", "_catalogue", "_store"):
        replaced(name)


def test_commands_killed_at_any_time_leave_an_archive_that_works(tmp_path: Path) -> None:
    home = made(tmp_path / "home")
    archive = Archive(home, tmp_path)
    chance = random.Random(11)
    whole_command_seconds = timed(home, archive.source())
    for arguments in (["deposit"], ["deposit"], ["deposit"], ["keys", "rotate", "--root"]):
        for _ in range(2):
            given = [archive.source()] if arguments == ["deposit"] else []
            process = home.start(*arguments, *given)
            time.sleep(chance.uniform(0.3, 1) * whole_command_seconds)
            process.kill()
            ended(process, None)
            archive.check()
    home.run("keys", "rotate", "--root")
    answer = home.run("deposit", *archive.sources).document
    assert [s["state"] for s in answer["sessions"]] == ["ready"] * len(archive.sources)
    assert archive.check() == len(archive.sources)


def timed(home: Home, source: Path) -> float:
    began = time.monotonic()
    home.run("deposit", source)
    return time.monotonic() - began
