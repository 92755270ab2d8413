"""Who must consent before a call is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from policies.jurisdiction import within
from policies.model import Rule
from policies.pack import packaged


class ConsentRule(NamedTuple):
    """Whose consent is needed, by which law, and how sure the packs are of it
    (`verified`, `disputed`, `mixed` or `unknown`).
    """

    parties: Literal["one", "all"]
    citation: str | None
    confidence: str
    rule: Rule | None = None


UNKNOWN = ConsentRule("all", None, "unknown")


def consent_rule(jurisdictions: Iterable[str]) -> ConsentRule:
    """The rule for a call whose participants are in `jurisdictions`: the strictest wins.

    A place the packs do not know, and none at all, ask for everyone's consent.
    """
    return strictest(packaged()["recording-consent"].rules, tuple(jurisdictions))


def strictest(rules: Sequence[Rule], jurisdictions: Sequence[str]) -> ConsentRule:
    """The strictest of what `rules` say of these places; a known rule before an unknown place."""
    found = [_of(rules, place) for place in jurisdictions] or [UNKNOWN]
    return min(found, key=lambda rule: (rule.parties != "all", rule.rule is None))


def _of(rules: Sequence[Rule], place: str) -> ConsentRule:
    """The rule of the smallest area that `place` lies in: a state's before the federation's."""
    areas = [r for r in rules if r.parties and r.jurisdiction and within(place, r.jurisdiction)]
    if not areas:
        return UNKNOWN
    rule = max(areas, key=lambda r: len(r.jurisdiction or ""))
    parties: Literal["one", "all"] = "one" if rule.parties == "one" else "all"
    return ConsentRule(parties, rule.citation, rule.confidence or "unknown", rule)
