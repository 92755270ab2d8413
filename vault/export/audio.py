"""A session's sound as files: as it happened, in a row, or a file for each speaker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from vault.media.ffmpeg import SEEKING
from vault.media.mix import Placed, decode, encode, mix, mixed_frames
from vault.media.probe import shape_of

#: timeline: one mono file, everything at its time. stereo: the same, user left, agent right.
#: concat: the recordings one after the other. tracks: a timeline for each speaker.
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

    def rate(self) -> int:
        """Its sample rate in hertz."""
        if self.container in SEEKING:
            return _FALLBACK_RATE
        head, got = [], 0
        for block in self.open():
            head.append(block)
            got += len(block)
            if got >= _HEAD_BYTES:
                break
        return shape_of(iter(head), self.container).rate

    def frames(self, rate: int) -> int:
        """How long it is at `rate`; decodes it where nobody has measured it yet."""
        if self.decoded_ns is not None:
            return round(self.decoded_ns * rate / 1_000_000_000)
        return sum(len(block) for block in decode(self.open(), self.container, rate)) // 2


def timeline(takes: Sequence[Take], container: str, *, stereo: bool = False) -> Iterator[bytes]:
    """A file of all takes where they belong in time, as long as the last of them lasts."""
    rate = max(take.rate() for take in takes)
    channels = 2 if stereo else 1
    tracks = [_placed(take, rate, stereo=stereo) for take in takes]
    frames = mixed_frames(tracks, rate)
    return encode(mix(tracks, rate, channels), rate, channels, container, frames=frames)


def concat(takes: Sequence[Take], container: str) -> Iterator[bytes]:
    """A mono file of all takes one after the other, gaps and overlaps ignored."""
    rate = max(take.rate() for take in takes)
    lengths = [take.frames(rate) for take in takes]
    pieces = (_exactly(take, rate, frames) for take, frames in zip(takes, lengths, strict=True))
    return encode(chain.from_iterable(pieces), rate, 1, container, frames=sum(lengths))


def _placed(take: Take, rate: int, *, stereo: bool) -> Placed:
    channel = {"user": 0, "agent": 1}.get(take.role) if stereo else None
    return Placed(
        start_ns=take.start_ns,
        open_pcm=lambda: decode(take.open(), take.container, rate),
        channel=channel,
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
