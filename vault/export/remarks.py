"""What was said of a session: the annotations that hold, and what its source states of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vault.export.pages import Table, brief, told
from vault.export.record import Record
from vault.export.sheets import Cell
from vault.export.times import clock
from vault.model import Annotation, Json

_LONGEST = 1000


def annotated(record: Record) -> Table:
    """A row for each annotation, its value in full."""
    found = record.session.timeline.annotations
    rows = [(about(a), a.type, a.key, told(a.value)) for a in found]
    return Table("annotations", ("about", "type", "key", "value"), rows)


def about(annotation: Annotation) -> str:
    """The session or the place in it, as in `turn 1` or `00:00:02.000 to 00:00:05.000`."""
    where = annotation.where
    start, end = where.get("start_ns"), where.get("end_ns")
    if isinstance(start, int) and isinstance(end, int):
        return f"{clock(start, '.')} to {clock(end, '.')}"
    which = next(iter(where.values()), None)
    return annotation.target if which is None else f"{annotation.target} {told(which)}"


def stated(found: Iterable[tuple[str, Json]]) -> Table:
    """A row for each of the `fields`; a long value is cut."""
    rows: list[tuple[str, Cell]] = [(name, _cell(value)) for name, value in found]
    return Table("stated", ("name", "value"), rows)


def fields(record: Record) -> Iterator[tuple[str, Json]]:
    """What the source states, its figures first; of an object each of its fields."""
    for stated in (record.session.metrics, record.session.source):
        for name, value in stated.items():
            if isinstance(value, dict) and value:
                yield from ((f"{name}.{key}", inner) for key, inner in value.items())
            else:
                yield name, value


def _cell(value: Json) -> Cell:
    return value if isinstance(value, int | float | None) else brief(value, _LONGEST) or None
