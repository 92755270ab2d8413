"""A log of OpenAI Realtime events, one JSON object a line, as clients write it.

    {"ts": "2026-01-15T09:30:00.000Z", "direction": "server", "event": {"type": …, …}}
    {"type": "session.created", "event_id": …, …}                       (no wrapper, no times)

The service puts no times on its events; the writer of the log may, as `ts`, `timestamp`, `time`
or `received_at` (ISO 8601, or epoch seconds or ms). Without any the order alone is known: events
stand where the last `audio_start_ms` or `audio_end_ms` put them. Names of both generations are
known (`response.audio.*`, `response.output_audio.*`). Sound is taken out as recordings that turns
name (`openai_realtime_sound.py`); an event says in `omitted_bytes` how much of it there was.

Source: platform.openai.com, Realtime API reference, client and server events.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from vault.errors import BadInput
from vault.formats import instants, jsontext, loglines, single
from vault.formats.fields import Fields, Notes, note_repeated
from vault.formats.openai_realtime_sound import PIECES, Recording, Sounds
from vault.formats.openai_realtime_wav import event_in, inside
from vault.formats.single import MS, Clock, Told, epoch
from vault.formats.sound import RECORDING_NS
from vault.formats.source import Source
from vault.model import Event, Json, Kind, Reading, Segment

NAMES = ("openai-realtime",)
#: `.jsonl` may be any log.
EXTENSIONS: frozenset[str] = frozenset()
LINES_LIMIT = 1_000_000
#: Lines looked at to tell the format, none longer than this.
_LOOK_LINES, _LOOK_BYTES = 8, 1 << 20

_TYPE = re.compile(
    r"(?:session|transcription_session|input_audio_buffer|output_audio_buffer|"
    r"conversation\.item|response|rate_limits)\.[a-z_.]+"
)
_TIMES = ("ts", "timestamp", "time", "received_at")
#: Events that describe what else is told piece by piece, sound and all.
_DESCRIBING = (
    "conversation.item.",
    "response.output_item.",
    "response.content_part.",
    "response.done",
)
_SINCE_MS = 10**11


@dataclass(slots=True)
class Item:
    """One conversation item while its events come in; times are offsets, None if unknown."""

    role: str
    start_ns: int | None = None
    end_ns: int | None = None
    text: str | None = None
    truncated: bool = False
    sound: Recording | None = None
    data: dict[str, Json] = field(default_factory=dict)

    def is_heard_in(self, sound: Recording) -> None:
        """That recording is all of it."""
        self.sound, self.start_ns, self.end_ns = sound, sound.start_ns, sound.end_ns


def detect(source: Source) -> str | None:
    """`openai-realtime` if one of the first lines is such an event with an id."""
    if source.is_folder or not source.head(source.name).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(
        b"{"
    ):
        return None
    with source.open(source.name) as stream:
        head = stream.read(_LOOK_BYTES)
    for line in head.split(b"\n", _LOOK_LINES)[:_LOOK_LINES]:
        event = _event(jsontext.object_in(line))
        if event is not None and isinstance(event.get("event_id"), str):
            return "openai-realtime"
    return None


def read(source: Source, name: str) -> list[Reading]:
    """The one session of the log; `BadInput` where no line is such an event."""
    single.require_file(source, name)
    notes = Notes()
    log = _Log(notes)
    for place, row in _rows(source, notes):
        log.take(place, row)
    if not log.events:
        raise BadInput(f"{source.name!a} holds no Realtime event.")
    log.sounds.end()
    if log.clock.zero_ns is None:
        text = "The log has no times; only its order is known."
        if log.sounds.all:
            text += " Sound is placed by the milliseconds that the service counts."
        notes.add("no-timestamps", text, source.name)
    note_repeated((event.data.get("event_id") for event in log.events), notes)
    told = Told(
        external_id=log.session.text("id"),
        zero_ns=log.clock.zero_ns,
        segments=single.unplaced(_segments(log), notes),
        events=log.events,
        source={"session": log.session.value},
        kind=Kind.OTHER if log.has_sound else Kind.TRANSCRIPT,
        media_type="application/x-ndjson",
    )
    made = single.reading(source, name, told, notes)
    if log.sounds.all:
        made = replace(made, inside=partial(inside, source, log.sounds.all))
    return [made]


def _segments(log: _Log) -> list[Segment]:
    """The turns; sound that belongs to none of them is one without words."""
    named = Counter(item.sound.name for item in log.items.values() if item.sound)
    unnamed = [sound for sound in log.sounds.all if sound.name not in named]
    items = [*log.items.values(), *(Item(sound.role, sound=sound) for sound in unnamed)]
    items = [i for i in items if i.sound or i.text is not None or i.start_ns is not None]
    made = [_segment(i, alone=i.sound is not None and named[i.sound.name] < 2) for i in items]
    return sorted(made, key=lambda segment: segment.start_ns) if unnamed else made


def _segment(item: Item, *, alone: bool) -> Segment:
    """A turn; one that is not `alone` in its recording says where that begins."""
    sound, start, end = item.sound, item.start_ns, item.end_ns
    if sound is not None and start is None:
        start, end = sound.start_ns, sound.end_ns if alone else None
    start = start or 0
    end = start if end is None or end < start else end
    length, file = None, None
    if sound is not None:
        file, begins_with_it = sound.name, alone and sound.start_ns == start
        length = sound.duration_ns if begins_with_it or (alone and item.role == "agent") else None
        if not begins_with_it:
            item.data[RECORDING_NS] = sound.start_ns
    said = item.text, item.truncated
    return Segment(0, item.role, None, start, end, length, *said, file, item.data)


def _rows(source: Source, notes: Notes) -> Iterator[tuple[loglines.Place, dict[str, Json]]]:
    """Every line that is a JSON object, and its place; the others are noted and left out."""
    with io.BufferedReader(source.open(source.name), _LOOK_BYTES) as stream:
        for number, (place, line, row) in enumerate(loglines.rows(stream), 1):
            if number > LINES_LIMIT:
                raise BadInput(f"{source.name!a} has more than {LINES_LIMIT} lines.")
            if row is not None:
                yield place, row
            elif line is None or not line.isspace():
                notes.add("unreadable-row", f"Line {number} is no JSON object; it is lost.")


def _event(value: Json) -> dict[str, Json] | None:
    """The event in a line, with or without a wrapper around it."""
    inner = event_in(value) if isinstance(value, dict) else {}
    kind = inner.get("type")
    return inner if isinstance(kind, str) and _TYPE.fullmatch(kind) else None


class _Log:
    """What the events so far amount to."""

    def __init__(self, notes: Notes) -> None:
        self.clock = Clock(None, notes)
        self.events: list[Event] = []
        self.items: dict[str, Item] = {}
        self.session = Fields({}, "session", notes)
        self.has_sound = False
        self.sounds = Sounds(notes)
        self._notes = notes
        self._now = 0
        self._nameless: list[Recording] = []  # whose items have no id yet
        self._understood: dict[str, Callable[[Fields], None]] = {
            "session.created": self._configured,
            "session.updated": self._configured,
            "input_audio_buffer.speech_started": self._began,
            "input_audio_buffer.speech_stopped": self._ended,
            "input_audio_buffer.committed": self._committed,
            "conversation.item.input_audio_transcription.completed": self._transcribed,
            "conversation.item.truncated": self._truncated,
        }
        for agent in ("response.", "response.output_"):
            self._understood[f"{agent}audio.delta"] = self._sounded
            self._understood[f"{agent}audio.done"] = self._sounded
            self._understood[f"{agent}audio_transcript.done"] = self._said
            self._understood[f"{agent}text.done"] = self._said

    def take(self, place: loglines.Place, row: dict[str, Json]) -> None:
        """The next line of the log, in its order."""
        data = event_in(row)  # which is taken apart
        event, kind = Fields(data, "event", self._notes), data.get("type")
        if type(kind) is not str:
            kind = event.text("type") or ""
        stated = self.clock.at(_stated(row, self._notes))
        if stated is None and self.clock.zero_ns is None and kind.startswith("input_audio_buffer."):
            stated = event.ns("audio_start_ms", "audio_end_ms", unit_ns=MS)
        self._now = self._now if stated is None else stated
        if kind in PIECES:
            self.sounds.take(kind, event, self._now, place)
            self.has_sound = self.has_sound or "omitted_bytes" in data
        elif kind.startswith(_DESCRIBING):
            self._sent(self.sounds.whole(kind, data, self._now, place, self._is_heard))
        if "item" in data and kind.startswith("conversation.item."):
            self._described(event.object("item"))
        elif kind in self._understood:
            self._understood[kind](event)
        data.pop("type", None)
        if data is not row and isinstance(row.get("direction"), str):
            data["direction"] = row["direction"]
        self.events.append(Event(len(self.events), kind, self._now, data))

    def _is_heard(self, name: str) -> bool:
        return name in self.items and self.items[name].sound is not None

    def _sent(self, sounds: Sequence[Recording] | None) -> None:
        """Give the sound of messages that were sent whole to their items."""
        self.has_sound = self.has_sound or sounds is not None
        for sound in sounds or ():
            if sound.item is None:
                self._nameless += [sound] if sound.role == "user" else []
            elif not self._is_heard(sound.item):
                data: dict[str, Json] = {"item_id": sound.item}
                self.items.setdefault(sound.item, Item(sound.role, data=data)).is_heard_in(sound)

    def _configured(self, event: Fields) -> None:
        self.session = event.object("session")
        self.sounds.configured(self.session)

    def _began(self, event: Fields) -> None:
        self._item(event, "user").start_ns = self._now
        self.sounds.interrupted(self._now)

    def _ended(self, event: Fields) -> None:
        item = self._item(event, "user")
        item.end_ns = self._now
        item.sound = item.sound or self.sounds.of_user()

    def _committed(self, event: Fields) -> None:
        """What came in of the user's stream until now is the sound of this turn."""
        if self.sounds.of_user() is not None:
            item = self._item(event, "user")
            item.sound = item.sound or self.sounds.of_user()

    def _transcribed(self, event: Fields) -> None:
        item = self._item(event, "user")
        item.text = event.text("transcript")
        item.data |= single.rest(event, "type", "transcript", "item_id", "event_id")
        item.sound = item.sound or self.sounds.of_user()

    def _truncated(self, event: Fields) -> None:
        self._item(event, "agent").truncated = True
        self.sounds.truncated(event.text("item_id") or "", event.ns("audio_end_ms", unit_ns=MS))

    def _said(self, event: Fields) -> None:
        self._spoken(event).text = event.text("transcript", "text")

    def _sounded(self, event: Fields) -> None:
        item = self._spoken(event)
        item.sound = item.sound or self.sounds.of_agent(event.text("item_id") or "")

    def _spoken(self, event: Fields) -> Item:
        """An item of the agent, which now sounds or has just sounded."""
        item = self._item(event, "agent")
        item.start_ns = self._now if item.start_ns is None else item.start_ns
        item.end_ns = self._now
        return item

    def _described(self, told: Fields) -> None:
        """A message as an item of the conversation: its role, and its text if it has one."""
        if told.value.get("type") != "message":
            return
        item = self._item(told, told.role("role")[0], "id")
        for _, part in told.objects("content") or ():
            is_sound = part.value.get("type") == "input_audio"
            if is_sound and item.sound is None and self._nameless and told.text("id"):
                item.is_heard_in(self._nameless.pop(0))
            text = part.text("text", "transcript")
            if text is not None and item.text is None:
                item.text = text
                item.start_ns = self._now if item.start_ns is None else item.start_ns

    def _item(self, event: Fields, role: str, key: str = "item_id") -> Item:
        name = event.text(key) or ""
        if name not in self.items:
            self.items[name] = Item(role, data={"item_id": name})
        return self.items[name]


def _stated(row: dict[str, Json], notes: Notes) -> int | None:
    """When the log's writer saw the event (ns since 1970)."""
    for key in _TIMES:
        value = row.get(key)
        if type(value) is str:
            at = instants.of_iso(value)
            return epoch(Fields(row, "line", notes).instant(key)) if at is None else at
        if isinstance(value, int | float) and not isinstance(value, bool):
            unit_ns = MS if value > _SINCE_MS else 1000 * MS
            return Fields(row, "line", notes).epoch_ns(key, unit_ns=unit_ns)
    return None
