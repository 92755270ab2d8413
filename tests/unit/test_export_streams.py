"""Many sessions leave as a stream: one at a time, in memory that does not grow with them."""

from __future__ import annotations

import io
import json
import os
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests import records
from vault.errors import BackendError, IntegrityError, UsageError
from vault.export import reports, zipstream
from vault.export.record import Record
from vault.export.waiting import BLOCK_BYTES, Waiting
from vault.export.writers import WRITERS, Each, Whole
from vault.export.zipstream import ZipStream
from vault.formats.blocks import Blocks
from vault.model import Kind, Original

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


def transcripts(count: int) -> Iterator[bytes]:
    order = records.order(scope="all_sessions")
    tallies = reports.chosen("transcript_report", ())
    document = reports.report("transcript_report", tallies, many(count), order)
    return reports.renderer("html")(document, order)


def exported(format: str, count: int) -> Iterator[bytes]:  # noqa: A002  the contract's word
    return whole(format).write(many(count), records.order(scope="all_sessions"))


def peak_bytes(write: Callable[[int], Iterator[bytes]], count: int) -> int:
    tracemalloc.start()
    try:
        size = sum(map(len, write(count)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > count * 50
    return peak


@pytest.mark.parametrize("format", ["json", "csv", "xml", "html", "xlsx", "zip"])
def test_ten_times_the_sessions_take_no_more_memory(format: str) -> None:  # noqa: A002  the contract's word
    write = partial(exported, format)
    assert peak_bytes(write, 1000) < peak_bytes(write, 100) + 400_000  # gathered, it is megabytes


def test_a_report_of_ten_times_the_transcripts_takes_no_more_memory() -> None:
    assert peak_bytes(transcripts, 1000) < peak_bytes(transcripts, 100) + 400_000


def test_a_bundle_of_many_is_whole() -> None:
    order = records.order(scope="all_sessions")
    stream = io.BytesIO(b"".join(whole("zip").write(many(200), order)))
    with zipfile.ZipFile(stream) as found:
        assert found.testzip() is None
        assert len(found.namelist()) == 200 * 5 + 1
        manifest = json.loads(found.read("manifest.json"))
        assert {each.extract_version for each in found.infolist()} == {20}  # for old programs too
    assert [f["name"] for f in manifest["files"]] == found.namelist()[:-1]


@pytest.mark.parametrize("count", [0, 1, 65_534, 65_535, 65_536])
def test_an_archive_opens_however_many_entries_it_has(count: int) -> None:
    with ZipStream() as archive:
        written = b"".join(
            block
            for number in range(count)
            for block in archive.entry(f"{number}.gz", [b"%d" % number], large=number % 2 == 0)
        )
        written += b"".join(archive.end())
    with zipfile.ZipFile(io.BytesIO(written)) as found:
        assert len(found.namelist()) == count
        for number in range(0, count, 13_107):
            assert found.read(f"{number}.gz") == b"%d" % number
            assert found.getinfo(f"{number}.gz").external_attr >> 16 == 0o600


@pytest.mark.slow
def test_an_archive_opens_past_four_gibibytes(tmp_path: Path) -> None:
    path, nothing = tmp_path / "large.zip", bytes(1 << 26)
    with path.open("wb") as stream, ZipStream() as archive:
        for name, blocks in (("zeros.wav.gz", [nothing] * 65), ("after.txt", [b"after"])):
            for block in archive.entry(name, blocks):
                if len(block) == len(nothing):
                    stream.seek(len(block), os.SEEK_CUR)  # a hole: it takes no room on the disk
                else:
                    stream.write(block)
        stream.writelines(archive.end())
    with zipfile.ZipFile(path) as found:
        assert [i.file_size for i in found.infolist()] == [65 << 26, 5]
        assert found.getinfo("after.txt").header_offset > 1 << 32
        assert found.read("after.txt") == b"after"


def test_a_part_that_old_programs_could_not_read_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zipstream, "_LATER", 100)
    with ZipStream() as archive, pytest.raises(UsageError, match="export jsonl"):
        b"".join(archive.entry("sheet1.xml", [b"a" * 100], large=False))


def test_what_waits_comes_back_in_order_and_as_often_as_wanted() -> None:
    with Waiting() as waiting:
        assert list(waiting.lines()) == []
        expected = [b"%d" % number * (number % 50) for number in range(20_000)]
        for line in expected:
            waiting.add(line + b"\n")
        assert list(waiting.lines()) == expected
        assert b"".join(waiting) == b"".join(line + b"\n" for line in expected)


def test_what_waits_on_the_disk_is_sealed_without_a_name_and_cannot_be_altered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Waiting() as waiting:
        for _ in range(100_000):
            waiting.add(b"the quick brown parcel\n")
        (opened,) = [
            each
            for each in Path("/proc/self/fd").iterdir()
            if each.is_symlink() and str(tmp_path) in str(each.readlink())
        ]
        assert list(tmp_path.iterdir()) == []
        with opened.open("r+b") as stream:
            content = stream.read()
            assert len(content) > 2_000_000
            assert b"parcel" not in content
            stream.seek(1_000_000)
            stream.write(bytes([content[1_000_000] ^ 1]))
        with pytest.raises(IntegrityError):
            list(waiting)


def test_where_nothing_can_wait_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with Waiting() as waiting, pytest.raises(BackendError, match="temporary files"):
        waiting.add(bytes(BLOCK_BYTES))


@pytest.mark.parametrize("mebibytes", [1, 100])
def test_annotations_that_came_are_looked_through_in_little_memory(mebibytes: int) -> None:
    line = b'{"annotation":{"id":"a1"}}\n'
    made = [line, b" " * (mebibytes << 20), b"\n", line]

    def opened() -> io.BufferedReader:
        return io.BufferedReader(Blocks(io.BytesIO(), iter(made)))

    name, size = "annotations/s.annotations.jsonl", sum(map(len, made))
    came = Original(name, Kind.TRANSCRIPT, "application/x-ndjson", size, opened)
    plain = records.record()
    session = replace(plain.session, format="promptkit", external_id="s", originals=[came])
    writer, record = WRITERS["promptkit"], replace(plain, session=session)
    assert isinstance(writer, Each)
    tracemalloc.start()
    try:
        ((beside, _),) = writer.beside(record, records.order())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert beside == name
    assert peak < 50 << 20
