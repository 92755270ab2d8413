"""What reports add up over all sessions: counts by day, format, agent, law and the like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vault.export import pictures
from vault.export.pages import Block, Facts, Picture, Section, Table, Text
from vault.export.record import Record, measured
from vault.export.sheets import Cell
from vault.model import Json, Kind

_SECOND_NS = 1_000_000_000
_MOST = 30


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
        self.silence += number(measured(record)["silence_seconds"]) or 0.0
        analysed = record.analyses()
        label = mapping(analysed.get("sentiment")).get("label")
        self.moods[label if isinstance(label, str) else "not available"] += 1
        found = mapping(analysed.get("keyword_analysis")).get("keywords")
        for keyword in map(mapping, found if isinstance(found, list) else []):
            self.words[str(keyword.get("word"))] += int(number(keyword.get("count")) or 0)
        for segment in record.session.timeline.segments:
            sums = self.roles.setdefault(segment.role, [0.0, 0.0, 0.0])
            sums[0] += 1
            sums[1] += len((segment.text or "").split())
            sums[2] += max(0, segment.end_ns - segment.start_ns) / _SECOND_NS

    def sections(self) -> Iterator[Section]:
        rows = [(role, int(n), int(w), s) for role, (n, w, s) in sorted(self.roles.items())]
        blocks: list[Block] = [*shared_time({role: s for role, _, _, s in rows}, self.silence)]
        blocks.append(Table("speakers", ("role", "turns", "words", "seconds"), rows))
        yield Section("Analytics", blocks)
        yield Section("When", [counted("day", self.days), counted("hour (UTC)", self.hours)], 2)
        yield Section("Where from", [counted("format", self.formats)], 2)
        yield Section("Agents", [most("agent", self.agents)], 2)
        estimate = Text("Estimated from words alone, for languages it knows.", note=True)
        yield Section("Sentiment", [counted("sentiment", self.moods), estimate], 2)
        yield Section("Keywords", [most("keyword", self.words)], 2)
        yield Section("Events", [most("event", self.events)], 2)


@dataclass(slots=True)
class Compliance:
    """What is kept under which terms, in real counts, and what sources state of consent."""

    sessions: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    jurisdictions: Counter[str] = field(default_factory=Counter)
    regimes: Counter[str] = field(default_factory=Counter)
    holding: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    subjects: int = 0
    consents: int = 0
    stated: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        self.sessions += 1
        self.levels[record.privacy_level] += 1
        self.classes[record.class_name] += 1
        self.jurisdictions.update(record.jurisdictions or ["none named"])
        self.regimes.update(record.regimes or ["none named"])
        self.subjects += bool(record.session.subjects)
        consents = record.session.source.get("consent")
        self.consents += bool(consents)
        found = map(mapping, consents if isinstance(consents, list) else [])
        self.stated.update({_consent(one) for one in found if one.get("consent_type")})
        kinds = {part.kind for part in record.parts}
        self.holding["audio"] += Kind.AUDIO in kinds
        self.holding["a transcript"] += any(s.text for s in record.session.timeline.segments)
        self.holding["no file at all"] += not record.parts
        self.warnings.update({w.code for w in record.warnings})

    def sections(self) -> Iterator[Section]:
        facts: list[tuple[str, Cell]] = [
            ("Sessions", self.sessions),
            ("Consent stated by the source", self.consents),
            ("Consent unknown", self.sessions - self.consents),
            ("Data subjects named", self.subjects),
            *((f"With {what}", count) for what, count in self.holding.items()),
        ]
        said = "What a source states of consent is counted as it stands, unchecked."
        missing = (
            "Not counted here: consent on record, legal holds, erasures, data-subject requests and "
            "violations. `strongroom compliance report` counts them, by framework."
        )
        yield Section("Compliance", [Facts(facts), Text(said), Text(missing, note=True)])
        yield Section(
            "Terms",
            [
                counted("privacy level", self.levels),
                counted("retention class", self.classes),
                counted("jurisdiction", self.jurisdictions),
                counted("regime", self.regimes),
                *([counted("consent stated", self.stated)] if self.stated else []),
            ],
            2,
        )
        yield Section("Warnings", [counted("warning", self.warnings, "sessions")], 2)


def _consent(stated: Mapping[str, Json]) -> str:
    """What a source says of one consent: for what, and how it stands."""
    word = "granted" if stated.get("granted") is True else "not granted"
    return f"{stated['consent_type']}: {'withdrawn' if stated.get('withdrawal_date') else word}"


def shared_time(role_seconds: Mapping[str, float], silence_seconds: float) -> list[Picture]:
    """Who spoke for how long in all sessions together; nothing where nobody is known to have."""
    drawn = pictures.talk_time(role_seconds, silence_seconds)
    alt = "Talk time of all sessions, by role, and silence"
    return [] if drawn is None else [Picture(drawn, alt)]


def counted(what: str, counts: Counter[str], of: str = "sessions") -> Table:
    """What there is any of, by name."""
    return Table(what, (what, of), sorted((k, n) for k, n in counts.items() if n))


def most(what: str, counts: Counter[str]) -> Block:
    """What there is most of, first; no more than a page shows."""
    if not counts:
        return Text("None.", note=True)
    return Table(what, (what, "count"), counts.most_common(_MOST))


def mapping(value: Json) -> Mapping[str, Json]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def numbers(value: Json) -> dict[str, float]:
    """Of an object, the fields that are numbers."""
    found = value if isinstance(value, dict) else {}
    return {k: v for k, v in found.items() if isinstance(v, int | float)}


def number(value: Json) -> float | None:
    """The value if it is a number."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
