"""The catalogue itself: transactions that happen as a whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from vault.catalogue import schema, tables
from vault.catalogue.failures import Judge, translated
from vault.catalogue.gate import Door, Gate
from vault.catalogue.transaction import SqlTransaction
from vault.errors import BackendError, StrongroomError
from vault.ports import Finding


class SqlCatalogue(ABC):
    """The Catalogue port on an engine; subclasses say what their database does its own way.

    One object may be used by many threads at once. `url` never holds a password.
    """

    def __init__(self, url: str, engine: Engine, door: Door, judge: Judge) -> None:
        self.url = url
        self._engine = engine
        self._gate = Gate(door)
        self._judge = judge
        self._is_current = False

    def create(self) -> None:
        """Several processes may start it together: one migrates, the others find it done."""
        self._prepare()
        self._bring_up()

    def migrate(self) -> None:
        """An empty catalogue in place of a lost one would hide that every key is gone with it."""
        with self._connection() as connection, translated(self._judge):
            revision = schema.installed(connection)
        if revision is None:
            raise BackendError(schema.NOTHING_THERE)
        self._bring_up()

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        self._require_schema()
        with self._connection() as connection:
            work = SqlTransaction(connection, self._judge)
            yield work
            if work.failure is not None:
                raise work.failure
            self._gate.check()
            with translated(self._judge):
                connection.commit()

    def writing(self) -> AbstractContextManager[None]:
        return self._gate.writing()

    def exclusive(self, *, timeout_seconds: float) -> AbstractContextManager[None]:
        return self._gate.exclusive(timeout_seconds)

    def probe(self) -> Sequence[Finding]:
        try:
            with self._connection() as connection, translated(self._judge):
                found = [Finding("catalogue-reachable", ok=True, detail=self.url)]
                found.append(_schema(schema.installed(connection)))
                found += self._promises(connection)
        except (StrongroomError, OSError) as error:
            return [Finding("catalogue-reachable", ok=False, detail=str(error))]
        return [*found, self._readable()]

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection in a transaction that is rolled back unless it was committed."""
        with translated(self._judge):
            connection = self._engine.connect()
        try:
            with translated(self._judge):
                connection.begin()
            yield connection
        finally:
            # A server that went away has rolled back by itself.
            with suppress(SQLAlchemyError):
                connection.close()

    def _bring_up(self) -> None:
        with self._connection() as connection, translated(self._judge):
            if schema.installed(connection) != schema.HEAD:
                self._alone_with_the_schema(connection)
                schema.upgrade(connection)
                connection.commit()

    def _readable(self) -> Finding:
        """Whether what lies there can be read: a row of each table, and more if quick."""
        try:
            self._require_schema()
            with self._connection() as connection, translated(self._judge):
                for table in tables.metadata.sorted_tables:
                    connection.execute(select(text("*")).select_from(table).limit(1)).all()
            detail = self._read_through()
        except (StrongroomError, OSError) as error:
            return Finding("catalogue-readable", ok=False, detail=str(error))
        return Finding("catalogue-readable", ok=True, detail=detail)

    def _require_schema(self) -> None:
        """Raises `BackendError` naming the command to run. Asked once, then remembered."""
        if not self._is_current:
            with self._connection() as connection, translated(self._judge):
                schema.require(schema.installed(connection))
            self._is_current = True

    @abstractmethod
    def put_back(self, copy: Path) -> None: ...

    @abstractmethod
    def _prepare(self) -> None:
        """Make the place for the tables, where that is ours to make."""

    @abstractmethod
    def _alone_with_the_schema(self, connection: Connection) -> None:
        """Wait until no other process migrates, until the end of the transaction."""

    @abstractmethod
    def _promises(self, connection: Connection) -> Sequence[Finding]:
        """What this database can and cannot promise."""

    @abstractmethod
    def _read_through(self) -> str:
        """Look for damage as far as that is quick; how far. Keeps nobody from writing."""


def _schema(revision: str | None) -> Finding:
    try:
        schema.require(revision)
    except StrongroomError as error:
        return Finding("catalogue-schema", ok=False, detail=str(error))
    return Finding("catalogue-schema", ok=True, detail=schema.HEAD)
