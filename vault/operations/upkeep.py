"""What whoever keeps time sees to: evidence that waits, work that was cut off, what has come due.

Nothing here begins to destroy anything: disposals are finished whose keys are gone already, and of
what is due a plan is made, which two people then look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from vault.errors import StrongroomError
from vault.operations import disposal, disposition, evidence
from vault.operations.room import Room

_DAY = timedelta(days=1)


def run(room: Room) -> Iterator[str]:
    """Do what there is to do; what was done, or could not be, in sentences."""
    for step in (_evidence, _disposals, _plan):
        try:
            yield from step(room)
        except StrongroomError as error:
            yield f"{_name(step)}: {error}"


def _evidence(room: Room) -> Iterator[str]:
    told = evidence.publish(room)
    if told:
        yield f"{told} entries told to the ledger"


def _disposals(room: Room) -> Iterator[str]:
    for finished in disposal.resume(room):
        if finished.certificate:
            yield f"disposal of session {finished.session_id} finished"


def _plan(room: Room) -> Iterator[str]:
    """One plan a day, where anything is due that no open plan was made for."""
    now = room.clock.now()
    with room.catalogue.transaction() as tx:
        due = sum(tx.count_due(room.tenant, now).values())
        plans = tx.plans(room.tenant)
    if not due or (plans and now - plans[-1].planned_at < _DAY):
        return
    made = disposition.plan(room)
    yield f"{len(made.session_ids)} sessions are due: plan {made.row.id} waits for approval"


def _name(step: Callable[[Room], Iterator[str]]) -> str:
    return step.__name__.removeprefix("_")
