"""How much work a call is, counted and not timed: the same however busy the machine is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def lines(call: Callable[[], object]) -> int:
    """How many lines of Python a call runs. What is one call of C is one line, however long."""
    count = 0

    def trace(_frame: FrameType, what: str, _about: object) -> Any:
        nonlocal count
        count += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def growth(prepare: Callable[[int], Callable[[], object]], few: int, many: int) -> float:
    """How much more work each of many is than each of few: 1 if the work grows with the number.

    With its square it is `many / few`. `prepare` gives the call for a number of whatever it is.
    """
    prepare(few)()  # what is loaded or compiled once is none of theirs
    each = lines(prepare(few)) / few
    assert each >= 1, "work that is done in C is not counted"
    return lines(prepare(many)) / many / each
