"""Numbers of seconds or milliseconds as nanoseconds, exact to the last digit that was written.

A source writes `0.1` and means a tenth of a second, not the float next to it. So a number is
taken by its decimal digits and rounded once, half to even. Where floats alone can prove what the
digits would give, which is almost always, nobody looks at the digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

SECOND_NS = 10**9
#: How far a product of two floats, one of them rounded to its shortest digits, may be off, and
#: something more: as a part of itself. Past 2**49 that is more than half, and nothing is proved.
_OFF = 2.0**-50
_PROVABLE = 2.0**49
#: Seconds between these (1987 to 2038) are floats 2**-23 or 2**-22 apart: more than a tenth of a
#: millionth, less than half a millionth.
_SEVEN_DECIMALS = (2**29, 2**31)
#: What is worth the start of numpy, if nobody has started it.
_MANY = 1000


def exact_ns(value: float, unit_ns: int) -> int:
    """A number of units, none below 0, as nanoseconds.

    The product of floats decides where all that it and the digits may be off does not reach the
    next half. So it is with seconds since 1970 of our days: six decimals that make the same
    float are its digits, and where there are none such, the digits are the seven decimals that
    come nearest.
    """
    if unit_ns == SECOND_NS and _SEVEN_DECIMALS[0] <= value < _SEVEN_DECIMALS[1]:
        whole = int(value)
        tenths = round((value - whole) * 1e7)
        if not 1 < tenths % 10 < 9:  # it may be that six decimals are as near
            micros = round(value * 1e6)
            if micros / 1e6 == value:
                return micros * 1000
        return whole * SECOND_NS + tenths * 100
    near = value * unit_ns
    found = round(near)
    if abs(near - found) < 0.5 - near * _OFF:
        return found
    return round(Decimal(repr(value)) * unit_ns)


def all_exact_ns(
    values: Sequence[int | float | None], unit_ns: int, limit_ns: int
) -> list[int | None]:
    """`exact_ns` of each; None for None, and for what is below 0 or more than `limit_ns`."""
    if len(values) < _MANY:
        return [_bounded(value, unit_ns, limit_ns) for value in values]
    import numpy as np

    try:
        numbers = np.array(values, np.float64)
    except OverflowError:
        return [_bounded(value, unit_ns, limit_ns) for value in values]
    with np.errstate(invalid="ignore", over="ignore"):
        near = numbers * unit_ns
        found = np.rint(near)
        proved = (near < min(_PROVABLE, limit_ns)) & (np.abs(near - found) < 0.5 - near * _OFF)
        proved &= numbers >= 0
        found = np.where(proved, found, 0).astype(np.int64)
        if unit_ns == SECOND_NS and limit_ns >= _SEVEN_DECIMALS[1] * SECOND_NS:
            ours = ~proved & (numbers >= _SEVEN_DECIMALS[0]) & (numbers < _SEVEN_DECIMALS[1])
            some = numbers[ours]
            whole = np.floor(some)
            tenths = np.rint((some - whole) * 1e7)
            micros = np.rint(some * 1e6)
            last = tenths % 10
            short = ((last <= 1) | (last >= 9)) & (micros / 1e6 == some)
            long = whole.astype(np.int64) * SECOND_NS + tenths.astype(np.int64) * 100
            found[ours] = np.where(short, micros.astype(np.int64) * 1000, long)
            proved |= ours
    made: list[int | None] = found.tolist()
    for n in np.flatnonzero(~proved).tolist():
        made[n] = _bounded(values[n], unit_ns, limit_ns)
    return made


def carried(times_ns: Sequence[int | None]) -> list[int]:
    """Times (ns) without gaps: where there is none it is that of the one before, at first 0."""
    made, last_ns = [], 0
    for time_ns in times_ns:
        last_ns = last_ns if time_ns is None else time_ns
        made.append(last_ns)
    return made


def _bounded(value: float | None, unit_ns: int, limit_ns: int) -> int | None:
    if value is None or not 0 <= value <= limit_ns // unit_ns:
        return None
    return value * unit_ns if type(value) is int else exact_ns(value, unit_ns)
