"""Fields that someone else wrote, read one by one.

A single wrong field never costs a session: it is noted as a warning and read as absent. The
original bytes are kept anyway, so nothing is lost by not understanding them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import attrgetter

from vault.formats import instants
from vault.formats.times import SECOND_NS, exact_ns
from vault.model import Event, Json, Participant, Segment, Warn

NOTES_LIMIT = 10_000
#: No session is longer than a year; a larger time is an epoch or an error.
NS_LIMIT = 366 * 86_400 * 10**9
INDEX_LIMIT = 10**9
#: What begins later may end past the calendar.
EPOCH_NS_LIMIT = instants.LATE_NS - 1

#: What sources call the three roles.
ROLES = {
    "user": "user",
    "caller": "user",
    "customer": "user",
    "human": "user",
    "agent": "agent",
    "assistant": "agent",
    "bot": "agent",
    "system": "system",
}
#: The same words as `Fields.role` answers them.
KNOWN_ROLES = {word: (role, None if word == role else word) for word, role in ROLES.items()}


class Notes:
    """The warnings of one reading, in the order they arose; past 10,000 they are only counted."""

    def __init__(self) -> None:
        self._kept: list[Warn] = []
        self._dropped = 0

    def add(self, code: str, text: str, file: str | None = None) -> None:
        """Note something; `text` must hold neither content nor names of people."""
        self.extend([Warn(code, text, file)])

    def extend(self, warnings: Collection[Warn]) -> None:
        """Note what another room noticed."""
        room = max(0, NOTES_LIMIT - len(self._kept))
        self._kept.extend(list(warnings)[:room])
        self._dropped += max(0, len(warnings) - room)

    def all(self) -> tuple[Warn, ...]:
        """Every warning kept, and one that counts the others."""
        if not self._dropped:
            return tuple(self._kept)
        return (*self._kept, Warn("more-warnings", f"{self._dropped} more warnings are left out."))


class Fields:
    """A JSON object whose fields may be anything.

    `where` names it in warnings, kept in `notes`; `place` is its place in a list of that name.
    """

    __slots__ = ("_name", "_place", "notes", "value")

    def __init__(
        self, value: dict[str, Json], where: str, notes: Notes, place: int | None = None
    ) -> None:
        self.value = value
        self.notes = notes
        self._name = where
        self._place = place

    @property
    def where(self) -> str:
        """What it is called, put together when it is asked for: most objects are as they should."""
        return self._name if self._place is None else f"{self._name}[{self._place}]"

    def bad(self, key: str, expected: str) -> None:
        """Note that a field is not what it should be."""
        self.notes.add("bad-field", f"{self.where}: {key} is not {expected}; it is left out.")

    def text(self, *keys: str) -> str | None:
        """The first of these fields that is there, if it is a string."""
        for key in keys:
            value = self.value.get(key)
            if type(value) is str:
                return value
            if value is not None:
                self.bad(key, "text")
        return None

    def flag(self, key: str) -> bool:
        """A boolean; absent is False."""
        value = self.value.get(key)
        if value is None or value is False or value is True:
            return value is True
        self.bad(key, "true or false")
        return False

    def index(self, key: str) -> int | None:
        """A whole number from 0 to a milliard."""
        value = self.value.get(key)
        if type(value) is int and 0 <= value <= INDEX_LIMIT:
            return value
        if value is not None:
            self.bad(key, "a small whole number")
        return None

    def ns(self, *keys: str, unit_ns: int = SECOND_NS) -> int | None:
        """The first of these times that is there, seconds in the source, as nanoseconds.

        Rounded once, half to even, from the decimal digits, never through binary fractions.
        """
        return self._time(keys, unit_ns, NS_LIMIT, "a time between 0 and a year")

    def epoch_ns(self, *keys: str, unit_ns: int = SECOND_NS) -> int | None:
        """The first of these instants that is there, counted from 1970, as nanoseconds."""
        return self._time(keys, unit_ns, EPOCH_NS_LIMIT, "a time since 1970")

    def _time(self, keys: Collection[str], unit_ns: int, limit: int, expected: str) -> int | None:
        for key in keys:
            value = self.value.get(key)
            if value is None:
                continue
            if type(value) is not int and type(value) is not float:
                self.bad(key, "a number")
            elif not 0 <= value <= limit // unit_ns:
                self.bad(key, expected)
            else:
                return value * unit_ns if type(value) is int else exact_ns(value, unit_ns)
        return None

    def object(self, key: str) -> Fields:
        """The object under `key`; an empty one if there is none."""
        value = self.value.get(key)
        if value is not None and not isinstance(value, dict):
            self.bad(key, "an object")
        return Fields(value if isinstance(value, dict) else {}, key, self.notes)

    def texts(self, key: str) -> tuple[str, ...]:
        """The strings of a list, without empty ones; what else is in it is left out."""
        value = self.value.get(key)
        if value is not None and not isinstance(value, list):
            self.bad(key, "a list")
        items = value if isinstance(value, list) else []
        return tuple(item for item in items if isinstance(item, str) and item.strip())

    def objects(self, key: str) -> Iterator[tuple[int, Fields]] | None:
        """A list of objects with their positions; None if there is no list.

        What in it is not an object is noted and left out.
        """
        value = self.value.get(key)
        if isinstance(value, list):
            return self._objects(key, value)
        if value is not None:
            self.bad(key, "a list")
        return None

    def _objects(self, key: str, items: list[Json]) -> Iterator[tuple[int, Fields]]:
        for position, item in enumerate(items):
            if isinstance(item, dict):
                yield position, Fields(item, key, self.notes, position)
            else:
                self.bad(f"{key}[{position}]", "an object")

    def instant(self, *keys: str) -> datetime | None:
        """The first of these ISO 8601 instants, in UTC; without an offset it is taken as UTC."""
        for key in keys:
            text = self.text(key)
            if text is None:
                continue
            try:
                found = datetime.fromisoformat(text)
                if found.tzinfo is None:
                    self.notes.add("no-utc-offset", f"{self.where}: {key} is taken as UTC.")
                    found = found.replace(tzinfo=UTC)
                found = found if found.tzinfo is UTC else found.astimezone(UTC)
            except (ValueError, OverflowError):
                self.bad(key, "an ISO 8601 instant")
                continue
            if instants.is_possible(found):
                return found
            self.bad(key, "an instant since 1970 and before 9000")
        return None

    def role(self, *keys: str) -> tuple[str, str | None]:
        """Who speaks, as (role, the source's own word for it where that is another).

        A word nobody knows becomes system, with a warning.
        """
        label = self.value.get(keys[0])
        if type(label) is str and label in KNOWN_ROLES:
            return KNOWN_ROLES[label]
        label = self.text(*keys)
        role = ROLES.get(label.lower()) if label is not None else None
        if role is None:
            self.notes.add("unknown-role", f"{self.where}: the role is not user, agent or system.")
        return role or "system", None if label == role else label


def minus(instant: datetime, duration_ns: int) -> datetime | None:
    """`instant` less a duration, to the microsecond; None if that is before 1970."""
    try:
        earlier = instant - timedelta(microseconds=duration_ns // 1000)
    except OverflowError:
        return None
    return earlier if earlier.year >= 1970 else None


def numbered(segments: Collection[tuple[int | None, Segment]], notes: Notes) -> tuple[Segment, ...]:
    """The segments in the order of their source's numbers, each number used once.

    Takes (number or None, segment) pairs; a missing or repeated number is noted and the
    segment comes after all the others.
    """
    used: set[int] = set()
    late: list[Segment] = []
    placed: list[Segment] = []
    for number, segment in segments:
        if number is None or number in used:
            notes.add("bad-index", "A segment has no number of its own.", segment.file)
            late.append(segment)
        else:
            used.add(number)
            placed.append(segment if segment.index == number else replace(segment, index=number))
    placed.sort(key=attrgetter("index"))
    first = max(used, default=-1) + 1
    return (*placed, *(replace(segment, index=first + n) for n, segment in enumerate(late)))


def note_repeated(ids: Iterable[Json], notes: Notes) -> None:
    """Note how many ids are another's as well; whatever has one is kept."""
    known = [each for each in ids if isinstance(each, _ID)]
    if again := len(known) - len(set(known)):
        text = f"{again} turns or events have an id that is another's; all are kept."
        notes.add("repeated-id", text)


def speakers(segments: Collection[Segment]) -> tuple[Participant, ...]:
    """Who spoke, once each, in order of first appearance."""
    seen = dict.fromkeys(map(_SPEAKER, segments))
    return tuple(Participant(role, name) for role, name in seen)


def end_of(segments: Collection[Segment], events: Collection[Event]) -> int | None:
    """Where the true timeline ends: the last transport end, sound or event; None if empty."""
    ends = [s.start_ns + s.decoded_ns for s in segments if s.decoded_ns]
    starts, stops = map(_START, segments), map(_END, segments)
    return max(chain(ends, starts, stops, map(_OFFSET, events)), default=None)


_ID = str | int
_SPEAKER = attrgetter("role", "speaker")
_START, _END = attrgetter("start_ns"), attrgetter("end_ns")
_OFFSET = attrgetter("offset_ns")
