"""How a recording sounds: levels, clipping, and when somebody speaks.

Levels and clipping are measured. Speech is an estimate by energy alone: a window of 20 ms is
taken for speech when it is louder than a threshold, gaps of up to 200 ms are closed and what
is then shorter than 100 ms is dropped. The threshold lies 10 dB above the noise floor, but
never below -60 nor above -35 dBFS; the noise floor is the level that the quietest tenth of
the windows does not exceed. Music and loud noise count as speech, whispering may not, and
where nobody ever pauses the floor is that of speech itself.

Source: the hangover of 200 ms is that of ITU-T P.56, method B; the rest is a rule of thumb.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vault.media import wav
from vault.media.ffmpeg import AUDIO, SEEKING, Output, media, run
from vault.media.process import Limits
from vault.media.refusals import refuse
from vault.media.sources import Source, blocks_of, held
from vault.media.transcode import HEAD_BYTES, UNTOLD, look

WINDOWS_PER_SECOND = 50
MARGIN_DB = 10.0
LOWEST_THRESHOLD_DBFS, HIGHEST_THRESHOLD_DBFS = -60.0, -35.0
BRIDGED_WINDOWS, SHORTEST_WINDOWS = 10, 5
#: A sample of this size or more is at full scale.
FULL_SCALE = 32_767
#: Below this there is no sound in 16 bits.
DIGITAL_SILENCE_DBFS = -100.0

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What was heard. `_dbfs` is dB relative to a full-scale square wave, None in silence.

    Measured: `level_dbfs` (RMS of every sample), `peak_dbfs`, `clipped_samples` (at full scale).
    Estimated: `noise_floor_dbfs` (None where the quiet is digital), `threshold_dbfs`, `speech`
    (sorted, disjoint stretches as start and end in ns), `speech_level_dbfs` (RMS of those) and
    `volume_variance_db2` (of the levels of their windows). A window of several channels is as
    loud as its loudest.
    """

    rate: int
    channels: int
    frames: int
    level_dbfs: float | None
    peak_dbfs: float | None
    clipped_samples: int
    noise_floor_dbfs: float | None
    threshold_dbfs: float
    speech_level_dbfs: float | None
    volume_variance_db2: float | None
    speech: Sequence[tuple[int, int]]

    @property
    def duration_ns(self) -> int:
        """How long the recording is."""
        return self.frames * _SECOND_NS // self.rate

    @property
    def speech_ns(self) -> int:
        """How much of it is speech; the rest is silence."""
        return sum(end - start for start, end in self.speech)


def measure(source: Source, container: str, limits: Limits | None = None) -> Measured:
    """Listen to a whole recording once.

    Memory: 50 bytes a second of sound, and m4a as a whole within `limits`. Plain 16-bit WAV is
    read here, the rest through ffmpeg. Raises `BadInput`, also where there is not one sample.
    """
    limits = limits or Limits()
    if container in SEEKING and not hasattr(source, "read"):
        with held(source, limits.input_in_memory_bytes) as memory:
            return measure(memory, container, limits)
    shape, source = look(source, container, limits)
    meter = Meter(shape.rate, shape.channels)
    if container == "wav" and shape.codec == "pcm_s16le":
        samples = _wav_samples(source)
    else:
        output = Output((*AUDIO, "-c:a", "pcm_s16le", "-f", "s16le"))
        samples = (block for _, block in run(media(source, container), [output], limits))
    for block in samples:
        meter.add(block)
    return meter.finish()


class Meter:
    """Fed with interleaved s16le in blocks of any size; keeps 50 bytes a second."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self.channels = channels
        self.frames = 0
        self.clipped_samples = 0
        self._window = max(1, rate // WINDOWS_PER_SECOND)
        self._peak = 0
        self._energy = 0.0
        self._levels = bytearray()  # of each window, in half decibels below full scale
        self._rest = b""

    @property
    def level_dbfs(self) -> float | None:
        """The RMS of everything up to the last whole window."""
        return _decibels(self._energy / max(1, self.frames * self.channels))

    def add(self, block: bytes) -> None:
        """Take the next samples."""
        window = 2 * self.channels * self._window
        heard = self._rest + block
        whole = len(heard) // window * window
        self._rest = heard[whole:]
        self._take(np.frombuffer(heard, "<i2", whole // 2), self._window)

    def finish(self) -> Measured:
        """What was heard; raises `BadInput` if that is nothing."""
        last = np.frombuffer(self._rest, "<i2", len(self._rest) // 2)
        last = last[: len(last) // self.channels * self.channels]
        if len(last):
            self._take(last, len(last) // self.channels)
        self._rest = b""
        if not self.frames:
            raise refuse("empty")
        levels = np.frombuffer(self._levels, np.uint8) / -2.0
        floor = float(np.percentile(levels, 10, method="lower"))
        threshold = min(max(floor + MARGIN_DB, LOWEST_THRESHOLD_DBFS), HIGHEST_THRESHOLD_DBFS)
        starts, ends = _stretches(levels > threshold)
        spoken = levels[_within(starts, ends, len(levels))]
        return Measured(
            rate=self.rate,
            channels=self.channels,
            frames=self.frames,
            level_dbfs=self.level_dbfs,
            peak_dbfs=_decibels(float(self._peak) ** 2),
            clipped_samples=self.clipped_samples,
            noise_floor_dbfs=floor if floor > DIGITAL_SILENCE_DBFS else None,
            threshold_dbfs=threshold,
            speech_level_dbfs=_mean_level(spoken),
            volume_variance_db2=round(float(np.var(spoken)), 3) if len(spoken) else None,
            speech=tuple(
                (self._at_ns(a), self._at_ns(b)) for a, b in zip(starts, ends, strict=True)
            ),
        )

    def _at_ns(self, window: int) -> int:
        """When a window begins; the end of the recording after the last one."""
        return min(int(window) * self._window, self.frames) * _SECOND_NS // self.rate

    def _take(self, samples: npt.NDArray[np.int16], window: int) -> None:
        if not len(samples):
            return
        sizes = np.abs(samples.astype(np.int32))
        self._peak = max(self._peak, int(sizes.max()))
        self.clipped_samples += int(np.count_nonzero(sizes >= FULL_SCALE))
        squares = np.square(sizes.reshape(-1, window, self.channels), dtype=np.float64)
        self._energy += float(squares.sum())
        loudest = squares.mean(axis=1).max(axis=1)
        below = -20.0 * np.log10(np.maximum(loudest, 1e-3) / FULL_SCALE**2)  # half decibels
        self._levels += np.clip(np.rint(below), 0, 255).astype(np.uint8).tobytes()
        self.frames += len(squares) * window


def _stretches(active: npt.NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Where runs of active windows begin and end, close ones joined, short ones dropped."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], active, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    apart = starts[1:] - ends[:-1] > BRIDGED_WINDOWS
    starts = starts[np.concatenate(([True], apart))[: len(starts)]]
    ends = ends[np.concatenate((apart, [True]))[: len(ends)]]
    long = ends - starts >= min(SHORTEST_WINDOWS, len(active))
    return starts[long].tolist(), ends[long].tolist()


def _within(starts: list[int], ends: list[int], count: int) -> npt.NDArray[np.bool_]:
    """Which of `count` windows lie in one of the stretches."""
    steps = np.zeros(count + 1, np.int8)
    steps[starts] = 1
    steps[ends] -= 1
    return np.cumsum(steps[:-1]) > 0


def _mean_level(levels: npt.NDArray[np.float64]) -> float | None:
    if not len(levels):
        return None
    return round(10.0 * math.log10(float(np.mean(np.power(10.0, levels / 10.0)))), 2)


def _decibels(mean_square: float) -> float | None:
    """Relative to full scale; None for silence."""
    if mean_square <= 0:
        return None
    return round(10.0 * math.log10(mean_square / FULL_SCALE**2), 2)


def _wav_samples(source: Source) -> Iterator[bytes]:
    """The samples of a WAV file, without what stands before and after them."""
    if seek := getattr(source, "seek", None):
        seek(0)
    blocks = blocks_of(source)
    head = b""
    while len(head) < HEAD_BYTES and (block := next(blocks, None)):
        head += block
    header = wav.read_header(io.BytesIO(head), size_bytes=UNTOLD)
    skip, left = header.data_offset, header.data_bytes
    while head:
        samples = head[skip : skip + left]
        skip, left = max(0, skip - len(head)), left - len(samples)
        yield samples
        head = next(blocks, b"") if left else b""
