"""What reports count: each tally sees every session once and then says what it found."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vault.export import pictures, story
from vault.export.pages import Block, Facts, Picture, Section, Table, Text, Turns, brief
from vault.export.record import Record, measured
from vault.export.responses import responses
from vault.export.sheets import Cell
from vault.export.sums import mapping, most, number, numbers, shared_time
from vault.export.times import clock
from vault.export.waiting import Waiting
from vault.replay import metrics


class Tally(Protocol):
    """Adds sessions one by one; `sections` is asked once, at the end."""

    def add(self, record: Record) -> None: ...

    def sections(self) -> Iterator[Section]: ...


@dataclass(slots=True)
class Summary:
    """What there is: every session with its length and size."""

    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    only: Record | None = None
    total_ns: int = 0
    turns: int = 0
    words: int = 0

    def add(self, record: Record) -> None:
        timeline = record.session.timeline
        self.only = None if self.rows else record
        self.total_ns += record.session.duration_ns or 0
        self.turns += len(timeline.segments)
        self.words += sum(len((s.text or "").split()) for s in timeline.segments)
        self.rows.append(
            (
                record.started_at.isoformat(timespec="seconds"),
                record.name,
                record.session.format,
                _length(record.session.duration_ns),
                len(timeline.segments),
                len(timeline.events),
                len(record.warnings),
            )
        )

    def sections(self) -> Iterator[Section]:
        starts = sorted(str(row[0]) for row in self.rows)
        facts: list[tuple[str, Cell]] = [
            ("Sessions", len(self.rows)),
            ("From", starts[0] if starts else None),
            ("To", starts[-1] if starts else None),
            ("Length in all", _length(self.total_ns)),
            ("Turns", self.turns),
            ("Words", self.words),
        ]
        drawn = story.drawn(self.only) if self.only else ()
        columns = ("started", "name", "format", "length", "turns", "events", "warnings")
        yield Section("Summary", [Facts(facts), *drawn, Table("sessions", columns, self.rows)])


@dataclass(slots=True)
class Quality:
    """How the talk went, measured on its timeline, and what the source states of it."""

    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    stated: list[tuple[Cell, ...]] = field(default_factory=list)
    roles: dict[str, float] = field(default_factory=dict)
    silence: float = 0.0

    def add(self, record: Record) -> None:
        found, analysed = measured(record), record.analyses()
        heard, cut = (
            mapping(analysed.get("quality")),
            mapping(analysed.get("interruption_analysis")),
        )
        roles = numbers(found["role_seconds"])
        spoken = sum(roles.values()) or None
        speech = number(heard.get("speech_seconds"))
        by_sound = speech is not None
        silence = heard.get("silence_seconds") if by_sound else found["silence_seconds"]
        for role, seconds in roles.items():
            self.roles[role] = self.roles.get(role, 0.0) + seconds
        self.silence += number(silence) or 0.0
        self.rows.append(
            (
                record.name,
                speech if by_sound else number(found["speech_coverage_seconds"]),
                number(silence),
                "sound" if by_sound else "times",
                number(found["overlap_seconds"]),
                None if spoken is None else round(100 * roles.get("user", 0.0) / spoken),
                number(cut.get("count")),
                number(heard.get("signal_to_noise_db")),
                number(heard.get("confidence_mean")),
            )
        )
        self.stated += [
            (record.name, k, v if isinstance(v, int | float) else brief(v))
            for k, v in record.session.metrics.items()
        ]

    def sections(self) -> Iterator[Section]:
        columns = (
            *("name", "speech s", "silence s", "by", "overlap s", "user %"),
            *("interruptions", "noise dB", "confidence"),
        )
        text = (
            "Speech, silence and the distance to noise are estimates: by energy where the sound "
            "was listened to, else by transport times. Interruptions are those stated, and "
            "overlaps of 0.2 s or more. – is what nobody measured."
        )
        blocks: list[Block] = [*shared_time(self.roles, self.silence)]
        blocks += [Table("quality", columns, self.rows), Text(text, note=True)]
        if self.stated:
            blocks.append(Text("What the sources state themselves, unchecked:"))
            blocks.append(Table("stated", ("name", "metric", "value"), self.stated))
        yield Section("Quality", blocks)


@dataclass(slots=True)
class Transcripts:
    """What was said, session by session; it waits out of memory until it is asked for."""

    said: Waiting = field(default_factory=Waiting)
    counts: Counter[str] = field(default_factory=Counter)
    confidence: tuple[int, float] = 0, 0.0

    def add(self, record: Record) -> None:
        segments = record.session.timeline.segments
        block = story.turns(record)
        rows = block.rows if isinstance(block, Turns) else ()
        self.said.add(json.dumps([record.name, rows]).encode() + b"\n")
        self.counts["turns"] += len(segments)
        self.counts["without text"] += sum(not s.text for s in segments)
        self.counts["cut off"] += sum(s.truncated for s in segments)
        self.counts["words"] += sum(len((s.text or "").split()) for s in segments)
        stated = (number(s.data.get("confidence")) for s in segments)
        values = [v for v in stated if v is not None and 0 <= v <= 1]
        count, total = self.confidence
        self.confidence = count + len(values), total + sum(values)

    def sections(self) -> Iterator[Section]:
        count, total = self.confidence
        mean = total / count if count else None
        facts: list[tuple[str, Cell]] = [(k.capitalize(), v) for k, v in self.counts.items()]
        facts.append(("Stated confidence", mean))
        yield Section("Transcripts", [Facts(facts)])
        with self.said:
            for line in self.said.lines():
                name, rows = json.loads(line)
                yield Section(name, [Turns(rows) if rows else story.NOTHING_SAID], 2)


@dataclass(slots=True)
class Performance:
    """How fast agents answered, and what their tools did."""

    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    all_seconds: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    tools: Counter[str] = field(default_factory=Counter)
    only: Record | None = None

    def add(self, record: Record) -> None:
        self.only = None if self.rows else record
        latency, answered = numbers(measured(record)["latency"]), responses(record)
        self.all_seconds += [seconds for _, seconds in answered.times]
        first = latency.get("time_to_first_byte_seconds")
        self.first_bytes += [] if first is None else [first]
        kinds = (e.type for e in record.session.timeline.events)
        self.tools.update(kind for kind in kinds if kind.startswith(("tool_", "tool.")))
        found = numbers(answered.figures)
        self.rows.append(
            (
                record.name,
                *(found.get(n) for n in ("count", "avg_seconds", "p50_seconds", "p95_seconds")),
                answered.by if answered.times else None,
                first,
                latency.get("interrupt_response_seconds"),
            )
        )

    def sections(self) -> Iterator[Section]:
        found = numbers(metrics.summed(self.all_seconds))
        facts: list[tuple[str, Cell]] = [
            ("Responses", len(self.all_seconds)),
            ("Average", found.get("avg_seconds")),
            ("Median", found.get("p50_seconds")),
            ("p95", found.get("p95_seconds")),
            ("First byte", statistics.fmean(self.first_bytes) if self.first_bytes else None),
        ]
        blocks: list[Block] = [
            Facts([(k, f"{v:.3f} s" if isinstance(v, float) else v) for k, v in facts])
        ]
        blocks += self._picture(story.figures(found))
        columns = ("name", "responses", "avg s", "median s", "p95 s", "by", "first byte s")
        blocks.append(Table("latency", (*columns, "interrupt s"), self.rows))
        if "times" in (row[5] for row in self.rows):
            text = (
                "By times are estimates: from the end of a user's turn to the begin of the agent's "
                "next one, by transport times, where the source states no response times."
            )
            blocks.append(Text(text, note=True))
        if self.tools:
            blocks.append(most("tool event", self.tools))
        yield Section("Performance", blocks)

    def _picture(self, lines: Mapping[str, float]) -> Iterator[Picture]:
        """Of one session when each response came, of several how many took how long."""
        if self.only is None:
            plot = pictures.spread(self.all_seconds)
            caption = "Responses by how long they took"
        else:
            plot = pictures.latency(responses(self.only).times, lines)
            caption = "Response times over the session, with median and p95"
        if plot is not None:
            yield Picture(plot, caption)


def _length(nanoseconds: int | None) -> str | None:
    return None if nanoseconds is None else clock(nanoseconds, ".")
