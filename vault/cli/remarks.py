"""Verbs on what is said about a session: replay, annotate, title, tag."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli.choosing import MANY
from vault.cli.desk import Desk, size
from vault.cli.sessions import SESSION

if TYPE_CHECKING:
    from vault.operations.retrieve import Opened


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (replay, annotate, title, tag):
        app.command(verb.__name__)(verb)


def replay(
    context: typer.Context,
    session: SESSION,
    at: Annotated[float, typer.Option(help="The instant, in seconds from the start.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A file for the sound from then on, Opus in Ogg."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="Whose sound, as in playback/full.wav.opus.")
    ] = None,
) -> None:
    """Show the state of a session at an instant; with -o write what is heard from then on."""
    from math import isfinite

    from vault.errors import UsageError
    from vault.operations import retrieve
    from vault.operations.listen import heard

    if not isfinite(at * 1e9):
        raise UsageError("--at is a number of seconds.")
    if part is not None and output is None:
        raise UsageError("--part is of the sound, which takes -o FILE.")
    desk: Desk = context.obj
    with desk.room() as room:
        opened = retrieve.Opened(room, retrieve.session(room, session))
        document = moment(opened, round(at * 1_000_000_000))
        if output is not None:
            document["files"] = [heard(opened, round(at * 1_000_000_000), output, part)]
    desk.answer(document, _moment_lines(document))


def moment(opened: Opened, offset_ns: int) -> dict[str, Any]:
    """The state of a session at an instant, as the contract has it."""
    from dataclasses import replace

    from vault.replay.player import Player

    timeline = replace(opened.timeline(), annotations=opened.annotations())
    player = Player(timeline, opened.row.duration_ns)
    player.seek(offset_ns)
    now = player.moment()
    return {
        "position": player.position_text,
        "current_events": [asdict(e) for e in now.current_events],
        "recent_events": [asdict(e) for e in now.recent_events],
        "messages": [
            {"role": m.role, "text": m.text, "offset_ns": m.offset_ns} for m in now.messages
        ],
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


def _moment_lines(document: Mapping[str, Any]) -> list[str]:
    return [
        document["position"],
        who_speaks(document),
        *(f"  event    {e['type']}" for e in document["current_events"]),
        *(f"  recent   {e['type']}" for e in document["recent_events"]),
        *(f"  {m['role']}: {m['text']}" for m in document["messages"]),
        *(f"  {a['type']} {a['key']} = {json.dumps(a['value'])}" for a in document["annotations"]),
        *(f"  {size(f['bytes'])}  {f['name']}" for f in document.get("files", ())),
    ]


def annotate(
    context: typer.Context,
    session: SESSION,
    type: Annotated[
        str | None,
        typer.Option(help="score, label, comment, flag, metric, …"),
    ] = None,
    key: Annotated[str | None, typer.Option(help="What it is about, as in quality.")] = None,
    value: Annotated[str | None, typer.Option(help="JSON; anything else is text.")] = None,
    target: Annotated[
        str, typer.Option(help="session, event, time_range, turn or message.")
    ] = "session",
    where: Annotated[str, typer.Option(help="Which one, as a JSON object.")] = "{}",
    correct: Annotated[
        str | None, typer.Option(metavar="ANNOTATION", help="A new version of that one.")
    ] = None,
    delete: Annotated[
        str | None, typer.Option(metavar="ANNOTATION", help="Put that one out of sight.")
    ] = None,
) -> None:
    """Add, correct or delete an annotation; without any option, list those that hold."""
    from vault.errors import UsageError
    from vault.operations import remarks, retrieve
    from vault.replay.annotations import newest

    desk: Desk = context.obj
    with desk.room() as room:
        if delete is not None:
            found = [remarks.delete(room, session, delete)]
        elif correct is not None and value is not None:
            found = [remarks.correct(room, session, correct, _json(value))]
        elif type is not None and key is not None and value is not None:
            place = _json(where)
            if not isinstance(place, dict):
                raise UsageError("--where is a JSON object.")
            made = remarks.annotate(
                room, session, type=type, key=key, value=_json(value), target=target, where=place
            )
            found = [made]
        elif (type, key, value, correct) == (None, None, None, None):
            opened = retrieve.Opened(room, retrieve.session(room, session))
            found = list(newest(opened.annotations()))
        else:
            raise UsageError("A new one needs --type, --key and --value; a correction --value.")
    rows = [asdict(a) for a in found]
    lines = [f"{a.id}  v{a.version} {a.type} {a.key} = {json.dumps(a.value)}" for a in found]
    desk.answer({"annotations": rows}, lines)


def title(
    context: typer.Context,
    session: SESSION,
    text: Annotated[str | None, typer.Argument(help="The title; none takes it away.")] = None,
) -> None:
    """Name a session. Sealed bytes stay as they are."""
    from vault.operations import remarks

    desk: Desk = context.obj
    with desk.room() as room:
        metadata = remarks.set_title(room, session, text)
    desk.answer({"id": session, "title": metadata.title}, [metadata.title or "no title"])


def tag(
    context: typer.Context,
    session: SESSION,
    add: Annotated[MANY, typer.Option(help="A tag to add.")] = None,
    remove: Annotated[MANY, typer.Option(help="A tag to take away.")] = None,
) -> None:
    """Tag a session, to find it by `list --tag`. Sealed bytes stay as they are."""
    from vault.operations import remarks

    desk: Desk = context.obj
    with desk.room() as room:
        metadata = remarks.tag(room, session, add=tuple(add or ()), remove=tuple(remove or ()))
    desk.answer({"id": session, "tags": list(metadata.tags)}, list(metadata.tags))


def _json(text: str) -> Any:  # noqa: ANN401  any JSON value
    """A JSON value; what is none is taken as text. (NaN is none: no export could write it.)"""
    from vault.errors import BadInput
    from vault.formats import jsontext

    data = text.encode(errors="replace")
    try:
        return jsontext.parse(data, "value")
    except BadInput:
        return data.decode()
