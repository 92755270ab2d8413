"""Legal holds, and the sessions they protect.

That no key of a protected session is destroyed is guarded in the database itself; see the
migration that made these tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select, text, update

from vault.catalogue.rows import Rows, found, values
from vault.catalogue.tables import SAID_ONCE, hold_members, hold_scopes, holds, sessions
from vault.rows import HoldRow, ScopeRow

#: The name of the advisory lock that deposits share and a hold on the future takes alone.
_GATE = 0x686F6C6473
#: How many look-ups are asked for at once.
_SOME = 200


class Holds(Rows):
    """The holds of the Transaction port."""

    def add_hold(self, row: HoldRow, scopes: Sequence[ScopeRow]) -> None:
        self._run(holds.insert(), values(row))
        self._add_new(hold_scopes, scopes)

    def set_hold(self, row: HoldRow) -> None:
        this = update(holds).where(holds.c.id == row.id)
        self._change(this.values(**values(row)), "hold")

    def hold(self, hold_id: str) -> HoldRow:
        this = select(holds).where(holds.c.id == hold_id).with_for_update()
        return found(self._select_one(HoldRow, this), "hold")

    def scopes(self, hold_id: str) -> Sequence[ScopeRow]:
        these = select(hold_scopes).where(hold_scopes.c.hold_id == hold_id)
        return self._select_all(ScopeRow, these.order_by(hold_scopes.c.kind, hold_scopes.c.hash))

    def holds(self, tenant: str) -> Sequence[HoldRow]:
        these = select(holds).where(holds.c.tenant == tenant)
        return self._select_all(HoldRow, these.order_by(holds.c.id))

    def add_members(self, hold_id: str, session_ids: Sequence[str]) -> int:
        """In order of id, so that two holds on the same sessions do not lock each other out.

        Raises `NotFound` if one of them is not there.
        """
        wanted = set(session_ids)
        these = select(sessions.c.id).where(self._among(sessions.c.id, wanted))
        locked = self._run(these.order_by(sessions.c.id).with_for_update()).scalars().all()
        if len(locked) < len(wanted):
            found(None, "session")
        if not locked:
            return 0
        put = self._insert(hold_members).on_conflict_do_nothing(
            index_elements=SAID_ONCE[hold_members]
        )
        rows = [{"hold_id": hold_id, "session_id": one} for one in locked]
        return len(self._run(put.returning(hold_members.c.session_id), rows).all())

    def members(self, hold_id: str, *, limit: int, after: str | None = None) -> Sequence[str]:
        these = select(hold_members.c.session_id).where(hold_members.c.hold_id == hold_id)
        if after is not None:
            these = these.where(hold_members.c.session_id > after)
        return self._run(these.order_by(hold_members.c.session_id).limit(limit)).scalars().all()

    def count_members(self, hold_id: str) -> int:
        counted = select(func.count()).select_from(hold_members)
        return int(self._run(counted.where(hold_members.c.hold_id == hold_id)).scalar_one())

    def holds_on(self, session_id: str) -> Sequence[HoldRow]:
        these = select(holds).join(hold_members, hold_members.c.hold_id == holds.c.id)
        these = these.where(hold_members.c.session_id == session_id)
        return self._select_all(HoldRow, these.order_by(holds.c.id))

    def future_holds(self, hashes: Sequence[tuple[str, bytes]]) -> Sequence[str]:
        standing = hold_scopes.c.hold_id.in_(
            select(holds.c.id).where(holds.c.future, holds.c.state != "released")
        )
        caught: set[str] = set()
        for start in range(0, len(hashes), _SOME):
            same = [
                (hold_scopes.c.kind == kind) & (hold_scopes.c.hash == digest)
                for kind, digest in hashes[start : start + _SOME]
            ]
            these = select(hold_scopes.c.hold_id).where(standing, or_(*same))
            caught.update(self._run(these).scalars())
        return sorted(caught)

    def gate(self, *, alone: bool) -> None:
        """SQLite lets one transaction in at a time, which is more than this asks for."""
        if self._connection.dialect.name == "postgresql":
            kind = "" if alone else "_shared"
            self._run(text(f"SELECT pg_advisory_xact_lock{kind}({_GATE})"))
