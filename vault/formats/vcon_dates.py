"""Dates as vCons of any version write them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from vault.formats import instants
from vault.formats.fields import Fields


def instant(item: Fields, key: str) -> int | None:
    """A date of RFC 3339, or of RFC 5322 as old vCons have, in nanoseconds since 1970."""
    text = item.text(key)
    if not text:
        return None
    since = instants.parse(text)
    if since is None:
        since = _loose(item, key, text)
    if since is None:
        item.bad(key, "a date")
        return None
    if not 0 <= since < instants.LATE_NS:
        item.bad(key, "a date since 1970 and before 9000")
        return None
    return since


def _loose(item: Fields, key: str, text: str) -> int | None:
    """A date without an offset, which is taken as UTC, or in the form of RFC 5322."""
    try:
        found = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        if found.tzinfo is None and text[:4].isdigit():
            item.notes.add("no-utc-offset", f"{item.where}: {key} is taken as UTC.")
        return instants.from_datetime(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
