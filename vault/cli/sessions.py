"""Verbs on sessions: deposit, list, show, fetch, export."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from vault.cli.desk import Desk, duration, size

SESSION = Annotated[str, typer.Argument(metavar="ID", help="A session's id.")]
MANY = list[str] | None


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (deposit, list_, show, fetch, export):
        app.command(verb.__name__.rstrip("_"))(verb)


def deposit(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Sessions: files, bundles, folders of them.")],
    format: Annotated[str | None, typer.Option(help="Do not sniff; it is this.")] = None,
    external_id: Annotated[str | None, typer.Option(help="The source's own id.")] = None,
    subject: Annotated[MANY, typer.Option(help="Whose data: e-mail, phone, id.")] = None,
    agent: Annotated[str | None, typer.Option(help="The agent, human or not.")] = None,
    jurisdiction: Annotated[MANY, typer.Option(help="CC or CC-RR, as in US-CA.")] = None,
    regime: Annotated[MANY, typer.Option(help="gdpr, hipaa, …")] = None,
    tag: Annotated[MANY, typer.Option(help="A word to find it by.")] = None,
    privacy_level: Annotated[
        str, typer.Option(help="full, audio_only, transcript_only, metadata_only, disabled.")
    ] = "full",
    class_: Annotated[str | None, typer.Option("--class", help="The retention class.")] = None,
    started_at: Annotated[str | None, typer.Option(help="When it began, ISO 8601.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave the jobs for later.")] = False,
) -> int:
    """Seal finished sessions into the archive. The same bytes again change nothing."""
    from vault.errors import exit_code
    from vault.operations import show as documents
    from vault.operations.admission import Terms
    from vault.operations.deposit import deposit as take

    desk: Desk = context.obj
    terms = Terms(
        format=format,
        external_id=external_id,
        subjects=subject or (),
        agent=agent,
        jurisdictions=jurisdiction or (),
        regimes=regime or (),
        tags=tag or (),
        privacy_level=_privacy_level(privacy_level),
        class_name=class_,
        started_at=_instant("--started-at", started_at),
    )
    with desk.room() as room, desk.progress() as progress:
        outcome = take(room, paths, terms, wait=not no_wait, progress=progress)
    answers = [documents.deposited(s) for s in outcome.sessions]
    refused = [
        {"path": str(path), "error": str(error), "code": exit_code(error)}
        for path, error in outcome.refused
    ]
    lines = [line for answer in answers for line in _deposited_lines(answer)]
    desk.answer({"sessions": answers, "refused": refused}, lines)
    for entry in refused:
        desk.say(f"refused: {entry['path']}: {entry['error']}")
    if outcome.note:
        desk.say(outcome.note)
    if not desk.as_json:
        new = sum(not s.already for s in outcome.sessions)
        old = len(outcome.sessions) - new
        desk.say(f"{new} deposited, {old} already here, {len(refused)} refused.")
    return max((exit_code(error) for _, error in outcome.refused), default=0)


def list_(
    context: typer.Context,
    subject: Annotated[MANY, typer.Option(help="Whose data.")] = None,
    agent: Annotated[MANY, typer.Option(help="The agent.")] = None,
    tag: Annotated[MANY, typer.Option(help="A tag.")] = None,
    external_id: Annotated[MANY, typer.Option(help="The source's own id.")] = None,
    format: Annotated[str | None, typer.Option(help="The source's format.")] = None,
    state: Annotated[str | None, typer.Option(help="sealed or ready.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="The retention class.")] = None,
    jurisdiction: Annotated[str | None, typer.Option(help="CC or CC-RR.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Began then or later.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Began before then.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """List sessions, newest deposit first. Filters add up."""
    from vault.model import SessionFilter
    from vault.operations import retrieve
    from vault.operations import show as documents

    desk: Desk = context.obj
    with desk.room() as room:
        asked = {"subject": subject, "agent": agent, "tag": tag, "external-id": external_id}
        where = SessionFilter(
            lookups=[
                (kind, room.keys.lookup(kind, value))
                for kind, values in asked.items()
                for value in values or ()
            ],
            format=_format(format),
            state=_state(state),
            class_name=class_,
            jurisdiction=jurisdiction,
            since=_instant("--from", since),
            until=_instant("--to", until),
        )
        found = [documents.summary(row) for row in retrieve.sessions(room, where, limit=limit)]
    lines = [
        f"{s['id']}  {str(s['started_at'])[:19]}  {duration(s['duration_ns']):>8}  "  # type: ignore[arg-type]  # int or None in this document
        f"{s['format']:<10} {s['state']:<8} {s['class']}"
        for s in found
    ]
    desk.answer({"sessions": found}, lines)


def show(context: typer.Context, session: SESSION) -> None:
    """Show everything about a session but its bytes."""
    from vault.operations import retrieve
    from vault.operations import show as documents

    desk: Desk = context.obj
    with desk.room() as room:
        opened = retrieve.Opened(room, retrieve.session(room, session))
        document = documents.session(opened)
    desk.answer(document, _session_lines(document))


def fetch(
    context: typer.Context,
    session: SESSION,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write.")],
    originals: Annotated[
        bool, typer.Option("--originals", help="All files as they came, into a folder.")
    ] = False,
    part: Annotated[str | None, typer.Option(help="One part, into a file.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is opened.")] = None,
) -> None:
    """Open sealed parts and write them. Nothing is written unless all of it verifies."""
    from vault.errors import UsageError
    from vault.operations import fetch as fetching

    desk: Desk = context.obj
    if originals == (part is not None):
        raise UsageError("Say either --originals or --part NAME.")
    del reason  # it belongs in the evidence ledger, which this version does not keep yet
    with desk.room() as room, desk.progress() as progress:
        if part is None:
            files = fetching.originals(room, session, output, progress=progress)
        else:
            files = [fetching.part(room, session, part, output, progress=progress)]
    _wrote(desk, files, {})


def export(
    context: typer.Context,
    session: SESSION,
    format: Annotated[str, typer.Option(help="wav, mp3, ogg or flac.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write.")],
    audio: Annotated[str, typer.Option(help="timeline, concat, stereo or tracks.")] = "timeline",
) -> None:
    """Write a session's sound as one file: as it happened, or its recordings in a row."""
    from vault.operations import fetch as fetching
    from vault.operations import show as documents

    desk: Desk = context.obj
    with desk.room() as room, desk.progress() as progress:
        files, warnings = fetching.audio(
            room, session, output, container=format, layout=audio, progress=progress
        )
    _wrote(desk, files, {"records": 1, "warnings": documents.warnings(warnings)})


def _wrote(desk: Desk, files: list[dict[str, Any]], more: dict[str, Any]) -> None:
    lines = [f"{f['sha256'][:16]}  {size(f['bytes']):>9}  {f['name']}" for f in files]
    desk.answer({"files": files, **more}, lines)
    for warning in more.get("warnings", ()):
        desk.say(f"warning: {warning['text']}")


def _deposited_lines(answer: dict[str, Any]) -> list[str]:
    word = "already" if answer["already"] else answer["state"]
    total = sum(o["bytes"] for o in answer["originals"])
    first = (
        f"{answer['id']}  {word:<8} {answer['format']:<10} {duration(answer['duration_ns']):>8}"
        f"  {len(answer['originals'])} files, {size(total)}  {answer['path']}"
    )
    return [first, *(_warning_line(w) for w in answer["warnings"])]


def _warning_line(warning: dict[str, Any]) -> str:
    about = f" [{warning['file']}]" if "file" in warning else ""
    return f"  ! {warning['code']}: {warning['text']}{about}"


def _session_lines(document: dict[str, Any]) -> list[str]:
    names = ("id", "format", "state", "started_at", "class", "privacy_level", "external_id")
    lines = [f"{name:<14} {document[name]}" for name in names]
    lines.append(f"{'duration':<14} {duration(document['duration_ns'])}")
    lines += ["", "parts"]
    lines += [
        f"  {p['compartment']:<9} {size(p['bytes']):>9}  {p['sha256'][:16]}  {p['name']}"
        for p in document["parts"]
    ]
    if document["segments"]:
        lines += ["", "transcript"]
        lines += [
            f"  {duration(s['start_ns']):>8}  {s['speaker'] or s['role']}: {s['text'] or '–'}"
            + (" […]" if s["truncated"] else "")
            for s in document["segments"]
        ]
    if document["warnings"]:
        lines += ["", "warnings", *(_warning_line(w) for w in document["warnings"])]
    return lines


def _instant(option: str, text: str | None) -> datetime | None:
    from vault.errors import UsageError

    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} is not an ISO 8601 instant.") from error
    if instant.tzinfo is None:
        raise UsageError(f"{option} needs an offset, as in 2026-01-31T09:30:00+01:00.")
    return instant


def _privacy_level(text: str) -> Any:  # noqa: ANN401  PrivacyLevel, imported only when needed
    from vault.errors import UsageError
    from vault.model import PrivacyLevel

    try:
        return PrivacyLevel(text)
    except ValueError:
        raise UsageError(f"A privacy level is one of: {', '.join(PrivacyLevel)}.") from None


def _format(name: str | None) -> str | None:
    from vault.errors import UsageError
    from vault.formats import FORMATS

    if name is None or name in FORMATS:
        return name
    raise UsageError(f"A format is one of: {', '.join(FORMATS)}.")


def _state(text: str | None) -> Any:  # noqa: ANN401  State, imported only when needed
    from vault.errors import UsageError
    from vault.model import State

    if text is None:
        return None
    try:
        return State(text)
    except ValueError:
        raise UsageError(f"A state is one of: {', '.join(State)}.") from None
