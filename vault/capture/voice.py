"""One stretch of one speaker's sound while it is recorded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from vault.media import wav
from vault.media.measure import Meter
from vault.media.mix import encode
from vault.model import Json

SECOND_NS = 1_000_000_000
#: A chunk that comes this long after the sound before it has ended begins a new turn.
GAP_NS = SECOND_NS // 2


@dataclass(slots=True)
class Voice:
    """A turn: when it began, its samples if they may be kept, its words if they may be.

    `frames` counts the sound whether or not it is kept. `open` while more may be added.
    """

    role: str
    speaker: str
    start_ns: int
    rate: int
    channels: int
    frames: int = 0
    samples: bytearray = field(default_factory=bytearray)
    text: str | None = None
    truncated: bool = False
    open: bool = True
    words: dict[str, Json] = field(default_factory=dict)

    @property
    def end_ns(self) -> int:
        """When its sound ends; at its begin if it has none."""
        return self.start_ns + self.frames * SECOND_NS // self.rate

    def takes(self, now_ns: int, rate: int, channels: int) -> bool:
        """Whether sound of that shape that comes now belongs to it."""
        alike = (self.rate, self.channels) == (rate, channels)
        return self.open and alike and now_ns - self.end_ns < GAP_NS

    def add(self, chunk: bytes, *, keep: bool) -> None:
        """The next samples, whole frames."""
        self.frames += len(chunk) // (2 * self.channels)
        if keep:
            self.samples += chunk

    def cut(self, at_ns: int) -> None:
        """Forget the sound after `at_ns`: it was never heard."""
        heard = max(0, at_ns - self.start_ns) * self.rate // SECOND_NS
        if heard < self.frames:
            self.frames = heard
            del self.samples[heard * 2 * self.channels :]
        self.truncated, self.open = True, False

    @property
    def wav_bytes(self) -> int:
        """The size of `wav`."""
        return len(self._head()) + len(self.samples)

    def wav(self) -> BinaryIO:
        """The sound as a WAV file."""
        return io.BytesIO(self._head() + self.samples)

    def flac(self) -> bytes:
        """The sound as a FLAC file."""
        samples: Iterator[bytes] = iter((bytes(self.samples),))
        return b"".join(encode(samples, self.rate, self.channels, "flac", frames=self.frames))

    def _head(self) -> bytes:
        return wav.write_header(self.rate, self.channels, 16, self.frames)


@dataclass(slots=True)
class Gauge:
    """How one speaker sounds so far, told once a second."""

    meter: Meter
    told_seconds: int = 0

    def add(self, chunk: bytes) -> bool:
        """Take the next samples; whether it is time to tell."""
        self.meter.add(chunk)
        seconds = self.meter.frames // self.meter.rate
        due = seconds > self.told_seconds
        self.told_seconds = seconds
        return due

    def told(self, role: str, speaker: str) -> dict[str, Json]:
        """What is told."""
        return {
            "role": role,
            "speaker": speaker,
            "seconds": self.meter.frames / self.meter.rate,
            "level_dbfs": self.meter.level_dbfs,
            "clipped_samples": self.meter.clipped_samples,
        }
