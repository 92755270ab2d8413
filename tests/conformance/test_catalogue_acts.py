"""The numbers of what was destroyed and held, and a catalogue that is put back."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.conformance.archived import a_deposit, stored
from vault.catalogue import open_catalogue
from vault.errors import BadInput, NotFound, Refused
from vault.ports import Catalogue
from vault.rows import ActRow


def add(catalogue: Catalogue, of: str) -> ActRow:
    with catalogue.transaction() as tx:
        return tx.add_act("disposal", of)


def numbers(catalogue: Catalogue) -> list[int]:
    with catalogue.transaction() as tx:
        return [act.number for act in tx.acts(after=0, limit=1000)]


def test_acts_are_numbered_one_by_one(catalogue: Catalogue) -> None:
    with catalogue.transaction() as tx:
        assert tx.newest_act() is None
    one, two = add(catalogue, "a"), add(catalogue, "b")
    assert (one, two) == (ActRow(1, "disposal", "a"), ActRow(2, "disposal", "b"))
    with catalogue.transaction() as tx:
        assert tx.newest_act() == two
        assert tx.acts(after=1, limit=5) == [two]
        assert tx.acts(after=0, limit=1) == [one]
        assert tx.has_act(one)
        assert not tx.has_act(ActRow(1, "disposal", "b"))
        assert not tx.has_act(ActRow(3, "disposal", "c"))


def test_a_number_that_was_not_committed_is_given_again(catalogue: Catalogue) -> None:
    class Stop(Exception):
        pass

    def cut_off() -> None:
        with catalogue.transaction() as tx:
            tx.add_act("hold", "a")
            raise Stop

    with pytest.raises(Stop):
        cut_off()
    assert add(catalogue, "b").number == 1


def test_many_at_once_get_a_number_each_and_leave_none_out(catalogue: Catalogue) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add(catalogue, str(n)), range(40)))
    assert numbers(catalogue) == list(range(1, 41))


class TestPuttingBack:
    """SQLite; a server's own tools do it there."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        (tmp_path / "home").mkdir()
        return tmp_path / "home"

    @pytest.fixture
    def here(self, home: Path) -> Catalogue:
        made = open_catalogue("sqlite://", home=home)
        made.create()
        return made

    @pytest.mark.parametrize("how", ["VACUUM INTO", "files as they lie"])
    def test_everything_is_as_in_the_copy(
        self, here: Catalogue, home: Path, tmp_path: Path, how: str
    ) -> None:
        before, after = a_deposit(), a_deposit()
        stored(here, before)
        copy = copied(home, tmp_path / "backup", how)
        stored(here, after)
        add(here, "a")
        here.put_back(copy)
        here.migrate()
        with here.transaction() as tx:
            assert tx.session(before.session.id) == before.session
            with pytest.raises(NotFound):
                tx.session(after.session.id)
        assert numbers(here) == []
        assert add(here, "b").number == 1

    def test_a_catalogue_that_was_lost_is_there_again(
        self, here: Catalogue, home: Path, tmp_path: Path
    ) -> None:
        stored(here, deposit := a_deposit())
        copy = copied(home, tmp_path / "backup", "VACUUM INTO")
        here.close()
        for file in home.glob("catalogue.db*"):
            file.unlink()
        again = open_catalogue("sqlite://", home=home)
        again.put_back(copy)
        with again.transaction() as tx:
            assert tx.session(deposit.session.id) == deposit.session
        assert (home / "catalogue.db").stat().st_mode & 0o077 == 0

    def test_what_is_no_whole_catalogue_replaces_none(
        self, here: Catalogue, home: Path, tmp_path: Path
    ) -> None:
        stored(here, deposit := a_deposit())
        copy = copied(home, tmp_path / "backup", "VACUUM INTO")
        whole = copy.read_bytes()
        for content in (b"", b"nonsense" * 1000, whole[: len(whole) // 2], None):
            copy.unlink()
            if content is not None:
                copy.write_bytes(content)
            with pytest.raises(BadInput):
                here.put_back(copy)
        with here.transaction() as tx:
            assert tx.session(deposit.session.id) == deposit.session

    def test_a_server_is_left_to_its_own_tools(self, tmp_path: Path) -> None:
        away = open_catalogue("postgresql://nobody@127.0.0.1:1/none", home=tmp_path)
        with pytest.raises(Refused, match="pg_restore"):
            away.put_back(tmp_path / "catalogue.db")


def copied(home: Path, folder: Path, how: str) -> Path:
    """A copy of the catalogue, whose files may never be written."""
    folder.mkdir()
    copy = folder / "catalogue.db"
    if how == "VACUUM INTO":
        with closing(sqlite3.connect(home / "catalogue.db")) as database:
            database.execute("VACUUM INTO ?", [str(copy)])
    else:
        for file in home.glob("catalogue.db*"):
            (folder / file.name).write_bytes(file.read_bytes())
    return copy
