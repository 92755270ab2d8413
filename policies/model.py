"""The nouns that decisions are made of: frozen values, no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """A named bundle of retention rules; `period` is None for what is kept without end."""

    name: str
    period: timedelta | None

    def expires_at(self, started_at: datetime) -> datetime | None:
        """When the period of a session that began at `started_at` is over, if ever."""
        return None if self.period is None else started_at + self.period


#: The classes that exist without any policy pack.
CLASSES: dict[str, RetentionClass] = {
    c.name: c
    for c in (
        RetentionClass("short", timedelta(days=7)),
        RetentionClass("medium", timedelta(days=30)),
        RetentionClass("long", timedelta(days=365)),
        RetentionClass("healthcare", timedelta(days=2555)),
        RetentionClass("permanent", None),
    )
}

#: The regimes a deposit may name.
REGIMES = frozenset({"gdpr", "uk-gdpr", "ccpa", "hipaa", "pci-dss", "mifid", "sec-17a-4", "bipa"})
