"""What reports count: each tally sees every session once and then says what it found."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vault.export import pictures, story
from vault.export.captions import clock
from vault.export.pages import Block, Facts, Picture, Section, Table, Text, Turns, brief
from vault.export.record import Record, measured
from vault.export.sheets import Cell
from vault.export.waiting import Waiting
from vault.model import Json, Kind

_SECOND_NS = 1_000_000_000
_MOST = 30


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
    figures: list[tuple[Cell, ...]] = field(default_factory=list)

    def add(self, record: Record) -> None:
        found, analysed = measured(record), record.analyses()
        heard, cut = (
            _object(analysed.get("quality")),
            _object(analysed.get("interruption_analysis")),
        )
        roles = _numbers(found["role_seconds"])
        spoken = sum(roles.values()) or None
        speech = _number(heard.get("speech_seconds"))
        by_sound = speech is not None
        silence = heard.get("silence_seconds") if by_sound else found["silence_seconds"]
        self.rows.append(
            (
                record.name,
                speech if by_sound else _number(found["speech_coverage_seconds"]),
                _number(silence),
                "sound" if by_sound else "times",
                _number(found["overlap_seconds"]),
                None if spoken is None else round(100 * roles.get("user", 0.0) / spoken),
                _number(cut.get("count")),
                _number(heard.get("signal_to_noise_db")),
                _number(heard.get("confidence_mean")),
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
        blocks: list[Block] = [Table("quality", columns, self.rows), Text(text, note=True)]
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
        stated = (_number(s.data.get("confidence")) for s in segments)
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
class Analytics:
    """Sums over all sessions: when, in what, who and how much."""

    days: Counter[str] = field(default_factory=Counter)
    hours: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    roles: dict[str, list[float]] = field(default_factory=dict)
    silence: float = 0.0
    moods: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        self.days[f"{record.started_at:%Y-%m-%d}"] += 1
        self.hours[f"{record.started_at:%H}"] += 1
        self.formats[record.session.format] += 1
        self.agents[record.session.agent or "not named"] += 1
        self.events.update(e.type for e in record.session.timeline.events)
        self.silence += _number(measured(record)["silence_seconds"]) or 0.0
        analysed = record.analyses()
        label = _object(analysed.get("sentiment")).get("label")
        self.moods[label if isinstance(label, str) else "not available"] += 1
        found = _object(analysed.get("keyword_analysis")).get("keywords")
        for keyword in map(_object, found if isinstance(found, list) else []):
            self.words[str(keyword.get("word"))] += int(_number(keyword.get("count")) or 0)
        for segment in record.session.timeline.segments:
            sums = self.roles.setdefault(segment.role, [0.0, 0.0, 0.0])
            sums[0] += 1
            sums[1] += len((segment.text or "").split())
            sums[2] += max(0, segment.end_ns - segment.start_ns) / _SECOND_NS

    def sections(self) -> Iterator[Section]:
        rows = [(role, int(n), int(w), s) for role, (n, w, s) in sorted(self.roles.items())]
        blocks: list[Block] = []
        shares = pictures.talk_time({role: s for role, _, _, s in rows}, self.silence)
        if shares is not None:
            blocks.append(Picture(shares, "Talk time of all sessions, by role, and silence"))
        blocks.append(Table("speakers", ("role", "turns", "words", "seconds"), rows))
        yield Section("Analytics", blocks)
        yield Section("When", [_counted("day", self.days), _counted("hour (UTC)", self.hours)], 2)
        yield Section("Where from", [_counted("format", self.formats)], 2)
        yield Section("Agents", [_most("agent", self.agents)], 2)
        estimate = Text("Estimated from words alone, for languages it knows.", note=True)
        yield Section("Sentiment", [_counted("sentiment", self.moods), estimate], 2)
        yield Section("Keywords", [_most("keyword", self.words)], 2)
        yield Section("Events", [_most("event", self.events)], 2)


@dataclass(slots=True)
class Compliance:
    """What is kept under which terms, in real counts, and what this version cannot say."""

    sessions: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    jurisdictions: Counter[str] = field(default_factory=Counter)
    regimes: Counter[str] = field(default_factory=Counter)
    holding: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    subjects: int = 0

    def add(self, record: Record) -> None:
        self.sessions += 1
        self.levels[record.privacy_level] += 1
        self.classes[record.class_name] += 1
        self.jurisdictions.update(record.jurisdictions or ["none named"])
        self.regimes.update(record.regimes or ["none named"])
        self.subjects += bool(record.session.subjects)
        kinds = {part.kind for part in record.parts}
        self.holding["audio"] += Kind.AUDIO in kinds
        self.holding["a transcript"] += any(s.text for s in record.session.timeline.segments)
        self.holding["no file at all"] += not record.parts
        self.warnings.update({w.code for w in record.warnings})

    def sections(self) -> Iterator[Section]:
        facts: list[tuple[str, Cell]] = [
            ("Sessions", self.sessions),
            ("Consent unknown", self.sessions),
            ("Data subjects named", self.subjects),
            *((f"With {what}", count) for what, count in self.holding.items()),
        ]
        said = "This version keeps no consent records, so the consent of every session is unknown."
        missing = (
            "Not built yet, and so not counted here: consent, legal holds, disposition and "
            "erasure, data-subject requests, certificates. This report proves none of them."
        )
        yield Section("Compliance", [Facts(facts), Text(said), Text(missing, note=True)])
        yield Section(
            "Terms",
            [
                _counted("privacy level", self.levels),
                _counted("retention class", self.classes),
                _counted("jurisdiction", self.jurisdictions),
                _counted("regime", self.regimes),
            ],
            2,
        )
        yield Section("Warnings", [_counted("warning", self.warnings, "sessions")], 2)


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
        latency = _numbers(measured(record)["latency"])
        self.all_seconds += [seconds for _, seconds in story.latencies(record)]
        first = latency.get("time_to_first_byte_seconds")
        self.first_bytes += [] if first is None else [first]
        kinds = (e.type for e in record.session.timeline.events)
        self.tools.update(kind for kind in kinds if kind.startswith(("tool_", "tool.")))
        names = (*("count", "avg_seconds", "p50_seconds", "p95_seconds"),)
        more = ("time_to_first_byte_seconds", "interrupt_response_seconds")
        self.rows.append((record.name, *(latency.get(name) for name in (*names, *more))))

    def sections(self) -> Iterator[Section]:
        ranked = sorted(self.all_seconds)
        p95 = ranked[min(len(ranked) - 1, -(-95 * (len(ranked) - 1) // 100))] if ranked else None
        facts: list[tuple[str, Cell]] = [
            ("Responses", len(ranked)),
            ("Average", statistics.fmean(ranked) if ranked else None),
            ("Median", statistics.median(ranked) if ranked else None),
            ("p95", p95),
            ("First byte", statistics.fmean(self.first_bytes) if self.first_bytes else None),
        ]
        blocks: list[Block] = [
            Facts([(k, f"{v:.3f} s" if isinstance(v, float) else v) for k, v in facts])
        ]
        plot = self._plot(ranked, p95)
        if plot is not None:
            blocks.append(Picture(plot, "Response times over the session, with median and p95"))
        columns = ("name", "responses", "avg s", "median s", "p95 s", "first byte s", "interrupt s")
        blocks.append(Table("latency", columns, self.rows))
        if self.tools:
            blocks.append(_most("tool event", self.tools))
        yield Section("Performance", blocks)

    def _plot(self, ranked: list[float], p95: float | None) -> str | None:
        if self.only is None or p95 is None:
            return None
        lines = {"median": statistics.median(ranked), "p95": p95}
        return pictures.latency(story.latencies(self.only), lines)


def _counted(what: str, counts: Counter[str], of: str = "sessions") -> Table:
    return Table(what, (what, of), sorted((k, n) for k, n in counts.items() if n))


def _most(what: str, counts: Counter[str]) -> Block:
    if not counts:
        return Text("None.", note=True)
    return Table(what, (what, "count"), counts.most_common(_MOST))


def _length(nanoseconds: int | None) -> str | None:
    return None if nanoseconds is None else clock(nanoseconds, ".")


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _numbers(value: Json) -> dict[str, float]:
    found = value if isinstance(value, dict) else {}
    return {k: v for k, v in found.items() if isinstance(v, int | float)}


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
