"""What the analyses of a session found, in words for people: figure, value, and what it stands on.

The command line and every document say it with these words. Where it is asked by which rule
something was estimated, the analyses themselves say so (`vault.replay.analysis`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_NOTHING = "–"
_Found = Mapping[str, Any]
#: A figure, its value, and the field of the analysis that says what it stands on.
_Row = tuple[str, str, str]


class Finding(NamedTuple):
    """One figure. `basis` is measured, which also covers what the source states, or estimated.

    It is empty where there is no figure, or nobody has it.
    """

    figure: str
    value: str
    basis: str


def findings(analyses: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Finding]]]:
    """Each of the analyses by its name, with what it found or why it is not available."""
    for kind, tell in _TOLD.items():
        if (found := analyses.get(kind)) is None:
            continue
        rows = tell(found) if found["available"] else [("not available", found["because"], "")]
        yield kind.replace("_", " "), [Finding(n, v, _basis(found, v, by)) for n, v, by in rows]


def _basis(found: _Found, value: str, field: str) -> str:
    if value == _NOTHING:
        return ""
    return "estimated" if field in found["estimated"] else "measured" if field else ""


def _quality(found: _Found) -> list[_Row]:
    levels = _pair(_unit(found["level_dbfs"]), _unit(found["peak_dbfs"]), " dBFS")
    spoken = _pair(_seconds(found["speech_seconds"]), _seconds(found["silence_seconds"]))
    return [
        ("listened to", _seconds(found["audio_seconds"]), "audio_seconds"),
        ("speech, silence", spoken, "speech_seconds"),
        ("level, peak", levels, "level_dbfs"),
        ("signal to noise", _unit(found["signal_to_noise_db"], " dB"), "signal_to_noise_db"),
        ("clipped samples", _text(found["clipped_samples"]), "clipped_samples"),
        ("mean confidence", _share(found["confidence_mean"]), "confidence_mean"),
        *(("not heard", f"{name}: {why}", "") for name, why in found["unheard"].items()),
    ]


def _flow(found: _Found) -> list[_Row]:
    answers = found["response"]["user_to_agent"]
    shares = ", ".join(f"{role} {_share(part)}" for role, part in found["talk_ratio"].items())
    apart = _pair(_seconds(found["silence_seconds"]), _seconds(found["overlap_seconds"]))
    return [
        ("turns, switches", f"{found['turns']}, {found['speaker_switches']}", "turns"),
        ("agent answers after", _spread(answers), "response"),
        ("overlapping answers", _text(answers["overlapping"]), "response"),
        ("nobody, both speak", apart, "silence_seconds"),
        ("longest turn", _seconds(found["longest_turn_seconds"]), "longest_turn_seconds"),
        ("speaking time", shares or _NOTHING, "talk_ratio"),
    ]


def _speakers(found: _Found) -> list[_Row]:
    return [(each["speaker"], _speaker(each), "speakers") for each in found["speakers"]]


def _speaker(each: _Found) -> str:
    return (
        f"{_seconds(each['speaking_seconds'])} by {each['speaking_basis']}, "
        f"turns {each['turns']}, words {each['words']}, "
        f"a minute {_unit(each['words_per_minute'])}, "
        f"questions {each['questions']}, interruptions {each['interruptions']}"
    )


def _performance(found: _Found) -> list[_Row]:
    tools = found["tools"]
    called = f"{tools['calls']}, {tools['answered']} answered, {tools['failed']} failed"
    stages = found["stages"].items()
    return [
        ("stated latency", _spread(found["latency"]), "latency"),
        ("tool calls", called, "tools"),
        ("tool time", _spread(tools["time"]), "tools"),
        *((name.replace("_", " "), _spread(each), "stages") for name, each in stages),
    ]


def _sentiment(found: _Found) -> list[_Row]:
    trend = _NOTHING if found["trend"] is None else f"{found['trend']:+.2f}"
    return [
        ("overall", f"{found['label']} ({found['score']:+.2f})", "score"),
        *((who, f"{score:+.2f}", "by_speaker") for who, score in found["by_speaker"].items()),
        ("trend", trend, "trend"),
    ]


def _keywords(found: _Found) -> list[_Row]:
    most = ", ".join(f"{k['word']} ({k['count']})" for k in found["keywords"][:10])
    terms = found["vocabulary"].items()
    return [
        ("words, distinct", f"{found['words']}, {found['distinct_words']}", "words"),
        ("language", _text(found["language"]), "language"),
        ("keywords", most or _NOTHING, "keywords"),
        *((each["phrase"], _text(each["count"]), "phrases") for each in found["phrases"]),
        *((f"term {term!r}", _text(count), "vocabulary") for term, count in terms),
    ]


def _interruptions(found: _Found) -> list[_Row]:
    counted = f"{found['count']}, of which {found['stated_count']} the source states"
    cuts = found["interruptions"]
    return [
        ("count", counted, "count"),
        *((f"at {each['at_seconds']:.1f} s", _cut(each), "interruptions") for each in cuts),
    ]


def _cut(each: _Found) -> str:
    told = {"both": "an event and an overlap", "event": "an event", "overlap": "an overlap"}
    went_on = f", who speaks on for {_seconds(each['yield_seconds'])}"
    on = "" if each["yield_seconds"] is None else went_on
    return f"{each['speaker']} cuts {each['of']} short{on}; told by {told[each['evidence']]}"


_TOLD: Mapping[str, Callable[[_Found], list[_Row]]] = {
    "quality": _quality,
    "conversation_flow": _flow,
    "speaker_analytics": _speakers,
    "performance": _performance,
    "sentiment": _sentiment,
    "keyword_analysis": _keywords,
    "interruption_analysis": _interruptions,
}


def _spread(times: _Found) -> str:
    """Times summed up: the median, the 95th percentile, and of how many."""
    if not times["count"]:
        return _NOTHING
    middle, late = times["p50_seconds"], times["p95_seconds"]
    return f"p50 {middle:.2f} s, p95 {late:.2f} s of {times['count']}"


def _pair(one: str, other: str, unit: str = "") -> str:
    return _NOTHING if one == other == _NOTHING else f"{one}, {other}{unit}"


def _seconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f} s"


def _unit(value: float | None, unit: str = "") -> str:
    return _NOTHING if value is None else f"{value:.0f}{unit}"


def _share(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0%}"


def _text(value: object) -> str:
    return _NOTHING if value is None else str(value)
