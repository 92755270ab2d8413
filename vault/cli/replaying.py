"""The verb `replay`: a session at an instant, its events from one to another, or as they came."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli.choosing import MANY
from vault.cli.desk import Desk, size, tell_warnings
from vault.cli.sessions import SESSION

if TYPE_CHECKING:
    from vault.model import Event
    from vault.operations.retrieve import Opened
    from vault.replay.player import Player
    from vault.replay.timeline import Message


def register(app: typer.Typer) -> None:
    """Add this verb."""
    app.command("replay")(replay)


def replay(
    context: typer.Context,
    session: SESSION,
    at: Annotated[float, typer.Option(help="The instant, in seconds from the start.")] = 0.0,
    until: Annotated[
        float | None, typer.Option(help="List the events from --at to then, both included.")
    ] = None,
    type: Annotated[MANY, typer.Option(help="List the events of that type alone.")] = None,
    play: Annotated[bool, typer.Option("--play", help="Tell what comes by as it came.")] = False,
    speed: Annotated[
        float | None, typer.Option(help="Of --play: 2 is twice as fast; 0.01 to 100.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A file for the sound from then on, Opus in Ogg."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="One recording alone, as in playback/full.wav.opus.")
    ] = None,
) -> None:
    """Show the state of a session at an instant; with -o write what is heard from then on.

    With --until or --type also list events, with --play tell them in their own time: with --json
    one JSON line each.
    """
    from vault.errors import UsageError
    from vault.export import endings
    from vault.formats.fields import Notes
    from vault.operations import retrieve
    from vault.operations.listen import heard

    start, stop = _ns("--at", at), None if until is None else _ns("--until", until)
    if stop is not None and stop < start:
        raise UsageError("--until is not before --at.")
    if part is not None and output is None:
        raise UsageError("--part is of the sound, which takes -o FILE.")
    if output is not None:
        endings.check(output, "ogg")
    if speed is not None and not play:
        raise UsageError("--speed is of --play.")
    if play and output is not None:
        raise UsageError("--play tells, and -o writes: one of them at a time.")
    desk: Desk = context.obj
    with desk.room() as room:
        opened = retrieve.Opened(room, retrieve.session(room, session))
        if play:
            _play(desk, player(opened, start, stop), type, 1.0 if speed is None else speed)
            return
        document = moment(opened, start)
        if stop is not None or type:
            document["events"] = _listed(player(opened, start), start, stop, type)
        if output is not None:
            notes = Notes()
            document["files"] = [heard(opened, start, output, part, notes)]
            document["warnings"] = [warning.entry() for warning in notes.all()]
    desk.answer(document, _moment_lines(document))
    tell_warnings(desk, document)


def player(opened: Opened, at_ns: int, until_ns: int | None = None) -> Player:
    """A player of a session, with all its annotations, at that instant."""
    from dataclasses import replace

    from vault.replay.player import Player

    timeline = replace(opened.timeline(), annotations=opened.annotations())
    found = Player(timeline, opened.row.duration_ns, until_ns=until_ns)
    found.seek(at_ns)
    return found


def moment(opened: Opened, offset_ns: int) -> dict[str, Any]:
    """The state of a session at an instant, as the contract has it."""
    found = player(opened, offset_ns)
    now = found.moment()
    return {
        "position": found.position_text,
        "current_events": [asdict(e) for e in now.current_events],
        "recent_events": [asdict(e) for e in now.recent_events],
        "messages": [asdict(m) for m in now.messages],
        "audio_input_active": now.audio_input_active,
        "audio_output_active": now.audio_output_active,
        "annotations": [
            {"type": a.type, "key": a.key, "value": a.value, "version": a.version}
            for a in now.annotations
        ],
    }


def who_speaks(document: Mapping[str, Any]) -> str:
    """Who can be heard at that instant."""
    user, agent = (
        "speaks" if document[f"audio_{way}_active"] else "is silent" for way in ("input", "output")
    )
    return f"user {user}, agent {agent}"


def _listed(found: Player, start: int, stop: int | None, types: MANY) -> list[dict[str, Any]]:
    """The events from one instant to another, of those types if any are named."""
    return [asdict(e) for e in found.events(start, stop) if not types or e.type in types]


def _play(desk: Desk, found: Player, types: MANY, speed: float) -> None:
    """Tell what is said and what happens in the session's own time, until its end."""
    from vault.replay.player import Signal

    said = len(found.moment(found.position_ns - 1).messages)
    passed: list[Event] = []

    def happened(_: int, event: Event | None) -> None:
        if event is not None and (not types or event.type in types):
            passed.append(event)

    def tell(at_ns: int, _: Event | None) -> None:
        nonlocal said
        messages = () if types else found.moment(at_ns).messages[said:]
        said += len(messages)
        both: list[Event | Message] = [*passed, *messages]
        for each in sorted(both, key=lambda one: one.offset_ns):
            _tell(desk, each)
        passed.clear()

    found.speed = speed
    found.on(Signal.EVENT, happened)
    found.on(Signal.POSITION, tell)
    found.play()
    found.run()


def _tell(desk: Desk, one: Event | Message) -> None:
    """One line, for people or as JSON."""
    from vault.model import Event
    from vault.replay.player import clock_text

    position = clock_text(one.offset_ns)
    if desk.as_json:
        told = {"position": position, "event" if isinstance(one, Event) else "message": asdict(one)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    else:
        line = f"  {one.type}" if isinstance(one, Event) else _said(asdict(one))
        desk.answer({}, [f"{position}  {line}"])


def _moment_lines(document: Mapping[str, Any]) -> Sequence[str]:
    return [
        document["position"],
        who_speaks(document),
        *(f"  event    {e['type']}" for e in document["current_events"]),
        *(f"  recent   {e['type']}" for e in document["recent_events"]),
        *(f"  {_said(message)}" for message in document["messages"]),
        *(f"  {a['type']} {a['key']} = {json.dumps(a['value'])}" for a in document["annotations"]),
        *_event_lines(document.get("events", ())),
        *(f"  {size(f['bytes'])}  {f['name']}" for f in document.get("files", ())),
    ]


def _said(message: Mapping[str, Any]) -> str:
    return f"{message['role']}: {message['text']}{' […]' if message['truncated'] else ''}"


def _event_lines(events: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    from vault.replay.player import clock_text

    return [f"{clock_text(e['offset_ns'])}  {e['type']}" for e in events]


def _ns(option: str, seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    from math import isfinite

    from vault.errors import UsageError

    if not isfinite(seconds * 1e9):
        raise UsageError(f"{option} is a number of seconds.")
    return round(seconds * 1_000_000_000)
