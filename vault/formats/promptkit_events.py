"""PromptKit's events: what each says, and how little it takes to say it again.

An event keeps its own payload as `data`. The rest of its envelope (run, user, session, Go type,
time stamp) is nearly always the same or follows from the offset, so it is kept once for the
session, with the few events that differ: `Envelopes` is both how that is made and how it is read.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timezone
from operator import itemgetter

from vault.formats import instants
from vault.formats.fields import NS_LIMIT, Notes, note_repeated
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
_SAFE_ID = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]{1,200}")
#: The key under which an event's unknown fields, or a payload that is no object, lie in `data`.
ENVELOPE, WRAPPED = "envelope", "data"


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
    """The events of one recording, in the order they are read."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._next_seq = 1
        self.rows: list[Row] = []
        self.runs: Counter[str] = Counter()

    def add(self, fields: dict[str, Json], where: str) -> Row:
        """Take one event; wrong fields are noted and read as absent."""
        kind = fields.get("type")
        if not isinstance(kind, str):
            self._notes.add("unknown-event", f"{where}: the event has no type.")
            kind = ""
        seq = fields.get("seq")
        if type(seq) is not int or not 0 <= seq < _SEQ_LIMIT:
            self._notes.add("bad-index", f"{where}: the event has no number of its own.")
            seq = self._next_seq
        self._next_seq = max(self._next_seq, seq + 1)
        at_ns = known_instant(fields.get("timestamp"))
        if at_ns is None and "timestamp" in fields:
            self._notes.add("bad-field", f"{where}: timestamp is not an instant; it is left out.")
        run = fields.get("run_id")
        self.runs[run if isinstance(run, str) else ""] += 1
        row = Row(fields, seq, kind, at_ns, {})
        _payload(row)
        self.rows.append(row)
        return row

    def start_ns(self) -> int | None:
        """The earliest time stamp."""
        return min((row.at_ns for row in self.rows if row.at_ns is not None), default=None)

    def finish(self, start_ns: int | None, start_text: str) -> tuple[list[Event], Envelopes]:
        """The timeline in the order of its offsets, and the envelopes to write it again."""
        shared = {
            key: self.rows[0].fields[key]
            for key in SHARED
            if self.rows and isinstance(self.rows[0].fields.get(key), str)
        }
        note_repeated((row.seq for row in self.rows), self._notes)
        envelopes = Envelopes(shared)
        common = [(key, shared.get(key)) for key in SHARED]
        zone = "Z" if start_text[-1:] in {"Z", "z"} else start_text[-6:]
        placed: list[tuple[int, Row]] = []
        offset = 0
        for number, row in enumerate(self.rows):
            offset = self._offset(row, number, start_ns, offset)
            for key, value in common:
                if row.fields.get(key) != value:
                    row.odd[key] = row.fields.get(key)
            _compare(row, envelopes, offset, start_ns, zone)
            placed.append((offset, row))
        placed.sort(key=itemgetter(0))
        envelopes.odd = {str(place): row.odd for place, (_, row) in enumerate(placed) if row.odd}
        return [Event(row.seq, row.type, at, row.data) for at, row in placed], envelopes

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


def _compare(row: Row, envelopes: Envelopes, offset: int, start_ns: int | None, zone: str) -> None:
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
    if not (follows and isinstance(text, str) and _is_plain(text, zone)):
        odd["timestamp"] = text


def _is_plain(text: str, zone: str) -> bool:
    """Whether Go would write that instant in just this way."""
    fraction = text[19 : len(text) - len(zone)]
    shortest = not fraction or (len(fraction) <= 10 and fraction[-1] != "0")
    return text.endswith(zone) and text[10] == "T" and shortest


def zone_of(start_text: str) -> timezone:
    """The offset from UTC that a session's time stamps are written in."""
    return instants.zone(start_text)
