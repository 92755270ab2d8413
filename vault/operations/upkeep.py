"""What whoever keeps time sees to: evidence that waits, work that was cut off, what has come due.

Nothing that nobody agreed to is destroyed here: disposals are finished whose keys are gone already,
erasures that were approved and put off go on once what stood in their way has ended, and of what is
due otherwise a plan is made, which two people then look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from vault.errors import StrongroomError
from vault.operations import (
    disposal,
    disposition,
    evidence,
    hold_store,
    request_fulfilment,
    requests,
)
from vault.operations.request_record import Outcome
from vault.operations.room import Room

_DAY = timedelta(days=1)


def run(room: Room) -> Iterator[str]:
    """Do what there is to do; what was done, or could not be, in sentences."""
    for step in (_evidence, _disposals, _holds, _requests, _plan):
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


def _holds(room: Room) -> Iterator[str]:
    for hold_id, done in hold_store.reconcile_due(room).items():
        if done.set or done.lifted or done.difference != 0:
            failed = f"; {done.detail}" if done.detail else ""
            yield f"hold {hold_id} in the store: {done.set} set, {done.lifted} lifted{failed}"


def _requests(room: Room) -> Iterator[str]:
    """Erasures that were put off, where something of them may happen now."""
    now = room.clock.now()
    for case in requests.listed(room):
        waits = case.row.type == "erasure" and case.row.state in {"deferred", "partial"}
        if waits and any(i.outcome is Outcome.ERASE for i in requests.show(room, case.id, now)[1]):
            done = request_fulfilment.fulfil(room, case.id)
            yield f"request {case.id} is {done.state}"


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
