"""The way out: whatever a session says, what is written of it is harmless and can be read."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from xml.parsers import expat

from tests import records
from tests.fuzz import scratch
from vault import formats
from vault.errors import NotFound
from vault.export import escape, sheets
from vault.export.record import Record
from vault.export.writers import WRITERS, Each, Tree, Whole
from vault.model import Reading

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SEGMENTS_LIMIT = 50
#: Pages cost some 100 ms each: in one of so many inputs.
_DEAR_SHARE = 16


def texts(data: bytes) -> None:
    """Any text, in any of the places where it is escaped."""
    text = data.decode("utf-8", "surrogatepass") if _half(data) else data.decode(errors="replace")
    _well_formed(f'<a b="{escape.xml(text)}">{escape.xml(text)}</a>'.encode())
    assert not escape.cell(text).lstrip(" ").startswith(_FORMULA)
    assert "-->" not in escape.cue(text)
    assert "\n\n" not in escape.cue(text)
    assert "\n" not in escape.line(text)
    name = escape.file_name(text)
    assert name not in {"", ".", ".."}
    assert not set(name) & set('/\\:*?"<>|\0')
    assert len(name.encode()) <= 120
    assert unicodedata.is_normalized("NFC", name)
    rows: list[tuple[str | int]] = [(text,), (1,)]
    _workbook(b"".join(sheets.workbook([sheets.Sheet(text[:40], (text,), rows)])))


def sessions(data: bytes) -> None:
    """A session of any format, written in every format, and read again where there is a reader."""
    place = scratch.write({"input": data}) / "input"
    dear = len(data) % _DEAR_SHARE == 0
    for reading in formats.read(place)[:2]:
        if len(reading.timeline.segments) > _SEGMENTS_LIMIT:
            continue
        for name, check in _CHECKS.items():
            if dear or name not in {"pdf", "docx"}:
                _write(_record(reading), name, check)


def _record(reading: Reading) -> Record:
    started = reading.started_at or records.AT
    return replace(records.record(), session=reading, started_at=started, ended_at=started)


def _write(record: Record, name: str, check: Callable[[bytes], None]) -> None:
    writer, order = WRITERS[name], records.order()
    try:
        if isinstance(writer, Whole):
            check(_joined(writer.write([record], order)))
        elif isinstance(writer, Each):
            check(_joined(writer.write(record, order)))
        elif isinstance(writer, Tree):
            made = {file: _joined(blocks) for file, blocks in writer.write(record, order)}
            assert all(writer.owns.fullmatch(file) for file in made)
            check(scratch.pack(made))
    except NotFound:
        return  # there is nothing of the kind in this session


def _joined(blocks: Iterator[bytes]) -> bytes:
    return b"".join(blocks)


def _half(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _json(data: bytes) -> None:
    json.loads(data)


def _lines(data: bytes) -> None:
    for line in data.splitlines():
        json.loads(line)


def _csv(data: bytes) -> None:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert len({len(row) for row in rows}) == 1
    assert not [c for row in rows[1:] for c in row if c.lstrip(" ").startswith(_FORMULA)]


def _well_formed(data: bytes) -> None:
    expat.ParserCreate().Parse(data, True)


def _workbook(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        for name in (n for n in book.namelist() if n.endswith((".xml", ".rels"))):
            _well_formed(book.read(name))


def _zip(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        names = found.namelist()
    assert len(names) == len(set(names))
    assert not [n for n in names if n.startswith("/") or ".." in n.split("/") or "\\" in n]


def _text(data: bytes) -> None:
    data.decode()


def _read_as(name: str) -> Callable[[bytes], None]:
    """That the reader of the format takes what was written, if there is anything in it."""

    def check(data: bytes) -> None:
        if data.strip() not in {b"", b"WEBVTT"}:
            place = scratch.write({"again": data}) / "again"
            assert formats.read(place, name)

    return check


def _bundle(data: bytes) -> None:
    assert formats.read(scratch.write(scratch.unpack(data)), "scenario")


_CHECKS: dict[str, Callable[[bytes], None]] = {
    "json": _json,
    "jsonl": _lines,
    "csv": _csv,
    "xml": _well_formed,
    "html": _text,
    "xlsx": _workbook,
    "docx": _workbook,
    "pdf": lambda _: None,
    "zip": _zip,
    "txt": _text,
    "srt": _read_as("srt"),
    "vtt": _read_as("webvtt"),
    "vcon": _read_as("vcon"),
    "promptkit": _read_as("promptkit"),
    "promptkit-jsonl": _read_as("promptkit"),
    "voicemode": _read_as("voicemode"),
    "scenario": _bundle,
}
