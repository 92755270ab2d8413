"""The shelves: every table of the catalogue, the same on SQLite and PostgreSQL.

What is kept in clear is ours (ids, states, instants, sizes, names of laws); whatever can
name a person arrives sealed or hashed under a key. README.md goes column by column. The
migrations make these tables, and a test holds the two to each other.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from vault.catalogue.columns import Choice, Clear, Instant, Sealed
from vault.model import Compartment, PrivacyLevel, State

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)


def _clear(name: str, *, primary_key: bool = False) -> Column[str]:
    return Column(name, Clear, primary_key=primary_key, nullable=False)


def _sealed(name: str) -> Column[bytes]:
    return Column(name, Sealed, nullable=False)


def _whole(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _instant(name: str) -> Column[datetime]:
    return Column(name, Instant, nullable=False)


def _of_session(*, primary_key: bool = False) -> Column[str]:
    return Column(
        "session_id", Clear, ForeignKey("sessions.id"), primary_key=primary_key, nullable=False
    )


def _of_hold() -> Column[str]:
    return Column("hold_id", Clear, ForeignKey("holds.id"), primary_key=True, nullable=False)


# The two sealed columns come last: SQLite walks a row from its start, so that reading the
# short columns never touches the pages that a long timeline spills onto. `due_at` was added later
# and lies behind them; whoever looks for what is due reads the index.
sessions = Table(
    "sessions",
    metadata,
    _clear("id", primary_key=True),
    _clear("tenant"),
    _clear("format"),
    Column("state", Choice(State), nullable=False),
    _instant("started_at"),
    _instant("ended_at"),
    Column("duration_ns", BigInteger),
    _instant("deposited_at"),
    _clear("deposited_by"),
    Column("privacy_level", Choice(PrivacyLevel), nullable=False),
    _clear("class_name"),
    _clear("bucket"),
    _sealed("fingerprint"),
    _whole("content_bytes"),
    _sealed("metadata"),
    _sealed("timeline"),
    Column("due_at", Instant),
    UniqueConstraint("tenant", "fingerprint"),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "content_bytes"),
    Index(None, "tenant", "started_at"),
    Index(None, "tenant", "state", "id"),
    Index(None, "tenant", "class_name", "id"),
    Index(None, "tenant", "bucket", "id"),
    Index(None, "tenant", "format", "id"),
    Index(None, "tenant", "deposited_by", "id"),
    Index(None, "tenant", "due_at", "id"),
)

#: Which law a session is under: `kind` is jurisdiction or regime, `position` keeps the order.
laws = Table(
    "laws",
    metadata,
    _of_session(primary_key=True),
    _clear("kind", primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _clear("name"),
    Index(None, "kind", "name", "session_id"),
    sqlite_with_rowid=False,
)

objects = Table(
    "objects",
    metadata,
    _clear("id", primary_key=True),
    _of_session(),
    Column("compartment", Choice(Compartment), nullable=False),
    _clear("kind"),
    _clear("store_key"),
    _clear("version"),
    _whole("size_bytes"),
    _sealed("sha256"),
    _sealed("manifest"),
    _instant("created_at"),
    Index(None, "session_id"),
    Index(None, "store_key"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Sealed, primary_key=True, nullable=False),
    _clear("tenant"),
    _clear("bucket"),
    _whole("generation"),
    _clear("state"),
    Column("wrapped", Sealed),
    _instant("created_at"),
    UniqueConstraint("tenant", "bucket", "generation"),
    CheckConstraint("(state = 'destroyed') = (wrapped IS NULL)", name="destroyed_has_no_key"),
)

records = Table(
    "records",
    metadata,
    _of_session(primary_key=True),
    Column("compartment", Choice(Compartment), primary_key=True, nullable=False),
    Column("key_id", Sealed, ForeignKey("keys.id"), nullable=False),
    _sealed("record"),
    Index(None, "key_id"),
)

#: The primary key is also the look-up: all sessions of one keyed hash lie side by side.
lookups = Table(
    "lookups",
    metadata,
    _clear("kind", primary_key=True),
    Column("hash", Sealed, primary_key=True, nullable=False),
    _of_session(primary_key=True),
    Index(None, "session_id"),
    sqlite_with_rowid=False,
)

jobs = Table(
    "jobs",
    metadata,
    _clear("id", primary_key=True),
    _clear("name"),
    _clear("queue"),
    _of_session(),
    _whole("version"),
    _clear("state"),
    _whole("attempts"),
    _instant("created_at"),
    Column("sent_at", Instant),
    Column("lease_until", Instant),
    Column("error", Clear),
    UniqueConstraint("session_id", "name", "version"),
    Index(None, "state"),
)

#: Not ended. The words are those of the index below, so that both databases use it: ended
#: jobs pile up for years and must cost nothing.
job_is_open = text("jobs.state IN ('pending', 'sent')")
_open = text("state IN ('pending', 'sent')")
# PostgreSQL's own condition is in postgres.py: to name it here would import its dialect for
# everybody, and that takes a thirtieth of a second.
jobs_open = Index("jobs_open", jobs.c.created_at, jobs.c.id, sqlite_where=_open)

actors = Table(
    "actors",
    metadata,
    _clear("id", primary_key=True),
    _sealed("name_hash"),
    _sealed("name"),
    _clear("role"),
    _sealed("token_hash"),
    _instant("created_at"),
    UniqueConstraint("name_hash"),
)

settings = Table("settings", metadata, _clear("name", primary_key=True), _sealed("value"))

#: Which policy was applied to a session, in which version.
applied = Table(
    "applied",
    metadata,
    _of_session(primary_key=True),
    _clear("policy", primary_key=True),
    _clear("version", primary_key=True),
    _clear("class_name", primary_key=True),
    _instant("applied_at"),
    _clear("applied_by"),
    sqlite_with_rowid=False,
)

holds = Table(
    "holds",
    metadata,
    _clear("id", primary_key=True),
    _clear("tenant"),
    _clear("state"),
    Column("future", Boolean, nullable=False),
    Column("preserve_unredacted", Boolean, nullable=False),
    _instant("proposed_at"),
    _clear("proposed_by"),
    _sealed("details"),
    Column("placed_at", Instant),
    Column("placed_by", Clear),
    Column("release_asked_by", Clear),
    Column("released_at", Instant),
    Column("released_by", Clear),
    Column("grace_until", Instant),
    Index(None, "tenant", "id"),
)

hold_members = Table(
    "hold_members",
    metadata,
    _of_hold(),
    _of_session(primary_key=True),
    Index(None, "session_id"),
    sqlite_with_rowid=False,
)

#: What a hold on the future catches, by the same keyed hashes as `lookups`.
hold_scopes = Table(
    "hold_scopes",
    metadata,
    _clear("kind", primary_key=True),
    Column("hash", Sealed, primary_key=True, nullable=False),
    _of_hold(),
    sqlite_with_rowid=False,
)

consents = Table(
    "consents",
    metadata,
    _clear("id", primary_key=True),
    _clear("tenant"),
    _sealed("subject"),
    _clear("type"),
    Column("jurisdiction", Clear),
    _clear("state"),
    _clear("basis"),
    _instant("at"),
    Column("expires_at", Instant),
    _clear("recorded_by"),
    _sealed("details"),
    Index(None, "tenant", "subject", "id"),
    Index(None, "tenant", "id"),
)

requests = Table(
    "requests",
    metadata,
    _clear("id", primary_key=True),
    _clear("tenant"),
    _clear("type"),
    _clear("regime"),
    _sealed("subject"),
    _clear("state"),
    _instant("received_at"),
    _instant("due_at"),
    _clear("opened_by"),
    _sealed("details"),
    Column("extended_due_at", Instant),
    Column("verified_at", Instant),
    Column("approved_by", Clear),
    Column("ended_at", Instant),
    Index(None, "tenant", "subject", "id"),
    Index(None, "tenant", "id"),
)

plans = Table(
    "plans",
    metadata,
    _clear("id", primary_key=True),
    _clear("tenant"),
    _clear("state"),
    _sealed("hash"),
    _sealed("document"),
    _instant("planned_at"),
    _clear("planned_by"),
    Column("approved_at", Instant),
    Column("approved_by", Clear),
    Column("overridden", Boolean, nullable=False),
    Index(None, "tenant", "id"),
)

disposals = Table(
    "disposals",
    metadata,
    _clear("id", primary_key=True),
    _clear("tenant"),
    _of_session(),
    _clear("cause_kind"),
    _clear("cause"),
    _clear("state"),
    _instant("destroyed_at"),
    _sealed("document"),
    Index(None, "session_id"),
    Index(None, "cause"),
    Index(None, "tenant", "destroyed_at"),
    Index(None, "tenant", "state", "id"),
)

#: What waits to be told to the ledger.
evidence = Table(
    "evidence",
    metadata,
    _clear("id", primary_key=True),
    _clear("type"),
    _clear("once"),
    _sealed("body"),
)

#: What was destroyed and held, in the order of the commits: how a catalogue is known to be older.
acts = Table(
    "acts",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _clear("kind"),
    _clear("of"),
)

#: What makes a row new. A second one is left out rather than refused.
SAID_ONCE = {
    sessions: ("tenant", "fingerprint"),
    lookups: ("kind", "hash", "session_id"),
    jobs: ("session_id", "name", "version"),
    keys: ("tenant", "bucket", "generation"),
    actors: ("name_hash",),
    settings: ("name",),
    applied: ("session_id", "policy", "version", "class_name"),
    hold_members: ("hold_id", "session_id"),
    hold_scopes: ("kind", "hash", "hold_id"),
}
