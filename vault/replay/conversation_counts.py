"""What a log of utterances adds up to: who served, how long it took, when, and what went wrong."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from vault.formats.voicemode_rows import TIMINGS
from vault.model import Json
from vault.replay.conversation import Exchange, grouped, silence_detected

UNKNOWN = "unknown"


def count(rows: Iterable[Exchange]) -> dict[str, Json]:
    """Counts and times over some rows; times in seconds, null where there is nothing to measure.

    `by_type, by_provider, by_model, by_voice (tts), by_transport, hourly, daily` map to counts,
    `unknown` standing for rows that do not say; hours (00 to 23) and days are those of the row's
    own zone. `timing` has `{count, avg, min, max, p50}_seconds` for each of VoiceMode's timings,
    for `duration` and for `turnaround`, which is the time between rows of different types within
    a conversation; negative ones are left out.
    """
    every = list(rows)
    talks = grouped(every)
    spoken = [row for row in every if row.kind == "tts"]
    return {
        "exchanges": len(every),
        "conversations": len(talks),
        "by_type": _tally(row.kind for row in every),
        "by_provider": _tally(row.said("provider") for row in every),
        "by_model": {
            kind: _tally(row.said("model") for row in every if row.kind == kind)
            for kind in sorted({row.kind for row in every})
        },
        "by_voice": _tally(row.said("voice") for row in spoken),
        "by_transport": _tally(row.said("transport") for row in every),
        "hourly": _tally(None if row.at is None else f"{row.at.hour:02d}" for row in every),
        "daily": _tally(None if row.at is None else row.at.date().isoformat() for row in every),
        "timing": _timing(every, talks.values()),
        "errors": _errors(every),
        "fallbacks": sum(row.metadata.get("is_fallback") is True for row in every),
        "silence_detection": _tally(_on(row) for row in every if row.kind == "stt"),
        "conversation_seconds": _spread(map(_length, talks.values())),
    }


def _tally(words: Iterable[str | None]) -> dict[str, Json]:
    counts = Counter(UNKNOWN if word is None else word for word in words)
    return {word: counts[word] for word in sorted(counts)}


def _on(row: Exchange) -> str | None:
    enabled = silence_detected(row)
    return None if enabled is None else "on" if enabled else "off"


def _timing(every: Sequence[Exchange], talks: Iterable[Sequence[Exchange]]) -> dict[str, Json]:
    found: dict[str, Json] = {name: _spread(row.seconds(name) for row in every) for name in TIMINGS}
    found["duration"] = _spread(
        None if row.duration_ns is None else row.duration_ns / 1e9 for row in every
    )
    found["turnaround"] = _spread(
        (later.at - row.at).total_seconds()
        for talk in talks
        for row, later in pairwise(talk)
        if row.kind != later.kind and row.at is not None and later.at is not None
    )
    return found


def _spread(values: Iterable[float | None]) -> dict[str, Json]:
    known = [value for value in values if value is not None and value >= 0]
    return {
        "count": len(known),
        "avg_seconds": sum(known) / len(known) if known else None,
        "min_seconds": min(known, default=None),
        "max_seconds": max(known, default=None),
        "p50_seconds": statistics.median(known) if known else None,
    }


def _errors(every: Sequence[Exchange]) -> dict[str, Json]:
    wrong = [row for row in every if row.metadata.get("error") is not None]
    return {
        "count": len(wrong),
        "rate": len(wrong) / len(every) if every else None,
        "by_type": _tally(row.kind for row in wrong),
        "by_provider": _tally(row.said("provider") for row in wrong),
    }


def _length(talk: Sequence[Exchange]) -> float | None:
    """From the first row of a conversation to its last, in seconds."""
    times = [row.at for row in talk if row.at is not None]
    return (max(times) - min(times)).total_seconds() if times else None
