"""The verb `tail`: a growing log, row by row."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from vault.cli.desk import Desk

_PAUSE_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    """Add this verb."""
    app.command("tail")(tail)


def tail(
    context: typer.Context,
    log: Annotated[Path, typer.Argument(help="A VoiceMode log, or the folder of its logs.")],
    new: Annotated[bool, typer.Option("--new", help="Only rows that are yet to come.")] = False,
    once: Annotated[bool, typer.Option("--once", help="End where the log ends now.")] = False,
) -> None:
    """Follow a growing log; with --json one JSON line a row. Nothing is stored."""
    from vault.formats.source import Source
    from vault.formats.voicemode import tail as follow
    from vault.model import Warn

    desk: Desk = context.obj
    Source(log)  # refuses what is not there; a log that goes away later is waited for

    def pause() -> bool:
        if not once:
            time.sleep(_PAUSE_SECONDS)
        return not once

    for row in follow(log, pause, from_end=new):
        if isinstance(row, Warn):
            desk.say(f"warning: {row.text}")
        elif desk.as_json:
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
        else:
            said = row.get("text") or row.get("event_type") or ""
            desk.answer({}, [f"{row.get('timestamp', '')}  {row.get('type', ''):<4} {said}"])
