"""Sessions as rows: CSV with a row for each turn, a workbook with sheets for everything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from vault.export import sheets
from vault.export.escape import csv_cell
from vault.export.record import Order, Record, measured
from vault.export.sheets import CELL_CHARACTERS, Cell, Sheet
from vault.export.waiting import Waiting
from vault.model import Segment

_SECOND_NS = 1_000_000_000
_SESSION = (
    *("session", "external_id", "title", "format", "started_at", "duration_seconds"),
    *("privacy_level", "class", "jurisdictions", "regimes", "subjects", "agent", "tags"),
    *("turns", "events", "warnings", "latency_count", "latency_avg_seconds"),
    *("latency_p50_seconds", "latency_p95_seconds", "silence_seconds", "overlap_seconds"),
)
_TURN = (
    *("session", "index", "role", "speaker", "start_seconds", "end_seconds"),
    *("decoded_seconds", "text", "truncated", "file"),
)
_EVENT = ("session", "seq", "type", "offset_seconds", "value")
_NOTED = ("session", "code", "text", "file")
_CSV = ("session", "external_id", "format", "started_at", *_TURN[1:])


def csv_file(records: Iterable[Record], order: Order) -> Iterator[bytes]:
    """A row for each turn, and one for a session without any. UTF-8 with a mark, RFC 4180.

    What would be a formula has an apostrophe in front.
    """
    text = "A csv holds turns; events, metrics and parts are in json, xlsx, xml and zip."
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
    """A workbook: sessions, turns, events, warnings.

    A sheet is written before the next begins, so what the later sheets hold waits.
    """
    with Waiting() as turns, Waiting() as events, Waiting() as noted:
        sessions = _sessions(records, order, turns, events, noted)
        yield from sheets.workbook(
            [
                Sheet("sessions", _SESSION, sessions),
                Sheet("turns", _TURN, _kept(turns)),
                Sheet("events", _EVENT, _kept(events)),
                Sheet("warnings", _NOTED, _kept(noted)),
            ]
        )


def _sessions(
    records: Iterable[Record], order: Order, turns: Waiting, events: Waiting, noted: Waiting
) -> Iterator[Sequence[Cell]]:
    """The row of each session, while the rows of the later sheets are put aside."""
    for record in records:
        timeline = record.session.timeline
        _keep(turns, (_turn(record, s) for s in timeline.segments))
        _keep(events, _events(record))
        _keep(noted, ((record.id, w.code, w.text, w.file) for w in record.warnings))
        if any(len(s.text or "") > CELL_CHARACTERS for s in timeline.segments):
            text = f"An Excel cell holds {CELL_CHARACTERS} characters; longer texts are cut."
            order.left("cell-cut", text, record)
        yield _session(record)


def _keep(waiting: Waiting, rows: Iterable[Sequence[Cell]]) -> None:
    for row in rows:
        waiting.add(json.dumps(row).encode() + b"\n")


def _kept(waiting: Waiting) -> Iterator[Sequence[Cell]]:
    return map(json.loads, waiting.lines())


def _session(record: Record) -> Sequence[Cell]:
    session, found = record.session, measured(record)
    latency = found["latency"]
    figures = latency if isinstance(latency, dict) else {}
    return (
        *(record.id, session.external_id, session.title, session.format),
        *(record.started_at.isoformat(), _seconds(session.duration_ns)),
        *(record.privacy_level, record.class_name),
        *map(", ".join, (record.jurisdictions, record.regimes, session.subjects)),
        *(session.agent, ", ".join(session.tags)),
        *(len(session.timeline.segments), len(session.timeline.events), len(record.warnings)),
        *(_number(figures.get(n)) for n in ("count", "avg_seconds", "p50_seconds", "p95_seconds")),
        *(_number(found[n]) for n in ("silence_seconds", "overlap_seconds")),
    )


def _turn(record: Record, turn: Segment) -> Sequence[Cell]:
    return (
        *(record.id, turn.index, turn.role, turn.speaker),
        *(_seconds(turn.start_ns), _seconds(turn.end_ns), _seconds(turn.decoded_ns)),
        *(turn.text, "yes" if turn.truncated else None, turn.file),
    )


def _events(record: Record) -> Iterator[Sequence[Cell]]:
    for event in record.session.timeline.events:
        value = json.dumps(dict(event.data), ensure_ascii=False) if event.data else None
        yield (record.id, event.seq, event.type, _seconds(event.offset_ns), value)


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _SECOND_NS


def _number(value: object) -> Cell:
    return value if isinstance(value, int | float) else None


def _line(cells: Sequence[Cell]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerow([csv_cell(c) if isinstance(c, str) else c for c in cells])
    return stream.getvalue().encode(errors="replace")
