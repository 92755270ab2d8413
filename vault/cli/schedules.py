"""Verbs on reports that come again: schedule add, list, remove, run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.choosing import MANY
from vault.cli.desk import Desk
from vault.cli.exporting import TYPES, EncryptTo

schedule_app = typer.Typer(help="Reports that come again.", no_args_is_help=True)
_DAY_SECONDS = 86_400
Name = Annotated[str, typer.Argument(help="Letters, digits, hyphens.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(schedule_app, name="schedule")


@schedule_app.command("add")
def schedule_add(
    context: typer.Context,
    name: Name,
    type: Annotated[str, typer.Argument(metavar="TYPE", help=TYPES)],
    folder: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")],
    every: Annotated[float, typer.Option(help="Days between two.")] = 1.0,
    first: Annotated[str | None, typer.Option(help="When first, ISO 8601; else now.")] = None,
    last_days: Annotated[
        float | None, typer.Option(help="Of sessions that began within so many days.")
    ] = None,
    format: Annotated[str, typer.Option(help="html, pdf, docx, json, txt, csv, xlsx.")] = "pdf",
    section: Annotated[MANY, typer.Option(help="Of a custom_report.")] = None,
    encrypt_to: EncryptTo = None,
    subject: choosing.Subjects = None,
    agent: choosing.Agents = None,
    tag: choosing.Tags = None,
) -> None:
    """Make a report again and again; `strongroom up` or `schedule run` see to it."""
    from vault.operations import schedules

    desk: Desk = context.obj
    asked = {"subject": subject, "agent": agent, "tag": tag}
    began = choosing.instant("--first", first)
    schedule = schedules.Schedule(
        name=name,
        type=type,
        format=format,
        folder=str(folder.expanduser().absolute()),
        every_seconds=_seconds("--every", every),
        next_at=began or datetime.max.replace(tzinfo=UTC),
        lookups=tuple((kind, value) for kind, values in asked.items() for value in values or ()),
        span_seconds=None if last_days is None else _seconds("--last-days", last_days),
        sections=section or (),
        encrypt_to=encrypt_to or (),
    )
    with desk.room() as room:
        if began is None:
            schedule = replace(schedule, next_at=room.clock.now())
        schedules.add(room, schedule)
    desk.answer(_entry(schedule), [f"{name}: first at {schedule.next_at.isoformat()}"])


@schedule_app.command("list")
def schedule_list(context: typer.Context) -> None:
    """List schedules: when each is due, and why the last failed if it did."""
    from vault.operations import schedules

    desk: Desk = context.obj
    with desk.room() as room:
        found = [_entry(one) for one in schedules.listed(room)]
    lines = [
        f"{s['name']:<24} {s['type']:<20} next {s['again_at'] or s['next_at']}  {s['error'] or ''}"
        for s in found
    ]
    desk.answer({"schedules": found}, lines)


@schedule_app.command("remove")
def schedule_remove(context: typer.Context, name: Name) -> None:
    """Forget a schedule; its reports stay."""
    from vault.operations import schedules

    desk: Desk = context.obj
    with desk.room() as room:
        schedules.remove(room, name)
    desk.answer({"removed": name}, [f"{name} removed"])


@schedule_app.command("run")
def schedule_run(context: typer.Context) -> int:
    """Make the reports that are due now; for a cron line where `strongroom up` does not run."""
    from vault.errors import exit_code
    from vault.operations import schedules

    desk: Desk = context.obj
    with desk.room() as room:
        ran = schedules.run_due(room)
    entries = [
        {"name": r.name, "path": str(r.path), "error": None if r.error is None else str(r.error)}
        for r in ran
    ]
    lines = [f"{e['name']}: {e['error'] or e['path']}" for e in entries]
    desk.answer({"ran": entries}, lines)
    return max((exit_code(r.error) for r in ran if r.error is not None), default=0)


def _seconds(option: str, days: float) -> int:
    """Days as whole seconds."""
    from math import isfinite

    from vault.errors import UsageError

    if not isfinite(days * _DAY_SECONDS):
        raise UsageError(f"{option} is a number of days.")
    return round(days * _DAY_SECONDS)


def _entry(schedule: Any) -> dict[str, Any]:  # noqa: ANN401  Schedule, imported only when needed
    return {
        "name": schedule.name,
        "type": schedule.type,
        "format": schedule.format,
        "folder": schedule.folder,
        "every_seconds": schedule.every_seconds,
        "next_at": schedule.next_at.isoformat(),
        "last_at": None if schedule.last_at is None else schedule.last_at.isoformat(),
        "error": schedule.error,
        "again_at": None if schedule.again_at is None else schedule.again_at.isoformat(),
    }
