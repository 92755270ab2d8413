"""A session as pages: what it is, pictures of it, what was said, what happened, what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from vault.export import pictures
from vault.export.captions import clock, who
from vault.export.pages import Block, Document, Facts, Picture, Section, Table, Text, Turns, brief
from vault.export.record import Order, Record, measured
from vault.export.sheets import Cell
from vault.model import Json

#: What stands where nobody is known to have spoken.
NOTHING_SAID = Text("Nothing of what was said is kept.", note=True)
_EVENTS = 500


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
    events = record.session.timeline.events
    if events:
        rows = [(clock(e.offset_ns, "."), e.type, brief(dict(e.data))) for e in events[:_EVENTS]]
        blocks: list[Block] = [Table("events", ("at", "event", "value"), rows)]
        if len(events) > _EVENTS:
            text = f"{len(events) - _EVENTS} more events are left out; json and xlsx hold all."
            order.left("events-left-out", text, record)
            blocks.append(Text(text, note=True))
        yield Section("Events", blocks, 2)
    yield Section("Kept", [parts(record)], 2)
    if record.warnings:
        rows = [(w.code, w.text, w.file or "") for w in record.warnings]
        yield Section("Warnings", [Table("warnings", ("code", "text", "file"), rows)], 2)


def drawn(record: Record) -> Iterator[Picture]:
    """The pictures of a session, those for which there is something to draw."""
    timeline, found = record.session.timeline, measured(record)
    one = pictures.timeline(timeline.segments, timeline.events, record.session.duration_ns)
    if one is not None:
        yield Picture(one, "Timeline: who spoke when, with a tick for each event")
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
    three = pictures.latency(latencies(record), figures(found["latency"]))
    if three is not None:
        yield Picture(three, "Response times over the session, with their median and p95")


def latencies(record: Record) -> list[tuple[int, float]]:
    """The response times that events state: (offset in ns, seconds)."""
    found = []
    for event in record.session.timeline.events:
        value = event.data.get("latency")
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6:
            found.append((event.offset_ns, float(value)))
    return found


def figures(latency: Json) -> Mapping[str, float]:
    """The lines of a plot of response times."""
    named = {"median": "p50_seconds", "p95": "p95_seconds"}
    values = latency if isinstance(latency, dict) else {}
    return {k: v for k, name in named.items() if isinstance(v := values.get(name), int | float)}


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
                (s.text or "[no text]") + (" […]" if s.truncated else ""),
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
    people = ", ".join(f"{p.name} ({p.role})" if p.name else p.role for p in session.participants)
    rows: list[tuple[str, Cell]] = [
        ("Session", record.id),
        ("Source's id", session.external_id),
        ("Format", session.format),
        ("Started", record.started_at.isoformat(timespec="seconds")),
        ("Length", length),
        ("Participants", people or None),
        ("Subjects", ", ".join(session.subjects) or None),
        ("Agent", session.agent),
        ("Tags", ", ".join(session.tags) or None),
        ("Privacy level", record.privacy_level),
        ("Retention class", record.class_name),
        ("Laws", ", ".join((*record.jurisdictions, *record.regimes)) or None),
    ]
    return Facts([row for row in rows if row[1] is not None])
