"""What is large is neither held in memory nor read when a little of it is asked for."""

from __future__ import annotations

import hashlib
import json
import random
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.homes import Home, ended
from vault.operations import retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit

MEGABYTE = 1_000_000
PEAK_BYTES = 200 * MEGABYTE
RANGE_BYTES, COST_BYTES = 64_000, 100_000

#: Runs a command, then says how much memory it and its children had at most, in kB.
MEASURED = """
import resource, sys
from vault.cli.app import run
code = run(sys.argv[1:])
# Not RUSAGE_SELF: that begins with what the process had that this one was forked from.
(own,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def large_wav(path: Path, size_bytes: int) -> Path:
    """Noise at a rate that makes it large and yet short: what takes long is its length."""
    chance = random.Random(size_bytes)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(192_000)
        for _ in range(size_bytes // MEGABYTE):
            file.writeframesraw(chance.randbytes(MEGABYTE))
    return path


def peak_bytes(home: Home, *arguments: str | Path) -> int:
    """The most memory that a command, or any program it started, had at one time."""
    answer = ended(home.python(MEASURED, *arguments))
    return max(int(word) for word in answer.err.splitlines()[-1].split()) * 1024


@pytest.mark.slow
def test_memory_stays_the_same_however_large_a_session_is(home: Home, tmp_path: Path) -> None:
    peaks = []
    for size in (50, 300):
        source = large_wav(tmp_path / f"{size}.wav", size * MEGABYTE)
        peaks.append(peak_bytes(home, "deposit", source, "--json"))
        (newest, *_) = home.run("list").document["sessions"]
        assert newest["state"] == "ready"
        out = tmp_path / "out.wav"
        peaks.append(peak_bytes(home, "fetch", newest["id"], "--part", source.name, "-o", out))
        with out.open("rb") as one, source.open("rb") as other:
            digests = [hashlib.file_digest(f, "sha256").digest() for f in (one, other)]
        assert digests[0] == digests[1]
        source.unlink()
    assert max(peaks) <= PEAK_BYTES
    (small, large) = peaks[0], peaks[2]
    assert large - small < 30 * MEGABYTE


def conversations(path: Path, count: int) -> Path:
    """A VoiceMode log of so many conversations of six turns, which are as many sessions."""
    began = datetime(2026, 1, 15, 8, tzinfo=UTC)
    rows = (
        {
            "version": 4,
            "timestamp": (began + timedelta(seconds=400 * talk + 9 * turn)).isoformat(),
            "conversation_id": f"conv_20260115_{talk:06d}_aaaaaa",
            "type": ("stt", "tts")[turn % 2],
            "text": f"It left the depot this morning as number {talk}, you are told.",
            "project_path": "/srv/project",
            "duration_ms": 1500,
            "metadata": {"provider": "whisper", "total_turnaround_time": 2.2},
        }
        for talk in range(count)
        for turn in range(6)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.slow
def test_memory_stays_the_same_however_many_sessions_leave(home: Home, tmp_path: Path) -> None:
    log, out = tmp_path / "exchanges_2026-01-15.jsonl", tmp_path / "out"
    verbs: list[list[str | Path]] = [
        ["export", "--all", "--format", "zip", "-o", out],
        ["exchanges"],
    ]
    peaks = []
    for count in (500, 1000):  # past a page of the catalogue and what waits in memory
        home.run("deposit", conversations(log, count), "--no-wait")
        peaks.append([peak_bytes(home, *verb, "--json") for verb in verbs])
    few, many = peaks
    assert len(home.run("list").document["sessions"]) == 1000
    grown = [b - a for a, b in zip(few, many, strict=True)]
    assert max(grown) < 4 * MEGABYTE, grown  # of what was gathered, it would be six


@dataclass
class Counted:
    """A store, and how many bytes were read from it."""

    store: Any
    read_bytes: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def get(self, *given: Any, **named: Any) -> Iterator[bytes]:
        for block in self.store.get(*given, **named):
            self.read_bytes += len(block)
            yield block


@pytest.mark.parametrize("place", ["start", "middle", "unaligned", "end"])
def test_a_little_of_a_large_part_costs_little_more_than_that(
    home: Home, tmp_path: Path, place: str
) -> None:
    source = large_wav(tmp_path / "large.wav", 40 * MEGABYTE)
    content = source.read_bytes()
    start = {
        "start": 0,
        "middle": len(content) // 2,
        "unaligned": 12_345_677,
        "end": len(content) - RANGE_BYTES,
    }[place]
    with home.room() as room:
        (answer,) = deposit(room, [source], Terms(), wait=False).sessions
        counted = Counted(room.store)
        store: Any = counted
        watched = replace(room, store=store)
        opened = retrieve.Opened(watched, retrieve.session(watched, answer.id))
        blocks = opened.stream(opened.part("large.wav"), start, start + RANGE_BYTES)
        assert b"".join(blocks) == content[start : start + RANGE_BYTES]
    assert RANGE_BYTES < counted.read_bytes <= COST_BYTES
