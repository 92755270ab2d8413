"""The ledger's file on bad days: killed writers, many at once, forks, and hands that alter it."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.processes import environment
from vault.errors import BackendError, IntegrityError
from vault.ledger import certificate, checkpoint
from vault.ledger.note import SigningKey
from vault.ports.ledger import Entry
from vault.storage.evidence import EvidenceLedger

ROOT = Path(__file__).resolve().parents[2]
KEY = SigningKey("example.com/archive", bytes(range(32)))
PREFACE = """
import os, sys
from pathlib import Path
from vault.ledger.note import SigningKey
from vault.ports.ledger import Entry
from vault.storage.evidence import EvidenceLedger
KEY = SigningKey("example.com/archive", bytes(range(32)))
ledger = EvidenceLedger(Path(sys.argv[1]), KEY.verifier_key, lambda: KEY)
def entry(name):
    return Entry("opened", name, {"actor": "a1"})
"""


def opened(folder: Path, key: SigningKey = KEY) -> EvidenceLedger:
    return EvidenceLedger(folder, key.verifier_key, lambda: key)


def entry(name: str) -> Entry:
    return Entry("opened", name, {"actor": "a1"})


def told(certificate_id: str) -> Entry:
    return Entry(certificate.ENTRY_TYPE, f"certificate-issued:{certificate_id}", {"actor": "a1"})


@contextlib.contextmanager
def program(text: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that runs `text`; killed at the end if it still does."""
    process = subprocess.Popen(
        [sys.executable, "-c", PREFACE + text, str(folder), *arguments],
        cwd=ROOT,
        env=environment(folder.parent) | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "ledger"
    opened(made).create()
    return made


APPENDING = """
number = ledger.size()
while True:
    names = [f"{os.getpid()}/{number + k}" for k in range(1 + number % 5)]
    if number % 3 == 0:
        ledger.certify(names[0], lambda: {"is": names[0]}, Entry(
            "certificate-issued", "certificate-issued:" + names[0], {"actor": "a1"}))
    else:
        ledger.append([entry(name) for name in names])
    print(number, *names, flush=True)
    number += len(names)
"""


def test_what_was_answered_outlives_kill_9(folder: Path) -> None:
    dice, answered, certified = random.Random(9), list[str](), list[str]()
    for _ in range(8):
        with program(APPENDING, folder) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(dice.random() * 0.2)
            process.send_signal(signal.SIGKILL)
            # The last line may have been cut by the kill: then nothing was answered.
            lines = [first, *process.stdout]
        for number, *names in (line.split() for line in lines if line.endswith("\n")):
            (certified if int(number) % 3 == 0 else answered).extend(
                names[:1] if int(number) % 3 == 0 else names
            )
        ledger = opened(folder)
        size, _ = ledger.verify()
        assert size == ledger.size() >= len(answered) + len(certified)
        assert all(ledger.find(name) is not None for name in answered)
        for name in certified:
            certificate.verify(ledger.certificate(name), KEY.verifier_key)
        ledger.close()
    assert len(answered) > 20
    assert len(certified) > 5


SHARING = """
ledger.create()
for start in range(0, 120, 8):
    shared = [entry(f"shared/{n}") for n in range(start, start + 8)]
    own = [entry(f"{sys.argv[2]}/{n}") for n in range(start, start + 8)]
    indices = ledger.append(shared + own)
    assert [ledger.find(e.once) for e in shared + own] == indices
    if start % 16 == 0:
        ledger.certify(f"c{start}", lambda: {"is": start}, Entry(
            "certificate-issued", f"certificate-issued:c{start}", {"actor": "a1"}))
        ledger.checkpoint()
"""


def test_four_processes_tell_every_entry_once(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(program(SHARING, folder, str(n))) for n in range(4)]
        assert [process.wait(120) for process in running] == [0] * 4
    ledger = opened(folder)
    names = [json.loads(line)["once"] for line in ledger.entries()]
    expected = {f"{who}/{n}" for who in ("shared", *"0123") for n in range(120)}
    expected |= {f"certificate-issued:c{n}" for n in range(0, 120, 16)}
    assert len(names) == len(expected)
    assert set(names) == expected
    assert [ledger.find(name) for name in names] == list(range(len(names)))
    assert ledger.verify()[0] == len(names)
    head = checkpoint.read((folder / "checkpoint").read_bytes(), KEY.verifier_key)
    assert head.size <= len(names)


FORKING = """
ledger.append([entry("before")])
children, inherited = [], ledger._file._database
for number in range(3):
    if (child := os.fork()) == 0:
        for k in range(20):
            ledger.append([entry(f"{number}/{k}")])
        # SQLite's locks do not survive a fork, so its connections must not either.
        os._exit(ledger._file._database is inherited)
    children.append(child)
for k in range(20):
    ledger.append([entry(f"parent/{k}")])
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
ledger.append([entry("after")])
assert ledger.verify()[0] == 82
"""


def test_forked_children_share_it_with_their_parent(folder: Path) -> None:
    with program(FORKING, folder) as process:
        assert process.wait(120) == 0


def test_threads_of_one_process_take_turns(folder: Path) -> None:
    ledger = opened(folder)
    with ThreadPoolExecutor(4) as pool:
        names = [f"{who}/{n}" for who in range(4) for n in range(25)]
        indices = list(pool.map(lambda name: ledger.append([entry(name)])[0], names))
        proofs = list(pool.map(lambda index: ledger.prove(index).index, range(0, 100, 10)))
    assert sorted(indices) == list(range(100))
    assert proofs == list(range(0, 100, 10))
    assert ledger.verify()[0] == 100


def test_only_its_owner_can_read_it(folder: Path) -> None:
    ledger = opened(folder)
    ledger.append([entry("one")])
    ledger.checkpoint()
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert {"ledger.db", "ledger.db-wal", "checkpoint"} <= modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entries",
        "DELETE FROM hashes",
        "DELETE FROM certificates",
        "DELETE FROM checkpoints",
        "UPDATE entries SET once = 'other'",
        "UPDATE hashes SET level = level + 1",
        "UPDATE certificates SET id = 'other'",
        "UPDATE checkpoints SET size = size + 1",
        "REPLACE INTO entries SELECT * FROM entries",
        "REPLACE INTO hashes SELECT * FROM hashes",
        "REPLACE INTO certificates SELECT * FROM certificates",
        "REPLACE INTO checkpoints SELECT * FROM checkpoints",
    ],
)
def test_the_database_itself_refuses_to_forget(folder: Path, statement: str) -> None:
    ledger = opened(folder)
    ledger.certify("c1", lambda: {"is": "gone"}, told("c1"))
    with (
        ledger._file.writing() as rows,
        pytest.raises(sqlite3.IntegrityError, match=r"only grows|one by one"),
    ):
        rows.database.execute(statement)


def test_entries_are_numbered_without_a_gap(folder: Path) -> None:
    with (
        opened(folder)._file.writing() as rows,
        pytest.raises(sqlite3.IntegrityError, match="one by one"),
    ):
        rows.database.execute("INSERT INTO entries VALUES (7, 'x', x'00')")


def altering(*statements: str) -> Callable[[sqlite3.Connection], None]:
    def alter(database: sqlite3.Connection) -> None:
        for statement in statements:
            database.execute(statement)

    return alter


CUT = (
    "DELETE FROM entries WHERE id = 9",
    "DELETE FROM hashes WHERE (number + 1) * (1 << level) > 9",
)


@pytest.mark.parametrize(
    "alter",
    [
        altering(
            "UPDATE entries SET entry = CAST(replace(entry, 'a1', 'a2') AS BLOB) WHERE id = 4"
        ),
        altering("UPDATE entries SET once = 'other' WHERE id = 4"),
        altering("UPDATE hashes SET hash = zeroblob(32) WHERE level = 0 AND number = 4"),
        altering("UPDATE hashes SET hash = zeroblob(32) WHERE level = 2 AND number = 0"),
        altering("INSERT INTO hashes VALUES (5, 0, zeroblob(32))"),
        altering("DELETE FROM entries WHERE id = 4"),
        altering("DELETE FROM hashes WHERE level = 1 AND number = 1"),
        altering(*CUT),
        altering(*CUT, "DELETE FROM checkpoints WHERE size > 9"),
        altering("UPDATE checkpoints SET note = (SELECT note FROM checkpoints LIMIT 1)"),
        altering(
            "UPDATE certificates SET document = CAST(replace(document, 'gone', 'here') AS BLOB)"
        ),
    ],
)
def test_every_altered_row_is_found(
    folder: Path, alter: Callable[[sqlite3.Connection], None]
) -> None:
    ledger = opened(folder)
    ledger.append([entry(str(n)) for n in range(5)])
    ledger.checkpoint()
    ledger.append([entry(str(n)) for n in range(5, 9)])
    ledger.certify("c1", lambda: {"is": "gone"}, told("c1"))
    assert ledger.verify()[0] == 10
    ledger.close()
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as database:
        guards = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in guards.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        alter(database)
        database.commit()
    with pytest.raises(IntegrityError):
        opened(folder).verify()


def put_back(kept: Path, folder: Path) -> None:
    for path in folder.glob("ledger.db*"):
        path.unlink()
    for path in kept.glob("ledger.db*"):
        shutil.copy(path, folder)


@pytest.fixture
def rolled_back(folder: Path, tmp_path: Path) -> Path:
    """A ledger of two published entries, whose file is one of before the second."""
    ledger = opened(folder)
    ledger.append([entry("one")])
    ledger.close()
    kept = shutil.copytree(folder, tmp_path / "kept")
    ledger.append([entry("two")])
    ledger.checkpoint()
    ledger.close()
    put_back(kept, folder)
    return folder


@pytest.mark.parametrize(
    "use",
    [
        lambda ledger: ledger.append([entry("three")]),
        lambda ledger: ledger.certify("c1", lambda: {"is": "gone"}, told("c1")),
        lambda ledger: ledger.checkpoint(),
        lambda ledger: ledger.find("one"),
        lambda ledger: ledger.verify(),
    ],
)
def test_a_file_that_was_put_back_is_refused(
    rolled_back: Path, use: Callable[[EvidenceLedger], object]
) -> None:
    with pytest.raises(IntegrityError, match="older state"):
        use(opened(rolled_back))
    assert not opened(rolled_back).probe()[0].ok


def test_a_file_that_was_put_back_and_grew_again_is_refused(rolled_back: Path) -> None:
    published = (rolled_back / "checkpoint").read_bytes()
    (rolled_back / "checkpoint").unlink()
    ledger = opened(rolled_back)
    ledger.append([entry("another"), entry("more")])
    ledger.close()
    (rolled_back / "checkpoint").write_bytes(published)
    with pytest.raises(IntegrityError, match="not the one"):
        opened(rolled_back).append([entry("three")])


def test_a_ledger_that_is_gone_is_not_made_anew(folder: Path) -> None:
    ledger = opened(folder)
    ledger.append([entry("one")])
    ledger.checkpoint()
    ledger.close()
    for path in folder.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(IntegrityError):
        opened(folder).create()
    with pytest.raises(BackendError):
        opened(folder).append([entry("two")])
    assert not (folder / "ledger.db").exists()


def test_one_whose_making_was_interrupted_says_so_and_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    ledger = opened(tmp_path)
    with pytest.raises(BackendError, match="interrupted"):
        ledger.append([entry("one")])
    ledger.create()
    assert ledger.append([entry("one")]) == [0]


def test_a_file_that_is_no_database_is_damage(folder: Path) -> None:
    (folder / "ledger.db").write_bytes(b"nothing" * 1000)
    with pytest.raises(IntegrityError, match="damaged"):
        opened(folder).size()


def test_another_key_than_the_known_one_signs_nothing(folder: Path) -> None:
    other = SigningKey(KEY.name, bytes(32))
    with pytest.raises(IntegrityError):
        EvidenceLedger(folder, KEY.verifier_key, lambda: other).checkpoint()
    assert not (folder / "checkpoint").exists()


def test_a_checkpoint_is_only_published_once_its_entries_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = opened(folder)
    monkeypatch.setattr(
        certificate, "written", lambda *_: (_ for _ in ()).throw(BackendError("no"))
    )
    with pytest.raises(BackendError):
        ledger.certify("c1", lambda: {"is": "gone"}, told("c1"))
    assert ledger.size() == 0
    assert not (folder / "checkpoint").exists()
