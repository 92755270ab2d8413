"""Plans to destroy, and destroying that goes on where it was cut off."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from vault.catalogue.rows import Rows, found, values
from vault.catalogue.tables import disposals, lookups, objects, plans, sessions
from vault.rows import DisposalRow, PlanRow


class Disposals(Rows):
    """The plans and disposals of the Transaction port."""

    def add_plan(self, row: PlanRow) -> None:
        self._run(plans.insert(), values(row))

    def set_plan(self, row: PlanRow) -> None:
        self._change(update(plans).where(plans.c.id == row.id).values(**values(row)), "plan")

    def plan(self, plan_id: str) -> PlanRow:
        this = select(plans).where(plans.c.id == plan_id).with_for_update()
        return found(self._select_one(PlanRow, this), "plan")

    def plans(self, tenant: str) -> Sequence[PlanRow]:
        these = select(plans).where(plans.c.tenant == tenant)
        return self._select_all(PlanRow, these.order_by(plans.c.id))

    def add_disposal(self, row: DisposalRow) -> None:
        self._run(disposals.insert(), values(row))

    def disposal(self, disposal_id: str) -> DisposalRow:
        this = select(disposals).where(disposals.c.id == disposal_id)
        return found(self._select_one(DisposalRow, this), "disposal")

    def set_disposal(self, disposal_id: str, state: str) -> None:
        this = update(disposals).where(disposals.c.id == disposal_id)
        self._change(this.values(state=state), "disposal")

    def disposals(
        self, *, cause: str | None = None, session_id: str | None = None
    ) -> Sequence[DisposalRow]:
        these = select(disposals)
        if cause is not None:
            these = these.where(disposals.c.cause == cause)
        if session_id is not None:
            these = these.where(disposals.c.session_id == session_id)
        return self._select_all(DisposalRow, these.order_by(disposals.c.id))

    def disposals_among(self, session_ids: Sequence[str]) -> Sequence[DisposalRow]:
        these = select(disposals).where(self._among(disposals.c.session_id, session_ids))
        return self._select_all(DisposalRow, these.order_by(disposals.c.id))

    def open_disposals(self, tenant: str, *, limit: int) -> Sequence[DisposalRow]:
        unfinished = disposals.c.state.in_(("key-destroyed", "objects-deleted"))
        these = select(disposals).where(disposals.c.tenant == tenant, unfinished)
        return self._select_all(DisposalRow, these.order_by(disposals.c.id).limit(limit))

    def forget_objects(self, session_id: str, object_ids: Sequence[str]) -> None:
        these = (objects.c.session_id == session_id) & self._among(objects.c.id, object_ids)
        self._run(objects.delete().where(these))

    def forget_session(self, session_id: str, *, metadata: bool, timeline: bool) -> None:
        """Raises `NotFound`."""
        emptied = {"metadata": metadata, "timeline": timeline}
        columns = {name: b"" for name, gone in emptied.items() if gone}
        if columns:
            this = update(sessions).where(sessions.c.id == session_id)
            self._change(this.values(**columns), "session")
        if metadata:
            self._run(lookups.delete().where(lookups.c.session_id == session_id))
