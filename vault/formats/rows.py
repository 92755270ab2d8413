"""Objects of one shape that a source lists by the thousand, read all at once.

A `Shape` has a field for each name that a reader asks for, of one of the types below, and None as
its default. Objects that are as they should be, as nearly all are, are taken in by one call for a
tenth of what it costs to ask for each field; any other is read field by field, as `Fields` does it
and with the same warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from itertools import compress
from operator import attrgetter
from typing import Annotated, Any, Generic, TypeAlias, TypeVar, cast

import msgspec

from vault.formats.fields import (
    EPOCH_NS_LIMIT,
    INDEX_LIMIT,
    KNOWN_ROLES,
    NS_LIMIT,
    Fields,
    Notes,
)
from vault.formats.times import SECOND_NS, all_exact_ns
from vault.model import Event, Json

Text: TypeAlias = str | None
Flag: TypeAlias = bool | None
#: Text that `Fields.role` is asked for where it is no known word; it is noted then.
Word: TypeAlias = Annotated[str, msgspec.Meta(title="word")] | None
#: A whole number from 0 to a milliard.
Index: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=INDEX_LIMIT)] | None
#: A time in some unit: `Rows.ns` is told which, and sees to it that it can be one.
Number: TypeAlias = int | float | None
#: Anything, for the reader to look at.
Value: TypeAlias = Any
#: Who speaks: the role, and the source's own word for it where that is another.
Who: TypeAlias = tuple[str, str | None]

#: So many fields that are null in the first object are looked for in all others.
_NULLS = 16

_KNOWN: Callable[[str | None], Who | None] = cast("dict[str | None, Who]", KNOWN_ROLES).get


class Shape(msgspec.Struct, gc=False):
    """What a reader asks for of each object. `rename=` says how the source writes the names."""


_S = TypeVar("_S", bound=Shape)
#: What says of a field of a type that it is not as it should be.
_WRONG: dict[object, Callable[[Fields, str], object]] = {
    Text: Fields.text,
    Word: lambda *_: None,
    Flag: Fields.flag,
    Index: Fields.index,
    Number: Fields.ns,
}


class Rows(Generic[_S]):
    """The objects under `key`, in their order; none, if there is no list.

    The nth is `items[n]` as it stands, at `places[n]` of the list; `shapes[n]` is what was asked
    for of it. A wrong field is None in there, with a warning; what is no object is noted and left
    out.
    """

    def __init__(self, parent: Fields, key: str, shape: type[_S]) -> None:
        self._key, self._notes, self._shape = key, parent.notes, shape
        stated = parent.value.get(key)
        self.items: Sequence[Any] = stated if isinstance(stated, list) else ()
        self.places: Sequence[int] = range(len(self.items))
        try:
            # mypy knows no type that is made while the program runs.
            self.shapes: Sequence[_S] = msgspec.convert(self.items, list[shape])  # type: ignore[valid-type]
        except msgspec.ValidationError:
            listed = list(parent.objects(key) or ())
            self.places = [place for place, _ in listed]
            self.items = [item.value for _, item in listed]
            self.shapes = [shaped(item, shape) for _, item in listed]
        if not isinstance(stated, list):
            parent.objects(key)  # which notes what is there instead

    def fields(self, n: int) -> Fields:
        """The nth, to be asked for what its shape does not say."""
        return Fields(self.items[n], self._key, self._notes, self.places[n])

    def only(self, wanted: Sequence[bool]) -> Rows[_S]:
        """Those of them, as rows of their own."""
        if all(wanted):
            return self
        made = copy(self)
        made.items = list(compress(self.items, wanted))
        made.places = list(compress(self.places, wanted))
        made.shapes = list(compress(self.shapes, wanted))
        return made

    def roles(self, name: str) -> list[Who]:
        """Who speaks, by the word of that name as `Fields.role` reads it."""
        found = list(map(_KNOWN, map(attrgetter(name), self.shapes)))
        if None not in found:
            return cast("list[Who]", found)
        written = _written(self._shape, name)
        return [who or self.fields(n).role(written) for n, who in enumerate(found)]

    def rest(self, *taken: str) -> list[dict[str, Json]]:
        """What each says besides, see `left`; a field at a time, which is a third faster."""
        for key in taken:
            for item in self.items:
                if key in item:
                    del item[key]
        if not self.items:
            return []
        # What is null in the first is in most; whoever names thousands there gains nothing by it.
        nulls = [key for key, value in self.items[0].items() if value is None]
        for key in nulls[:_NULLS]:
            for item in self.items:
                if key in item and item[key] is None:
                    del item[key]
        return [left(item) if None in item.values() else item for item in self.items]

    def ns(self, name: str, unit_ns: int = SECOND_NS) -> list[int | None]:
        """The times of that name, as `Fields.ns` reads them."""
        return self._times(name, unit_ns, NS_LIMIT, Fields.ns)

    def epoch_ns(self, name: str, unit_ns: int = SECOND_NS) -> list[int | None]:
        """The instants of that name, as `Fields.epoch_ns` reads them."""
        return self._times(name, unit_ns, EPOCH_NS_LIMIT, Fields.epoch_ns)

    def _times(
        self, name: str, unit_ns: int, limit_ns: int, wrong: Callable[..., object]
    ) -> list[int | None]:
        values: list[Number] = list(map(attrgetter(name), self.shapes))
        found = all_exact_ns(values, unit_ns, limit_ns)
        if None in found:
            for n, value in enumerate(values):
                if found[n] is None and value is not None:
                    wrong(self.fields(n), _written(self._shape, name), unit_ns=unit_ns)
        return found


def left(item: dict[str, Json], *taken: str) -> dict[str, Json]:
    """What an object says besides, without what is null: taken apart and not copied, as a rule."""
    for key in taken:
        item.pop(key, None)
    if None in item.values():
        return {k: v for k, v in item.items() if v is not None}
    return item


def shaped(item: Fields, shape: type[_S]) -> _S:
    """One object as a shape."""
    try:
        return msgspec.convert(item.value, shape)
    except msgspec.ValidationError:
        return shape(**{f.name: _read(item, f) for f in msgspec.structs.fields(shape)})


def _read(item: Fields, field: msgspec.structs.FieldInfo) -> object:
    value = item.value.get(field.encode_name)
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        _WRONG[field.type](item, field.encode_name)
        return None


def _written(shape: type[Shape], name: str) -> str:
    """What a source calls a field of the shape."""
    return shape.__struct_encode_fields__[shape.__struct_fields__.index(name)]


class _Told(Shape):
    """What all events have."""

    time: Number = None
    type: Text = None


def read_events(parent: Fields, notes: Notes) -> tuple[Event, ...]:
    """The `events` of an object: `time` in seconds, `type`, and everything else as it stands.

    Unknown types are kept. An event without a usable time takes that of the one before it. The
    objects are taken apart: what is left of each is its `data`.
    """
    rows = Rows(parent, "events", _Told)
    events: list[Event] = []
    offset = 0
    listed = zip(rows.places, rows.items, rows.shapes, rows.ns("time"), strict=True)
    for place, data, told, stated in listed:
        if told.type is None:
            notes.add("unknown-event", f"events[{place}]: the event has no type.")
        if stated is None:
            notes.add("no-event-time", f"events[{place}]: placed at the event before it.")
        else:
            offset = stated
        data.pop("time", None)
        data.pop("type", None)
        events.append(Event(place, told.type or "", offset, data))
    return tuple(events)
