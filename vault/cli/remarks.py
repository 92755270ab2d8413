"""Verbs on what is said about a session: annotate, title, tag."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from vault.cli.choosing import MANY
from vault.cli.desk import Desk
from vault.cli.sessions import SESSION


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (annotate, title, tag):
        app.command(verb.__name__)(verb)


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
