"""The breaker: what stops a sweep that looks wrong, before its first act.

It has no floor: in an archive of three, one is a third of it. A second person may look and go on.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from vault.errors import StrongroomError
from vault.operations import explain
from vault.operations.room import Room
from vault.ports import Transaction
from vault.rows import PlanRow

_OF_ARCHIVE = 0.01
_OF_CLASS = 0.05
_OF_MEDIAN = 3
_SWEEPS = 5
_MONTH = timedelta(days=30)
_AFTER_CHANGE = timedelta(days=7)
_SKEW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Why a sweep must not begin; nothing where it may."""

    why: tuple[str, ...]

    @property
    def tripped(self) -> bool:
        """Whether a second person has to look."""
        return bool(self.why)


def check(room: Room, plan_id: str, classes: Mapping[str, int]) -> Breaker:
    """What speaks against disposing of so many sessions of these classes now."""
    with room.catalogue.transaction() as tx:
        why = [*_share(tx, room.tenant, classes), *_median(tx, room, plan_id, classes)]
    changed = explain.last_changed_at(room)
    if changed is not None and room.clock.now() - changed < _AFTER_CHANGE:
        why.append("A policy was changed within the last 7 days.")
    return Breaker((*why, *_evidence(room)))


def _share(tx: Transaction, tenant: str, classes: Mapping[str, int]) -> list[str]:
    total, there = sum(classes.values()), tx.count_classes(tenant)
    why = []
    if total > _OF_ARCHIVE * sum(there.values()):
        why.append(f"{total} of the archive's {sum(there.values())} sessions: more than 1 %.")
    for name, count in sorted(classes.items()):
        if count > _OF_CLASS * there.get(name, 0):
            why.append(f"{count} of the {there.get(name, 0)} sessions of {name}: more than 5 %.")
    return why


def _median(tx: Transaction, room: Room, plan_id: str, classes: Mapping[str, int]) -> list[str]:
    since = room.clock.now() - _MONTH
    swept = [
        _size(row)
        for row in tx.plans(room.tenant)
        if row.state == "done" and row.id != plan_id and row.planned_at >= since
    ]
    if len(swept) < _SWEEPS:
        return []
    usual, total = statistics.median(swept), sum(classes.values())
    if total <= _OF_MEDIAN * usual:
        return []
    return [f"{total} sessions: more than three times the median of 30 days, {usual:g}."]


def _evidence(room: Room) -> list[str]:
    """The ledger has to be there, and the clock has to go on where it ended."""
    try:
        size = room.ledger.size()
        last = next(iter(room.ledger.entries(size - 1, size)), None) if size else None
    except StrongroomError as error:
        return [f"The ledger cannot be relied on: {error}"]
    at = json.loads(last).get("at") if last else None
    if at is not None and datetime.fromisoformat(at) > room.clock.now() + _SKEW:
        return ["The clock stands before what the ledger tells last."]
    return []


def _size(row: PlanRow) -> int:
    return int(json.loads(row.document)["sessions"])
