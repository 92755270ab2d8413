"""VoiceMode's logs of older days, which are packed with gzip."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_formats_voicemode import (
    CALL,
    LOGS,
    OTHER,
    codes,
    content,
    log,
    needs_logs,
    row,
)
from vault import formats
from vault.errors import BadInput
from vault.formats import gzipped, voicemode
from vault.model import Reading


def pack(path: Path) -> Path:
    """Put the packed file in the place of the plain one, as gzip does."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


def said(readings: list[Reading]) -> list[tuple[str | None, list[str | None]]]:
    return [(r.external_id, [s.text for s in r.timeline.segments]) for r in readings]


@needs_logs
@pytest.mark.parametrize("folder", ["v4", "events"])
def test_a_folder_of_real_logs_says_the_same_with_any_of_them_packed(
    folder: str, tmp_path: Path
) -> None:
    plain = formats.read(LOGS / folder)
    for path in (LOGS / folder).iterdir():
        place = tmp_path / path.name
        shutil.copytree(LOGS / folder, place)
        packed = pack(place / path.name)
        (found,) = formats.walk(place)
        readings = formats.read(found)
        assert said(readings) == said(plain)
        for reading, known in zip(readings, plain, strict=True):
            assert [o.name for o in reading.originals] == [o.name for o in known.originals]
            assert [content(o) for o in reading.originals] == [content(o) for o in known.originals]
            assert reading.timeline == known.timeline
        alone = formats.read(packed)
        assert said(alone) == said(formats.read(LOGS / folder / path.name))


def test_the_rows_of_two_conversations_in_a_packed_log_are_read_apart(tmp_path: Path) -> None:
    rows = [row(f"{n}", conversation_id=(CALL, OTHER)[n % 2]) for n in range(9)]
    path = log(tmp_path, *rows, b"no row\n")
    lines = path.read_bytes().splitlines(keepends=True)
    first, second = formats.read(pack(path))
    assert content(first.originals[0]) == b"".join([*lines[0:9:2], lines[9]])
    assert content(second.originals[0]) == b"".join(lines[1:9:2])


def test_of_a_packed_log_no_conversation_unpacks_the_whole_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row("x" * 300_000, conversation_id=f"conv_{n:02d}") for n in range(30)]
    path = log(tmp_path, *rows)
    lines = path.read_bytes().splitlines(keepends=True)
    readings = formats.read(pack(path))
    made, inflate = [], gzipped.inflate

    def counted(*args: Any, **options: Any) -> Iterator[bytes]:
        for block in inflate(*args, **options):
            made.append(len(block))
            yield block

    monkeypatch.setattr(gzipped, "inflate", counted)
    assert [content(reading.originals[0]) for reading in readings] == lines
    assert sum(made) < 30 * (2 << 20)


@pytest.mark.parametrize("place", [0.4, 0.9])
def test_what_was_read_of_a_damaged_log_can_be_read_again(place: float, tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = [row(chance.randbytes(20_000).hex(), conversation_id=f"c{n}") for n in range(100)]
    packed = pack(log(tmp_path, *rows))
    data = bytearray(packed.read_bytes())
    at = int(len(data) * place)
    data[at : at + 200] = b"\xff" * 200
    packed.write_bytes(data)
    readings = formats.read(packed)
    assert "damaged-gzip" in {code for reading in readings for code in codes(reading)}
    assert 100 * place - 5 < len(readings) <= 100
    assert all(content(reading.originals[0]) for reading in readings)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_packed_file_is_sought_by_its_marks(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzipped, "MARK_BYTES", 1000)
    monkeypatch.setattr(gzipped, "_BLOCK_BYTES", 777)
    whole = random.Random(level).randbytes(30_000) + bytes(30_000)
    cut = 20_000
    packed = gzip.compress(whole[:cut], level) + gzip.compress(whole[cut:], level)
    marks: gzipped.Marks = []
    assert gzipped.Unpacked(io.BytesIO(packed), "x", marks=marks).read() == whole
    assert len(marks) > 20
    for begin in range(0, len(whole), 501):
        with io.BytesIO(packed) as file:
            unpacked = gzipped.Unpacked(file, "x", marks=marks)
            unpacked.seek(begin // 3)
            unpacked.seek(begin)
            assert unpacked.read() == whole[begin:]
            assert not unpacked.damaged


@pytest.mark.parametrize("before", range(-3, 4))
def test_a_member_is_read_wherever_it_begins(before: int) -> None:
    """Where a block of what is read ends in its first bytes, too."""
    around = len(gzip.compress(bytes(60_000), 0)) - 60_000
    first = bytes((1 << 16) + before - around)
    packed = gzip.compress(first, 0)
    assert len(packed) == (1 << 16) + before
    unpacked = gzipped.Unpacked(io.BytesIO(packed + gzip.compress(b"second")), "x")
    assert unpacked.read() == first + b"second"


def test_rows_that_were_appended_to_a_packed_log_are_told_of(tmp_path: Path) -> None:
    packed = pack(log(tmp_path, row("one")))
    with packed.open("ab") as file:
        file.write(bytes(512))
    assert formats.read(packed)[0].warnings == ()
    packed.write_bytes(packed.read_bytes()[:-512] + b"one more row\n")
    (reading,) = formats.read(packed)
    assert [segment.text for segment in reading.timeline.segments] == ["one"]
    assert codes(reading) == ["damaged-gzip"]


def test_packed_logs_are_found_in_the_home_of_voicemode(tmp_path: Path) -> None:
    pack(log(tmp_path / "logs" / "conversations", row("old")))
    log(tmp_path / "logs" / "conversations", row("new", conversation_id=OTHER), day="2026-01-11")
    assert said(formats.read(tmp_path)) == [(CALL, ["old"]), (OTHER, ["new"])]


@pytest.mark.parametrize("place", [".", "logs/conversations"])
def test_a_log_that_lies_there_packed_too_is_read_once(place: str, tmp_path: Path) -> None:
    path = log(tmp_path / place, row("a"), row("b"))
    pack(path).with_suffix("").write_bytes(b"")
    path = log(tmp_path / place, row("a"), row("b"))
    (reading,) = formats.read(tmp_path)
    assert said([reading]) == [(CALL, ["a", "b"])]
    assert [(w.code, w.file) for w in reading.warnings] == [
        ("same-recording", str(path.relative_to(tmp_path)) + ".gz")
    ]


def test_a_damaged_packed_log_gives_what_can_be_read_and_says_so(tmp_path: Path) -> None:
    noise = [row(hashlib.sha256(bytes([n])).hexdigest()) for n in range(60)]
    path = pack(log(tmp_path, *noise))
    path.write_bytes(path.read_bytes()[:-500])
    (reading,) = formats.read(tmp_path)
    texts = [str(segment.text) for segment in reading.timeline.segments]
    assert 40 < len(texts) < 60
    assert texts == [str(each["text"]) for each in noise[: len(texts)]]
    assert codes(reading) == ["truncated-row", "damaged-gzip"]
    assert content(reading.originals[0]).startswith(b'{"version"')


def test_what_unpacks_to_more_than_logs_may_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voicemode, "LOGS_BYTES_LIMIT", 1 << 20)
    rows = [row("a" * 4000) for _ in range(400)]
    path = pack(log(tmp_path, *rows))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(BadInput):
        formats.read(tmp_path)


def test_a_packed_log_is_not_followed_and_the_one_beside_it_is(tmp_path: Path) -> None:
    old = pack(log(tmp_path, row("old"), day="2026-01-11"))
    log(tmp_path, row("grows"))
    with pytest.raises(BadInput, match="does not grow"):
        next(voicemode.tail(old, lambda: False))
    assert [r["text"] for r in voicemode.tail(tmp_path, lambda: False) if isinstance(r, dict)] == [
        "grows"
    ]


def test_a_packed_log_of_thousands_of_conversations_side_by_side_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voicemode, "MIXED_LIMIT", 20)
    rows = [row(f"{n}", conversation_id=f"conv_{n % 100}") for n in range(300)]
    path = log(tmp_path, *rows)
    assert len(formats.read(path)) == 100
    with pytest.raises(BadInput, match="unpack it first"):
        formats.read(pack(path))
    few = log(tmp_path, *rows[:80], day="2026-01-11")
    assert len(formats.read(pack(few))) == 80
