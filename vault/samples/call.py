"""The call to the pharmacy as plain values: what was said when, and how it sounds."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Half of what was synthesised, to keep the package small.
RATE = 8_000
STARTED_AT = datetime.fromisoformat("2026-03-02T10:15:00+00:00")
Sound = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the call; times in seconds, `wait` is how long the agent took to answer."""

    role: str
    text: str
    start: float
    sound: Sound
    wait: float | None

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return len(self.sound) / RATE

    @property
    def end(self) -> float:
        """When its last sample ends."""
        return self.start + self.seconds


def turns(bundle: Path) -> list[Turn]:
    """The turns of a scenario bundle, their sound at half its rate."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    waits = {e["time"]: e["latency"] for e in manifest["events"] if "latency" in e}
    return [
        Turn(
            role=each["role"],
            text=each["transcript"],
            start=each["start_time"],
            sound=_halved(bundle / each["file"]),
            wait=waits.get(each["start_time"]),
        )
        for each in manifest["segments"]
    ]


def mixed(call: Sequence[Turn]) -> Sound:
    """All turns at their times, on one track."""
    track = np.zeros(round(max(turn.end for turn in call) * RATE) + 1, np.int32)
    for turn in call:
        at = round(turn.start * RATE)
        track[at : at + len(turn.sound)] += turn.sound
    return np.clip(track, -32768, 32767).astype("<i2")


def _halved(path: Path) -> Sound:
    """The sound of a WAV file at half its rate; what is above half of that is cut off."""
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    count = len(sound) // 2
    spectrum = np.fft.rfft(sound.astype(np.float64))[: count // 2 + 1]
    low = np.fft.irfft(spectrum, count) * (count / len(sound))
    return np.clip(np.rint(low), -32768, 32767).astype("<i2")
