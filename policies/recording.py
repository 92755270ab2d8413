"""Who must consent before a call is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple


class ConsentRule(NamedTuple):
    """Whose consent is needed, by which law, and how sure the packs are of it
    (`verified`, `disputed`, `mixed` or `unknown`).
    """

    parties: Literal["one", "all"]
    citation: str | None
    confidence: str


def consent_rule(jurisdictions: Iterable[str]) -> ConsentRule:
    """The rule for a call whose participants are in `jurisdictions`: the strictest wins.

    A place the packs do not know, and none at all, ask for everyone's consent.
    """
    raise NotImplementedError
