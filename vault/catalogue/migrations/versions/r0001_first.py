"""The first shelves: sessions, objects, keys, jobs, actors, settings.

Frozen: it says what the schema was, whatever the tables become later.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_OPEN = sa.text("state IN ('pending', 'sent')")


def upgrade() -> None:
    """Make every table, index and guard."""
    _sessions()
    _keys()
    _jobs()
    _actors_and_settings()
    _guard_keys()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=nullable)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _of_session(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=f"{table}_session_id_fk")


def _index(table: str, *columns: str) -> None:
    op.create_index("_".join((table, *columns)), table, list(columns))


def _sessions() -> None:
    op.create_table(
        "sessions",
        *map(_text, ("id", "tenant", "format", "state")),
        *map(_whole, ("started_at", "ended_at")),
        _whole("duration_ns", nullable=True),
        _whole("deposited_at"),
        *map(_text, ("deposited_by", "privacy_level", "class_name", "bucket")),
        _bytes("fingerprint"),
        _whole("content_bytes"),
        *map(_bytes, ("metadata", "timeline")),
        sa.PrimaryKeyConstraint("id", name="sessions_pk"),
        sa.UniqueConstraint("tenant", "fingerprint", name="sessions_tenant_fingerprint_key"),
    )
    _index("sessions", "tenant", "id")
    _index("sessions", "tenant", "content_bytes")
    _index("sessions", "tenant", "started_at")
    for column in ("state", "class_name", "bucket", "format", "deposited_by"):
        _index("sessions", "tenant", column, "id")

    op.create_table(
        "laws",
        *map(_text, ("session_id", "kind")),
        sa.Column("position", sa.BigInteger(), nullable=False, autoincrement=False),
        _text("name"),
        sa.PrimaryKeyConstraint("session_id", "kind", "position", name="laws_pk"),
        _of_session("laws"),
        sqlite_with_rowid=False,
    )
    _index("laws", "kind", "name", "session_id")

    op.create_table(
        "objects",
        *map(_text, ("id", "session_id", "compartment", "kind", "store_key", "version")),
        _whole("size_bytes"),
        *map(_bytes, ("sha256", "manifest")),
        _whole("created_at"),
        sa.PrimaryKeyConstraint("id", name="objects_pk"),
        _of_session("objects"),
    )
    _index("objects", "session_id")
    _index("objects", "store_key")

    op.create_table(
        "lookups",
        _text("kind"),
        _bytes("hash"),
        _text("session_id"),
        sa.PrimaryKeyConstraint("kind", "hash", "session_id", name="lookups_pk"),
        _of_session("lookups"),
        sqlite_with_rowid=False,
    )
    _index("lookups", "session_id")


def _keys() -> None:
    op.create_table(
        "keys",
        _bytes("id"),
        *map(_text, ("tenant", "bucket")),
        _whole("generation"),
        _text("state"),
        _bytes("wrapped", nullable=True),
        _whole("created_at"),
        sa.PrimaryKeyConstraint("id", name="keys_pk"),
        sa.UniqueConstraint(
            "tenant", "bucket", "generation", name="keys_tenant_bucket_generation_key"
        ),
        sa.CheckConstraint(
            "(state = 'destroyed') = (wrapped IS NULL)", name=op.f("keys_destroyed_has_no_key")
        ),
    )
    op.create_table(
        "records",
        *map(_text, ("session_id", "compartment")),
        *map(_bytes, ("key_id", "record")),
        sa.PrimaryKeyConstraint("session_id", "compartment", name="records_pk"),
        _of_session("records"),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name="records_key_id_fk"),
    )
    _index("records", "key_id")


def _jobs() -> None:
    op.create_table(
        "jobs",
        *map(_text, ("id", "name", "queue", "session_id")),
        _whole("version"),
        _text("state"),
        *map(_whole, ("attempts", "created_at")),
        _whole("sent_at", nullable=True),
        _whole("lease_until", nullable=True),
        _text("error", nullable=True),
        sa.PrimaryKeyConstraint("id", name="jobs_pk"),
        _of_session("jobs"),
        sa.UniqueConstraint(
            "session_id", "name", "version", name="jobs_session_id_name_version_key"
        ),
    )
    _index("jobs", "state")
    op.create_index(
        "jobs_open", "jobs", ["created_at", "id"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def _actors_and_settings() -> None:
    op.create_table(
        "actors",
        _text("id"),
        *map(_bytes, ("name_hash", "name")),
        _text("role"),
        _bytes("token_hash"),
        _whole("created_at"),
        sa.PrimaryKeyConstraint("id", name="actors_pk"),
        sa.UniqueConstraint("name_hash", name="actors_name_hash_key"),
    )
    op.create_table(
        "settings",
        _text("name"),
        _bytes("value"),
        sa.PrimaryKeyConstraint("name", name="settings_pk"),
    )


# A key that was destroyed stays destroyed and its id stays taken, whatever a program or a
# hand at the SQL prompt tries: erasure is proved by that.
_KEY_CHANGED = (
    "NEW.id <> OLD.id OR NEW.tenant <> OLD.tenant OR NEW.bucket <> OLD.bucket"
    " OR NEW.generation <> OLD.generation OR (OLD.state = 'destroyed' AND NEW.state <> 'destroyed')"
)
_CHANGED = "TRIGGER keys_stay_what_they_are BEFORE UPDATE ON keys"
_DELETED = "TRIGGER keys_are_never_deleted BEFORE DELETE ON keys"
_TRUNCATED = "TRIGGER keys_are_never_truncated BEFORE TRUNCATE ON keys"


def _guard_keys() -> None:
    if op.get_bind().dialect.name == "sqlite":
        refuse = (
            "BEGIN SELECT RAISE(ABORT, 'a key keeps its name, and once destroyed stays so'); END"
        )
        op.execute(f"CREATE {_CHANGED} WHEN {_KEY_CHANGED} {refuse}")
        op.execute(f"CREATE {_DELETED} {refuse}")
        return
    op.execute(
        "CREATE FUNCTION strongroom_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the guard % refuses this', TG_NAME; END $$"
    )
    refuse = "EXECUTE FUNCTION strongroom_refuse()"
    op.execute(f"CREATE {_CHANGED} FOR EACH ROW WHEN ({_KEY_CHANGED}) {refuse}")
    op.execute(f"CREATE {_DELETED} FOR EACH ROW {refuse}")
    op.execute(f"CREATE {_TRUNCATED} FOR EACH STATEMENT {refuse}")
