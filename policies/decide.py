"""What is to be done with an element: facts and packs in, a decision with its reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from policies.model import Decision, Element, Facts, Pack


def decide(element: Element, facts: Facts, packs: Mapping[str, Pack], as_of: datetime) -> Decision:
    """What is to be done with `element` at `as_of`, and why.

    `packs` are all that are active; those that do not bind `facts` are passed over. Total: any
    facts have a decision. Raises ValueError only when `as_of` has no zone.
    """
    raise NotImplementedError


def decide_all(facts: Facts, packs: Mapping[str, Pack], as_of: datetime) -> tuple[Decision, ...]:
    """A decision for each of the facts' elements, in the order of `Element`."""
    raise NotImplementedError
