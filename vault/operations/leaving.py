"""What an export leaves out because it was asked to: whole kinds of what a session holds.

Where nobody can tell what a file holds, it goes with whatever is left out: a file that came goes
out byte for byte or not at all. What was said is told in more places than its turns; where it is
left out, all of them are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from vault.errors import UsageError
from vault.export.record import Order, Record
from vault.model import Event, Json, Kind, Timeline

#: What can be left out, and what that takes along.
KINDS: Mapping[str, str] = {
    "audio": "sound, and files that may hold some",
    "transcript": "what was said, annotations, fields of the source, analyses, and files of them",
    "metadata": "title, tags, people, agent, id and fields of the source, and files of them",
    "metrics": "figures, measured and stated",
    "analysis": "analyses",
}
#: The formats that hold all of these, and so can do without one.
FORMATS = ("json", "jsonl", "xml", "html", "pdf", "docx", "xlsx", "zip")
_FILES = {
    "audio": {Kind.AUDIO, Kind.PEAKS, Kind.OTHER},
    "transcript": {Kind.TRANSCRIPT, Kind.OTHER},
    "metadata": {Kind.METADATA, Kind.OTHER},
}
#: Of the files that came, those that may hold figures or findings of their source's.
_MAY_HOLD = {Kind.TRANSCRIPT, Kind.METADATA, Kind.OTHER}


def check(format: str, kinds: Collection[str]) -> None:  # noqa: A002  the contract's word
    """Raises `UsageError` for what cannot be left out, or not of that format."""
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UsageError(f"No {unknown[0]!a} can be left out; there are: {', '.join(KINDS)}.")
    if kinds and format not in FORMATS:
        raise UsageError(f"A part can be left out of {', '.join(FORMATS)} alone.")


def note(order: Order, kinds: Collection[str]) -> None:
    """Say what is left out."""
    for kind in KINDS:
        if kind in kinds:
            text = f"Not asked for: {KINDS[kind]}."
            if order.originals and kind not in _FILES:
                text += " Of the files as they came only sound is here; others may hold some."
            order.notes.add(f"{kind}-left-out", text)


def less(record: Record, kinds: Collection[str]) -> Record:
    """The record without these kinds."""
    session = record.session
    away = set[Kind]().union(*(_FILES.get(kind, set()) for kind in kinds))
    stay_out = away.union(*(_FILES.get(kind, _MAY_HOLD) for kind in kinds))
    session = replace(
        session,
        originals=[original for original in session.originals if original.kind not in stay_out],
        inside=None if Kind.AUDIO in away else session.inside,
    )
    if "transcript" in kinds:
        session = replace(session, timeline=_wordless(session.timeline), source={})
    if "metadata" in kinds:
        people: tuple[()] = ()
        session = replace(session, title=None, external_id=None, agent=None, source={})
        session = replace(session, participants=people, subjects=people, tags=people)
    if "metrics" in kinds:
        session = replace(session, metrics={})
    return replace(
        record,
        session=session,
        parts=[part for part in record.parts if part.kind not in away],
        analyses=dict if {"transcript", "analysis"} & set(kinds) else record.analyses,
        said=() if "transcript" in kinds else record.said,
        measured="metrics" not in kinds,
    )


def _wordless(timeline: Timeline) -> Timeline:
    """The same times without a word, and of events only what response times are made of."""
    segments = [replace(turn, text=None, data={}) for turn in timeline.segments]
    events = [replace(event, data=_timed(event)) for event in timeline.events]
    return Timeline(segments, events)


def _timed(event: Event) -> dict[str, Json]:
    found = {name: event.data.get(name) for name in ("latency", "LatencyMs", "Index")}
    kept: dict[str, Json] = {k: v for k, v in found.items() if isinstance(v, int | float)}
    return {**kept, "Role": "assistant"} if event.data.get("Role") == "assistant" else kept
