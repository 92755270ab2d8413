"""The recordings of a session as they are heard: each from its instant on, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from vault.errors import NotFound
from vault.export.record import Order, Record
from vault.formats.pieces import Pieces
from vault.formats.sound import beginnings, sound
from vault.media.ffmpeg import SEEKING
from vault.media.mix import decode
from vault.media.probe import shape_of
from vault.model import Original, Segment
from vault.replay import tracks

_HEAD_BYTES = 1 << 20
_FALLBACK_RATE = 48_000
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Take:
    """One recording in a session. `open` gives its bytes from the start, anew at each call.

    The first `early_ns` of what they decode to are not heard, and no part of `decoded_ns`.
    `known` is its shape, where somebody knows it without reading.
    """

    container: str
    open: Callable[[], Iterator[bytes]]
    start_ns: int = 0
    decoded_ns: int | None = None
    role: str = ""
    speaker: str = ""
    early_ns: int = 0
    known: tuple[int, int] | None = None

    def shape(self) -> tuple[int, int]:
        """Its sample rate in hertz and its channels."""
        if self.known is not None:
            return self.known
        if self.container in SEEKING:
            return _FALLBACK_RATE, 1
        found = shape_of(iter([self.head()]), self.container)
        return found.rate, found.channels

    def head(self) -> bytes:
        """Its first bytes, as many as tell its shape."""
        head = bytearray()
        for block in self.open():
            head += block
            if len(head) >= _HEAD_BYTES:
                break
        return bytes(head)

    def samples(self, rate: int, only: int | None = None) -> Iterator[bytes]:
        """What is heard of it as mono s16le, of its channels together or that one alone."""
        early = self.early_ns * rate // _SECOND_NS * 2
        for block in decode(self.open(), self.container, rate, only=only):
            yield block[early:]
            early = max(0, early - len(block))

    def frames(self, rate: int) -> int:
        """How long it is at `rate`; decodes it where nobody has measured it yet."""
        if self.decoded_ns is not None:
            return round(self.decoded_ns * rate / _SECOND_NS)
        return sum(map(len, self.samples(rate))) // 2


def takes(record: Record, order: Order) -> Sequence[Take]:
    """The recordings of the segments; without them the session's longest recording.

    Sound that came in pieces is put together first, turn by turn. Where others have sound, a turn
    that has none is noted. Raises `NotFound` where there is no audio.
    """
    segments = record.session.timeline.segments
    pieces = pieced(record, order)
    if pieces:
        silent(sum(s.decoded_ns is None for s in segments), record, order)
        return pieces
    recordings = {o.name: o for o in record.session.recordings()}
    if not recordings:
        raise NotFound("This session has no audio.")
    if found := spoken(segments, recordings):
        silent(sum(s.file not in recordings for s in segments), record, order)
        return [_spoken(one, recordings[one.name]) for one in found]
    whole = max(recordings.values(), key=lambda original: original.size_bytes)
    if segments:
        text = "No segment has a recording of its own; the whole recording stands for them."
        order.left("no-segment-audio", text, record, whole.name)
    return [alone(whole)]


def silent(turns: int, record: Record, order: Order) -> None:
    """Note how many turns there is no sound of, where others have some."""
    if turns:
        text = f"{turns} of its turns have no sound here and are silent."
        order.left("segments-left-out", text, record)


class Spoken(NamedTuple):
    """A recording that turns name: where it begins, how long it is, and who speaks in it.

    The length is that of the one turn that names it. It is nobody's own if several speak in it.
    """

    name: str
    start_ns: int
    decoded_ns: int | None
    role: str
    speaker: str


def spoken(segments: Sequence[Segment], names: Collection[str]) -> list[Spoken]:
    """Those of the recordings that segments name, each once, in the order of their first turn."""
    starts = beginnings(segments)
    said: dict[str, list[Segment]] = {}
    for segment in segments:
        if segment.file is not None and segment.file in names:
            said.setdefault(segment.file, []).append(segment)
    found: list[Spoken] = []
    for name, turns in said.items():
        one = turns[0]
        if len({(turn.role, turn.speaker) for turn in turns}) == 1:
            role, speaker = one.role, one.speaker or one.role
        else:
            role, speaker = "", "all"
        length = one.decoded_ns if len(turns) == 1 else None
        found.append(Spoken(name, starts[name], length, role, speaker))
    return found


def alone(original: Original) -> Take:
    """A recording by itself, which begins with the session and is nobody's own."""
    found = sound(original)
    return Take(found.container, found.open, speaker="all")


def _spoken(one: Spoken, original: Original) -> Take:
    found = sound(original)
    return Take(found.container, found.open, one.start_ns, one.decoded_ns, one.role, one.speaker)


def pieced(record: Record, order: Order, from_ns: int = 0) -> Sequence[Take]:
    """The turns of a session whose sound is in the pieces that its events name.

    Of what is over by `from_ns` nothing, and of what sounds then only the rest.
    """
    originals = [*record.session.originals, *record.session.recordings()]
    sizes = {original.name: original.size_bytes for original in originals}
    found: list[Take] = []
    gaps, absent = order.layout != "concat", 0
    for track in filter(tracks.is_raw, tracks.tracks(record.session.timeline).values()):
        there = tracks.kept(track, sizes)
        absent += len(track.chunks) - len(there.chunks)
        for turn in tracks.turns(there):
            start_ns, role = turn.chunks[0].offset_ns, turn.role or ""
            skip = max(0, from_ns - start_ns) * turn.rate // _SECOND_NS
            left = tracks.frames(turn, sizes, gaps=gaps) - skip
            if left <= 0 < skip:
                continue
            content = partial(_piece_by_piece, turn, originals, sizes, gaps=gaps, skip=skip)
            begins_ns, length_ns = max(start_ns, from_ns), left * _SECOND_NS // turn.rate
            shape = turn.rate, turn.channels
            found.append(Take("wav", content, begins_ns, length_ns, role, role, known=shape))
    if found and absent:
        order.left("pieces-left-out", f"{absent} pieces of sound are not here.", record)
    return sorted(found, key=lambda take: take.start_ns)


def _piece_by_piece(
    turn: tracks.Track,
    originals: Sequence[Original],
    sizes: Mapping[str, int],
    *,
    gaps: bool,
    skip: int,
) -> Iterator[bytes]:
    with Pieces(originals) as pieces:
        yield from tracks.wav(turn, pieces.fetch, sizes, gaps=gaps, skip=skip)
