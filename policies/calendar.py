"""Periods, and where they end: in a rule's own time zone, rounded to the side that is safe.

A minimum never ends too early and a maximum or deadline never too late: a date that the calendar
does not have (30 February), and a clock time that a zone has twice or not at all, is rounded up
for the one and down for the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from policies.errors import PeriodError

#: Where a period ends that leads out of the calendar.
FAR = datetime(9999, 12, 31, tzinfo=UTC)

_FORM = re.compile(
    r"P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,6})D)?"
    r"(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time as the law writes it: calendar months, days, and clock seconds."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str) -> Period:
        """The period that `text` writes: `P365D`, `P6Y`, `P1M`, `PT72H`, `P1Y6M`, `P2W`.

        Whole, not negative, below a thousand years. Raises `PeriodError`.
        Source: ISO 8601-1:2019, 5.5.2.
        """
        found = _FORM.fullmatch(text)
        if found is None or not any(found.groups()) or text.endswith("T"):
            raise PeriodError(f"{text[:40]!r} is not a period such as P365D, P6Y, P1M or PT72H.")
        years, months, weeks, days, hours, minutes, seconds = (int(n or 0) for n in found.groups())
        return cls(years * 12 + months, weeks * 7 + days, (hours * 60 + minutes) * 60 + seconds)

    def __str__(self) -> str:
        """ISO 8601, in the largest units that are exact; `P0D` when empty."""
        years, months = divmod(self.months, 12)
        hours, rest = divmod(self.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        day = _units((years, "Y"), (months, "M"), (self.days, "D"))
        clock = _units((hours, "H"), (minutes, "M"), (seconds, "S"))
        return f"P{day}{'T' + clock if clock else ''}" if day or clock else "P0D"


def outlasts(one: Period | None, other: Period | None) -> bool:
    """Whether `one` is surely at least as long as `other` from any start; None has no end.

    Months are as long as they may be: where it depends on the start, the answer is no.
    """
    if one is None or one == other:
        return True
    if other is None:
        return False
    doubt = 3 * bool(one.months) + 3 * bool(other.months)
    return _days(one) - doubt >= _days(other)


def _days(period: Period) -> float:
    return period.months * 30.436875 + period.days + period.seconds / 86400


def _units(*counts: tuple[int, str]) -> str:
    return "".join(f"{count}{unit}" for count, unit in counts if count)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The time zone `name` of the IANA database. Raises `PeriodError` when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise PeriodError(f"There is no time zone {name[:40]!r}.") from error


def end_of_minimum(start: datetime, period: Period, zone_name: str = "UTC") -> datetime:
    """The first instant (UTC) at which `period` from `start` is over beyond doubt."""
    return _end(start, period, zone_name, up=True)


def end_of_maximum(start: datetime, period: Period, zone_name: str = "UTC") -> datetime:
    """The last instant (UTC) that is within `period` from `start` on any reading."""
    return _end(start, period, zone_name, up=False)


#: A deadline is a maximum of time to act in.
deadline = end_of_maximum


def business_days(start: datetime, days: int, zone_name: str = "UTC") -> datetime:
    """The same clock time `days` working days after `start`, Monday to Friday, in that zone.

    Public holidays count as working days: the answer is early rather than late.
    """
    local = start.astimezone(zone(zone_name)).replace(tzinfo=None)
    for _ in range(days):
        local += timedelta(days=1)
        while local.weekday() >= 5:
            local += timedelta(days=1)
    return _instant(local, zone_name, up=False)


def _end(start: datetime, period: Period, zone_name: str, *, up: bool) -> datetime:
    try:
        if zone_name == "UTC" and not period.months:
            return start.astimezone(UTC) + timedelta(days=period.days, seconds=period.seconds)
        local = start.astimezone(zone(zone_name)).replace(tzinfo=None)
        local = _months_later(local, period.months, up=up) + timedelta(days=period.days)
        return _instant(local, zone_name, up=up) + timedelta(seconds=period.seconds)
    except (OverflowError, ValueError):
        return FAR


def _months_later(local: datetime, months: int, *, up: bool) -> datetime:
    """The same day `months` later; where that month is too short, its last day or the day after."""
    if not months:
        return local
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    first = local.replace(year=year, month=month + 1, day=1)
    days = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    if local.day <= days.day:
        return first.replace(day=local.day)
    return first.replace(day=days.day) + timedelta(days=1 if up else 0)


def _instant(local: datetime, zone_name: str, *, up: bool) -> datetime:
    """The instant of a clock time; of two readings (a time twice, or none) the later or earlier."""
    there = zone(zone_name)
    readings = (local.replace(tzinfo=there, fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(readings) if up else min(readings)


@lru_cache(maxsize=1024)
def midnight(day: date, zone_name: str) -> datetime:
    """The first instant (UTC) of `day` in that zone."""
    try:
        return _instant(datetime(day.year, day.month, day.day), zone_name, up=False)  # noqa: DTZ001 - the zone's own clock
    except OverflowError:
        return FAR if day.year > 5000 else datetime.min.replace(tzinfo=UTC)
