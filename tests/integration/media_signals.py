"""Voice-like test signals, and files coded by ffmpeg itself, outside the rooms under test."""

from __future__ import annotations

import os
import struct
import subprocess
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np

CONTAINERS = ("wav", "mp3", "ogg", "opus", "flac", "m4a", "webm")
FIXTURES = Path(
    os.environ.get("STRONGROOM_FIXTURES")
    or Path(__file__).resolve().parents[3] / "shared" / "fixtures"
)


@cache
def voice(rate: int = 16000, seconds: float = 3.0, channels: int = 1, bits: int = 16) -> bytes:
    """Little-endian samples: a hummed tone in syllables over soft noise, each channel its own."""
    at = np.arange(int(rate * seconds)) / rate
    noise = np.random.default_rng(7)
    rows = []
    for channel in range(channels):
        tone = sum(np.sin(2 * np.pi * (120 + 40 * channel) * n * at) / n for n in range(1, 8))
        syllables = np.clip(np.sin(2 * np.pi * 3 * at + channel), 0, 1)
        rows.append(0.2 * tone * syllables + noise.normal(0, 0.005, len(at)))
    samples = np.stack(rows, axis=1) * (1 << (bits - 1))
    if bits == 24:
        wide = samples.astype("<i4").reshape(-1, 1).view(np.uint8)
        return wide[:, :3].tobytes()
    return samples.astype(f"<i{bits // 8}").tobytes()


def wave(
    samples: bytes, rate: int = 16000, channels: int = 1, bits: int = 16, tag: int = 1
) -> bytes:
    """A WAVE file written independently of the product."""
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(samples))
    return b"RIFF" + struct.pack("<I", len(body) + len(samples)) + body + samples


def ffmpeg(*arguments: str, given: bytes = b"") -> bytes:
    """What plain ffmpeg makes of `given` on its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


@cache
def coded(
    container: str, folder: Path, rate: int = 16000, seconds: float = 3.0, channels: int = 1
) -> bytes:
    """The voice in a container, as ffmpeg writes it to a real file (headers complete)."""
    source = wave(voice(rate, seconds, channels), rate, channels)
    if container == "wav":
        return source
    path = folder / f"voice-{rate}-{seconds}-{channels}.{container}"
    tags = ("-metadata", "title=Ada Lovelace", "-metadata", "comment=MARKER-IN-A-TAG")
    ffmpeg("-f", "wav", "-i", "pipe:0", *tags, "-y", str(path), given=source)
    return path.read_bytes()


def decoded(container: str, whole: bytes, form: str = "s16le", *options: str) -> bytes:
    """The samples of a file as plain ffmpeg decodes them through a pipe."""
    demuxer = {"opus": "ogg", "webm": "matroska"}.get(container, container)
    return ffmpeg("-f", demuxer, "-i", "pipe:0", *options, "-f", form, "pipe:1", given=whole)
