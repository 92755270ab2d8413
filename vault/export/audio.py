"""A session's sound as files: as it happened, in a row, or a file for each speaker."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain

from vault.errors import BadInput, UsageError
from vault.export.record import Order, Record
from vault.export.takes import Take, alone, takes
from vault.media import wav
from vault.media.mix import CONTAINERS, LONGEST_NS, Placed, encode, mix, mixed_frames
from vault.model import Original

#: timeline: one mono file, everything at its time, as long as the session. stereo: the same, user
#: left, agent right; two channels of a recording that is nobody's own stay. concat: the recordings
#: one after the other. tracks: a timeline for each speaker, up to the last of their sound.
LAYOUTS = ("timeline", "stereo", "concat", "tracks")


def sound_file(record: Record, order: Order, container: str) -> Iterator[bytes]:
    """A session's sound as one file, in the layout that was ordered."""
    found = takes(record, order)
    if order.layout == "concat":
        return concat(found, container)
    until_ns = until(found, record.session.duration_ns)
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
    take = alone(original)
    return take.open() if take.container == "wav" and _is_plain(take) else concat([take], "wav")


def sides(original: Original) -> Sequence[str]:
    """Who is on each channel of a recording of the whole session, by custom; empty if nobody is."""
    try:
        _, channels = alone(original).shape()
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


def until(takes: Sequence[Take], duration_ns: int | None) -> int:
    """How long their timeline lasts at least: as long as the session.

    0 where that can be no length, and for a recording of everybody, which has its own.
    """
    possible = duration_ns is not None and duration_ns <= LONGEST_NS
    return duration_ns or 0 if possible and any(take.role for take in takes) else 0


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
        open_pcm=lambda: take.samples(rate, only),
        channel=side,
        frames=take.frames(rate),
    )


def _exactly(take: Take, rate: int, frames: int) -> Iterator[bytes]:
    """The take's samples, cut or filled with silence to `frames`."""
    left = frames * 2
    for block in take.samples(rate):
        yield block[:left]
        left -= len(block[:left])
    while left:
        yield bytes(min(left, 1 << 16))
        left -= min(left, 1 << 16)
