"""Sessions made for tests: recordings whose bytes occur nowhere else, and bundles of them."""

from __future__ import annotations

import io
import json
import random
import wave
from collections.abc import Sequence
from pathlib import Path

RATE = 8000


def noise(seconds: float, *, seed: int = 0, rate: int = RATE) -> bytes:
    """A mono 16-bit WAV of noise: any few samples of it are found nowhere else."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(random.Random(seed).randbytes(round(seconds * rate) * 2))
    return stream.getvalue()


def recording(path: Path, seconds: float = 0.3, *, seed: int = 0) -> Path:
    """The same as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(noise(seconds, seed=seed))
    return path


def bundle(folder: Path, phrases: Sequence[str], *, seed: int = 0, seconds: float = 0.5) -> Path:
    """A scenario bundle: one turn a phrase, user and agent in turns, every file there."""
    turns = []
    for index, phrase in enumerate(phrases):
        role, start = ("user", "agent")[index % 2], index * seconds
        name = f"segments/{index:02d}-{role}-{round(start * 1000):04d}ms.wav"
        recording(folder / name, seconds, seed=seed + index)
        turns.append(
            {
                "idx": index,
                "file": name,
                "role": role,
                "start_time": start,
                "end_time": start + seconds,
                "duration": seconds,
                "transcript": phrase,
            }
        )
    recording(folder / "full.wav", seconds * len(turns), seed=seed + 1000)
    manifest = {
        "generated_at": "2026-01-05T10:00:00+00:00",
        "duration": seconds * len(turns),
        "segment_count": len(turns),
        "segments": turns,
        "events": [{"time": 0.0, "type": "user_start_speaking"}],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its relative name."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
