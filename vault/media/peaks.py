"""The waveform at a glance: the lowest and the highest sample of every fiftieth of a second.

The layout is version 2 of audiowaveform's `.dat`, which peaks.js reads as it is and
wavesurfer after scaling; all numbers little-endian:

    int32   version = 2              uint32  flags = 1 (8 bits a value)
    int32   sample rate              int32   samples per point
    uint32  points                   int32   channels
    int8    for each point, for each channel: lowest, highest (the upper 8 of 16 bits)

Source: https://codeberg.org/chrisn/audiowaveform, doc/DataFormat.md
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

POINTS_PER_SECOND = 50


class Peaks:
    """Fed with interleaved s16le in blocks of any size; keeps 100 bytes a second and channel."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self.channels = channels
        self.samples_per_point = max(1, round(rate / POINTS_PER_SECOND))
        self.frames = 0
        self._points = bytearray()
        self._rest = b""

    def add(self, block: bytes) -> None:
        """Take the next samples."""
        point = 2 * self.channels * self.samples_per_point
        data = self._rest + block
        whole = len(data) // point * point
        self._rest = data[whole:]
        self._take(np.frombuffer(data, "<i2", whole // 2))

    def finish(self) -> bytes:
        """The whole file; the last point covers whatever was left."""
        frame = 2 * self.channels
        last = self._rest[: len(self._rest) // frame * frame]
        if last:
            samples = np.frombuffer(last, "<i2").reshape(-1, self.channels)
            missing = self.samples_per_point - len(samples)
            self._take(np.pad(samples, ((0, missing), (0, 0)), mode="edge").reshape(-1))
            self.frames -= missing
        self._rest = b""
        points = len(self._points) // (2 * self.channels)
        head = (2, 1, self.rate, self.samples_per_point, points, self.channels)
        return struct.pack("<iIiiIi", *head) + bytes(self._points)

    def _take(self, samples: npt.NDArray[np.int16]) -> None:
        points = samples.reshape(-1, self.samples_per_point, self.channels)
        pairs = np.stack((points.min(axis=1), points.max(axis=1)), axis=-1)
        self._points += (pairs >> 8).astype(np.int8).tobytes()
        self.frames += len(points) * self.samples_per_point
