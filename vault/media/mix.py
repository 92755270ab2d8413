"""Audio on its way out: decoded, laid on one timeline, and coded for a player.

Everything here is s16le in blocks of any size, streamed in constant memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vault.errors import BadInput, UsageError
from vault.media import flac, wav
from vault.media.ffmpeg import AUDIO, Output, media, pcm, run
from vault.media.process import Limits
from vault.media.sources import Source
from vault.media.transcode import OPUS, OPUS_BITS_PER_SECOND

#: What an export is written in; `encode` writes what is played here too, Opus in Ogg.
CONTAINERS = ("wav", "mp3", "ogg", "flac")
#: A timeline longer than this is a lie of its offsets.
LONGEST_NS = 7 * 86_400 * 1_000_000_000

_SECOND_NS = 1_000_000_000
_CODERS = {
    # Variable rates: about 40 and 60 kbit/s for a voice at 24 kHz.
    "mp3": ("-c:a", "libmp3lame", "-q:a", "3", "-f", "mp3"),
    "ogg": ("-c:a", "libvorbis", "-q:a", "4", "-f", "ogg"),
    "flac": ("-c:a", "flac", "-f", "flac"),
    "opus": (*OPUS, "-b:a", str(OPUS_BITS_PER_SECOND)),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """One recording on the timeline.

    `open_pcm` gives its mono s16le at the rate of the mix, once; `frames` of it are used,
    and silence stands in for what is missing. `channel` 0 is left (the user), 1 right (the
    agent), None both.
    """

    start_ns: int
    open_pcm: Callable[[], Iterator[bytes]]
    channel: int | None
    frames: int

    def first(self, rate: int) -> int:
        """The frame of the mix on which this begins."""
        return (self.start_ns * rate + _SECOND_NS // 2) // _SECOND_NS


def mixed_frames(tracks: Sequence[Placed], rate: int) -> int:
    """How many frames there are up to the end of the track that ends last."""
    return max((track.first(rate) + track.frames for track in tracks), default=0)


def mix(tracks: Sequence[Placed], rate: int, channels: int, *, frames: int = 0) -> Iterator[bytes]:
    """The tracks where they belong in time, one second a block; at least `frames` of them.

    Silence where nobody speaks; where several do, the sum, saturated. A track is opened when
    its time comes and closed when it ends, so only those that sound together are open
    together. `channels` is 1 (everybody in the middle) or 2.

    Raises `BadInput` for a negative start or a timeline of more than seven days.
    """
    if channels not in {1, 2}:
        raise UsageError("A mix has one channel or two.")
    total = max(mixed_frames(tracks, rate), frames)
    if total > LONGEST_NS * rate // _SECOND_NS or any(track.start_ns < 0 for track in tracks):
        raise BadInput("These offsets do not make a timeline.")
    waiting = sorted(tracks, key=lambda track: track.start_ns, reverse=True)
    sounding: list[_Voice] = []
    try:
        for at in range(0, total, rate):
            length = min(rate, total - at)
            while waiting and waiting[-1].first(rate) < at + length:
                track = waiting.pop()
                sounding.append(_Voice(track, track.first(rate)))
            canvas = np.zeros((length, channels), np.int32)
            for voice in sounding:
                voice.sound(canvas, at)
            for voice in [voice for voice in sounding if voice.end <= at + length]:
                voice.close()
                sounding.remove(voice)
            yield np.clip(canvas, -32768, 32767).astype("<i2").tobytes()
    finally:
        for voice in sounding:
            voice.close()


def decode(
    source: Source,
    container: str,
    rate: int,
    channels: int = 1,
    limits: Limits | None = None,
    *,
    only: int | None = None,
) -> Iterator[bytes]:
    """The sound of a recording as s16le at `rate`, mixed down or up to `channels`.

    With `only` that one of its channels is heard and no other. Raises `BadInput` as
    `vault.media.ffmpeg.run` does.
    """
    down = () if only is None else ("-af", f"pan=mono|c0=c{only}")
    options = (*down, "-ar", str(rate), "-ac", str(channels), "-c:a", "pcm_s16le", "-f", "s16le")
    output = Output((*AUDIO, *options))
    return (block for _, block in run(media(source, container), [output], limits))


def encode(
    samples: Iterator[bytes],
    rate: int,
    channels: int,
    container: str,
    *,
    frames: int,
    limits: Limits | None = None,
) -> Iterator[bytes]:
    """A whole file of `frames` frames of s16le, every header right although it is streamed.

    wav is written here; flac (through a patched STREAMINFO), ogg (Vorbis) and opus stream through
    ffmpeg; mp3 is gathered in memory, about 30 MB an hour, because its header counts frames.

    Raises `UsageError` for another container, `BadInput` when `samples` are not `frames`.
    """
    if container not in {*CONTAINERS, *_CODERS}:
        raise UsageError(f"Audio is exported as one of: {', '.join(CONTAINERS)}.")
    exact = _exactly(samples, frames * channels * 2)
    if container == "wav":
        return _wav(exact, rate, channels, frames)
    output = Output((*AUDIO, *_CODERS[container]), seekable=container == "mp3")
    blocks = (block for _, block in run(pcm(exact, rate, channels), [output], limits))
    return _told(blocks, frames) if container == "flac" else blocks


def _wav(samples: Iterator[bytes], rate: int, channels: int, frames: int) -> Iterator[bytes]:
    yield wav.write_header(rate, channels, 16, frames)
    yield from samples


def _told(blocks: Iterator[bytes], frames: int) -> Iterator[bytes]:
    """FLAC with its length in front."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= flac.HEADER_BYTES:
            break
    yield flac.with_frames(head, frames) + head[flac.HEADER_BYTES :]
    yield from blocks


def _exactly(samples: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    for block in samples:
        left -= len(block)
        if left < 0:
            break
        yield block
    if left:
        raise BadInput("The sound is not as long as was announced.")


@dataclass(slots=True)
class _Voice:
    """A track while it sounds."""

    track: Placed
    begin: int
    _samples: Iterator[bytes] = field(init=False)
    _kept: bytes = b""

    def __post_init__(self) -> None:
        self._samples = self.track.open_pcm()

    @property
    def end(self) -> int:
        return self.begin + self.track.frames

    def sound(self, canvas: npt.NDArray[np.int32], at: int) -> None:
        """Add what falls into the window that starts at frame `at`."""
        start = max(self.begin, at) - at
        samples = self._take(min(self.end, at + len(canvas)) - at - start)
        part = canvas[start : start + len(samples)]
        side = self.track.channel
        if side is None or canvas.shape[1] == 1:
            part += samples[:, None]
        else:
            part[:, side] += samples

    def _take(self, frames: int) -> npt.NDArray[np.int16]:
        gathered, size = [self._kept], len(self._kept)
        while size < frames * 2 and (block := next(self._samples, None)) is not None:
            gathered.append(block)
            size += len(block)
        whole = b"".join(gathered)
        self._kept = whole[frames * 2 :]
        return np.frombuffer(whole[: min(len(whole) // 2, frames) * 2], "<i2")

    def close(self) -> None:
        close = getattr(self._samples, "close", None)
        if close:
            close()
