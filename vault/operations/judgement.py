"""What is decided on a stored session now: element by element, and compartment by compartment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from policies.model import ENDINGS, Decision, Element, Pack
from vault.model import Compartment, Json
from vault.operations import elements
from vault.operations.elements import Carried
from vault.operations.facts import due_at, facts
from vault.operations.retrieve import Opened
from vault.operations.room import Room
from vault.ports import Transaction
from vault.rows import SessionRow


@dataclass(frozen=True, slots=True)
class Judged:
    """What is decided on a session now: which compartments may end, and what stays.

    `unasked` is due as well, and nobody has agreed to it yet.
    """

    decisions: Sequence[Decision]
    gone: frozenset[Element]
    compartments: tuple[Compartment, ...]
    left: frozenset[Compartment]
    due_at: datetime | None
    unasked: frozenset[Element] = frozenset()

    def kept(self) -> tuple[tuple[Element, str], ...]:
        """The elements that stay, each with its reason."""
        stay = (d for d in self.decisions if d.element not in self.gone)
        return tuple((d.element, _why(d, self.unasked)) for d in stay)

    def reasons(self) -> list[Json]:
        """Why each element goes: the reason that decided, once."""
        first = [d.reasons[0] for d in self.decisions if d.element in self.gone]
        found: dict[str, Json] = {
            r.text: {"text": r.text, "citation": r.citation, "rule": r.rule} for r in first
        }
        return list(found.values())


def carried(room: Room, session: SessionRow) -> Carried:
    """Which elements lie where in a stored session. Opens its manifests."""
    return elements.carried((p.compartment, p.kind) for p in Opened(room, session).parts)


def judge(
    tx: Transaction,
    session: SessionRow,
    carried: Carried,
    packs: Mapping[str, Pack],
    as_of: datetime,
    *,
    only: Collection[Element] | None = None,
) -> Judged:
    """Decide on every element that is left of a session. `only` these may end; None: any."""
    left = frozenset(row.compartment for row in tx.records(session.id))
    known = facts(tx, session, elements.present(carried, left), as_of)
    due, decisions = due_at(known, packs, as_of)
    ends = {d.element for d in decisions if d.action in ENDINGS}
    wanted = ends if only is None else ends.intersection(only)
    gone = elements.free(carried, left, wanted)
    ending = tuple(elements.ending(carried, left, gone))
    return Judged(decisions, gone, ending, left, due, frozenset(ends - wanted))


def _why(decision: Decision, unasked: Collection[Element]) -> str:
    if decision.element in unasked:
        return "It is due, and was not in what was agreed to."
    if decision.action in ENDINGS:
        return "It lies in one sealed object with what has to be kept."
    return decision.reasons[0].text
