"""What is due, under which class, and which policies were applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from vault.catalogue.sessions import Sessions
from vault.catalogue.tables import applied, sessions
from vault.model import State
from vault.rows import AppliedRow, SessionRow


class Due(Sessions):
    """The terms of sessions, of the Transaction port."""

    def due_sessions(
        self,
        tenant: str,
        before: datetime,
        *,
        limit: int,
        after: tuple[datetime, str] | None = None,
    ) -> Sequence[SessionRow]:
        due = (sessions.c.tenant == tenant) & (sessions.c.due_at <= before)
        page = select(sessions).where(due).order_by(sessions.c.due_at, sessions.c.id).limit(limit)
        if after is not None:
            seen_at, seen_id = after
            later = sessions.c.due_at > seen_at
            page = page.where(later | ((sessions.c.due_at == seen_at) & (sessions.c.id > seen_id)))
        return self._sessions(page)

    def count_due(self, tenant: str, before: datetime) -> Mapping[str, int]:
        due = (sessions.c.tenant == tenant) & (sessions.c.due_at <= before)
        counted = select(sessions.c.class_name, func.count()).where(due)
        return dict(self._run(counted.group_by(sessions.c.class_name)).all())

    def count_classes(self, tenant: str) -> Mapping[str, int]:
        there = (sessions.c.tenant == tenant) & (sessions.c.state != State.ERASED)
        counted = select(sessions.c.class_name, func.count()).where(there)
        return dict(self._run(counted.group_by(sessions.c.class_name)).all())

    def set_terms(
        self, session_id: str, *, class_name: str | None = None, due_at: datetime | None
    ) -> None:
        """Raises `NotFound`."""
        changed: dict[str, object] = {"due_at": due_at}
        if class_name is not None:
            changed["class_name"] = class_name
        this = update(sessions).where(sessions.c.id == session_id)
        self._change(this.values(**changed), "session")

    def bring_forward(self, session_ids: Sequence[str], at: datetime) -> None:
        later = sessions.c.due_at.is_(None) | (sessions.c.due_at > at)
        these = update(sessions).where(self._among(sessions.c.id, session_ids), later)
        self._run(these.where(sessions.c.state != State.ERASED).values(due_at=at))

    def add_applied(self, rows: Sequence[AppliedRow]) -> None:
        self._add_new(applied, rows)

    def applied(self, session_id: str) -> Sequence[AppliedRow]:
        these = select(applied).where(applied.c.session_id == session_id)
        ordered = these.order_by(applied.c.applied_at, applied.c.policy, applied.c.version)
        return self._select_all(AppliedRow, ordered)
