"""What other packs would decide, before they are activated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from policies.decide import decide_all
from policies.model import ENDINGS, Decision, Element, Facts, Pack


@dataclass(frozen=True, slots=True)
class Change:
    """An element of session `id` that would be decided otherwise."""

    id: str
    element: Element
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class ClassCount:
    """What would happen to the sessions of a class; everything but `sessions` counts elements.

    `moved`: the same decision now, but another earliest or latest date.
    """

    sessions: int = 0
    changes: int = 0
    newly_due: int = 0
    no_longer_due: int = 0
    moved: int = 0


@dataclass(frozen=True, slots=True)
class Simulation:
    """The difference two sets of packs make, in elements.

    `changes` holds those with another action or restriction at once; what only moves in time is
    counted. Due is what would be destroyed or disposed of.
    """

    changes: tuple[Change, ...]
    newly_due: int
    no_longer_due: int
    per_class: Mapping[str, ClassCount]


def simulate(
    sessions: Iterable[tuple[str, Facts]],
    before_packs: Mapping[str, Pack],
    after_packs: Mapping[str, Pack],
    as_of: datetime,
) -> Simulation:
    """What `after_packs` would decide otherwise than `before_packs` at `as_of`.

    Takes sessions one by one; memory grows with the changes alone.
    """
    changes: list[Change] = []
    per_class: dict[str, ClassCount] = {}
    for session, facts in sessions:
        before = decide_all(facts, before_packs, as_of)
        after = decide_all(facts, after_packs, as_of)
        pairs = list(zip(before, after, strict=True))
        changes += [Change(session, b.element, b, a) for b, a in pairs if _changed(b, a)]
        name = facts.class_name or "none"
        per_class[name] = _counted(per_class.get(name, ClassCount()), pairs)
    return Simulation(
        changes=tuple(changes),
        newly_due=sum(count.newly_due for count in per_class.values()),
        no_longer_due=sum(count.no_longer_due for count in per_class.values()),
        per_class=per_class,
    )


def _counted(count: ClassCount, pairs: Iterable[tuple[Decision, Decision]]) -> ClassCount:
    changes, newly, no_longer, moved = count.changes, count.newly_due, count.no_longer_due, 0
    for before, after in pairs:
        was, now = before.action in ENDINGS, after.action in ENDINGS
        changed = _changed(before, after)
        changes += changed
        newly += now and not was
        no_longer += was and not now
        moved += not changed and _dates(before) != _dates(after)
    return ClassCount(count.sessions + 1, changes, newly, no_longer, count.moved + moved)


def _changed(before: Decision, after: Decision) -> bool:
    return (before.action, before.restricted) != (after.action, after.restricted)


def _dates(decision: Decision) -> tuple[datetime | None, datetime | None]:
    return decision.not_before, decision.due_by
