"""What is deposited: large recordings of noise, small bundles of real speech."""

from __future__ import annotations

import json
import os
import random
import shutil
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from vault import samples

_MEMORY = Path("/dev/shm")
RATE = 48_000
FRAME_BYTES = 4  # stereo, 16 bits
BUNDLES = 300


@contextmanager
def scratch(*, in_memory_bytes: int = 0) -> Iterator[Path]:
    """A folder that is gone afterwards; in memory if so much is asked for and free."""
    large = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * in_memory_bytes > 0
    with TemporaryDirectory(
        prefix="strongroom-bench-", dir=_MEMORY if large else None, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def recording(path: Path, size_bytes: int) -> Path:
    """A stereo WAV of noise, about as many bytes long, on the disk and in the page cache."""
    noise = os.urandom(1 << 20)
    left = size_bytes - 44
    with path.open("wb") as file:
        with wave.open(file, "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.setnframes(left // FRAME_BYTES)
            while left >= FRAME_BYTES:
                block = noise[: min(len(noise), left // FRAME_BYTES * FRAME_BYTES)]
                out.writeframesraw(block)
                left -= len(block)
        file.flush()
        os.fsync(file.fileno())
    return path


def bundles(folder: Path, count: int = BUNDLES) -> Path:
    """A folder of scenario bundles: a manifest, the whole recording, its one segment.

    Each holds half a second to a second of the packaged sample speech, 20–100 kB in all.
    """
    with wave.open(str(samples.folder() / "pharmacy-refill" / "full.wav")) as speech:
        rate, sound = speech.getframerate(), speech.readframes(speech.getnframes())
    chance = random.Random(1)
    for number in range(count):
        start_ms, length_ms = chance.randrange(10, 1500), chance.randrange(300, 1500)
        length = 2 * (rate * length_ms // 1000)
        at = 2 * chance.randrange((len(sound) - length) // 2)
        _bundle(folder / f"{number:04d}", sound[at : at + length], rate, start_ms)
    return folder


def _bundle(folder: Path, sound: bytes, rate: int, start_ms: int) -> None:
    (folder / "segments").mkdir(parents=True)
    name = f"segments/00-agent-{start_ms:04d}ms.wav"
    start, length = start_ms / 1000, len(sound) / 2 / rate
    for path in (folder / "full.wav", folder / name):
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(sound)
    manifest = {
        "generated_at": "2026-05-12T21:46:57.476391+00:00",
        "duration": start + length,
        "segment_count": 1,
        "segments": [
            {
                "idx": 0,
                "file": name,
                "role": "agent",
                "start_time": start,
                "end_time": start + length,
                "duration": length,
                "transcript": "Hello, this is the pharmacy. How can I help you today?",
            }
        ],
        "events": [
            {"time": start, "type": "agent_start_speaking"},
            {"time": start + length, "type": "agent_stop_speaking"},
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
