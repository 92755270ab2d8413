"""What only the file of SQLite can get wrong."""

from __future__ import annotations

import random
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.conformance.archived import (
    KEY_ID,
    a_deposit,
    another_process,
    connected,
    count_of_sessions,
    jobs_stored,
    stored,
    wait_until_ready,
)
from vault.catalogue import open_catalogue
from vault.errors import BackendError
from vault.ports import Catalogue
from vault.rows import SessionFilter

PAGE_BYTES = 4096


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/catalogue.db"


@pytest.fixture
def on_file(url: str, tmp_path: Path) -> Catalogue:
    catalogue = open_catalogue(url, home=tmp_path)
    catalogue.create()
    return catalogue


def test_every_file_is_private_from_the_first_moment(
    on_file: Catalogue, url: str, tmp_path: Path
) -> None:
    other = another_process(url, "with catalogue.writing():\n    stored(catalogue)\n    ready()\n")
    wait_until_ready(other)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    other.communicate("go\n", timeout=30)
    names = {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "catalogue.db.lock"}
    assert modes == dict.fromkeys(names, 0o600)


def test_every_connection_is_durable_strict_and_overwrites(on_file: Catalogue) -> None:
    asked = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "trusted_schema": 0,
        "busy_timeout": 30_000,
    }
    with connected(on_file) as connection:
        told = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked}
    assert told == asked


def test_a_folder_name_may_hold_anything_a_path_can(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20?mode=memory#ö"
    folder.mkdir()
    catalogue = open_catalogue("sqlite://", home=folder)
    catalogue.create()
    assert stored(catalogue, a_deposit()) == set()
    assert (folder / "catalogue.db").stat().st_size > 0


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="cannot be made"):
        open_catalogue("sqlite://", home=tmp_path / "none").create()


@pytest.mark.parametrize("damage", [b"", b"\0", b"not a database at all" * 500])
def test_a_file_that_is_no_database_is_said_so(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "catalogue.db").write_bytes(damage)
    catalogue = open_catalogue("sqlite://", home=tmp_path)
    with pytest.raises(BackendError) as caught:
        count_of_sessions(catalogue)
    assert not caught.value.retryable
    assert not all(finding.ok for finding in catalogue.probe())


def test_the_probe_finds_damage_on_any_page_and_says_what_it_did_not_read(
    on_file: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_stored(on_file, 300)
    on_file.close()
    file = tmp_path / "catalogue.db"
    whole = file.read_bytes()
    pages = len(whole) // PAGE_BYTES
    assert readable(tmp_path) == (True, "every page")
    dice = random.Random(5)
    for page in dice.sample(range(1, pages), 12):  # noise where SQLite keeps a tree or its leaves
        at = page * PAGE_BYTES
        file.write_bytes(whole[:at] + dice.randbytes(PAGE_BYTES) + whole[at + PAGE_BYTES :])
        assert readable(tmp_path) == (False, "The catalogue is damaged. Restore it from a backup.")
    file.write_bytes(whole)
    monkeypatch.setattr("vault.catalogue.sqlite._READ_THROUGH_BYTES", 1)
    ok, detail = readable(tmp_path)
    assert ok
    assert "too many to read" in detail


def readable(folder: Path) -> tuple[bool, str]:
    """What the probe of the catalogue in a folder says of reading it."""
    catalogue = open_catalogue("sqlite://", home=folder)
    last = catalogue.probe()[-1]  # reading it, or what kept the probe from that
    catalogue.close()
    return last.ok, last.detail


def test_a_destroyed_key_is_overwritten_in_the_file(on_file: Catalogue, tmp_path: Path) -> None:
    wrapped = b"the-wrapped-key-that-must-be-gone" * 3
    stored(on_file)
    with on_file.transaction() as tx:
        tx.set_key(KEY_ID, state="retired", wrapped=wrapped)
    on_file.close()
    assert wrapped in (tmp_path / "catalogue.db").read_bytes()
    with on_file.transaction() as tx:
        tx.set_key(KEY_ID, state="destroyed", wrapped=None)
    on_file.close()
    for path in tmp_path.iterdir():
        assert wrapped not in path.read_bytes()


def test_an_online_backup_is_a_catalogue_of_its_own(on_file: Catalogue, tmp_path: Path) -> None:
    deposit = a_deposit()
    stored(on_file, deposit)
    copies = {name: tmp_path / name for name in ("copied", "vacuumed")}
    for folder in copies.values():
        folder.mkdir()
    source = sqlite3.connect(tmp_path / "catalogue.db")
    with on_file.writing():
        target = sqlite3.connect(copies["copied"] / "catalogue.db")
        source.backup(target)
        target.close()
        source.execute("VACUUM INTO ?", (str(copies["vacuumed"] / "catalogue.db"),))
    source.close()
    for folder in copies.values():
        with open_catalogue("sqlite://", home=folder).transaction() as tx:
            assert tx.session(deposit.session.id) == deposit.session


def test_every_look_up_is_served_by_an_index(on_file: Catalogue) -> None:
    """A plan that scans a table of millions would pass every other test."""
    jobs_stored(on_file, 3)
    asked: list[str] = []
    connection = connected(on_file)
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.set_trace_callback(asked.append)
    connection.close()
    where = SessionFilter(
        lookups=[("tag", b"t" * 32)], jurisdiction="DE", format="wav", class_name="short"
    )
    with on_file.transaction() as tx:
        row = tx.session(tx.sessions("default", SessionFilter(), limit=1)[0].id)
        tx.by_fingerprint(row.tenant, row.fingerprint)
        tx.sizes_among(row.tenant, {5, 6})
        tx.sessions(row.tenant, where, limit=5, after=row.id)
        tx.count_sessions(row.tenant, where)
        tx.objects(row.id)
        tx.known_store_keys(["a", "b"])
        tx.active_key(row.tenant, row.bucket)
        tx.records_under(KEY_ID, limit=1)
        tx.jobs(row.id)
        tx.claim_to_send(limit=1, sent_before=row.started_at)
        tx.next_job(now=row.started_at, until=row.ended_at)
        tx.next_job(now=row.started_at, until=row.ended_at, session_ids=[row.id])
        tx.actor(b"n" * 32)
    raw.set_trace_callback(None)
    plans = {
        statement: [str(step[3]) for step in raw.execute(f"EXPLAIN QUERY PLAN {statement}")]
        for statement in asked
        if statement.startswith(("SELECT", "UPDATE"))
    }
    assert len(plans) > 12
    for statement, plan in plans.items():
        scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
        assert not [step for step in scans if "json_each" not in step], (statement, plan)
