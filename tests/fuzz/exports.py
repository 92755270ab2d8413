"""The way out: whatever a session says, what is written of it is harmless and can be read."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from xml.parsers import expat

from tests import records
from tests.fuzz import scratch
from vault import formats
from vault.errors import NotFound, StrongroomError
from vault.export import escape, sheets
from vault.export.record import Record, document
from vault.export.writers import WRITERS, Each, Tree, Whole
from vault.formats import promptkit_annotations
from vault.formats.fields import Notes
from vault.formats.source import relative
from vault.model import Annotation, Json, Kind, Reading
from vault.operations import leaving
from vault.replay.analysis import analyse

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SEGMENTS_LIMIT = 50
#: Pages cost some 100 ms each: in one of so many inputs.
_DEAR_SHARE = 16
#: Words that no escaping changes, and that nothing else than a turn is likely to say.
_PLAIN = re.compile(r"[A-Za-z0-9 ]{12,}")


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
    dear = len(data) % _DEAR_SHARE == 0
    for reading in _readings(data):
        for name, check in _CHECKS.items():
            if dear or name not in {"pdf", "docx"}:
                _write(_record(reading), name, check)


def recordings(data: bytes) -> None:
    """A session as PromptKit's and as VoiceMode's, with what lies beside it, read again."""
    for reading in _readings(data):
        with suppress(NotFound):
            _as_log(_record(reading))
        for name in ("promptkit", "promptkit-jsonl"):
            made, again = _as_recording(_record(reading), name)
            sound = {each.name for each in again.originals if each.kind is Kind.AUDIO}
            if reading.format != "promptkit":
                assert sound == {n for n in made if n.startswith("blobs/")}


def remarks(data: bytes) -> None:
    """A file of PromptKit's annotations: what is read can be written, and is read again."""
    rows = data.split(b"\n")
    found = promptkit_annotations.read(rows, "input", 0, Notes())
    lines = list(promptkit_annotations.write(found, "s", str, {}, {}))
    again = promptkit_annotations.read(lines, "again", 0, Notes())
    assert list(map(_gist, again)) == list(map(_gist, found))
    assert list(promptkit_annotations.write(again, "s", str, {}, {})) == lines
    plain = records.record()
    timeline = replace(plain.session.timeline, annotations=found)
    record = replace(plain, session=replace(plain.session, timeline=timeline))
    known = [each for each in found if each.type in promptkit_annotations.TYPES]
    _, reading = _as_recording(record, "promptkit")
    assert list(map(_gist, reading.timeline.annotations)) == list(map(_gist, known))


def _as_recording(record: Record, name: str) -> tuple[dict[str, bytes], Reading]:
    """What lies beside a PromptKit recording, and what its reader makes of all of it."""
    writer, order = WRITERS[name], records.order()
    assert isinstance(writer, Each)
    text = _joined(writer.write(record, order))
    made = {n: _joined(blocks) for n, blocks in writer.beside(record, order)}
    assert all(writer.owns.fullmatch(n) for n in made)
    place = scratch.write({"again.json": text, **made}) / "again.json"
    (again,) = formats.read(place, "promptkit")
    return made, again


def _as_log(record: Record) -> None:
    """A VoiceMode log, whose reader finds every recording that lies beside it."""
    writer, order = WRITERS["voicemode"], records.order()
    assert isinstance(writer, Each)
    text = _joined(writer.write(record, order))
    made = {n: _joined(blocks) for n, blocks in writer.beside(record, order)}
    assert all(writer.owns.fullmatch(n) and relative(n) == n for n in made)
    name = "voicemode_events" if record.session.format == "voicemode-events" else "exchanges"
    place = scratch.write({f"{name}_2026-01-10.jsonl": text, **made})
    again = formats.read(place, name.replace("_", "-").replace("exchanges", "voicemode"))
    found = {o.name for one in again for o in one.originals if o.kind is Kind.AUDIO}
    assert found == made.keys()


def _gist(one: Annotation) -> tuple[Json, ...]:
    return one.id, one.type, one.key, one.version, one.previous_id, one.target, one.deleted


def without(data: bytes) -> None:
    """A session with every kind of thing left out: it can be written, and says none of it."""
    for reading in _readings(data):
        record = _record(reading)
        for number, kind in enumerate(leaving.KINDS):
            less, order = leaving.less(record, {kind}), records.order()
            leaving.note(order, {kind})
            assert {warning.code for warning in order.notes.all()} == {f"{kind}-left-out"}
            for name in leaving.FORMATS:
                leaving.check(name, {kind})
                if name not in {"pdf", "docx"} or len(data) % _DEAR_SHARE == number:
                    _write(less, name, _CHECKS[name])
            if kind == "transcript":
                _wordless(reading, less)
            if kind == "audio":
                assert not list(less.session.recordings())


def _readings(data: bytes) -> list[Reading]:
    """The first sessions of a lone file, or of a folder; none that has very many turns."""
    files = scratch.unpack(data) or {"input": data}
    place = scratch.write(files)
    found: list[Reading] = []
    for source in formats.walk(place) if len(files) > 1 else [place / next(iter(files))]:
        with suppress(StrongroomError):
            found += formats.read(source)
        if len(found) > 1:
            break
    return [one for one in found[:2] if len(one.timeline.segments) <= _SEGMENTS_LIMIT]


def _wordless(reading: Reading, less: Record) -> None:
    """No turn's words are in an export that is to be without them, unless other fields say them."""
    told = document(less)
    kept = "\n".join(_strings(told))
    html, xml = _one("html", less), _one("xml", less)
    for segment in reading.timeline.segments:
        said = segment.text or ""
        if _PLAIN.fullmatch(said) and said not in kept:
            assert said.encode() not in html
            assert said.encode() not in xml
    within = [told[key] for key in ("annotations", "source", "analyses")]
    assert not [text for each in within for text in _strings(each)]
    assert not [turn for turn in less.session.timeline.segments if turn.text or turn.data]


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _strings(str(key))
            yield from _strings(inner)


def _one(name: str, record: Record) -> bytes:
    writer = WRITERS[name]
    assert isinstance(writer, Whole)
    return _joined(writer.write([record], records.order()))


def _record(reading: Reading) -> Record:
    started = reading.started_at or records.AT
    found = partial(analyse, reading.timeline, reading.duration_ns)
    plain = records.record()
    return replace(plain, session=reading, started_at=started, ended_at=started, analyses=found)


def _write(record: Record, name: str, check: Callable[[bytes], None]) -> None:
    writer, order = WRITERS[name], records.order()
    try:
        if isinstance(writer, Whole):
            check(_joined(writer.write([record], order)))
        elif isinstance(writer, Each):
            check(_joined(writer.write(record, order)))
            made = {file: _joined(blocks) for file, blocks in writer.beside(record, order)}
            assert all(writer.owns.fullmatch(file) for file in made)
            assert not any({"..", ""} & set(file.split("/")) for file in made)
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
