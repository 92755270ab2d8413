"""The verb `analyse`: the seven analyses of a session, for people in a few lines each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from vault.cli.choosing import MANY
from vault.cli.desk import Desk
from vault.cli.sessions import SESSION

KINDS = (
    "quality, conversation_flow, speaker_analytics, performance, sentiment, keyword_analysis, "
    "interruption_analysis; all where none is named."
)
_Found = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    """Add this verb."""
    app.command("analyse")(analyse)


def analyse(
    context: typer.Context,
    session: SESSION,
    kinds: Annotated[MANY, typer.Argument(metavar="[KIND]...", help=KINDS)] = None,
    term: Annotated[MANY, typer.Option(help="Of keyword_analysis: a term to count.")] = None,
    language: Annotated[str | None, typer.Option(help="Of its words, as in en.")] = None,
    minimum_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Below it a segment is unsure [0.7].")
    ] = None,
) -> None:
    """Show how a session went, and what of it is estimated; with --json also by which rule.

    What the job `analyse` found is kept sealed and shown at once; with options of your own, or
    before the job has run, it is made anew.
    """
    from vault.operations import analysis
    from vault.replay.analysis import KINDS as ALL
    from vault.replay.analysis import Options

    desk: Desk = context.obj
    options = None
    if term or language or minimum_confidence is not None:
        lowest = Options().minimum_confidence if minimum_confidence is None else minimum_confidence
        options = Options(tuple(term or ()), language, lowest)
    with desk.room() as room, desk.progress() as progress:
        found = analysis.analysis(room, session, kinds or ALL, options, progress=progress)
    desk.answer({"id": session, **found}, lines(found))


def lines(found: _Found) -> list[str]:
    """Every analysis under its name."""
    told: list[str] = []
    for kind, each in found.items():
        if kind not in _TOLD:
            continue
        told += ["", kind.replace("_", " ")] if told else [kind.replace("_", " ")]
        rows = _TOLD[kind](each) if each["available"] else [("not available", each["because"])]
        told += [f"  {name:<20} {value}" for name, value in (*rows, *_estimated(each))]
    return told


def _estimated(found: _Found) -> list[tuple[str, str]]:
    """Which of the figures are no measurements; with --json each says how it was found."""
    names = ", ".join(name.replace("_", " ") for name in found.get("estimated", ()))
    return [("estimated", names)] if names else []


_Rows = list[tuple[str, str]]


def _quality(found: _Found) -> _Rows:
    return [
        ("listened to", _seconds(found["audio_seconds"])),
        ("speech, silence", _both(found["speech_seconds"], found["silence_seconds"])),
        ("level, peak", f"{_unit(found['level_dbfs'])}, {_unit(found['peak_dbfs'])} dBFS"),
        ("signal to noise", f"{_unit(found['signal_to_noise_db'])} dB"),
        ("clipped samples", _text(found["clipped_samples"])),
        ("mean confidence", _share(found["confidence_mean"])),
        *(("not heard", f"{name}: {why}") for name, why in found["unheard"].items()),
    ]


def _flow(found: _Found) -> _Rows:
    answers = found["response"]["user_to_agent"]
    shares = ", ".join(f"{role} {_share(part)}" for role, part in found["talk_ratio"].items())
    return [
        ("turns, switches", f"{found['turns']}, {found['speaker_switches']}"),
        ("agent answers after", spread(answers)),
        ("overlapping answers", _text(answers["overlapping"])),
        ("nobody, both speak", _both(found["silence_seconds"], found["overlap_seconds"])),
        ("longest turn", _seconds(found["longest_turn_seconds"])),
        ("speaking time", shares or "–"),
    ]


def _speakers(found: _Found) -> _Rows:
    return [(each["speaker"], _speaker(each)) for each in found["speakers"]]


def _speaker(each: _Found) -> str:
    return (
        f"{_seconds(each['speaking_seconds'])} by {each['speaking_basis']}, "
        f"turns {each['turns']}, words {each['words']}, "
        f"a minute {_unit(each['words_per_minute'])}, "
        f"questions {each['questions']}, interruptions {each['interruptions']}"
    )


def _performance(found: _Found) -> _Rows:
    tools = found["tools"]
    return [
        ("stated latency", spread(found["latency"])),
        ("tool calls", f"{tools['calls']}, {tools['answered']} answered, {tools['failed']} failed"),
        ("tool time", spread(tools["time"])),
        *((name.replace("_", " "), spread(each)) for name, each in found["stages"].items()),
    ]


def _sentiment(found: _Found) -> _Rows:
    return [
        ("overall", f"{found['label']} ({found['score']:+.2f})"),
        *((who, f"{score:+.2f}") for who, score in found["by_speaker"].items()),
        ("trend", "–" if found["trend"] is None else f"{found['trend']:+.2f}"),
    ]


def _keywords(found: _Found) -> _Rows:
    most = ", ".join(f"{k['word']} ({k['count']})" for k in found["keywords"][:10])
    return [
        ("words, distinct", f"{found['words']}, {found['distinct_words']}"),
        ("language", _text(found["language"])),
        ("keywords", most or "–"),
        *((phrase["phrase"], _text(phrase["count"])) for phrase in found["phrases"]),
        *((f"term {term!r}", _text(count)) for term, count in found["vocabulary"].items()),
    ]


def _interruptions(found: _Found) -> _Rows:
    return [
        ("count", f"{found['count']}, of which {found['stated_count']} the source states"),
        *((f"at {each['at_seconds']:.1f} s", _cut(each)) for each in found["interruptions"]),
    ]


def _cut(each: _Found) -> str:
    told = {"both": "an event and an overlap", "event": "an event", "overlap": "an overlap"}
    went_on = f", who speaks on for {_seconds(each['yield_seconds'])}"
    on = "" if each["yield_seconds"] is None else went_on
    return f"{each['speaker']} cuts {each['of']} short{on}; told by {told[each['evidence']]}"


_TOLD: dict[str, Callable[[_Found], _Rows]] = {
    "quality": _quality,
    "conversation_flow": _flow,
    "speaker_analytics": _speakers,
    "performance": _performance,
    "sentiment": _sentiment,
    "keyword_analysis": _keywords,
    "interruption_analysis": _interruptions,
}


def spread(times: _Found) -> str:
    """Times summed up: the median, the 95th percentile, and of how many."""
    if not times["count"]:
        return "–"
    middle, late = times["p50_seconds"], times["p95_seconds"]
    return f"p50 {middle:.2f} s, p95 {late:.2f} s of {times['count']}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _both(one: float | None, other: float | None) -> str:
    return f"{_seconds(one)}, {_seconds(other)}"


def _unit(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _text(value: object) -> str:
    return "–" if value is None else str(value)
