"""The ledger's file: one SQLite database to which things can only be added.

Write-ahead log, and every commit flushed to the disk: what is committed outlives kill -9 and a
power cut. The write lock is taken before anything is read that a write depends on, so any number
of processes on one machine may append at once.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from vault.errors import BackendError, IntegrityError
from vault.storage import disk
from vault.storage.evidence.rows import Rows

_BUSY_SECONDS = 30.0
_SCHEMA_VERSION = 1
_TABLES = (
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        once TEXT NOT NULL UNIQUE,
        entry BLOB NOT NULL CHECK (typeof(entry) = 'blob')
    )""",
    """CREATE TABLE hashes (
        level INTEGER NOT NULL,
        number INTEGER NOT NULL,
        hash BLOB NOT NULL CHECK (typeof(hash) = 'blob' AND length(hash) = 32),
        PRIMARY KEY (level, number)
    ) WITHOUT ROWID""",
    """CREATE TABLE certificates (
        id TEXT PRIMARY KEY NOT NULL,
        document BLOB NOT NULL CHECK (typeof(document) = 'blob')
    )""",
    """CREATE TABLE checkpoints (
        size INTEGER PRIMARY KEY,
        note BLOB NOT NULL CHECK (typeof(note) = 'blob')
    )""",
)
_GUARDS = tuple(
    f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
    for table in ("entries", "hashes", "certificates", "checkpoints")
    for act in ("update", "delete")
)
_DENSE = """CREATE TRIGGER entries_dense BEFORE INSERT ON entries
    WHEN NEW.id <> (SELECT coalesce(max(id) + 1, 0) FROM entries)
    BEGIN SELECT RAISE(ABORT, 'entries are numbered one by one'); END"""
#: So that REPLACE, which deletes what it replaces, asks the triggers too.
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit is on disk once it returns
    "recursive_triggers = ON",
    "trusted_schema = OFF",
)


class EvidenceFile:
    """Connections to the file at `path`, which only `create` makes.

    One for a process, which its threads take in turns; a forked child opens its own.
    """

    #: What a fork brought along: never used, and never closed, for the parent still uses it.
    _inherited: ClassVar[list[sqlite3.Connection | None]] = []
    _database: sqlite3.Connection | None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def create(self) -> None:
        """The file and its tables are there; idempotent, also after a kill half-way."""
        with translated():
            disk.made_folder(self.path.parent)
            with suppress(FileExistsError):
                os.close(disk.opened_new(self.path))
                disk.synced_folder(self.path.parent)
            with closing(self._connected()) as database:
                database.execute("BEGIN IMMEDIATE")
                if _version(database) == 0:
                    for statement in (*_TABLES, *_GUARDS, _DENSE):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                database.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """The open database; each statement sees all that is committed by then."""
        self._leave_parent()
        with translated(), self._turn:
            if self._database is None:
                self._database = self._opened()
            yield Rows(self._database)

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """The same, and nobody else writes; committed and on the disk after it, or undone."""
        with self.reading() as rows:
            database = rows.database
            database.execute("BEGIN IMMEDIATE")
            try:
                yield rows
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[Rows]:
        """A connection of its own that sees one state from first to last."""
        with translated(), closing(self._opened()) as database:
            database.execute("BEGIN")
            yield Rows(database)

    def close(self) -> None:
        """Close what this process opened; the next use opens it again."""
        self._leave_parent()
        with self._turn:
            if self._database is not None:
                self._database.close()
            self._database = None

    def _leave_parent(self) -> None:
        if os.getpid() != self._process:
            self._inherited.append(self._database)
            self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._turn = threading.RLock()
        self._database = None

    def _opened(self) -> sqlite3.Connection:
        database = self._connected()
        if (version := _version(database)) != _SCHEMA_VERSION:
            database.close()
            raise BackendError(
                "The ledger was made by a newer version of strongroom."
                if version
                else "The ledger is empty: making it was interrupted. `strongroom upgrade` ends it."
            )
        return database

    def _connected(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,  # we say BEGIN ourselves
            check_same_thread=False,  # one at a time holds `_turn`
        )
        try:
            for pragma in _PRAGMAS:
                database.execute(f"PRAGMA {pragma}")
        except BaseException:
            database.close()
            raise
        return database


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


_DAMAGED = "The ledger's file is damaged. Restore it from a backup that is not older."
_MEANINGS = {
    sqlite3.SQLITE_BUSY: "The ledger is busy. Try again.",
    sqlite3.SQLITE_LOCKED: "The ledger is busy. Try again.",
    sqlite3.SQLITE_FULL: "The disk of the ledger is full. Make room.",
    sqlite3.SQLITE_CANTOPEN: (
        "There is no ledger in this home, or it cannot be opened. Restore it from a backup; "
        "`strongroom upgrade` makes one where there never was any."
    ),
    sqlite3.SQLITE_READONLY: "The ledger cannot be written. Check who owns its file.",
}


@contextmanager
def translated() -> Iterator[None]:
    """What SQLite and the operating system say, as our errors; damage is an `IntegrityError`.

    Source: https://www.sqlite.org/rescode.html
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise IntegrityError(_DAMAGED) from error
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        retryable = code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
        message = _MEANINGS.get(code, f"The ledger failed ({name}).")
        raise BackendError(message, retryable=retryable) from error
    except OSError as error:
        raise BackendError(
            f"A file of the ledger cannot be read or written: {error.strerror}."
        ) from error
