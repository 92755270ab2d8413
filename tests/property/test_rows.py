"""A list that is taken in by one call holds what asking field by field would find."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests import work
from vault.formats import times
from vault.formats.fields import EPOCH_NS_LIMIT, NS_LIMIT, Fields, Notes
from vault.formats.rows import Flag, Index, Number, Rows, Shape, Text, Value, read_events

NUMBERS = (
    st.none()
    | st.integers(-10, 2**70)
    | st.floats(0, 1e6).map(lambda value: round(value, 3))
    | st.floats(-1, 1e308)
    | st.floats(2**29 - 1, 2**31 + 1)
    | st.floats(2**29 - 1, 2**31 + 1).map(lambda value: round(value, 6))
    | st.integers(0, 10**12).map(lambda count: (2 * count + 1) / 2e9)
)
ANYTHING = NUMBERS | st.booleans() | st.text(max_size=3) | st.lists(st.none(), max_size=1)
OBJECTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("at", "isFinal", "said", "idx", "more"), ANYTHING)
)


class _Shape(Shape, rename="camel"):
    at: Number = None
    is_final: Flag = None
    said: Text = None
    idx: Index = None
    more: Value = None


@given(
    st.lists(NUMBERS, min_size=1, max_size=30),
    st.sampled_from([1, 10**3, 10**6, 10**9]),
    st.sampled_from([NS_LIMIT, EPOCH_NS_LIMIT]),
)
@example([1768469400.1234567, 1768469400.5, 1768469400, 0.0000000005, -0.0], 10**9, EPOCH_NS_LIMIT)
@example([4503.5996273704955, 10**400, 1.5], 10**9, NS_LIMIT)
def test_a_column_of_times_is_that_of_each(
    few: list[int | float | None], unit_ns: int, limit_ns: int
) -> None:
    expected = [
        None
        if value is None or not 0 <= value <= limit_ns // unit_ns
        else round(Decimal(repr(value)) * unit_ns)
        for value in few
    ]
    assert times.all_exact_ns(few, unit_ns, limit_ns) == expected
    often = 1000 // len(few) + 1
    assert times.all_exact_ns(few * often, unit_ns, limit_ns) == expected * often


@given(st.lists(OBJECTS | ANYTHING, max_size=6) | ANYTHING)
def test_rows_say_what_fields_say_of_each_and_warn_of_the_same(listed: Any) -> None:
    notes, one_by_one = Notes(), Notes()
    rows = Rows(Fields({"it": listed}, "top", notes), "it", _Shape)
    found = list(zip(rows.places, rows.items, rows.shapes, rows.ns("at"), strict=True))
    expected = [
        (place, item.value, item.ns("at"), item.flag("isFinal"), item.text("said"), item)
        for place, item in Fields({"it": listed}, "top", one_by_one).objects("it") or ()
    ]
    assert [
        (place, item, at, shape.is_final is True, shape.said, shape.idx, shape.more)
        for place, item, shape, at in found
    ] == [(*told, item.index("idx"), item.value.get("more")) for *told, item in expected]
    assert sorted(w.text for w in notes.all()) == sorted(w.text for w in one_by_one.all())


@given(st.lists(OBJECTS | ANYTHING, max_size=6))
def test_events_are_read_whatever_they_hold(listed: list[Any]) -> None:
    objects = [item for item in listed if isinstance(item, dict)]
    events = read_events(Fields({"events": listed}, "top", Notes()), Notes())
    assert [event.seq for event in events] == [n for n, it in enumerate(listed) if it in objects]
    assert all(event.offset_ns >= 0 for event in events)


def test_looking_for_nulls_is_work_that_grows_with_the_list_and_not_with_its_square() -> None:
    def looking(count: int) -> Callable[[], object]:
        listed: list[Any] = [
            dict.fromkeys(map(str, range(count))),
            *({"n": 1} for _ in range(count)),
        ]
        return partial(Rows(Fields({"it": listed}, "top", Notes()), "it", _Shape).rest, "said")

    assert work.growth(looking, 100, 800) < 1.5
    listed: list[Any] = [{"a": None, "b": 1}, {"a": 2, "c": None, "said": ""}, {"a": None}]
    rows = Rows(Fields({"it": listed}, "top", Notes()), "it", _Shape)
    assert rows.rest("said") == [{"b": 1}, {"a": 2}, {}]
