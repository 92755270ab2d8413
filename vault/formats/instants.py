"""Instants as RFC 3339 writes them, to the nanosecond and with the offset they were written in.

`datetime` ends at microseconds, so an instant here is an integer: nanoseconds since 1970 UTC.
Source: RFC 3339, section 5.6; how Go's time package writes it (RFC3339Nano).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

SECOND_NS = 1_000_000_000

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A session's length, or the time it is kept, counted on from before this, is in the calendar.
_LATE = datetime(9000, 1, 1, tzinfo=UTC)
#: The same in nanoseconds since 1970.
LATE_NS = int(_LATE.timestamp()) * SECOND_NS


def is_possible(at: datetime) -> bool:
    """Whether something recorded can have begun then: since 1970 and before the year 9000."""
    return 1970 < at.year < 8999 or _EPOCH <= at < _LATE


def parse(text: str) -> int | None:
    """Nanoseconds since 1970 UTC; None for anything else, and from the year 9000 on.

    Past nine digits it is cut.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    seconds = _seconds(found[1], found[3])
    if seconds is None:
        return None
    return seconds * SECOND_NS + int((found[2] or "").ljust(9, "0"))


@lru_cache(maxsize=1024)
def _seconds(clock: str, zone: str) -> int | None:
    try:
        at = datetime.fromisoformat(clock.upper() + zone.upper())
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(seconds=1) if at < _LATE else None


def of_iso(text: str) -> int | None:
    """The same of anything in ISO 8601 with an offset; past six digits it is cut."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return from_datetime(found) if found.tzinfo is not None and is_possible(found) else None


def zone(text: str) -> timezone:
    """The offset that a parsed instant was written in."""
    sign, tail = text[-6:-5], text[-5:]
    if text[-1] in "zZ":
        return UTC
    ahead = timedelta(hours=int(tail[:2]), minutes=int(tail[3:]))
    return timezone(-ahead if sign == "-" else ahead)


def write(at_ns: int, offset: timezone = UTC) -> str:
    """The instant as Go writes it: no zeros at the end of the fraction, `Z` for UTC."""
    minute, rest = divmod(at_ns, 60 * SECOND_NS)
    before, after = _minute(minute, offset)
    seconds = f"{rest:011d}"
    clock = f"{before}{seconds[:2]}.{seconds[2:]}"
    return clock.rstrip("0").rstrip(".") + after


@lru_cache(maxsize=1024)
def _minute(minute: int, offset: timezone) -> tuple[str, str]:
    """What is written before the seconds of a minute since 1970, and behind them."""
    clock = (_EPOCH + timedelta(minutes=minute)).astimezone(offset).isoformat()
    return clock[:17], "Z" if clock[19:] == "+00:00" else clock[19:]


def to_datetime(at_ns: int) -> datetime | None:
    """The same in UTC, cut to microseconds; None before 1970 or past the calendar."""
    try:
        return _EPOCH + timedelta(microseconds=at_ns // 1000) if at_ns >= 0 else None
    except OverflowError:
        return None


def from_datetime(at: datetime) -> int:
    """Nanoseconds since 1970 UTC of an aware datetime."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1000
