"""What a log of utterances adds up to: who served, how long it took, when, and what went wrong."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from vault.formats.voicemode_rows import TIMINGS
from vault.model import Json
from vault.replay.conversation import Exchange, silence_detected

UNKNOWN = "unknown"


def count(rows: Iterable[Exchange]) -> dict[str, Json]:
    """Counts and times over some rows; times in seconds, null where there is nothing to measure.

    `by_type, by_provider, by_model, by_voice (tts), by_transport, hourly, daily` map to counts,
    `unknown` standing for rows that do not say; hours (00 to 23) and days are those of the row's
    own zone. `timing` has `{count, avg, min, max, p50}_seconds` for each of VoiceMode's timings,
    for `duration` and for `turnaround`, which is the time between rows of different types within
    a conversation; negative ones are left out.

    Rows are forgotten as they pass. What stays is eight bytes for each time that is known, and
    where each conversation stands.
    """
    counts = _Counts()
    for row in rows:
        counts.add(row)
    return counts.document()


@dataclass(slots=True)
class _Talk:
    """Where a conversation stands: its last row, and from when to when it has been."""

    kind: str
    at: datetime | None
    first: datetime | None
    last: datetime | None


class _Tally(Counter[str]):
    """How often each word came."""

    def say(self, word: str | None) -> None:
        self[UNKNOWN if word is None else word] += 1

    def json(self) -> dict[str, Json]:
        return {word: self[word] for word in sorted(self)}


@dataclass(slots=True)
class _Times:
    """Times that are known and not negative, in seconds."""

    known: array[float] = field(default_factory=lambda: array("d"))

    def take(self, value: float | None) -> None:
        if value is not None and value >= 0:
            self.known.append(value)

    def json(self) -> dict[str, Json]:
        known = self.known
        return {
            "count": len(known),
            "avg_seconds": sum(known) / len(known) if known else None,
            "min_seconds": min(known, default=None),
            "max_seconds": max(known, default=None),
            "p50_seconds": statistics.median(known) if known else None,
        }


class _Counts:
    """Everything that is counted, row by row."""

    def __init__(self) -> None:
        self._rows = self._wrong = self._fallbacks = 0
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
        self._models: defaultdict[str, _Tally] = defaultdict(_Tally)
        self._times = {name: _Times() for name in (*TIMINGS, "duration", "turnaround")}
        self._talks: dict[str | None, _Talk] = {}

    def add(self, row: Exchange) -> None:
        """Count one more."""
        self._rows += 1
        say = self._tallies
        say["by_type"].say(row.kind)
        say["by_provider"].say(row.said("provider"))
        say["by_transport"].say(row.said("transport"))
        say["hourly"].say(None if row.at is None else f"{row.at.hour:02d}")
        say["daily"].say(None if row.at is None else row.at.date().isoformat())
        self._models[row.kind].say(row.said("model"))
        if row.kind == "tts":
            say["by_voice"].say(row.said("voice"))
        if row.kind == "stt":
            enabled = silence_detected(row)
            say["silence_detection"].say(None if enabled is None else "on" if enabled else "off")
        self._fallbacks += row.metadata.get("is_fallback") is True
        if row.metadata.get("error") is not None:
            self._wrong += 1
            say["wrong_type"].say(row.kind)
            say["wrong_provider"].say(row.said("provider"))
        for name in TIMINGS:
            self._times[name].take(row.seconds(name))
        self._times["duration"].take(None if row.duration_ns is None else row.duration_ns / 1e9)
        self._follow(row)

    def _follow(self, row: Exchange) -> None:
        """Go on with the conversation that the row is of."""
        talk = self._talks.get(row.conversation_id)
        if talk is None:
            self._talks[row.conversation_id] = _Talk(row.kind, row.at, row.at, row.at)
            return
        if row.at is not None:
            if talk.kind != row.kind and talk.at is not None:
                self._times["turnaround"].take((row.at - talk.at).total_seconds())
            talk.first = row.at if talk.first is None else min(talk.first, row.at)
            talk.last = row.at if talk.last is None else max(talk.last, row.at)
        talk.kind, talk.at = row.kind, row.at

    def document(self) -> dict[str, Json]:
        """What it all adds up to."""
        tally = self._tallies
        lengths = _Times()
        for talk in self._talks.values():
            if talk.first is not None and talk.last is not None:
                lengths.take((talk.last - talk.first).total_seconds())
        return {
            "exchanges": self._rows,
            "conversations": len(self._talks),
            "by_type": tally["by_type"].json(),
            "by_provider": tally["by_provider"].json(),
            "by_model": {kind: self._models[kind].json() for kind in sorted(self._models)},
            "by_voice": tally["by_voice"].json(),
            "by_transport": tally["by_transport"].json(),
            "hourly": tally["hourly"].json(),
            "daily": tally["daily"].json(),
            "timing": {name: times.json() for name, times in self._times.items()},
            "errors": {
                "count": self._wrong,
                "rate": self._wrong / self._rows if self._rows else None,
                "by_type": tally["wrong_type"].json(),
                "by_provider": tally["wrong_provider"].json(),
            },
            "fallbacks": self._fallbacks,
            "silence_detection": tally["silence_detection"].json(),
            "conversation_seconds": lengths.json(),
        }
