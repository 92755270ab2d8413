"""What other packs would decide, before they are activated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from policies.model import Decision, Element, Facts, Pack


@dataclass(frozen=True, slots=True)
class Change:
    """An element that would be decided otherwise."""

    id: str
    element: Element
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class ClassCount:
    """What would happen to the sessions of a class; everything but `sessions` counts elements."""

    sessions: int = 0
    changes: int = 0
    newly_due: int = 0
    no_longer_due: int = 0


@dataclass(frozen=True, slots=True)
class Simulation:
    """The difference two sets of packs make, in elements."""

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
    """What `after_packs` would decide otherwise than `before_packs` at `as_of`."""
    raise NotImplementedError
