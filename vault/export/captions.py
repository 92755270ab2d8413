"""What was said, as text and as captions. Times count from the session's start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vault.export import remarks
from vault.export.escape import cue, line, vtt
from vault.export.record import Order, Record
from vault.export.times import clock
from vault.model import Segment

#: How long a caption stays whose source gives it no time at all.
_LEAST_NS = 1_000_000_000


def txt_file(records: Iterable[Record], order: Order) -> Iterator[bytes]:
    """A transcript to read: a heading for each session, a line for each turn and annotation."""
    for number, record in enumerate(records):
        began = record.started_at.isoformat(timespec="seconds")
        heading = line(record.name)
        apart = "\n\n" if number else ""
        yield f"{apart}{heading}\n{began}  {record.id}\n\n".encode()
        for segment in said(record, order):
            text = line(words(segment))
            yield f"[{clock(segment.start_ns, '.')}] {who(segment)}: {text}\n".encode()
        yield from _remarks(record)


def srt_file(record: Record, order: Order) -> Iterator[bytes]:
    """SubRip captions of one session, the speaker in front."""
    for number, segment in enumerate(said(record, order), 1):
        start, end = span(segment)
        text = cue(f"{who(segment)}: {words(segment)}")
        yield f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n\n".encode()


def vtt_file(record: Record, order: Order) -> Iterator[bytes]:
    """WebVTT captions of one session, the speaker as their voice."""
    yield f"WEBVTT\n\nNOTE {record.id}\n\n".encode()
    for segment in said(record, order):
        start, end = span(segment)
        voice = vtt(who(segment)).replace("\n", " ")
        text = f"<v {voice}>{vtt(words(segment))}"
        yield f"{clock(start, '.')} --> {clock(end, '.')}\n{text}\n\n".encode()


def said(record: Record, order: Order | None = None) -> list[Segment]:
    """The turns that have text, in the order they began; notes how many have none."""
    segments = record.session.timeline.segments
    found = [s for s in segments if s.text and s.text.strip()]
    if order is not None and len(found) < len(segments):
        text = f"{len(segments) - len(found)} turns without text are left out."
        order.left("wordless-turns", text, record)
    elif order is not None and not segments:
        order.left("no-turns", "Nothing is known of what was said.", record)
    return sorted(found, key=lambda s: (s.start_ns, s.index))


def who(segment: Segment) -> str:
    """Who speaks: the name, else the role."""
    return line(segment.speaker or "") or segment.role


def words(segment: Segment) -> str:
    """What a turn said, with […] where it was cut off."""
    return (segment.text or "[no text]") + (" […]" if segment.truncated else "")


def span(segment: Segment) -> tuple[int, int]:
    """When a caption is shown (ns): the transport's times, or as long as its sound lasts."""
    longest = max(segment.end_ns, segment.start_ns + (segment.decoded_ns or 0))
    return segment.start_ns, longest if longest > segment.start_ns else longest + _LEAST_NS


def _remarks(record: Record) -> Iterator[bytes]:
    """A line for each annotation, if there are any."""
    found = remarks.annotated(record).rows
    if found:
        yield b"\nAnnotations\n"
    for about, kind, key, value in found:
        where, what = line(str(about)), line(f"{kind} {key}: {value}")
        yield f"[{where}] {what}\n".encode()
