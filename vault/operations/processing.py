"""Processing records: which policy was applied to which session, in what version, to what effect.

One is kept for every pack that binds a session, with the session, and another whenever a pack in
another version comes into force. Source: GDPR Art. 30.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from policies.model import Facts, Pack
from policies.pack import applying
from vault.model import Json
from vault.operations.actors import permit_any
from vault.operations.explain import tombstones_too
from vault.operations.room import Room
from vault.rows import AppliedRow, SessionFilter, SessionRow


def binding(session: SessionRow, packs: Mapping[str, Pack]) -> tuple[Pack, ...]:
    """The packs that bind a session by its regimes and places."""
    known = Facts(
        session.started_at,
        jurisdictions=tuple(session.jurisdictions),
        regimes=tuple(session.regimes),
    )
    return applying(packs, known)


def applied_rows(
    session: SessionRow,
    packs: Mapping[str, Pack],
    *,
    at: datetime | None = None,
    by: str | None = None,
) -> list[AppliedRow]:
    """A record for each pack that binds the session; of its deposit where nothing else is said."""
    return [
        AppliedRow(
            session.id,
            pack.name,
            pack.version,
            session.class_name,
            at or session.deposited_at,
            by or session.deposited_by,
        )
        for pack in binding(session, packs)
    ]


def register(
    room: Room, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Json]]:
    """Every processing record of sessions that began in that time, erased ones too.

    `by` is an actor's id. Nothing here names a person.
    """
    permit_any(room, "read", "evidence")
    for row in tombstones_too(room, SessionFilter(since=since, until=until)):
        with room.catalogue.transaction() as tx:
            records = tx.applied(row.id)
        for one in records:
            yield {"session": row.id, **entry(one), "by": one.applied_by}


def entry(row: AppliedRow) -> dict[str, Json]:
    """A record as `show` has it."""
    return {
        "policy": row.policy,
        "version": row.version,
        "class": row.class_name,
        "at": row.applied_at.isoformat(),
    }
