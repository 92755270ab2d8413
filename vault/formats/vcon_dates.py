"""Dates as vCons of any version write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from vault.formats import instants
from vault.formats.fields import Fields
from vault.formats.rows import Rows

#: Where the seventh decimal of a second is, which is more than a datetime holds.
_SEVENTH = slice(26, 27)
_DATES = list[Annotated[datetime, msgspec.Meta(tz=True)] | None]


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


def all_instants(rows: Rows[Any], key: str) -> list[int | None]:
    """`instant` of each object; those that a datetime holds are taken in at once."""
    texts: Sequence[str | None] = list(map(attrgetter(key), rows.shapes))
    try:
        dates = msgspec.convert(texts, _DATES)
    except (msgspec.ValidationError, UnicodeEncodeError):
        dates = [None] * len(texts)
    found = [None if at is None else instants.from_datetime(at) for at in dates]
    known = [at for at in found if at is not None]
    longest = max(map(len, filter(None, texts)), default=0)
    if len(known) == len(texts) and longest <= _SEVENTH.start and _are_possible(known):
        return found
    for n, (text, at) in enumerate(zip(texts, found, strict=True)):
        if text and (at is None or not 0 <= at < instants.LATE_NS or text[_SEVENTH].isdigit()):
            found[n] = instant(rows.fields(n), key)
    return found


def _are_possible(found: Sequence[int]) -> bool:
    return 0 <= min(found, default=0) <= max(found, default=0) < instants.LATE_NS


def _loose(item: Fields, key: str, text: str) -> int | None:
    """A date without an offset, which is taken as UTC, or in the form of RFC 5322."""
    try:
        found = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        if found.tzinfo is None and text[:4].isdigit():
            item.notes.add("no-utc-offset", f"{item.where}: {key} is taken as UTC.")
        return instants.from_datetime(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
