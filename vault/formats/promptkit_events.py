"""PromptKit's events: what each says, and how little it takes to say it again.

An event keeps its own payload as `data`. The rest of its envelope (run, user, session, Go type,
time stamp) is nearly always the same or follows from the offset, so it is kept once for the
session, with the few events that differ: `Envelopes` is both how that is made and how it is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timezone
from operator import attrgetter, itemgetter
from typing import Annotated

import msgspec

from vault.formats import instants
from vault.formats.fields import NS_LIMIT, Notes, note_repeated
from vault.formats.rows import Shape, Value
from vault.model import Event, Json

#: Fields that one session's events share.
SHARED = ("session_id", "conversation_id", "run_id", "user_id")
#: What a writer must know of an event beside its number, type, offset and payload.
_KNOWN = frozenset(
    (*SHARED, "seq", "parent_seq", "type", "timestamp", "offset", "data_type", "data")
)
#: Instants outside these years cannot be counted from.
_FIRST_NS, _LAST_NS = 0, 253_370_764_800 * instants.SECOND_NS
_SEQ_LIMIT = 2**63
#: What began before has all its events in the years that can be read.
_COUNTABLE_NS = instants.LATE_NS - NS_LIMIT
_SAFE_ID = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]{1,200}")
#: The key under which an event's unknown fields, or a payload that is no object, lie in `data`.
ENVELOPE, WRAPPED = "envelope", "data"


class _Plain(Shape, forbid_unknown_fields=True):
    """An event as PromptKit writes it: all that it must say, and nothing that is unknown."""

    seq: Annotated[int, msgspec.Meta(ge=0, le=_SEQ_LIMIT - 1)]
    type: str
    timestamp: str
    offset: Annotated[int, msgspec.Meta(ge=0, le=NS_LIMIT)]
    data: Value
    data_type: Value = None
    parent_seq: Value = msgspec.UNSET
    session_id: Value = None
    conversation_id: Value = None
    run_id: Value = None
    user_id: Value = None


_shared = attrgetter(*SHARED)


@dataclass(slots=True)
class Row:
    """One event as it stands in a file: `at_ns` since 1970, None where it does not say."""

    fields: dict[str, Json]
    seq: int
    type: str
    at_ns: int | None
    data: dict[str, Json]
    odd: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Envelopes:
    """What events say beside their payload.

    `shared` holds for all, `types` gives the Go type of each event type, and `odd` what a single
    event says otherwise, by its place in the timeline; null there means that it does not say.
    """

    shared: dict[str, Json] = field(default_factory=dict)
    types: dict[str, Json] = field(default_factory=dict)
    odd: dict[str, Json] = field(default_factory=dict)

    def of(self, place: int, event: Event) -> dict[str, Json]:
        """The envelope of one event, without its number, type, offset and payload."""
        said: dict[str, Json] = dict(self.shared)
        if event.type in self.types:
            said["data_type"] = self.types[event.type]
        odd = self.odd.get(str(place))
        return said | odd if isinstance(odd, dict) else said


def is_safe_id(stated: Json) -> bool:
    """Whether a session's id may be part of a file name."""
    return isinstance(stated, str) and _SAFE_ID.fullmatch(stated) is not None


def known_instant(text: Json) -> int | None:
    """An RFC 3339 instant that can be counted from, in nanoseconds since 1970."""
    at = instants.parse(text) if isinstance(text, str) else None
    return at if at is not None and _FIRST_NS <= at < _LAST_NS else None


class Gathered:
    """The events of one recording, in the order they are read.

    `called` is what one of them is called in warnings, with its number left open.
    """

    def __init__(self, called: str, notes: Notes) -> None:
        self._called = called
        self._notes = notes
        self._numbers: list[int] = []
        self._listed: list[dict[str, Json]] = []

    def where(self, number: int) -> str:
        """What the event of that number is called."""
        return self._called.format(number)

    def add(self, fields: dict[str, Json], number: int) -> None:
        """Take one event."""
        self._numbers.append(number)
        self._listed.append(fields)

    def runs(self) -> Counter[str]:
        """How many events each run has."""
        said = (fields.get("run_id") for fields in self._listed)
        return Counter(run if isinstance(run, str) else "" for run in said)

    def earliest(self) -> tuple[str, int] | None:
        """The earliest time stamp, as it was written and in nanoseconds since 1970."""
        stated = (fields.get("timestamp") for fields in self._listed)
        known = ((str(text), at) for text in stated if (at := known_instant(text)) is not None)
        return min(known, key=itemgetter(1), default=None)

    def finish(self, start_ns: int | None, start_text: str) -> tuple[list[Event], Envelopes]:
        """The timeline in the order of its offsets, and the envelopes to write it again.

        What an event says wrongly is noted and read as absent.
        """
        first = self._listed[0] if self._listed else {}
        shared = {key: first[key] for key in SHARED if isinstance(first.get(key), str)}
        envelopes = Envelopes(shared)
        placed = list(self._placed(start_ns, start_text, envelopes))
        note_repeated((event.seq for event, _ in placed), self._notes)
        placed.sort(key=lambda pair: pair[0].offset_ns)
        envelopes.odd = {str(place): odd for place, (_, odd) in enumerate(placed) if odd}
        return [event for event, _ in placed], envelopes

    def _placed(
        self, start_ns: int | None, start_text: str, envelopes: Envelopes
    ) -> Iterator[tuple[Event, dict[str, Json]]]:
        """Each event, and what it says otherwise than the others; most are plain."""
        shared, types = envelopes.shared, envelopes.types
        common = tuple(shared.get(key) for key in SHARED)
        zero = start_ns if start_ns is not None and start_ns < _COUNTABLE_NS else None
        zone = UTC if start_ns is None else zone_of(start_text)
        offset, next_seq = 0, 1
        for n, plain in enumerate(self._plain()):
            if (
                plain is not None
                and zero is not None
                and plain.data
                and type(plain.data) is dict
                and _shared(plain) == common
                and plain.data_type == types.setdefault(plain.type, plain.data_type)
                and plain.timestamp == instants.write(zero + plain.offset, zone)
            ):
                seq, offset, parent = plain.seq, plain.offset, plain.parent_seq
                odd = {} if parent is msgspec.UNSET else {"parent_seq": parent}
                yield Event(seq, plain.type, offset, plain.data), odd
            else:
                row = self._row(n, next_seq)
                seq, offset = row.seq, self._offset(row, n, start_ns, offset)
                for key, value in zip(SHARED, common, strict=True):
                    if row.fields.get(key) != value:
                        row.odd[key] = row.fields.get(key)
                _compare(row, envelopes, offset, start_ns, zone)
                yield Event(seq, row.type, offset, row.data), row.odd
            next_seq = max(next_seq, seq + 1)

    def _plain(self) -> Sequence[_Plain | None]:
        """Each event as PromptKit writes it; None for one that it would not write like this."""
        try:
            return msgspec.convert(self._listed, list[_Plain])
        except msgspec.ValidationError:
            return [_plain(fields) for fields in self._listed]

    def _row(self, n: int, next_seq: int) -> Row:
        """The nth event, field by field; wrong fields are noted."""
        fields, where = self._listed[n], self.where(self._numbers[n])
        kind, seq = fields.get("type"), fields.get("seq")
        if not isinstance(kind, str):
            self._notes.add("unknown-event", f"{where}: the event has no type.")
            kind = ""
        if type(seq) is not int or not 0 <= seq < _SEQ_LIMIT:
            self._notes.add("bad-index", f"{where}: the event has no number of its own.")
            seq = next_seq
        at_ns = known_instant(fields.get("timestamp"))
        if at_ns is None and "timestamp" in fields:
            self._notes.add("bad-field", f"{where}: timestamp is not an instant; it is left out.")
        row = Row(fields, seq, kind, at_ns, {})
        _payload(row)
        return row

    def _offset(self, row: Row, number: int, start_ns: int | None, previous: int) -> int:
        """Its stated offset, else what its time stamp says, else that of the event before."""
        stated = row.fields.get("offset")
        if type(stated) is int and 0 <= stated <= NS_LIMIT:
            return stated
        if stated is not None:
            self._notes.add("bad-field", f"events[{number}]: offset is not one; it is left out.")
        if row.at_ns is not None and start_ns is not None:
            if 0 <= row.at_ns - start_ns <= NS_LIMIT:
                return row.at_ns - start_ns
            self._notes.add("bad-interval", f"events[{number}]: outside the session's time.")
        else:
            text = f"events[{number}]: placed at the event before it."
            self._notes.add("no-event-time", text)
        return previous


def _plain(fields: dict[str, Json]) -> _Plain | None:
    try:
        return msgspec.convert(fields, _Plain)
    except msgspec.ValidationError:
        return None


def _payload(row: Row) -> None:
    """Set the event's own data, with what else the source says of it where that is unknown."""
    fields = row.fields
    data = fields.get("data")
    if isinstance(data, dict):
        row.data = data
        if not data:
            row.odd["empty"] = True
    elif "data" in fields:
        row.data, row.odd["wrapped"] = {WRAPPED: data}, True
    if fields.keys() <= _KNOWN:
        return
    unknown = {key: fields[key] for key in fields.keys() - _KNOWN}
    if ENVELOPE in row.data:
        row.data, row.odd["wrapped"] = {WRAPPED: data}, True
    row.data[ENVELOPE], row.odd["extra"] = unknown, True


def _compare(
    row: Row, envelopes: Envelopes, offset: int, start_ns: int | None, zone: timezone
) -> None:
    """Note in `row.odd` whatever the rest of the session would not say for it."""
    fields, odd = row.fields, row.odd
    kind = fields.get("data_type")
    if kind != envelopes.types.setdefault(row.type, kind):
        odd["data_type"] = kind
    if "parent_seq" in fields:
        odd["parent_seq"] = fields["parent_seq"]
    if fields.get("seq") != row.seq:
        odd["seq"] = fields.get("seq")
    if "type" in fields and fields["type"] != row.type:
        odd["type"] = fields["type"]
    if "offset" in fields and fields["offset"] != offset:
        odd["offset"] = fields["offset"]
    text = fields.get("timestamp")
    follows = start_ns is not None and row.at_ns == start_ns + offset
    if row.at_ns is None or not follows or text != instants.write(row.at_ns, zone):
        odd["timestamp"] = text


def zone_of(start_text: str) -> timezone:
    """The offset from UTC that a session's time stamps are written in."""
    return instants.zone(start_text)
