"""Places and legal orders: what lies within what, and whose law counts against whose."""

from __future__ import annotations

from functools import lru_cache

#: The Union's member states, and the three that its data protection law binds through the EEA.
_UNION = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
UNION = frozenset(_UNION.split())


@lru_cache(maxsize=4096)
def within(place: str, area: str) -> bool:
    """Whether `place` (`US-CA`, `DE`) lies in `area` (`US`, `EU`, `*`) or is it."""
    if area in (place, "*"):
        return True
    country = _country(place)
    return country in UNION if area == "EU" else area == country


def legal_order(place: str) -> str:
    """The order a law belongs to: `EU` for the Union and its members, else the country.

    A state of a federation and the federation are one order: their laws say themselves which of
    them gives way. Source: GDPR Art. 17(3)(b) for the Union and its Member States.
    """
    country = _country(place)
    return "EU" if country in UNION else country


def _country(place: str) -> str:
    country = place.partition("-")[0]
    return "GB" if country == "UK" else country  # what many write, and ISO 3166 reserves
