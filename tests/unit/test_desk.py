"""Answers of the command line: a document whole or not at all, in memory that does not grow."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from vault.cli.desk import Desk
from vault.errors import BackendError

Item = dict[str, Any]


def items(count: int, *, failing: bool = False) -> Iterator[Item]:
    for number in range(count):
        yield {"number": number, "text": "Grüße"}
    if failing:
        raise BackendError


def no_lines(_item: Mapping[str, Any]) -> list[str]:
    raise AssertionError


@pytest.mark.parametrize("count", [0, 1, 2, 50_000])
def test_a_long_document_is_whole(capsys: pytest.CaptureFixture[str], count: int) -> None:
    Desk(as_json=True).answer_each("items", items(count), no_lines)
    assert json.loads(capsys.readouterr().out) == {"items": list(items(count))}


@pytest.mark.parametrize("count", [0, 1, 50_000])
def test_of_a_document_that_fails_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], count: int
) -> None:
    with pytest.raises(BackendError):
        Desk(as_json=True).answer_each("items", items(count, failing=True), no_lines)
    assert capsys.readouterr().out == ""


def test_people_see_what_came_before_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BackendError):
        Desk().answer_each("items", items(2, failing=True), lambda item: [str(item["number"])])
    assert capsys.readouterr().out == "0\n1\n"


def test_a_document_ten_times_as_long_takes_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.write", len)
    peaks = []
    for count in (5_000, 50_000):
        tracemalloc.start()
        Desk(as_json=True).answer_each("items", items(count), no_lines)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000
