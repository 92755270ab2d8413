"""Rows added to a VoiceMode log by writers that are killed, crowded out, or out of space."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vault import formats
from vault.errors import BackendError, BadInput
from vault.formats.voicemode_append import append

CALL = "conv_20260110_120000_aaaaaa"
ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from vault.formats.voicemode_append import append
from tests.integration.test_voicemode_append import row
for n in range(int(sys.argv[3])):
    append(sys.argv[1], row(f"{sys.argv[2]} {n}"))
    print(n, flush=True)
"""
KILLED = """
import os, signal
whole = os.write
def half(log, line):
    whole(log, line[: len(line) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = half
"""
FULL = """
import resource, sys, pathlib
(log,) = pathlib.Path(sys.argv[1]).iterdir()
size = log.stat().st_size + 30
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
"""


def row(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-01-10T23:30:00+10:00",
        "conversation_id": CALL,
        "type": "stt",
        "text": text,
        **more,
    }


def _nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def writer(folder: Path, name: str, count: int, before: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", before + WRITER, str(folder), name, str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def texts(folder: Path) -> list[str]:
    (log,) = folder.iterdir()
    assert log.name == "exchanges_2026-01-10.jsonl"
    return [json.loads(line)["text"] for line in log.read_bytes().splitlines()]


def test_a_row_is_in_the_log_of_its_own_day_as_voicemode_writes_it(tmp_path: Path) -> None:
    for kind in ("stt", "tts"):
        path = append(tmp_path, row(type=kind, audio_file=None, novel=1, metadata={"voice": "v"}))
    assert path == tmp_path / "exchanges_2026-01-10.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [list(each) for each in rows] == [
        [
            *("version", "timestamp", "conversation_id", "type", "text", "project_path"),
            *("metadata", "novel"),
        ]
    ] * 2
    (reading,) = formats.read(tmp_path)
    assert [segment.role for segment in reading.timeline.segments] == ["user", "agent"]


def test_what_a_killed_writer_had_said_is_there_and_nothing_is_half(tmp_path: Path) -> None:
    process = writer(tmp_path, "a", 100_000)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(25)]
    os.kill(process.pid, signal.SIGKILL)
    said += [int(line) for line in process.communicate()[0].split()]
    found = texts(tmp_path)
    assert found[: len(said)] == [f"a {n}" for n in said]
    assert len(found) <= len(said) + 1


def test_a_writer_killed_in_the_middle_of_a_line_costs_that_row_alone(tmp_path: Path) -> None:
    append(tmp_path, row("before"))
    process = writer(tmp_path, "lost", 1, before=KILLED)
    assert process.communicate()[0] == b""
    assert process.returncode == -signal.SIGKILL
    append(tmp_path, row("after"))
    append(tmp_path, row("last"))
    (reading,) = formats.read(tmp_path)
    assert [s.text for s in reading.timeline.segments] == ["before", "after", "last"]
    assert [warning.code for warning in reading.warnings] == ["unreadable-row"]


def test_a_row_that_finds_no_room_leaves_nothing_of_itself(tmp_path: Path) -> None:
    append(tmp_path, row("before"))
    process = writer(tmp_path, "late", 1, before=FULL)
    assert b"BackendError" in process.communicate()[1]
    assert texts(tmp_path) == ["before"]


def test_many_writers_at_once_lose_no_row(tmp_path: Path) -> None:
    processes = [writer(tmp_path, name, 40) for name in "abc"]
    assert [process.communicate()[1] for process in processes] == [b""] * 3
    assert sorted(texts(tmp_path)) == sorted(f"{name} {n}" for name in "abc" for n in range(40))


@pytest.mark.parametrize(
    "wrong",
    [
        {"timestamp": "2026-01-10T23:30:00"},
        {"timestamp": "yesterday"},
        {"type": "video"},
        {"text": None},
        {"conversation_id": 3},
        {"duration_ms": float("nan")},
        {"text": "x" * (16 << 20)},
        {"conversation_id": ""},
        {"metadata": {"count": 10**400}},
        {"metadata": {"count": 10**5000}},
        {"metadata": _nested(150)},
        {"metadata": _nested(100_000)},
        {"1": 1, 1: 1},
    ],
)
def test_what_would_not_be_read_again_is_not_written(tmp_path: Path, wrong: dict[Any, Any]) -> None:
    with pytest.raises(BadInput):
        append(tmp_path, row() | wrong)
    assert not list(tmp_path.iterdir())


def test_the_log_of_a_day_is_named_with_four_digits_of_its_year(tmp_path: Path) -> None:
    path = append(tmp_path, row(timestamp="0970-01-10T23:30:00+00:00"))
    assert path.name == "exchanges_0970-01-10.jsonl"


def test_a_log_that_is_a_link_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "exchanges_2026-01-10.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackendError):
        append(tmp_path, row())
    assert (tmp_path / "elsewhere").read_bytes() == b""
