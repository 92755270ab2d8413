"""Times are those that their digits say."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from vault.formats.times import exact_ns

UNITS = st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000])


@given(
    st.floats(0, 1e12)
    | st.floats(0, 1e6).map(lambda value: round(value, 3))
    | st.floats(2**29 - 1, 2**31 + 1)
    | st.floats(2**29 - 1, 2**31 + 1).map(lambda value: round(value, 6))
    | st.integers(2**35, 2**41).map(lambda count: count / 2**10),
    UNITS,
)
@example(0.0000000005, 10**9)
@example(0.0000000015, 10**9)
@example(2.5, 1)
@example(1e-320, 10**9)
@example(4503.5996273704955, 10**9)
def test_a_time_is_rounded_once_from_its_decimal_digits(value: float, unit_ns: int) -> None:
    assert exact_ns(value, unit_ns) == round(Decimal(repr(value)) * unit_ns)


@given(st.integers(0, 10**13), UNITS)
def test_a_time_just_between_two_nanoseconds_goes_to_the_even_one(count: int, unit_ns: int) -> None:
    value = float(Decimal(2 * count + 1) / 2 / unit_ns)
    assert exact_ns(value, unit_ns) == round(Decimal(repr(value)) * unit_ns)
