"""Verbs on compliance: compliance violations, report, processing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.desk import Desk, wrote

compliance_app = typer.Typer(
    help="What is not as it should be, and what can be shown for it.", no_args_is_help=True
)
Since = Annotated[str | None, typer.Option(help="Of what happened then or later.")]
Until = Annotated[str | None, typer.Option(help="Of what happened before then.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(compliance_app, name="compliance")


@compliance_app.command("violations")
def compliance_violations(
    context: typer.Context,
    as_of: Annotated[str | None, typer.Option(help="What it would be then, ISO 8601.")] = None,
) -> None:
    """List what is overdue, not consented to, unanswered, or rests on rules nobody verified."""
    from vault.operations.violations import violations

    desk: Desk = context.obj
    at = choosing.instant("--as-of", as_of)
    with desk.room() as room, desk.progress() as progress:
        found = (one.entry() for one in violations(room, at, progress=progress))
        desk.answer_each("violations", found, _violation_lines)


@compliance_app.command("report")
def compliance_report(
    context: typer.Context,
    framework: Annotated[
        str, typer.Argument(metavar="FRAMEWORK", help="gdpr, ccpa, hipaa, pci-dss, sox or custom.")
    ],
    since: Since = None,
    until: Until = None,
    regime: Annotated[str | None, typer.Option(help="Of custom: a policy's name.")] = None,
    tag: Annotated[str | None, typer.Option(help="Of custom: what has this tag.")] = None,
    format: Annotated[
        str | None,
        typer.Option(help="html, pdf, docx, json, txt, csv, xlsx; else by the file's ending."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file.")] = None,
) -> None:
    """Count what falls under a framework: sessions, consent, requests, erasures, holds, …"""
    from vault.errors import UsageError
    from vault.export.endings import ending
    from vault.operations import compliance, report

    desk: Desk = context.obj
    if output is None and format not in {None, "json"}:
        raise UsageError("Say where to write it: -o FILE.")
    asked = compliance.Asked(
        framework,
        regime,
        tag,
        choosing.instant("--since", since),
        choosing.instant("--until", until),
    )
    with desk.room() as room, desk.progress() as progress:
        figures = compliance.figures(room, asked, progress=progress)
        if output is not None:
            chosen = format or ending(output) or "html"
            done = report.compliance(room, figures, chosen, output, progress=progress)
    if output is None:
        desk.answer(figures, _figure_lines(figures))
    else:
        wrote(desk, done.files, {"warnings": [warning.entry() for warning in done.warnings]})


@compliance_app.command("processing")
def compliance_processing(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, instead of lines.")] = False,
) -> None:
    """List which policy was applied to which session, when and by whom: the processing records."""
    from vault.operations.processing import register as records

    desk: Desk = context.obj
    span = (choosing.instant("--since", since), choosing.instant("--until", until))
    with desk.room() as room:
        found = records(room, since=span[0], until=span[1])
        if as_csv and not desk.as_json:
            _write_csv(found)
        else:
            desk.answer_each("processing", found, _record_lines)


def _write_csv(found: Iterator[Mapping[str, Any]]) -> None:
    from vault.export.tables import rows_as_csv

    columns = ("session", "policy", "version", "class", "at", "by")
    for block in rows_as_csv(columns, ([one[name] for name in columns] for one in found)):
        sys.stdout.write(block.decode())


def _record_lines(one: Mapping[str, Any]) -> list[str]:
    what = f"{one['policy']} {one['version']}  class {one['class']}"
    return [f"{one['session']}  {one['at'][:19]}  {what}  by {one['by']}"]


def _violation_lines(one: Mapping[str, Any]) -> list[str]:
    about = next(
        f"{name} {one[name]}"
        for name in ("session", "request", "hold", "rule", "disposal")
        if name in one
    )
    cited = f" [{one['citation']}]" if one["citation"] else ""
    return [f"{one['code']:<20} {about}: {one['text']}{cited}"]


def _figure_lines(figures: Mapping[str, Any]) -> list[str]:
    lines = [f"{figures['framework']}  {figures['since'] or '–'} to {figures['until'] or '–'}"]
    for name, counted in figures.items():
        if isinstance(counted, dict):
            lines += [name, *(f"  {what:<18} {_shown(count)}" for what, count in counted.items())]
    return [*lines, "not known", *(f"  {one}" for one in figures["unknown"])]


def _shown(count: Any) -> str:  # noqa: ANN401  a figure of the document
    if isinstance(count, dict):
        return ", ".join(f"{name} {number}" for name, number in count.items()) or "none"
    return "–" if count is None else str(count)
