"""Sessions side by side: what is known of each, and what there was in each at one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vault.cli.replaying import moment, who_speaks

if TYPE_CHECKING:
    from vault.operations.room import Room

_NAME_WIDTH, _WIDTH = 18, 22
#: The rows of the table: what people call them, and how they are made of a summary.
_ROWS = (
    ("duration", "duration_seconds"),
    ("speakers", "speakers"),
    ("turns, words", "turns"),
    ("latency, stated", "stated_latency"),
    ("latency, measured", "measured_latency"),
    ("interruptions", "interruptions"),
    ("tool calls", "tool_calls"),
    ("speech in sound", "speech"),
    ("signal to noise", "signal_to_noise_db"),
    ("confidence", "confidence"),
    ("warnings", "warnings"),
)


def summary(room: Room, session_id: str) -> dict[str, Any]:
    """What a comparison shows of one session, each figure as the analyses have it."""
    from vault.operations import analysis, retrieve

    opened = retrieve.Opened(room, retrieve.session(room, session_id))
    found: Any = analysis.analysis(room, session_id)
    flow, quality = found["conversation_flow"], found["quality"]
    return {
        "id": session_id,
        "format": opened.row.format,
        "duration_seconds": found["performance"]["duration_seconds"],
        "speakers": [each["speaker"] for each in found["speaker_analytics"]["speakers"]],
        "turns": flow["turns"],
        "words": sum(each["words"] for each in found["speaker_analytics"]["speakers"]),
        "stated_latency": _stated(found["performance"], opened.metadata().stated),
        "measured_latency": flow["response"]["user_to_agent"],
        "interruptions": found["interruption_analysis"]["count"],
        "interruptions_stated": found["interruption_analysis"]["stated_count"],
        "tool_calls": found["performance"]["tools"]["calls"],
        "speech_seconds": quality["speech_seconds"],
        "audio_seconds": quality["audio_seconds"],
        "signal_to_noise_db": quality["signal_to_noise_db"],
        "confidence": quality["confidence_mean"],
        "warnings": [warning.code for warning in opened.warnings()],
    }


def instant(room: Room, session_id: str, offset_ns: int) -> dict[str, Any]:
    """What there was in a session at an instant, with its format."""
    from vault.operations import retrieve

    opened = retrieve.Opened(room, retrieve.session(room, session_id))
    return {"id": session_id, "format": opened.row.format, **moment(opened, offset_ns)}


def table(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The summaries as columns, one row a figure."""
    shown = [_shown(each) for each in summaries]
    rows = [("", [str(each["format"]) for each in summaries])]
    rows += [(name, [each[key] for each in shown]) for name, key in _ROWS]
    return [
        (f"{name:<{_NAME_WIDTH}}" + "".join(f"{cell:<{_WIDTH}}" for cell in cells)).rstrip()
        for name, cells in rows
    ]


def moments(instants: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line a session: where it is, who speaks, what happens."""
    rows = []
    for each in instants:
        now = ", ".join(event["type"] for event in each["current_events"])
        row = f"{each['format']:<{_WIDTH}}{each['position']}  {who_speaks(each)}"
        rows.append(f"{row}  now: {now}" if now else row)
    return rows


def _stated(performance: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """What the source itself says of latency, in whatever way it does."""
    if performance["latency"]["count"]:
        return dict(performance["latency"])
    if "time_to_first_audio" in performance["stages"]:
        return dict(performance["stages"]["time_to_first_audio"])
    quality = stated.get("quality_metrics") or {}
    return {
        "count": None,
        "avg_seconds": quality.get("latency_avg"),
        "p50_seconds": None,
        "p95_seconds": quality.get("latency_p95"),
    }


def _shown(each: Mapping[str, Any]) -> dict[str, str]:
    heard = each["audio_seconds"]
    return {
        "duration_seconds": _number(each["duration_seconds"], ".1f", " s"),
        "speakers": ", ".join(each["speakers"]) or "–",
        "turns": f"{each['turns']}, {each['words']}",
        "stated_latency": _latency(each["stated_latency"]),
        "measured_latency": _latency(each["measured_latency"]),
        "interruptions": f"{each['interruptions']} (stated: {each['interruptions_stated']})",
        "tool_calls": str(each["tool_calls"]),
        "speech": f"{each['speech_seconds']:.1f} of {heard:.1f} s" if heard else "–",
        "signal_to_noise_db": _number(each["signal_to_noise_db"], ".0f", " dB"),
        "confidence": _number(each["confidence"], ".0%", ""),
        "warnings": ", ".join(dict.fromkeys(each["warnings"])) or "none",
    }


def _latency(times: Mapping[str, Any]) -> str:
    middle = "avg" if times["p50_seconds"] is None else "p50"
    value = times[f"{middle}_seconds"]
    return "–" if value is None else f"{middle} {value:.2f}, p95 {times['p95_seconds']:.2f} s"


def _number(value: float | None, form: str, unit: str) -> str:
    return "–" if value is None else f"{value:{form}}{unit}"
