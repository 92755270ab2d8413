"""What was destroyed and held, numbered one by one in the order in which it was committed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, text

from vault.catalogue.rows import Rows, values
from vault.catalogue.tables import acts
from vault.rows import ActRow

#: The name of the advisory lock that is held from the giving of a number to the commit.
_NUMBERING = 0x61637473


class Acts(Rows):
    """The acts of the Transaction port."""

    def add_act(self, kind: str, of: str) -> ActRow:
        """SQLite lets one transaction in at a time, so that nobody else takes the number."""
        if self._connection.dialect.name == "postgresql":
            self._run(text(f"SELECT pg_advisory_xact_lock({_NUMBERING})"))
        last = self._run(select(func.coalesce(func.max(acts.c.number), 0))).scalar_one()
        act = ActRow(last + 1, kind, of)
        self._run(acts.insert(), values(act))
        return act

    def has_act(self, act: ActRow) -> bool:
        this = select(acts).where(acts.c.number == act.number)
        return self._select_one(ActRow, this) == act

    def newest_act(self) -> ActRow | None:
        return self._select_one(ActRow, select(acts).order_by(acts.c.number.desc()).limit(1))

    def acts(self, *, after: int, limit: int) -> Sequence[ActRow]:
        these = select(acts).where(acts.c.number > after)
        return self._select_all(ActRow, these.order_by(acts.c.number).limit(limit))
