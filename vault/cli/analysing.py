"""The verb `analyse`: the seven analyses of a session, for people in a few lines each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from vault.cli.choosing import MANY
from vault.cli.desk import Desk
from vault.cli.sessions import SESSION

KINDS = (
    "quality, conversation_flow, speaker_analytics, performance, sentiment, keyword_analysis, "
    "interruption_analysis; all where none is named."
)


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
    """Show how a session went, what of it is measured or estimated; with --json also by which rule.

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
    desk.answer({"id": session, **found}, _lines(found))


def _lines(analyses: Mapping[str, Any]) -> Iterator[str]:
    """Every analysis under its name; before each figure, what it stands on."""
    from vault.export.findings import findings

    for number, (kind, found) in enumerate(findings(analyses)):
        yield from ("", kind) if number else (kind,)
        yield from (f"  {one.basis:<9}  {one.figure:<20} {one.value}" for one in found)
