"""Rows of the result table, and sides measured in turn."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: One side of a comparison: does the work once and answers what it cost or how fast it was.
Side = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and how far they lay apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def show(self, digits: int = 2, unit: str = "") -> str:
        low, high = f"{self.low:.{digits}f}", f"{self.high:.{digits}f}"
        return f"{self.median:.{digits}f}{unit} ({low}–{high})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `met` is None where there is no target or nothing was measured."""

    what: str
    result: str
    target: str = ""
    met: bool | None = None
    measured: str = ""


def at_least(what: str, ratio: Spread, target: float, measured: str) -> Row:
    """A ratio of speeds, which should be large."""
    return Row(what, ratio.show(unit=" ×"), f"≥ {target} ×", ratio.median >= target, measured)


def at_most(
    what: str, found: Spread, target: float, unit: str, measured: str, digits: int = 2
) -> Row:
    """A cost, or a ratio of costs, which should be small."""
    met = found.median <= target
    return Row(what, found.show(digits, unit), f"≤ {target:g}{unit}", met, measured)


def beside(what: str, ratio: Spread, measured: str) -> Row:
    """A peer's ratio, for comparison."""
    return Row(what, ratio.show(unit=" ×"), "", None, measured)


def skipped(what: str, why: str) -> Row:
    """A row that cannot be measured on this machine."""
    return Row(what, why)


def in_turn(rounds: int, sides: Mapping[str, Side]) -> dict[str, list[float]]:
    """Every side once a round, so that what else the machine does meets all of them alike.

    The order turns round from one round to the next.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        names = list(sides)
        if number % 2:
            names.reverse()
        for name in names:
            gc.collect()
            found[name].append(sides[name]())
    return found


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Round by round, ours divided by theirs."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])


def seconds(work: Callable[[], object]) -> float:
    """How long `work` took, by the clock on the wall."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
