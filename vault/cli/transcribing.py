"""The verb `transcript`: what was said, made readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.choosing import MANY
from vault.cli.desk import Desk, duration
from vault.cli.exporting import answer
from vault.cli.sessions import SESSION

if TYPE_CHECKING:
    from vault.replay.transcript import Transcript


def register(app: typer.Typer) -> None:
    """Add this verb."""
    app.command("transcript")(transcript)


def transcript(
    context: typer.Context,
    session: SESSION,
    minimum_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Below it a segment is left out.")
    ] = 0.7,
    merge_seconds: Annotated[
        float, typer.Option(min=0, help="Lines of one speaker so near together become one.")
    ] = 2.0,
    speaker: Annotated[
        MANY, typer.Option(metavar="NAME=OTHER", help="Call a speaker, or a role, so.")
    ] = None,
    vocabulary: Annotated[
        MANY, typer.Option(metavar="HEARD=MEANT", help="Put a word or a phrase right.")
    ] = None,
    term: Annotated[MANY, typer.Option(help="A term to count.")] = None,
    keywords: Annotated[int, typer.Option(min=0, help="How many keywords.")] = 10,
    language: Annotated[str | None, typer.Option(help="Of its words, as in en.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where to write.")] = None,
    format: Annotated[
        str | None, typer.Option(help="txt, srt, vtt or docx; else by the file's ending, else txt.")
    ] = None,
) -> None:
    """Show what was said, made readable, and sum it up; with -o write it. What is stored stays.

    Unsure, interim and empty segments are left out and listed with the reason.
    """
    from vault.errors import UsageError
    from vault.export.endings import ending
    from vault.operations import export as exporting
    from vault.operations import transcript as processing
    from vault.operations.records import Choice
    from vault.replay.transcript import SECOND_NS, Processing

    if format is not None and output is None:
        raise UsageError("--format is of what is written, which takes -o FILE.")
    if not isfinite(merge_seconds * 1e9):
        raise UsageError("--merge-seconds is a number of seconds.")
    how = Processing(
        minimum_confidence=minimum_confidence,
        merge_gap_ns=round(merge_seconds * SECOND_NS),
        vocabulary=choosing.pairs("--vocabulary", "HEARD=MEANT", vocabulary),
        speakers=choosing.pairs("--speaker", "NAME=OTHER", speaker),
        terms=tuple(term or ()),
        language=language,
        keywords=keywords,
    )
    desk: Desk = context.obj
    with desk.room() as room, desk.progress() as progress:
        if output is None:
            found = processing.transcript(room, session, how)
            desk.answer(_document(session, found), _lines(found))
        else:
            request = exporting.Request(format=format or ending(output) or "txt", transcript=how)
            done = exporting.export(room, Choice([session]), request, output, progress=progress)
            answer(desk, done)


def _document(session: str, found: Transcript) -> dict[str, Any]:
    return {
        "id": session,
        "passages": [asdict(passage) for passage in found.passages],
        "left_out": [{"index": index, "reason": reason} for index, reason in found.left_out],
        "summary": dict(found.summary),
    }


def _lines(found: Transcript) -> list[str]:
    told = [
        f"{duration(p.start_ns):>8}  {p.speaker}: {p.text}{' […]' if p.truncated else ''}"
        for p in found.passages
    ]
    return [*told, "", *(f"{name:<16} {_text(each)}" for name, each in found.summary.items())]


def _text(value: object) -> str:
    """A field of the summary for people."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)
