"""A session as pages: what it is, pictures of it, what was said, what happened, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from vault.export import pictures, remarks
from vault.export.captions import who, words
from vault.export.findings import Finding, findings
from vault.export.pages import Block, Document, Facts, Picture, Section, Table, Text, Turns, brief
from vault.export.record import Order, Record, measured
from vault.export.responses import responses
from vault.export.sheets import Cell
from vault.export.times import clock
from vault.model import Event, Json

#: What stands where nobody is known to have spoken.
NOTHING_SAID = Text("Nothing of what was said is kept.", note=True)
_BASIS = Text("Measured or stated by the source; or estimated, by rules that json has.", note=True)
#: More rows of one kind than a page of one session shows.
_ROWS = 500
_T = TypeVar("_T")


def sessions(records: Iterable[Record], order: Order) -> Document:
    """A document of every session, one after the other; of a single one it has the name."""
    found = iter(records)
    title, about = "Sessions", ""
    if order.scope == "single_session":
        first = next(found)
        title, about, found = first.name, "Session", chain([first], found)
    sections = (section for record in found for section in story(record, order, about))
    return Document(title, "strongroom", order.made_at, sections)


def story(record: Record, order: Order, title: str = "") -> Iterator[Section]:
    """The sections of one session, the first under its name or the given title."""
    yield Section(title or record.name, [_facts(record), *drawn(record)])
    yield Section("Transcript", [turns(record)], 2)
    found = [(kind, each) for kind, own in findings(record.analyses()) for each in own]
    if found:
        yield Section("Analyses", [_BASIS, *_beginning(found, _findings, record, order)], 2)
    events = record.session.timeline.events
    if events:
        yield Section("Events", _beginning(events, _events, record, order), 2)
    if record.session.timeline.annotations:
        yield Section("Annotations", [remarks.annotated(record)], 2)
    stated = list(remarks.fields(record))
    if stated:
        told = Text("By the source itself, unchecked.", note=True)
        yield Section("Stated", [told, *_beginning(stated, remarks.stated, record, order)], 2)
    yield Section("Kept", [parts(record)], 2)
    if record.warnings:
        rows = [(w.code, w.text, w.file or "") for w in record.warnings]
        yield Section("Warnings", [Table("warnings", ("code", "text", "file"), rows)], 2)


def _beginning(
    found: Sequence[_T], table: Callable[[Sequence[_T]], Table], record: Record, order: Order
) -> list[Block]:
    """As much of a table as a page shows, and how many rows are left out."""
    shown = table(found[:_ROWS])
    if len(found) <= _ROWS:
        return [shown]
    text = f"{len(found) - _ROWS} more rows of {shown.name} are left out; json and xlsx hold all."
    order.left(f"{shown.name}-left-out", text, record)
    return [shown, Text(text, note=True)]


def _events(events: Sequence[Event]) -> Table:
    rows = [(clock(e.offset_ns, "."), e.type, brief(dict(e.data))) for e in events]
    return Table("events", ("at", "event", "value"), rows)


def _findings(found: Sequence[tuple[str, Finding]]) -> Table:
    """A row for each figure; the name of an analysis stands before its first."""
    rows: list[Sequence[Cell]] = []
    before = ""
    for name, one in found:
        rows.append(("" if name == before else name, *one))
        before = name
    return Table("findings", ("analysis", "figure", "value", "basis"), rows)


def drawn(record: Record) -> Iterator[Picture]:
    """The pictures of a session, those for which there is something to draw."""
    timeline, found = record.session.timeline, measured(record)
    one = pictures.timeline(timeline.segments, timeline.events, record.session.duration_ns)
    if one is not None:
        yield Picture(one, "Timeline: who spoke when, with a tick for each event")
    if not record.measured:
        return
    roles = found["role_seconds"]
    silence = found["silence_seconds"]
    seconds = (
        {r: float(v) for r, v in roles.items() if isinstance(v, int | float)}
        if isinstance(roles, dict)
        else {}
    )
    two = pictures.talk_time(seconds, silence if isinstance(silence, float) else None)
    if two is not None:
        yield Picture(two, "Talk time: each role's share of the time, and silence")
    answered = responses(record)
    three = pictures.latency(answered.times, figures(answered.figures))
    if three is not None:
        how = "stated" if answered.by == "source" else "by transport times"
        yield Picture(three, f"Response times over the session, {how}, with their median and p95")


def figures(latency: Mapping[str, Json]) -> Mapping[str, float]:
    """The lines of a plot of response times."""
    named = {"median": "p50_seconds", "p95": "p95_seconds"}
    return {k: v for k, name in named.items() if isinstance(v := latency.get(name), int | float)}


def turns(record: Record) -> Block:
    """What was said, turn by turn; a turn without text is shown as such."""
    segments = sorted(record.session.timeline.segments, key=lambda s: (s.start_ns, s.index))
    if not segments:
        return NOTHING_SAID
    return Turns(
        [
            (
                clock(s.start_ns, ".")[:-2],
                s.role,
                who(s),
                words(s),
            )
            for s in segments
        ]
    )


def parts(record: Record) -> Block:
    """What is stored of a session, with digests."""
    rows = [(p.name, p.media_type, p.size_bytes, p.sha256[:16]) for p in record.parts]
    if not rows:
        return Text("No files are kept.", note=True)
    return Table("parts", ("name", "type", "bytes", "sha256 begins"), rows)


def _facts(record: Record) -> Facts:
    session = record.session
    length = None if session.duration_ns is None else clock(session.duration_ns, ".")
    rows: list[tuple[str, Cell]] = [
        ("Session", record.id),
        ("Source's id", session.external_id),
        ("Format", session.format),
        ("Started", record.started_at.isoformat(timespec="seconds")),
        ("Length", length),
        ("Participants", record.people or None),
        ("Subjects", ", ".join(session.subjects) or None),
        ("Agent", session.agent),
        ("Tags", ", ".join(session.tags) or None),
        ("Privacy level", record.privacy_level),
        ("Retention class", record.class_name),
        ("Laws", ", ".join((*record.jurisdictions, *record.regimes)) or None),
    ]
    return Facts([row for row in rows if row[1] is not None])
