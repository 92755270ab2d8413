"""Sessions as rows: CSV with a row for each turn, a workbook with sheets for everything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TypeAlias

from vault.export import remarks, sheets
from vault.export.escape import csv_cell
from vault.export.findings import findings
from vault.export.record import Order, Record, measured
from vault.export.sheets import CELL_CHARACTERS, Cell, Sheet
from vault.export.waiting import Waiting
from vault.model import Json, Segment

_SECOND_NS = 1_000_000_000
_SESSION = (
    *("session", "external_id", "title", "format", "started_at", "duration_seconds"),
    *("privacy_level", "class", "jurisdictions", "regimes", "subjects", "participants"),
    *("agent", "tags"),
    *("turns", "events", "warnings", "latency_count", "latency_avg_seconds"),
    *("latency_p50_seconds", "latency_p95_seconds", "silence_seconds", "overlap_seconds"),
)
_TURN = (
    *("session", "index", "role", "speaker", "start_seconds", "end_seconds"),
    *("decoded_seconds", "text", "truncated", "file"),
)
_EVENT = ("session", "seq", "type", "offset_seconds", "value")
_FINDING = ("session", "analysis", "figure", "value", "basis")
_ANNOTATION = ("session", "about", "type", "key", "value", "version", "more")
_STATED = ("session", "name", "value")
_PART = ("session", "name", "type", "bytes", "sha256")
_NOTED = ("session", "code", "text", "file")
_CSV = ("session", "external_id", "format", "started_at", *_TURN[1:])


def csv_file(records: Iterable[Record], order: Order) -> Iterator[bytes]:
    """A row for each turn, and one for a session without any. UTF-8 with a mark, RFC 4180.

    What would be a formula has an apostrophe in front.
    """
    text = "A csv holds turns; events, annotations, metrics and parts are in xlsx, json and xml."
    order.notes.add("csv-holds-turns", text)
    yield b"\xef\xbb\xbf" + _line(_CSV)
    for record in records:
        about = (
            record.id,
            record.session.external_id,
            record.session.format,
            record.started_at.isoformat(),
        )
        turns = record.session.timeline.segments
        for turn in turns:
            yield _line((*about, *_turn(record, turn)[1:]))
        if not turns:
            yield _line((*about, *[None] * (len(_TURN) - 1)))


def rows_as_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Any table as CSV."""
    yield _line(columns)
    for row in rows:
        yield _line(row)


def xlsx_file(records: Iterable[Record], order: Order) -> Iterator[bytes]:
    """A workbook: a sheet of sessions, and one for each thing that a session has many of.

    A sheet is written before the next begins, so what the later sheets hold waits.
    """
    with ExitStack() as stack:
        waiting = {name: stack.enter_context(Waiting()) for name in _LATER}
        first = Sheet("sessions", _SESSION, _sessions(records, order, waiting))
        later = [Sheet(name, _LATER[name][0], _kept(rows)) for name, rows in waiting.items()]
        yield from sheets.workbook([first, *later])


def _sessions(
    records: Iterable[Record], order: Order, waiting: Mapping[str, Waiting]
) -> Iterator[Sequence[Cell]]:
    """The row of each session, while the rows of the later sheets are put aside."""
    for record in records:
        longest = 0
        for name, (_, rows) in _LATER.items():
            for row in rows(record):
                longest = max(longest, *(len(c) for c in row if isinstance(c, str)))
                waiting[name].add(json.dumps(row).encode() + b"\n")
        if longest > CELL_CHARACTERS:
            text = f"An Excel cell holds {CELL_CHARACTERS} characters; longer texts are cut."
            order.left("cell-cut", text, record)
        yield _session(record)


def _kept(waiting: Waiting) -> Iterator[Sequence[Cell]]:
    return map(json.loads, waiting.lines())


def _session(record: Record) -> Sequence[Cell]:
    session, found = record.session, measured(record)
    latency = found.get("latency")
    figures = latency if isinstance(latency, dict) else {}
    return (
        *(record.id, session.external_id, session.title, session.format),
        *(record.started_at.isoformat(), _seconds(session.duration_ns)),
        *(record.privacy_level, record.class_name),
        *map(", ".join, (record.jurisdictions, record.regimes, session.subjects)),
        *(record.people, session.agent, ", ".join(session.tags)),
        *(len(session.timeline.segments), len(session.timeline.events), len(record.warnings)),
        *(_number(figures.get(n)) for n in ("count", "avg_seconds", "p50_seconds", "p95_seconds")),
        *(_number(found.get(n)) for n in ("silence_seconds", "overlap_seconds")),
    )


def _turn(record: Record, turn: Segment) -> Sequence[Cell]:
    return (
        *(record.id, turn.index, turn.role, turn.speaker),
        *(_seconds(turn.start_ns), _seconds(turn.end_ns), _seconds(turn.decoded_ns)),
        *(turn.text, "yes" if turn.truncated else None, turn.file),
    )


def _turns(record: Record) -> Iterator[Sequence[Cell]]:
    return (_turn(record, turn) for turn in record.session.timeline.segments)


def _events(record: Record) -> Iterator[Sequence[Cell]]:
    for event in record.session.timeline.events:
        yield (record.id, event.seq, event.type, _seconds(event.offset_ns), _value(event.data))


def _findings(record: Record) -> Iterator[Sequence[Cell]]:
    for kind, found in findings(record.analyses()):
        yield from ((record.id, kind, *one) for one in found)


def _annotations(record: Record) -> Iterator[Sequence[Cell]]:
    for one in record.session.timeline.annotations:
        value, more = _value(one.value), _value(one.data)
        yield (record.id, remarks.about(one), one.type, one.key, value, one.version, more)


def _stated(record: Record) -> Iterator[Sequence[Cell]]:
    return ((record.id, name, _value(value)) for name, value in remarks.fields(record))


def _parts(record: Record) -> Iterator[Sequence[Cell]]:
    return ((record.id, p.name, p.media_type, p.size_bytes, p.sha256) for p in record.parts)


def _warnings(record: Record) -> Iterator[Sequence[Cell]]:
    return ((record.id, w.code, w.text, w.file) for w in record.warnings)


_Rows: TypeAlias = Callable[[Record], Iterator[Sequence[Cell]]]
#: Every sheet after that of the sessions: its columns, and the rows that a session has in it.
_LATER: Mapping[str, tuple[Sequence[str], _Rows]] = {
    "turns": (_TURN, _turns),
    "events": (_EVENT, _events),
    "analyses": (_FINDING, _findings),
    "annotations": (_ANNOTATION, _annotations),
    "stated": (_STATED, _stated),
    "parts": (_PART, _parts),
    "warnings": (_NOTED, _warnings),
}


def _value(value: Json | Mapping[str, Json]) -> Cell:
    """What a source states, as it is or, where it has parts of its own, as JSON."""
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=dict) if value else None
    return value


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _SECOND_NS


def _number(value: object) -> Cell:
    return value if isinstance(value, int | float) else None


def _line(cells: Sequence[Cell]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerow([csv_cell(c) if isinstance(c, str) else c for c in cells])
    return stream.getvalue().encode(errors="replace")
