"""The dialogs of a vCon, which may be thousands, on one clock.

Offsets count from the earliest of them. What a dialog says is taken in with all the others; one
is looked at alone (`Dialog`) only where it is more than a plain text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from vault.formats import instants
from vault.formats.fields import NS_LIMIT, Fields, Notes
from vault.formats.rows import Number, Rows, Shape, Text, Value
from vault.formats.vcon_attached import zeros
from vault.formats.vcon_dates import all_instants, instant
from vault.formats.vcon_party import indices

#: Where sound lies inside: the name that it goes by and, where that can be told, its length (ns).
Inside = Mapping[int, tuple[str, int | None]]

#: What a text as it stands says of itself, if it says anything.
_PLAIN_ENCODINGS, _PLAIN_TYPES = (None, "none"), (None, "text/plain")


class Said(Shape):
    """What is asked of every dialog."""

    type: Text = None
    start: Text = None
    duration: Number = None
    parties: Value = None
    originator: Value = None
    mediatype: Value = None
    encoding: Value = None
    body: Value = None
    url: Value = None
    content_hash: Value = None
    party_history: Value = None

    def is_plain(self) -> bool:
        """Whether it is a text as it stands, with nothing beside it that happened."""
        return (
            self.type == "text"
            and type(self.body) is str
            and self.encoding in _PLAIN_ENCODINGS
            and self.mediatype in _PLAIN_TYPES
            and self.url is None
            and self.party_history is None
        )

    def first(self) -> int | None:
        """The party who began it, or the first that is named."""
        began, named = self.originator, self.parties
        if type(began) is int and began >= 0:
            return began
        if type(named) is list and named:
            named = named[0]
        if type(named) is int and named >= 0:
            return named
        return next(iter(self.everyone()), None)

    def everyone(self) -> Sequence[int]:
        """The parties, the one who began it first; `[0, [1, 2]]` is taken flat."""
        began, named = self.originator, self.parties
        if type(named) is list and len(named) == 1 and began in (None, *named):
            named = named[0]  # most have one party, and nobody else began
        if type(named) is int and named >= 0 and began in (None, named):
            return (named,)
        return indices(began if isinstance(began, int) else None, named)


class Dialog(msgspec.Struct, frozen=True):
    """One dialog where it belongs. `file` and `decoded_ns` are of a recording that lies inside."""

    index: int
    item: Fields
    kind: str
    start_ns: int
    end_ns: int
    parties: Sequence[int]
    file: str | None
    decoded_ns: int | None


@dataclass(frozen=True, slots=True)
class Timed:
    """The dialogs on one clock: each list has a place for each of them.

    `stated_ns` is how long they say that they are. One ends then, or when its sound does.
    """

    started_at: datetime | None
    rows: Rows[Said]
    starts_ns: Sequence[int]
    stated_ns: Sequence[int | None]
    ends_ns: Sequence[int]
    sounds: Inside

    def dialog(self, n: int) -> Dialog:
        """All of one."""
        index, said = self.rows.places[n], self.rows.shapes[n]
        return Dialog(
            index,
            self.rows.fields(n),
            said.type or "",
            self.starts_ns[n],
            self.ends_ns[n],
            said.everyone(),
            *self.sounds.get(index, (None, None)),
        )

    def whole_ns(self) -> int | None:
        """The length that a recording-set from the start states."""
        for said, at, length in zip(self.rows.shapes, self.starts_ns, self.stated_ns, strict=True):
            if said.type == "recording-set" and not at and length:
                return length
        return None

    @classmethod
    def of(cls, rows: Rows[Said], sounds: Inside, top: Fields, notes: Notes) -> Timed:
        """Place the dialogs; one that says no usable start is placed with the one before it.

        The clock starts with the earliest of them, or with an attached timeline that begins
        before; without either when the vCon was made.
        """
        starts = all_instants(rows, "start")
        first = min((start for start in starts if start is not None), default=None)
        for attached in zeros(top):
            if first is None or first - NS_LIMIT < attached < first:
                first = attached
        first = instant(top, "created_at") if first is None else first
        origin = None if first is None else first // 1000 * 1000  # what a datetime can hold
        placed: list[int] = []
        offset = 0
        for n, start in enumerate(starts):
            if start is None or origin is None or start - origin > NS_LIMIT:
                notes.add("no-start", f"{rows.fields(n).where}: placed with the dialog before it.")
            else:
                offset = start - origin
            placed.append(offset)
        stated = rows.ns("duration")
        ends = [at + (length or 0) for at, length in zip(placed, stated, strict=True)]
        for n, index in enumerate(rows.places if sounds else ()):
            if stated[n] is None and index in sounds:
                ends[n] += sounds[index][1] or 0
        started_at = None if origin is None else instants.to_datetime(origin)
        return cls(started_at, rows, placed, stated, ends, sounds)
