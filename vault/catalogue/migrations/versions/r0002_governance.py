"""Holds, consent, requests, plans, disposals, and what waits to be told to the ledger.

Frozen: it says what the schema was, whatever the tables become later.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


#: When what was deposited under the first schema may first be due, class by class.
_DAYS = {"short": 7, "medium": 30, "long": 365, "healthcare": 2555}


def upgrade() -> None:
    """Make the tables and the guards of holds."""
    op.add_column("sessions", _whole("due_at", nullable=True))
    op.create_index("sessions_tenant_due_at_id", "sessions", ["tenant", "due_at", "id"])
    sessions = sa.table("sessions", *map(sa.column, ("class_name", "started_at", "due_at")))
    for class_name, days in _DAYS.items():
        these = sa.update(sessions).where(sessions.c.class_name == class_name)
        op.execute(these.values(due_at=sessions.c.started_at + days * 86_400_000_000))
    _table(
        "applied",
        [_text("session_id"), _text("policy"), _text("version"), _text("class_name")],
        [_whole("applied_at"), _text("applied_by")],
        _refers("applied", "session_id", "sessions"),
        sqlite_with_rowid=False,
    )
    _holds()
    _requests()
    _disposals()
    _table("evidence", [_text("id")], [_text("type"), _text("once"), _bytes("body")])
    _guard_records()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=nullable)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"{table}_{column}_fk")


def _table(
    name: str,
    primary: Sequence[sa.Column[Any]],
    columns: Sequence[sa.Column[Any]],
    *constraints: sa.Constraint,
    indices: Sequence[Sequence[str]] = (),
    **options: bool,
) -> None:
    key = sa.PrimaryKeyConstraint(*(c.name for c in primary), name=f"{name}_pk")
    op.create_table(name, *primary, *columns, key, *constraints, **options)
    for names in indices:
        op.create_index("_".join((name, *names)), name, list(names))


def _holds() -> None:
    later = [_whole(n, nullable=True) for n in ("placed_at", "released_at", "grace_until")]
    who = [_text(n, nullable=True) for n in ("placed_by", "release_asked_by", "released_by")]
    _table(
        "holds",
        [_text("id")],
        [
            _text("tenant"),
            _text("state"),
            _flag("future"),
            _flag("preserve_unredacted"),
            _whole("proposed_at"),
            _text("proposed_by"),
            _bytes("details"),
            *later,
            *who,
        ],
        indices=[("tenant", "id")],
    )
    _table(
        "hold_members",
        [_text("hold_id"), _text("session_id")],
        [],
        _refers("hold_members", "hold_id", "holds"),
        _refers("hold_members", "session_id", "sessions"),
        indices=[("session_id",)],
        sqlite_with_rowid=False,
    )
    _table(
        "hold_scopes",
        [_text("kind"), _bytes("hash"), _text("hold_id")],
        [],
        _refers("hold_scopes", "hold_id", "holds"),
        sqlite_with_rowid=False,
    )


def _requests() -> None:
    _table(
        "consents",
        [_text("id")],
        [
            _text("tenant"),
            _bytes("subject"),
            _text("type"),
            _text("jurisdiction", nullable=True),
            _text("state"),
            _text("basis"),
            _whole("at"),
            _whole("expires_at", nullable=True),
            _text("recorded_by"),
            _bytes("details"),
        ],
        indices=[("tenant", "subject", "id"), ("tenant", "id")],
    )
    later = [_whole(n, nullable=True) for n in ("extended_due_at", "verified_at", "ended_at")]
    _table(
        "requests",
        [_text("id")],
        [
            _text("tenant"),
            _text("type"),
            _text("regime"),
            _bytes("subject"),
            _text("state"),
            _whole("received_at"),
            _whole("due_at"),
            _text("opened_by"),
            _bytes("details"),
            *later,
            _text("approved_by", nullable=True),
        ],
        indices=[("tenant", "subject", "id"), ("tenant", "id")],
    )


def _disposals() -> None:
    _table(
        "plans",
        [_text("id")],
        [
            _text("tenant"),
            _text("state"),
            _bytes("hash"),
            _bytes("document"),
            _whole("planned_at"),
            _text("planned_by"),
            _whole("approved_at", nullable=True),
            _text("approved_by", nullable=True),
            _flag("overridden"),
        ],
        indices=[("tenant", "id")],
    )
    _table(
        "disposals",
        [_text("id")],
        [
            _text("tenant"),
            _text("session_id"),
            _text("cause_kind"),
            _text("cause"),
            _text("state"),
            _whole("destroyed_at"),
            _bytes("document"),
        ],
        _refers("disposals", "session_id", "sessions"),
        indices=[
            ("session_id",),
            ("cause",),
            ("tenant", "destroyed_at"),
            ("tenant", "state", "id"),
        ],
    )


# While a hold protects a session none of its keys can be destroyed, its membership cannot end and
# the hold cannot vanish, whatever a program or a hand at the SQL prompt tries.
_HELD = (
    "EXISTS (SELECT 1 FROM hold_members JOIN holds ON holds.id = hold_members.hold_id"
    " WHERE hold_members.session_id = OLD.session_id AND holds.state <> 'released')"
)
_STANDS = "EXISTS (SELECT 1 FROM holds WHERE holds.id = OLD.hold_id AND holds.state <> 'released')"
_GUARDS = {
    "records_are_kept_while_held": ("DELETE ON records", _HELD),
    "records_stay_with_their_session": (
        "UPDATE ON records",
        "NEW.session_id <> OLD.session_id OR NEW.compartment <> OLD.compartment",
    ),
    "members_stay_while_held": ("DELETE ON hold_members", _STANDS),
    "members_are_never_changed": ("UPDATE ON hold_members", "1 = 1"),
    "holds_are_never_deleted": ("DELETE ON holds", "1 = 1"),
    "released_holds_stay_so": (
        "UPDATE ON holds",
        "NEW.id <> OLD.id OR (OLD.state = 'released' AND NEW.state <> 'released')",
    ),
}


def _guard_records() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, (event, when) in _GUARDS.items():
        if sqlite:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} WHEN {when}"
                " BEGIN SELECT RAISE(ABORT, 'a hold stands'); END"
            )
            continue
        # A trigger's own condition may not hold a subquery there, so the function asks.
        op.execute(
            f"CREATE FUNCTION strongroom_{name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN IF {when} THEN RAISE EXCEPTION 'the guard % refuses this', TG_NAME;"
            f" END IF; RETURN {'OLD' if event.startswith('DELETE') else 'NEW'}; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW"
            f" EXECUTE FUNCTION strongroom_{name}()"
        )
    if not sqlite:
        for table in ("records", "hold_members", "holds"):
            op.execute(
                f"CREATE TRIGGER {table}_are_never_truncated BEFORE TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION strongroom_refuse()"
            )
