"""The catalogue on a PostgreSQL server, for any number of hosts.

A few connections wait in a pool between transactions, each asked whether it still lives
before it is used, so a server that restarts is noticed by nobody. The lock of whoever is
writing is a session's: it has a connection of its own, which ends with it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from vault.catalogue.failures import out_of_range, translated
from vault.catalogue.gate import Held
from vault.catalogue.tables import jobs_open
from vault.catalogue.unit_of_work import SqlCatalogue
from vault.errors import BackendError, BadInput, NotFound, Refused, StrongroomError, UsageError
from vault.ports import Finding

jobs_open.dialect_kwargs["postgresql_where"] = jobs_open.dialect_kwargs["sqlite_where"]

#: Numbers of our advisory locks in the database's own space: "strongrm", "strongup".
_WRITING = int.from_bytes(b"strongrm", "big")
_MIGRATING = int.from_bytes(b"strongup", "big")

# What a connection is told unless the URL says otherwise. Each end looks after the other
# (keepalives of both), so that the lock of a host that fell silent is let go in a minute.
_CONNECTING = {
    "application_name": "strongroom",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "options": (
        "-c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"
        " -c default_transaction_isolation=read\\ committed"
        " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
    ),
}


class PostgresCatalogue(SqlCatalogue):
    """The Catalogue port on the database that `url` names; PostgreSQL 14 or newer."""

    def __init__(self, url: str) -> None:
        address = _address(url)
        asked: Mapping[str, str] = {k: v for k, v in _CONNECTING.items() if k not in address.query}
        try:
            told = {"hide_parameters": True, "connect_args": dict(asked)}
            engine = create_engine(
                address, pool_size=4, pool_use_lifo=True, pool_pre_ping=True, **told
            )
            unpooled = create_engine(address, poolclass=NullPool, **told)
        except ModuleNotFoundError as error:
            raise BackendError(
                "PostgreSQL needs `pip install 'strongroom[postgresql]'`."
            ) from error
        shown = address.set(drivername="postgresql").render_as_string(hide_password=True)
        super().__init__(shown, engine, _AdvisoryLock(unpooled), judge)

    def put_back(self, copy: Path) -> None:  # noqa: ARG002  the port's
        raise Refused(
            "PostgreSQL brings its dump back itself: run pg_restore, then `strongroom restore` "
            "without a folder."
        )

    def _prepare(self) -> None:
        """The database is the operator's to make."""

    def _alone_with_the_schema(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATING})

    def _promises(self, connection: Connection) -> Sequence[Finding]:
        def ask(setting: str) -> str:
            return str(connection.exec_driver_sql(f"SHOW {setting}").scalar())

        encrypted = connection.exec_driver_sql(
            "SELECT inet_client_addr() IS NULL OR inet_client_addr() <<= '127.0.0.0/8'"
            " OR inet_client_addr() = '::1'"
            " OR coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"
        ).scalar()
        durable = ask("fsync") == "on" and ask("synchronous_commit") not in {"off", "local"}
        settings = ("fsync", "synchronous_commit")
        return [
            Finding("catalogue-durable", durable, ", ".join(f"{s} {ask(s)}" for s in settings)),
            Finding("catalogue-private", bool(encrypted), "loopback or TLS to the server"),
            Finding("catalogue-hosts", ok=True, detail=f"any, PostgreSQL {ask('server_version')}"),
        ]

    def _read_through(self) -> str:
        """The server looks after its pages itself, if it was made with checksums."""
        with self._connection() as connection, translated(self._judge):
            sums = connection.exec_driver_sql("SHOW data_checksums").scalar()
        return f"a row of each table; data_checksums {sums}"


def _address(url: str) -> URL:
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except ArgumentError as error:
        raise UsageError("The catalogue's URL cannot be read.") from error


class _AdvisoryLock:
    """A door that is a session-level advisory lock, each on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def shared(self) -> Held:
        held = self._connect()
        held.ask("SELECT pg_advisory_lock_shared(:lock)")
        return held

    def alone(self) -> Held | None:
        held = self._connect()
        if held.ask("SELECT pg_try_advisory_lock(:lock)"):
            return held
        held.close()
        return None

    def _connect(self) -> _HeldSession:
        with translated(judge):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        held = _HeldSession(connection)
        held.ask("SELECT set_config('lock_timeout', '0', false), :lock")
        held.ask("SELECT set_config('idle_session_timeout', '0', false), :lock")
        return held


class _HeldSession:
    """The lock lives exactly as long as its connection; a lost one is never taken again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mutex = threading.Lock()

    def ask(self, query: str) -> object:
        """The first value of the answer. Closes the connection on any failure."""
        try:
            with self._mutex, translated(judge):
                return self._connection.execute(text(query), {"lock": _WRITING}).scalar()
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        if self._connection.closed or self._connection.invalidated:
            raise BackendError("The lock on the catalogue was lost. Try again.", retryable=True)
        self.ask("SELECT :lock")

    def close(self) -> None:
        with suppress(SQLAlchemyError):
            self._connection.close()


#: What SQLSTATE codes mean here, by their longest known beginning.
_MEANINGS: dict[str, tuple[type[StrongroomError], str]] = {
    "23503": (NotFound, "What this row belongs to is not here."),
    "23505": (BadInput, "The catalogue has that row already."),
    "23": (Refused, "The catalogue guards this row against that change."),
    "P0001": (Refused, "The catalogue guards this row against that change."),
    "53100": (BackendError, "The disk of the catalogue is full. Make room."),
    "42501": (BackendError, "The catalogue's user may not do this. Grant it the tables."),
}
#: Connections lost, conflicts, no resources, shut down or cancelled, waited too long.
_PASSING = ("08", "40", "53", "57", "55P03", "25P03", "25P04")
#: How a server says that it does not let us in: on this side of the wire it has no code.
_SHUT_OUT = ("authentication failed", "does not exist", "pg_hba.conf", "no password", "certificate")


def judge(error: BaseException) -> Exception:
    """What an error of psycopg means here.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html.
    """
    code = getattr(error, "sqlstate", None)
    if code is None:
        return _without_code(error)
    if code.startswith("22"):
        return out_of_range()
    passing = code != "53100" and code.startswith(_PASSING)
    advice = "Try again." if passing else "Ask whoever runs the database."
    unknown = (BackendError, f"The catalogue failed (SQLSTATE {code}). {advice}")
    kind, message = _MEANINGS.get(code) or _MEANINGS.get(code[:2]) or unknown
    return BackendError(message, retryable=passing) if kind is BackendError else kind(message)


def _without_code(error: BaseException) -> Exception:
    """Nobody answered, nobody let us in, or psycopg itself refused a value."""
    import psycopg

    if isinstance(error, psycopg.DataError):
        return out_of_range()
    if any(words in str(error) for words in _SHUT_OUT):
        return BackendError("The catalogue's database does not let us in. Check its URL.")
    return BackendError("The catalogue's database does not answer. Try again.", retryable=True)
