"""Whatever is done to stored bytes is noticed before anybody sees a wrong one."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from tests import recordings
from tests.homes import Home, made
from vault.errors import IntegrityError
from vault.operations import fetch, fixity, retrieve, show
from vault.operations.room import Room
from vault.ports import ObjectStore
from vault.rows import ObjectRow, SessionFilter

PHRASES = ("My card was charged twice", "I can see that here")


@dataclass(frozen=True)
class Archive:
    """Two sessions of one shape, each with an object of originals and one of renditions."""

    home: Home
    sources: dict[str, Path]

    def files(self) -> dict[str, Path]:
        """Where each object lies, by its id."""
        with self.home.room() as room, room.catalogue.transaction() as tx:
            ids = [row.id for row in tx.all_objects(limit=10)]
        return {i: next(p for p in self.home.objects() if i in p.name) for i in ids}

    def rows(self, compartment: str) -> list[ObjectRow]:
        with self.home.room() as room, room.catalogue.transaction() as tx:
            return [o for o in tx.all_objects(limit=10) if o.compartment == compartment]


@pytest.fixture(scope="module")
def _archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("tamper")
    home = made(folder / "home")
    sources = [recordings.bundle(folder / f"{n}", PHRASES, seed=10 * n) for n in range(2)]
    answer = home.run("deposit", *sources).document
    return Archive(home, {s["id"]: Path(s["path"]) for s in answer["sessions"]})


@pytest.fixture
def archive(_archive: Archive, tmp_path: Path) -> Archive:
    """The two sessions in a home of the test's own."""
    return Archive(_archive.home.copy(tmp_path / "home"), _archive.sources)


@contextlib.contextmanager
def written(path: Path, content: bytes) -> Iterator[None]:
    """The file holds `content` until the block ends."""
    before = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def flipped(content: bytes, place: int, bit: int = 0) -> bytes:
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def places(size: int) -> list[int]:
    """Every byte of the head and the tail, and some of all the rest."""
    some = random.Random(7).sample(range(size), 30)
    return sorted({*range(64), *range(size - 32, size), *some})


def refused(room: Room, row: ObjectRow, out: Path) -> bool:
    """Whether every way to the bytes of an object is shut, and nothing is written."""
    opened = retrieve.Opened(room, retrieve.session(room, row.session_id))
    for name in names(opened, row):
        try:
            fetch.part(room, row.session_id, name, out / "part")
        except IntegrityError:
            continue
        return False
    if row.compartment == "original":
        with pytest.raises(IntegrityError):
            fetch.originals(room, row.session_id, out / "all")
    return list(out.iterdir()) == []


@pytest.mark.parametrize("compartment", ["original", "derived", "analysis"])
def test_any_flipped_byte_is_noticed_where_it_is_read_and_by_fixity(
    archive: Archive, tmp_path: Path, compartment: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    row = archive.rows(compartment)[0]
    stored = archive.files()[row.id]
    content = stored.read_bytes()
    noticed = 0
    with archive.home.room() as room:
        for place in places(len(content)):
            with written(stored, flipped(content, place, place % 8)):
                with pytest.raises(IntegrityError):
                    fetched(room, row, out)
                noticed += fixity.check(room, all_bytes=True).damaged == [row.id]
        assert list(out.iterdir()) == []
        assert noticed == len(places(len(content)))
        fetched(room, row, out)


def fetched(room: Room, row: ObjectRow, out: Path) -> None:
    """Every part of the object, one by one."""
    opened = retrieve.Opened(room, retrieve.session(room, row.session_id))
    scratch = out / f"{row.compartment}.part"
    for name in names(opened, row):
        fetch.part(room, row.session_id, name, scratch)
        scratch.unlink()


def names(opened: retrieve.Opened, row: ObjectRow) -> list[str]:
    """The parts that lie in this object."""
    found = [p for p in opened.parts if opened._homes[p.compartment, p.name].id == row.id]
    assert found
    return [f"{p.compartment}:{p.name}" for p in found]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[:-1],
        lambda c: c[: len(c) // 2],
        lambda c: c[1:],
        lambda c: c[:40],
        lambda _: b"",
        lambda c: c + b"\0",
        lambda c: c + c[-100:],
        lambda c: c + c,
        lambda c: c[:1000] + c[1001:],
        lambda c: c[:-200] + c[-100:] + c[-200:-100],
        lambda c: bytes(len(c)),
    ],
    ids=[
        *("cut by one", "cut in half", "without its first", "head only", "empty"),
        *("one more", "longer", "twice", "one dropped", "two runs exchanged", "zeros"),
    ],
)
def test_cut_lengthened_and_rearranged_objects_open_for_nobody(
    archive: Archive, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    files = archive.files()
    with archive.home.room() as room:
        for row in [*archive.rows("original"), *archive.rows("derived"), *archive.rows("analysis")]:
            with written(files[row.id], change(files[row.id].read_bytes())):
                assert refused(room, row, out)
                assert fixity.check(room, all_bytes=True).damaged == [row.id]


class _Endless:
    """A store that says the right length of every object and then gives bytes without end."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def get(
        self, key: str, version: str, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        yield from self.store.get(key, version, start, stop)
        for _ in range(start, 1 << 30 if stop is None else stop, 1 << 16):
            assert stop is not None, "nobody said where to end"
            yield bytes(1 << 16)


def test_fixity_asks_for_no_more_than_was_stored(archive: Archive) -> None:
    with archive.home.room() as room:
        endless = _Endless(room.store)
        report = fixity.check(replace(room, store=cast("ObjectStore", endless)), all_bytes=True)
    assert len(report.damaged) == report.checked > 0


def test_a_missing_object_is_reported_and_opens_for_nobody(
    archive: Archive, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    row = archive.rows("original")[0]
    archive.files()[row.id].unlink()
    with archive.home.room() as room:
        assert refused(room, row, out)
        assert fixity.check(room).missing == [row.id]


@pytest.mark.parametrize("compartments", [("original", "original"), ("original", "derived")])
def test_two_objects_that_changed_places_open_for_nobody(
    archive: Archive, tmp_path: Path, compartments: tuple[str, str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    one, other = archive.rows(compartments[0])[0], archive.rows(compartments[1])[-1]
    files = archive.files()
    first, second = files[one.id].read_bytes(), files[other.id].read_bytes()
    if compartments == ("original", "original"):
        assert len(first) == len(second)  # so that no size gives them away
    with (
        archive.home.room() as room,
        written(files[one.id], second),
        written(files[other.id], first),
    ):
        assert refused(room, one, out)
        assert refused(room, other, out)
        assert sorted(fixity.check(room, all_bytes=True).damaged) == sorted([one.id, other.id])


# --- the catalogue -------------------------------------------------------------------------

SEALED = {
    "sessions": ("metadata", "timeline"),
    "objects": ("manifest",),
    "records": ("record",),
    "keys": ("wrapped",),
}
COLUMNS = [(table, column) for table, columns in SEALED.items() for column in columns]


@contextlib.contextmanager
def database(home: Home) -> Iterator[sqlite3.Connection]:
    """The catalogue's file in the hands of one who drops whatever guards it."""
    with contextlib.closing(sqlite3.connect(home.folder / "catalogue.db")) as connection:
        guards = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in guards.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        connection.commit()


def everything(home: Home, out: Path) -> None:
    """Read all there is to read of every session."""
    with home.room() as room:
        for row in list(retrieve.sessions(room, SessionFilter())):
            opened = retrieve.Opened(room, row)
            show.session(opened)
            for part in opened.parts:
                fetch.part(room, row.id, f"{part.compartment}:{part.name}", out)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
@pytest.mark.parametrize("place", [0, 20, 45, -1], ids=lambda p: f"byte {p}")
def test_a_flipped_byte_in_a_sealed_column_is_noticed(
    archive: Archive, tmp_path: Path, table: str, column: str, place: int
) -> None:
    everything(archive.home, tmp_path / "out")
    with database(archive.home) as tables:
        rows = tables.execute(f"SELECT rowid, {column} FROM {table}").fetchall()  # noqa: S608  names from above
        for rowid, value in rows:
            tables.execute(
                f"UPDATE {table} SET {column} = ? WHERE rowid = ?",  # noqa: S608  as above
                (flipped(value, place % len(value)), rowid),
            )
    with pytest.raises(IntegrityError):
        everything(archive.home, tmp_path / "out")


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_two_sealed_values_that_changed_places_are_noticed(
    archive: Archive, tmp_path: Path, table: str, column: str
) -> None:
    with database(archive.home) as tables:
        rows = tables.execute(f"SELECT rowid, {column} FROM {table}").fetchall()  # noqa: S608  names from above
        values = [value for _, value in rows]
        assert len(set(values)) == len(values) > 1
        for (rowid, _), value in zip(rows, values[1:] + values[:1], strict=True):
            tables.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, rowid))  # noqa: S608  as above
    with pytest.raises(IntegrityError):
        everything(archive.home, tmp_path / "out")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE objects SET size_bytes = size_bytes - 1",
        "UPDATE objects SET size_bytes = size_bytes + 1",
        "UPDATE objects SET store_key = substr(store_key, 1, length(store_key) - 1) || 'x'",
        "UPDATE objects SET version = replace(version, substr(version, 1, 1), 'f')",
        "UPDATE objects SET compartment = 'timeline' WHERE compartment = 'derived'",
        (
            "UPDATE records SET compartment = 'x' WHERE compartment = 'original';"
            "UPDATE records SET compartment = 'original' WHERE compartment = 'derived';"
            "UPDATE records SET compartment = 'derived' WHERE compartment = 'x'"
        ),
        "UPDATE keys SET generation = generation + 1",
        "UPDATE keys SET bucket = bucket || 'x' WHERE bucket != 'tenant'",
        "UPDATE keys SET tenant = 'other' WHERE bucket != 'tenant'",
    ],
)
def test_what_the_catalogue_says_of_a_sealed_thing_cannot_be_changed(
    archive: Archive, tmp_path: Path, statement: str
) -> None:
    with database(archive.home) as tables:
        tables.executescript(statement)
    with pytest.raises(IntegrityError):
        everything(archive.home, tmp_path / "out")


@pytest.mark.parametrize(
    ("statement", "fixity_tells"),
    [
        ("UPDATE objects SET store_key = '../../etc/passwd'", True),
        ("UPDATE objects SET store_key = 'probe/elsewhere'", True),
        ("UPDATE objects SET compartment = 'cellar'", False),
        ("UPDATE objects SET manifest = 'words'", False),
        ("UPDATE sessions SET started_at = 9223372036854775807", False),
        ("UPDATE sessions SET ended_at = 'soon'", False),
        ("UPDATE sessions SET state = 'lost'", False),
        ("UPDATE sessions SET privacy_level = 'none'", False),
        ("UPDATE sessions SET metadata = 'words'", False),
    ],
)
def test_what_no_column_was_ever_given_is_a_finding_and_no_crash(
    archive: Archive, tmp_path: Path, statement: str, *, fixity_tells: bool
) -> None:
    with database(archive.home) as tables:
        tables.execute("PRAGMA ignore_check_constraints = ON")
        tables.execute(statement)
    with pytest.raises(IntegrityError):
        everything(archive.home, tmp_path / "out")
    with archive.home.room() as room:
        if fixity_tells:
            report = fixity.check(room, all_bytes=True)
            assert len(report.damaged) == report.checked == len(archive.home.objects())


def test_an_actor_of_a_role_that_is_none_may_do_nothing(archive: Archive) -> None:
    with database(archive.home) as tables:
        tables.execute("UPDATE actors SET role = 'emperor'")
    (session, *_) = archive.sources
    archive.home.run("show", session, code=4)
    archive.home.run("fixity", code=4)
    assert archive.home.run("list").document["sessions"] == []


def test_another_digest_in_the_catalogue_is_noticed_by_fixity(archive: Archive) -> None:
    with database(archive.home) as tables:
        tables.execute("UPDATE objects SET sha256 = zeroblob(32)")
    with archive.home.room() as room:
        report = fixity.check(room, all_bytes=True)
    assert len(report.damaged) == len(archive.home.objects())


def test_a_session_that_came_back_from_another_archive_opens_for_nobody(
    archive: Archive, tmp_path: Path
) -> None:
    stranger = made(tmp_path / "stranger")
    (source, *_) = archive.sources.values()
    stranger.run("deposit", source, "--no-wait")
    (theirs,) = stranger.objects()
    row = archive.rows("original")[0]
    out = tmp_path / "out"
    out.mkdir()
    with (
        archive.home.room() as room,
        written(archive.files()[row.id], theirs.read_bytes()),
    ):
        assert refused(room, row, out)
