"""A session's sound as files: as it happened, in a row, or a file for each speaker."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from vault.errors import BadInput, NotFound, UsageError
from vault.export.record import Order, Record
from vault.formats.pieces import Pieces
from vault.formats.sound import beginnings, sound
from vault.media import wav
from vault.media.ffmpeg import SEEKING
from vault.media.mix import (
    CONTAINERS,
    LONGEST_NS,
    Placed,
    decode,
    encode,
    mix,
    mixed_frames,
)
from vault.media.probe import shape_of
from vault.model import Original, Segment
from vault.replay import tracks

#: timeline: one mono file, everything at its time, as long as the session. stereo: the same, user
#: left, agent right; two channels of a recording that is nobody's own stay. concat: the recordings
#: one after the other. tracks: a timeline for each speaker, up to the last of their sound.
LAYOUTS = ("timeline", "stereo", "concat", "tracks")

_HEAD_BYTES = 1 << 20
_FALLBACK_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Take:
    """One recording in a session. `open` gives its bytes from the start, anew at each call."""

    container: str
    open: Callable[[], Iterator[bytes]]
    start_ns: int = 0
    decoded_ns: int | None = None
    role: str = ""
    speaker: str = ""

    def shape(self) -> tuple[int, int]:
        """Its sample rate in hertz and its channels."""
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

    def frames(self, rate: int) -> int:
        """How long it is at `rate`; decodes it where nobody has measured it yet."""
        if self.decoded_ns is not None:
            return round(self.decoded_ns * rate / 1_000_000_000)
        return sum(len(block) for block in decode(self.open(), self.container, rate)) // 2


def sound_file(record: Record, order: Order, container: str) -> Iterator[bytes]:
    """A session's sound as one file, in the layout that was ordered."""
    found = takes(record, order)
    if order.layout == "concat":
        return concat(found, container)
    until_ns = record.session.duration_ns or 0
    if until_ns > LONGEST_NS or not any(take.role for take in found):
        until_ns = 0  # what can be no length, or a recording of everybody: that has its own
    return timeline(found, container, stereo=order.layout == "stereo", until_ns=until_ns)


def track_files(
    record: Record, order: Order, container: str
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """A file for each speaker, as long as the last of their turns."""
    found = takes(record, order)
    for number, speaker in enumerate(dict.fromkeys(t.speaker for t in found)):
        own = [t for t in found if t.speaker == speaker]
        yield f"{number:02d}-{own[0].role or 'all'}.{container}", timeline(own, container)


def as_wav(original: Original) -> Iterator[bytes]:
    """A recording as a mono WAV file of 16-bit samples: as it is if it is one, else decoded."""
    take = _take(original, 0, None, "", "all")
    return take.open() if take.container == "wav" and _is_plain(take) else concat([take], "wav")


def sides(original: Original) -> Sequence[str]:
    """Who is on each channel of a recording of the whole session, by custom; empty if nobody is."""
    try:
        _, channels = _take(original, 0, None, "", "all").shape()
    except BadInput:
        return ()
    return ("user", "agent") if channels == 2 else ()


def _is_plain(take: Take) -> bool:
    head = take.head()
    try:
        header = wav.read_header(io.BytesIO(head), len(head))
    except BadInput:
        return False
    return (header.format_tag, header.bits, header.channels) == (wav.PCM, 16, 1)


def full_wav(record: Record, order: Order) -> Iterator[bytes]:
    """The whole recording as a scenario bundle has it: the one that came, else a concatenation."""
    for original in record.session.recordings():
        if original.name == "full.wav":
            return as_wav(original)
    return concat(takes(record, order), "wav")


def check(container: str, layout: str) -> None:
    """Raises `UsageError` for a container or layout that does not exist."""
    if container not in CONTAINERS:
        raise UsageError(f"Audio is exported as one of: {', '.join(CONTAINERS)}.")
    if layout not in LAYOUTS:
        raise UsageError(f"A layout is one of: {', '.join(LAYOUTS)}.")


def takes(record: Record, order: Order) -> Sequence[Take]:
    """The recordings of the segments; without them the session's longest recording.

    Sound that came in pieces is put together first, turn by turn. Where others have sound, a turn
    that has none is noted. Raises `NotFound` where there is no audio.
    """
    segments = record.session.timeline.segments
    pieces = pieced(record, order)
    if pieces:
        _silent(sum(s.decoded_ns is None for s in segments), record, order)
        return pieces
    recordings = {o.name: o for o in record.session.recordings()}
    if not recordings:
        raise NotFound("This session has no audio.")
    found = list(_spoken(segments, recordings))
    if found:
        _silent(sum(s.file not in recordings for s in segments), record, order)
        return found
    whole = max(recordings.values(), key=lambda original: original.size_bytes)
    if segments:
        text = "No segment has a recording of its own; the whole recording stands for them."
        order.left("no-segment-audio", text, record, whole.name)
    return [_take(whole, 0, None, "", "all")]


def _silent(turns: int, record: Record, order: Order) -> None:
    if turns:
        text = f"{turns} of its turns have no sound here and are silent."
        order.left("segments-left-out", text, record)


def _spoken(segments: Sequence[Segment], recordings: Mapping[str, Original]) -> Iterator[Take]:
    """Each recording that segments name, once; nobody's own if several speak in it."""
    starts = beginnings(segments)
    said: dict[str, list[Segment]] = {}
    for segment in segments:
        if segment.file is not None and segment.file in recordings:
            said.setdefault(segment.file, []).append(segment)
    for name, turns in said.items():
        one = turns[0]
        if len({(turn.role, turn.speaker) for turn in turns}) == 1:
            role, speaker = one.role, one.speaker or one.role
        else:
            role, speaker = "", "all"
        length = one.decoded_ns if len(turns) == 1 else None
        yield _take(recordings[name], starts[name], length, role, speaker)


def pieced(record: Record, order: Order) -> Sequence[Take]:
    """The turns of a session whose sound is in the pieces that its events name."""
    originals = [*record.session.originals, *record.session.recordings()]
    sizes = {original.name: original.size_bytes for original in originals}
    found: list[Take] = []
    gaps, absent = order.layout != "concat", 0
    for track in filter(tracks.is_raw, tracks.tracks(record.session.timeline).values()):
        there = tracks.kept(track, sizes)
        absent += len(track.chunks) - len(there.chunks)
        for turn in tracks.turns(there):
            sound = partial(_piece_by_piece, turn, originals, sizes, gaps=gaps)
            length = tracks.frames(turn, sizes, gaps=gaps) * 1_000_000_000 // turn.rate
            role = turn.role or ""
            found.append(Take("wav", sound, turn.chunks[0].offset_ns, length, role, role))
    if found and absent:
        order.left("pieces-left-out", f"{absent} pieces of sound are not here.", record)
    return sorted(found, key=lambda take: take.start_ns)


def _piece_by_piece(
    turn: tracks.Track, originals: Sequence[Original], sizes: Mapping[str, int], *, gaps: bool
) -> Iterator[bytes]:
    with Pieces(originals) as pieces:
        yield from tracks.wav(turn, pieces.fetch, sizes, gaps=gaps)


def _take(
    original: Original, start_ns: int, decoded_ns: int | None, role: str, speaker: str
) -> Take:
    found = sound(original)
    return Take(found.container, found.open, start_ns, decoded_ns, role, speaker)


def timeline(
    takes: Sequence[Take], container: str, *, stereo: bool = False, until_ns: int = 0
) -> Iterator[bytes]:
    """A file of all takes where they belong in time, up to the end of the last of them.

    Silence follows to `until_ns` where that is later. In stereo the user is left and the agent
    right. A recording of two channels that is nobody's own keeps them; whatever else is nobody's
    is heard on both sides.
    """
    shapes = [take.shape() for take in takes]
    rate, channels = max(rate for rate, _ in shapes), 2 if stereo else 1
    placed = [
        _placed(take, rate, side, only)
        for take, (_, there) in zip(takes, shapes, strict=True)
        for side, only in (_sides(take, there) if stereo else [(None, None)])
    ]
    frames = max(mixed_frames(placed, rate), round(until_ns * rate / 1_000_000_000))
    mixed = mix(placed, rate, channels, frames=frames)
    return encode(mixed, rate, channels, container, frames=frames)


def concat(takes: Sequence[Take], container: str) -> Iterator[bytes]:
    """A mono file of all takes one after the other, gaps and overlaps ignored."""
    rate = max(take.shape()[0] for take in takes)
    lengths = [take.frames(rate) for take in takes]
    pieces = (_exactly(take, rate, frames) for take, frames in zip(takes, lengths, strict=True))
    return encode(chain.from_iterable(pieces), rate, 1, container, frames=sum(lengths))


def _sides(take: Take, channels: int) -> list[tuple[int | None, int | None]]:
    """On which side of a stereo file which channel of a take is heard; None is both, or all."""
    side = {"user": 0, "agent": 1}.get(take.role)
    return [(0, 0), (1, 1)] if side is None and channels == 2 else [(side, None)]


def _placed(take: Take, rate: int, side: int | None, only: int | None) -> Placed:
    return Placed(
        start_ns=take.start_ns,
        open_pcm=lambda: decode(take.open(), take.container, rate, only=only),
        channel=side,
        frames=take.frames(rate),
    )


def _exactly(take: Take, rate: int, frames: int) -> Iterator[bytes]:
    """The take's samples, cut or filled with silence to `frames`."""
    left = frames * 2
    for block in decode(take.open(), take.container, rate):
        yield block[:left]
        left -= len(block[:left])
    while left:
        yield bytes(min(left, 1 << 16))
        left -= min(left, 1 << 16)
