"""What every analysis looks at: who spoke when, in turns, and what was heard of it."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from vault.media.measure import Measured
from vault.model import Json, Segment, Timeline
from vault.replay.analysis import words

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may say. `vocabulary` are terms to look for, of one word or several.

    `language` (ISO 639-1) overrides what segments state. Confidences below
    `minimum_confidence` count as low.
    """

    vocabulary: Sequence[str] = ()
    language: str | None = None
    minimum_confidence: float = 0.7
    keywords: int = 20


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording of the session that was listened to, and where on the timeline it begins."""

    name: str
    start_ns: int
    measured: Measured


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's consecutive segments. `end_ns` is the latest of their ends."""

    role: str
    speaker: str
    segments: Sequence[Segment]

    @property
    def start_ns(self) -> int:
        """When it begins."""
        return self.segments[0].start_ns

    @property
    def end_ns(self) -> int:
        """When the last of its segments ends."""
        return max(segment.end_ns for segment in self.segments)

    @property
    def word_count(self) -> int:
        """How many words its text has."""
        return sum(words.count(segment.text) for segment in self.segments)


@dataclass(frozen=True)
class Session:
    """One session under analysis. What the system says is no part of a conversation."""

    timeline: Timeline
    duration_ns: int | None
    heard: Sequence[Heard]
    unheard: Mapping[str, str]
    options: Options

    @cached_property
    def segments(self) -> Sequence[Segment]:
        """What user and agent said, in the order of time."""
        said = [s for s in self.timeline.segments if s.role != "system"]
        return sorted(said, key=lambda s: (s.start_ns, s.index))

    @cached_property
    def by_speaker(self) -> Mapping[tuple[str, str], Sequence[Segment]]:
        """The segments of each speaker, in the order of their first."""
        found: dict[tuple[str, str], list[Segment]] = {}
        for segment in self.segments:
            found.setdefault(who(segment), []).append(segment)
        return found

    @cached_property
    def turns(self) -> Sequence[Turn]:
        """The segments, with consecutive ones of one speaker put together."""
        runs: list[list[Segment]] = []
        for segment in self.segments:
            if runs and who(runs[-1][0]) == who(segment):
                runs[-1].append(segment)
            else:
                runs.append([segment])
        return [Turn(*who(run[0]), run) for run in runs]

    @cached_property
    def language(self) -> words.Language:
        """The language of what was said."""
        stated = [s.data.get("language") for s in self.segments]
        return words.language(self.options.language, stated, (s.text or "" for s in self.segments))

    @cached_property
    def _own(self) -> Mapping[str, Heard]:
        """What was heard, by the file that exactly one segment names."""
        named = Counter(s.file for s in self.timeline.segments)
        return {h.name: h for h in self.heard if named[h.name] == 1}

    def speaking_ns(self, segment: Segment) -> tuple[int, str]:
        """How long a segment is spoken, and what says so.

        In this order: `audio`, speech heard in its own recording; `decoded`, the length of that
        recording; `transport`, the source's interval, which may be quite another matter.
        """
        heard = self._own.get(segment.file or "")
        if heard is not None:
            return heard.measured.speech_ns, "audio"
        if segment.decoded_ns is not None:
            return segment.decoded_ns, "decoded"
        return max(0, segment.end_ns - segment.start_ns), "transport"


def who(segment: Segment) -> tuple[str, str]:
    """Role and speaker; one that has no name is called by the role."""
    return segment.role, segment.speaker or segment.role


def confidence(segment: Segment) -> float | None:
    """What the source states, if it is a share between 0 and 1."""
    value = segment.data.get("confidence")
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return None


def seconds(ns: int) -> float:
    """Nanoseconds as seconds."""
    return ns / SECOND_NS


def spread(values_ns: Iterable[int]) -> dict[str, Json]:
    """Times summed up as `vault.replay.metrics` does; null where there are none."""
    ranked = sorted(values_ns)
    last = len(ranked) - 1
    return {
        "count": len(ranked),
        "avg_seconds": seconds(sum(ranked)) / len(ranked) if ranked else None,
        "p50_seconds": statistics.median(ranked) / SECOND_NS if ranked else None,
        "p95_seconds": seconds(ranked[math.ceil(0.95 * last)]) if ranked else None,
        "max_seconds": seconds(ranked[-1]) if ranked else None,
    }


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`, null where there is no whole."""
    return part / whole if whole > 0 else None


def mean(values: Sequence[float]) -> float | None:
    """The mean, null of nothing."""
    return sum(values) / len(values) if values else None


def result(
    measured: Mapping[str, Json], estimated: Mapping[str, tuple[Json, str]] | None = None
) -> dict[str, Json]:
    """One analysis: its fields, and which of them stand on what. `estimated` gives the rules."""
    guesses = estimated or {}
    return {
        "available": True,
        **measured,
        **{name: value for name, (value, _) in guesses.items()},
        "measured": list[Json](sorted(measured)),
        "estimated": {name: rule for name, (_, rule) in guesses.items()},
    }


def unavailable(because: str) -> dict[str, Json]:
    """An analysis that cannot be made."""
    return {"available": False, "because": because, "measured": [], "estimated": {}}
