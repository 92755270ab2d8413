"""The sound in a log of OpenAI Realtime events, put together and placed, as WAV files.

What the user sends is one stream: pieces that follow each other in time are one recording, in
which there may be several turns. What the agent says is a recording for each item; it runs on
while others are sent ahead, until the user speaks or the item is said to be truncated.

A message may have sound of its own, sent whole: a recording as well, unless its item was heard
before, for then it repeats that. The user's ends when it was sent, the agent's begins then.

Nothing is held of the sound but where in the log it lies (`openai_realtime_wav.py` reads it there).
It is 16 bits at 24 kHz mono unless the session names another format.

Source: platform.openai.com, Realtime API reference: `input_audio_buffer.append`,
`response.output_audio.delta`, `session.audio` and, of the older generation,
`session.input_audio_format`.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from vault.formats import loglines
from vault.formats.fields import Fields, Notes
from vault.formats.sound import law_of
from vault.media import wav
from vault.model import Json

#: Whose sound is in an event of that type, and in which of its fields.
PIECES = {
    "input_audio_buffer.append": ("user", "audio"),
    "response.audio.delta": ("agent", "delta"),
    "response.output_audio.delta": ("agent", "delta"),
}
#: What a part of a message is called that is sound.
_PARTS = ("input_audio", "output_audio", "audio")
#: So many of them are taken out of one event, for each of which its line is read again.
_PARTS_LIMIT = 16
_SIDES = {"user": "input", "agent": "output"}
#: Pieces of the user's stream that come later than this are a recording of their own.
_APART_NS = 500_000_000
_SECOND_NS = 1_000_000_000
_LOWEST_RATE = 1000
_ALPHABET = string.ascii_letters.encode() + string.digits.encode() + b"+/"
_PADDINGS = (b"", b"=", b"==")

#: The keys and places that lead to a text of base64 in an event.
Path: TypeAlias = tuple[str | int, ...]


class Shape(NamedTuple):
    """How samples are coded: 16 bits, or 8 of G.711 with its `law`. A `rate` of 0 is unknown."""

    rate: int = 24_000
    law: str | None = None

    @property
    def frame_bytes(self) -> int:
        """The size of one sample; all of this is mono."""
        return 1 if self.law else 2


@dataclass(slots=True)
class Recording:
    """Sound that belongs together. `cut_ns` is where others may sound although it goes on.

    `pieces` are the lines of the log that hold it, and where in their events it lies.
    """

    name: str
    role: str
    item: str | None
    start_ns: int
    shape: Shape
    pieces: list[tuple[loglines.Place, Path]] = field(default_factory=list)
    size_bytes: int = 0
    cut_ns: int | None = None

    @property
    def frames(self) -> int:
        """How many whole samples there are."""
        return self.size_bytes // self.shape.frame_bytes

    @property
    def duration_ns(self) -> int:
        """How long it sounds."""
        return self.frames * _SECOND_NS // self.shape.rate

    @property
    def end_ns(self) -> int:
        """Where the last of it sounds."""
        return self.start_ns + self.duration_ns

    @property
    def free_ns(self) -> int:
        """From where on the same voice can say something else."""
        return self.end_ns if self.cut_ns is None else min(self.end_ns, self.cut_ns)


class _Whole(NamedTuple):
    """A part of a message that has sound, where it lies in its event, and whose it is."""

    part: dict[str, Json]
    path: Path
    item: str | None
    role: str


def _wholes(value: Json, path: Path, item: str | None, role: str) -> Iterator[_Whole]:
    """Every part with sound in what an event describes."""
    if isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _wholes(inner, (*path, place), item, role)
    if not isinstance(value, dict):
        return
    if value.get("type") == "message":
        named = value.get("id")
        item = named if isinstance(named, str) and named else item
        role = "user" if value.get("role") == "user" else "agent"
    for key, inner in value.items():
        if isinstance(inner, dict | list):
            yield from _wholes(inner, (*path, key), item, role)
    if isinstance(value.get("audio"), str) and value["audio"]:
        yield _Whole(value, (*path, "audio"), item, role)


class Sounds:
    """The recordings so far, in the order they began."""

    def __init__(self, notes: Notes) -> None:
        self.all: list[Recording] = []
        self._notes = notes
        self._shapes = dict.fromkeys(_SIDES, Shape())
        self._last: dict[str, Recording] = {}
        self._sent_until_ns = 0
        self._lost = 0

    def configured(self, session: Fields) -> None:
        """Take what is said of a session; what it does not say stays as it was."""
        for role, side in _SIDES.items():
            self._shapes[role] = _shape(session, side) or self._shapes[role]

    def take(self, kind: str, event: Fields, now_ns: int, place: loglines.Place) -> None:
        """Take the sound out of an event of `PIECES`, which says then how many bytes it was."""
        role, key = PIECES[kind]
        text = event.value.get(key)
        if not isinstance(text, str):
            return
        del event.value[key]
        size, shape = _size(text), self._shapes[role]
        event.value["omitted_bytes"] = len(text) * 3 // 4 if size is None else size
        if size is None or not shape.rate:
            self._lost += 1
        elif size:
            found = self._recording(role, event.text("item_id"), now_ns, shape)
            found.pieces.append((place, (key,)))
            found.size_bytes += size

    def whole(
        self,
        kind: str,
        event: dict[str, Json],
        now_ns: int,
        place: loglines.Place,
        is_heard: Callable[[str], bool],
    ) -> list[Recording] | None:
        """Take the sound out of what an event describes; None if there is none.

        The recordings are those of items that were not heard before.
        """
        role = "agent" if kind.startswith("response.") else "user"
        item = event.get("item_id")
        found = list(_wholes(event, (), item if isinstance(item, str) else None, role))
        heard = {whole.item for whole in found if whole.item and is_heard(whole.item)}
        made: list[Recording] = []
        for whole in found:
            text = str(whole.part.pop("audio"))
            size, shape = _size(text), self._shapes[whole.role]
            whole.part["omitted_bytes"] = len(text) * 3 // 4 if size is None else size
            known = whole.part.get("type") in _PARTS and len(made) < _PARTS_LIMIT
            if whole.item in heard:
                continue
            if size is None or not shape.rate or not known:
                self._lost += 1
            elif size:
                made.append(self._sent(whole, now_ns, shape, size))
                made[-1].pieces.append((place, whole.path))
        return made if found else None

    def _sent(self, whole: _Whole, now_ns: int, shape: Shape, size: int) -> Recording:
        """A new recording of a message that was sent whole."""
        made = self._new(whole.role, whole.item, now_ns, shape)
        made.size_bytes = size
        if whole.role == "agent":
            last = self._last.get("agent")
            made.start_ns = now_ns if last is None else max(now_ns, last.free_ns)
            self._last["agent"] = made
        else:
            last = self._last.get("user")
            before = max(self._sent_until_ns, 0 if last is None else last.end_ns)
            made.start_ns = max(now_ns - made.duration_ns, before)
            self._sent_until_ns = made.end_ns
        return made

    def of_user(self) -> Recording | None:
        """What the user was heard in last."""
        return self._last.get("user")

    def of_agent(self, item: str) -> Recording | None:
        """What the agent says now, if it is that item."""
        last = self._last.get("agent")
        return last if last is not None and last.item == item else None

    def interrupted(self, now_ns: int) -> None:
        """The user begins to speak: whatever the agent says next waits for nothing."""
        if (last := self._last.get("agent")) is not None:
            last.cut_ns = max(last.start_ns, now_ns)

    def truncated(self, item: str, after_ns: int | None) -> None:
        """So much of an item was heard, and no more."""
        if (last := self.of_agent(item)) is not None and after_ns is not None:
            last.cut_ns = last.start_ns + after_ns

    def end(self) -> None:
        """Note what could not be taken out."""
        if self._lost:
            text = f"{self._lost} pieces of sound without a form, or too many, stay in the log."
            self._notes.add("inline-audio", text)

    def _recording(self, role: str, item: str | None, now_ns: int, shape: Shape) -> Recording:
        """The one that a piece goes on with, or a new one."""
        last = self._last.get(role)
        item = item if role == "agent" else None
        if last is not None:
            follows = role == "agent" or now_ns - last.end_ns <= _APART_NS
            if follows and (last.shape, last.item) == (shape, item):
                return last
        start = now_ns if last is None else max(now_ns, last.free_ns)
        made = self._last[role] = self._new(role, item, start, shape)
        return made

    def _new(self, role: str, item: str | None, start_ns: int, shape: Shape) -> Recording:
        name = f"sound-{len(self.all):04d}-{role}.wav"
        self.all.append(Recording(name, role, item, start_ns, shape))
        return self.all[-1]


def _size(text: str) -> int | None:
    """How many bytes are in a text of base64; None for any other text.

    Told by the letters alone, which takes a fifth of the time that it takes to decode them.
    """
    padding = text.encode().translate(None, _ALPHABET)
    if len(text) % 4 or padding not in _PADDINGS or not text.endswith(padding.decode()):
        return None
    return len(text) // 4 * 3 - len(padding)


def _shape(session: Fields, side: str) -> Shape | None:
    """What a session says of its sound on one side; None where it says nothing."""
    stated, rate = session.value.get(f"{side}_audio_format"), None
    if stated is None:
        told = session.object("audio").object(side).object("format").value
        stated, rate = told.get("type"), told.get("rate")
    if not isinstance(stated, str):
        return None
    law = law_of(stated)
    if law is None and "pcm" not in stated.lower():
        return Shape(0)
    if isinstance(rate, int) and _LOWEST_RATE <= rate <= wav.MAX_RATE:
        return Shape(rate, law)
    return Shape(8_000 if law else 24_000, law)
