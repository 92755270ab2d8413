"""Many sessions leave as a stream: one at a time, in memory that does not grow with them."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests import records
from vault.export.record import Record
from vault.export.writers import WRITERS, Whole

STREAMS = ("json", "jsonl", "csv", "xml", "html", "txt")


def many(count: int, seen: list[int] | None = None) -> Iterator[Record]:
    one = records.record(("Where is my parcel, please", "On its way to the depot") * 3)
    for number in range(count):
        if seen is not None:
            seen.append(number)
        yield replace(one, id=f"01900000-0000-7000-8000-{number:012d}")


def whole(format: str) -> Whole:  # noqa: A002  the contract's word
    found = WRITERS[format]
    assert isinstance(found, Whole)
    return found


@pytest.mark.parametrize("format", [*STREAMS, "zip"])
def test_no_session_is_opened_before_the_one_before_it_has_left(format: str) -> None:  # noqa: A002  the contract's word
    seen: list[int] = []
    left = 0
    for block in whole(format).write(many(50, seen), records.order(scope="all_sessions")):
        left += len(block)
        if len(seen) == 25:
            break
    assert left > 20 * 400
    assert len(seen) == 25


def peak_bytes(format: str, count: int) -> int:  # noqa: A002  the contract's word
    tracemalloc.start()
    try:
        size = sum(map(len, whole(format).write(many(count), records.order(scope="all_sessions"))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > count * 50
    return peak


@pytest.mark.parametrize("format", ["json", "csv", "xml", "html", "xlsx"])
def test_ten_times_the_sessions_take_no_more_memory(format: str) -> None:  # noqa: A002  the contract's word
    few, more = peak_bytes(format, 100), peak_bytes(format, 1000)
    # Gathering them would take megabytes. Of a workbook, what waits for its later sheets grows.
    assert more < few + (1_000_000 if format == "xlsx" else 400_000)


def test_a_bundle_of_many_is_whole() -> None:
    order = records.order(scope="all_sessions")
    stream = io.BytesIO(b"".join(whole("zip").write(many(200), order)))
    with zipfile.ZipFile(stream) as found:
        assert found.testzip() is None
        assert len(found.namelist()) == 200 * 5 + 1
