"""A log that others write to, followed row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.test_formats_voicemode import log, row
from vault.formats import loglines, voicemode
from vault.model import Json, Warn


def told(found: Iterator[dict[str, Json] | Warn]) -> list[Json]:
    """The texts of rows, the codes of warnings."""
    return [item.code if isinstance(item, Warn) else item["text"] for item in found]


def steps(*actions: Callable[[], object]) -> Callable[[], bool]:
    """A pause that does the next thing each time, and ends after the last."""
    left = iter(actions)

    def pause() -> bool:
        action = next(left, None)
        if action is None:
            return False
        action()
        return True

    return pause


def append(path: Path, data: bytes) -> Callable[[], object]:
    def act() -> None:
        with path.open("ab") as stream:
            stream.write(data)

    return act


def line(text: str) -> bytes:
    return json.dumps(row(text)).encode() + b"\n"


def test_rows_come_as_they_are_appended(tmp_path: Path) -> None:
    path = log(tmp_path, row("a"))
    more = steps(append(path, line("b") + line("c")), lambda: None, append(path, line("d")))
    assert told(voicemode.tail(path, more)) == ["a", "b", "c", "d"]


def test_what_was_there_can_be_passed_over(tmp_path: Path) -> None:
    path = log(tmp_path, row("a"), line("half")[:20])
    more = steps(append(path, line("half")[20:] + line("b")))
    assert told(voicemode.tail(path, more, from_end=True)) == ["half", "b"]


def test_a_half_written_row_waits_for_its_end(tmp_path: Path) -> None:
    path = log(tmp_path, row("a"))
    whole = line("b")
    more = steps(append(path, whole[:30]), append(path, whole[30:-1]), append(path, b"\n"))
    found = voicemode.tail(path, more)
    assert told(found) == ["a", "b"]


def test_what_is_left_of_a_line_at_the_end_is_told(tmp_path: Path) -> None:
    cut = log(tmp_path, row("a"), line("half")[:20])
    assert told(voicemode.tail(cut, steps())) == ["a", "truncated-row"]
    assert told(voicemode.tail(cut, steps(append(cut, line("half")[20:])))) == ["a", "half"]
    whole = log(tmp_path, row("a"), line("b")[:-1], day="2026-01-11")
    assert told(voicemode.tail(whole, steps())) == ["a", "b"]


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "exchanges_2026-01-10.jsonl"
    more = steps(lambda: None, append(path, line("a")))
    assert told(voicemode.tail(path, more)) == ["a"]
    assert told(voicemode.tail(path, steps(append(path, line("b"))), from_end=True)) == ["b"]


def test_a_log_that_was_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = log(tmp_path, row("a"), line("half")[:20])
    more = steps(lambda: path.write_bytes(line("b")))
    assert told(voicemode.tail(path, more)) == ["a", "truncated-row", "b"]


def test_a_log_that_was_rotated_is_read_to_its_end_and_then_the_new_one(tmp_path: Path) -> None:
    path = log(tmp_path, row("a"))

    def rotate() -> None:
        append(path, line("b"))()
        path.rename(tmp_path / "old")
        path.write_bytes(line("c"))

    assert told(voicemode.tail(path, steps(rotate))) == ["a", "b", "c"]


def test_the_next_day_of_a_folder_is_followed(tmp_path: Path) -> None:
    path = log(tmp_path, row("a"))

    def midnight() -> None:
        append(path, line("b"))()
        log(tmp_path, row("c"), day="2026-01-11")

    assert told(voicemode.tail(tmp_path, steps(midnight))) == ["a", "b", "c"]


def test_what_is_no_row_is_a_warning_and_empty_lines_are_nothing(tmp_path: Path) -> None:
    path = log(tmp_path, b"{broken\n", b"\n", b"[1]\n", row("a"))
    assert told(voicemode.tail(path, steps())) == ["unreadable-row", "unreadable-row", "a"]


def test_a_line_without_end_is_dropped_and_not_gathered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loglines, "LINE_BYTES_LIMIT", 1000)
    path = log(tmp_path, row("a"))
    more = steps(*[append(path, b"x" * 600)] * 4, append(path, b"x\n" + line("b")))
    assert told(voicemode.tail(path, more)) == ["a", "unreadable-row", "b"]
