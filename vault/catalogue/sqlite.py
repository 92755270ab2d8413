"""The catalogue in one file, for one machine.

Every transaction begins by taking SQLite's write lock (BEGIN IMMEDIATE): one that reads
first and writes later could otherwise be refused half-way because another wrote between.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, QueuePool, create_engine, event

from vault.catalogue import schema
from vault.catalogue.failures import out_of_range
from vault.catalogue.gate import Held
from vault.catalogue.unit_of_work import SqlCatalogue
from vault.errors import BackendError, BadInput, NotFound, Refused, StrongroomError
from vault.ports import Finding

_BUSY_SECONDS = 30.0
_PRIVATE = 0o600
#: About what a disk gives in a few seconds; what is larger `doctor` does not read from end to end.
_READ_THROUGH_BYTES = 1 << 30
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit is on disk once it returns
    "foreign_keys = ON",
    "secure_delete = ON",  # what is deleted or replaced is overwritten
    "trusted_schema = OFF",
)


class SqliteCatalogue(SqlCatalogue):
    """The Catalogue port on the file `path`, which only `create` makes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            max_overflow=-1,
            hide_parameters=True,
        )
        event.listen(
            engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
        )
        super().__init__(
            f"sqlite:///{path}", engine, _LockFile(path.with_name(path.name + ".lock")), judge
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,  # we say BEGIN ourselves
            check_same_thread=False,  # the pool hands it to one thread at a time
        )
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _prepare(self) -> None:
        # O_EXCL: opening and closing a file that SQLite has open would drop its locks.
        with suppress(FileExistsError):
            try:
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE))
            except FileExistsError:
                raise
            except OSError as error:
                raise BackendError(f"The catalogue cannot be made: {error.strerror}.") from error

    def put_back(self, copy: Path) -> None:
        """One transaction on the file that is there: no moment without a catalogue.

        Source: https://www.sqlite.org/backup.html.
        """
        with closing(_opened_copy(copy)) as source:
            self._prepare()
            self.close()  # our own connections would be in the way
            try:
                with closing(self._connect()) as here:
                    source.backup(here)
                    here.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise judge(error) from error
        self._is_current = False

    def _alone_with_the_schema(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE has seen to it."""

    def _promises(self, connection: Connection) -> Sequence[Finding]:
        def ask(pragma: str) -> str:
            return str(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar())

        mode = stat.S_IMODE(self._path.stat().st_mode)
        durable = ask("journal_mode") == "wal" and ask("synchronous") == "2"
        return [
            Finding("catalogue-durable", durable, f"journal_mode {ask('journal_mode')}"),
            Finding("catalogue-private", mode & 0o077 == 0, f"file mode {mode:04o}"),
            Finding("catalogue-overwrites", ask("secure_delete") == "1", "secure_delete"),
            Finding("catalogue-hosts", ok=True, detail="one machine, on a disk of its own"),
        ]

    def _read_through(self) -> str:
        size = self._path.stat().st_size
        if size > _READ_THROUGH_BYTES:
            return f"a row of each table; {size / 1e9:.1f} GB are too many to read through here"
        # A connection of its own: one of the pool would take the write lock first.
        try:
            with closing(self._connect()) as connection:
                said = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            raise judge(error) from error
        if said != ("ok",):
            raise BackendError(_DAMAGED)
        return "every page"


def _opened_copy(copy: Path) -> sqlite3.Connection:
    """A copy of a catalogue, read from end to end once. Raises `BadInput` where it is none."""
    live = copy.with_name(copy.name + "-wal").exists()
    how = "mode=ro" if live else "immutable=1"  # so that it may lie where nothing can be written
    connection = None
    try:
        connection = sqlite3.connect(f"file:{quote(str(copy))}?{how}", uri=True)
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        schema.require_known(revision)
        if connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
            return connection
    except (sqlite3.Error, TypeError) as error:
        if connection is not None:
            connection.close()
        raise BadInput("The copy of the catalogue cannot be read, or is none.") from error
    connection.close()
    raise BadInput("The copy of the catalogue is damaged.")


class _LockFile:
    """A door that is a file lock: the kernel lets go of it when its process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def shared(self) -> Held:
        held = self._open()
        fcntl.flock(held.descriptor, fcntl.LOCK_SH)
        return held

    def alone(self) -> Held | None:
        held = self._open()
        try:
            fcntl.flock(held.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            return None
        return held

    def _open(self) -> _HeldFile:
        try:
            return _HeldFile(os.open(self._path, os.O_CREAT | os.O_RDWR, _PRIVATE))
        except OSError as error:
            raise BackendError(
                f"The catalogue's lock file cannot be opened: {error.strerror}."
            ) from error


class _HeldFile:
    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def check(self) -> None:
        """Only this process can lose it, by closing."""

    def close(self) -> None:
        os.close(self.descriptor)


_BUSY = BackendError, "The catalogue is busy. Try again."
_DAMAGED = "The catalogue is damaged. Restore it from a backup."
_HELD_ALREADY = BadInput, "The catalogue has that row already."

#: What a code of SQLite means here, extended codes first, then primary ones.
_MEANINGS: dict[int, tuple[type[StrongroomError], str]] = {
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: (NotFound, "What this row belongs to is not here."),
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: _HELD_ALREADY,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: _HELD_ALREADY,
    sqlite3.SQLITE_CONSTRAINT: (Refused, "The catalogue guards this row against that change."),
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: (BackendError, "The disk of the catalogue is full. Make room."),
    sqlite3.SQLITE_CANTOPEN: (BackendError, schema.NOTHING_THERE),
    sqlite3.SQLITE_CORRUPT: (BackendError, _DAMAGED),
    sqlite3.SQLITE_NOTADB: (BackendError, _DAMAGED),
    sqlite3.SQLITE_READONLY: (BackendError, "The catalogue cannot be written. Check who owns it."),
}


def judge(error: BaseException) -> Exception:
    """What an error of the sqlite3 module means here.

    Source: https://www.sqlite.org/rescode.html.
    """
    if isinstance(error, sqlite3.DataError):
        return out_of_range()
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    unknown = (BackendError, f"The catalogue failed ({name}).")
    kind, message = _MEANINGS.get(code) or _MEANINGS.get(code & 0xFF) or unknown
    if kind is BackendError:
        retryable = code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
        return BackendError(message, retryable=retryable)
    return kind(message)
