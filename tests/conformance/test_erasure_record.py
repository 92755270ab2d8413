"""What every erasure record promises, on each that there is."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vault.errors import BackendError, IntegrityError
from vault.model import Json
from vault.ports import ErasureRecord
from vault.rows import ActRow
from vault.storage.erasure import ErasureFile

FIRST, SECOND, THIRD = (ActRow(n, "disposal", f"d{n}") for n in (1, 2, 3))
SAID: list[Mapping[str, Json]] = [{"row": {"id": "d"}}, {"members": ["a", "b"]}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "erasure" / "record"


@pytest.fixture
def record(path: Path) -> ErasureRecord:
    return ErasureFile(path)


def everything(record: ErasureRecord, after: int = 0) -> list[tuple[ActRow, list[object]]]:
    return [(act, list(documents)) for act, documents in record.acts(after=after)]


def test_where_nothing_happened_there_is_nothing(record: ErasureRecord) -> None:
    assert record.newest() is None
    assert everything(record) == []


def test_acts_come_back_in_order_with_all_that_was_said(record: ErasureRecord) -> None:
    record.append(FIRST, SAID)
    record.append(SECOND, [])
    record.append(THIRD, SAID[:1])
    assert record.newest() == THIRD
    assert everything(record) == [(FIRST, SAID), (SECOND, []), (THIRD, SAID[:1])]
    assert everything(record, after=2) == [(THIRD, SAID[:1])]


def test_a_number_is_written_once(record: ErasureRecord) -> None:
    for _ in range(2):
        record.append(FIRST, SAID)
    assert everything(record) == [(FIRST, SAID)]


def test_the_newest_is_found_behind_what_is_long(record: ErasureRecord) -> None:
    long: list[Mapping[str, Json]] = [{"members": ["s" * 30] * 5000}]
    record.append(FIRST, long)
    assert record.newest() == FIRST
    assert everything(record) == [(FIRST, long)]


def test_what_was_cut_off_counts_for_nothing_and_makes_room(
    record: ErasureRecord, path: Path
) -> None:
    record.append(FIRST, SAID)
    whole = path.read_bytes()
    record.append(SECOND, SAID)
    two = path.read_bytes()
    for size in range(len(whole), len(two)):
        path.write_bytes(two[:size])
        assert record.newest() == FIRST
        assert everything(record) == [(FIRST, SAID)]
    path.write_bytes(whole + bytes(500))  # what a power cut may leave behind
    assert record.newest() == FIRST
    record.append(SECOND, SAID)
    assert path.read_bytes() == two


def test_what_was_altered_is_refused(record: ErasureRecord, path: Path) -> None:
    record.append(FIRST, SAID)
    record.append(SECOND, SAID)
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"c"', 1))
    with pytest.raises(IntegrityError):
        everything(record)


def test_a_record_that_cannot_be_written_says_so(record: ErasureRecord, path: Path) -> None:
    path.parent.mkdir()
    path.mkdir()
    with pytest.raises(BackendError):
        record.append(FIRST, SAID)


def test_many_who_add_the_same_add_it_once(record: ErasureRecord, path: Path) -> None:
    acts = [ActRow(n, "hold", f"h{n}") for n in range(1, 21)]

    def add_all() -> None:
        for act in acts:
            ErasureFile(path).append(act, SAID)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(add_all) for _ in range(8)]:
            done.result()
    assert everything(record) == [(act, SAID) for act in acts]
    assert path.stat().st_mode & 0o077 == 0
