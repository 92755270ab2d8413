"""Verbs on sessions: deposit, list, show, fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.choosing import MANY
from vault.cli.desk import Desk, duration, size, wrote

SESSION = Annotated[str, typer.Argument(metavar="ID", help="A session's id.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (deposit, list_, show, fetch):
        app.command(verb.__name__.rstrip("_"))(verb)


def deposit(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Sessions: files, bundles, folders of them.")],
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
    decrypt_key: Annotated[
        Path | None, typer.Option(help="A PEM file that opens sessions which came encrypted.")
    ] = None,
    trust_signer: Annotated[
        list[Path] | None,
        typer.Option(metavar="CERT", help="Refuse a vCon that none of these PEM files signed."),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave the jobs for later.")] = False,
) -> int:
    """Seal finished sessions into the archive. The same bytes again change nothing."""
    from vault.errors import Refused, UsageError, exit_code
    from vault.operations import listing
    from vault.operations.admission import Terms
    from vault.operations.deposit import deposit as take

    desk: Desk = context.obj
    if "" in paths:
        raise UsageError("A path is empty; is a variable not set?")
    terms = Terms(
        format=format,
        external_id=external_id,
        subjects=subject or (),
        agent=agent,
        jurisdictions=jurisdiction or (),
        regimes=regime or (),
        tags=tag or (),
        privacy_level=choosing.privacy_level(privacy_level),
        class_name=class_,
        started_at=choosing.instant("--started-at", started_at),
        decrypt_key=None if decrypt_key is None else choosing.key(decrypt_key),
        signers=b"\n".join(map(choosing.pem, trust_signer)) if trust_signer else None,
    )
    with desk.room() as room, desk.progress() as progress:
        outcome = take(room, map(Path, paths), terms, wait=not no_wait, progress=progress)
    answers = [listing.deposited(s) for s in outcome.sessions]
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
    apart = [exit_code(Refused()) for s in outcome.sessions if s.state == "quarantined"]
    return max([*(exit_code(error) for _, error in outcome.refused), *apart], default=0)


def list_(
    context: typer.Context,
    subject: choosing.Subjects = None,
    agent: choosing.Agents = None,
    tag: choosing.Tags = None,
    external_id: choosing.ExternalIds = None,
    format: choosing.SourceFormat = None,
    state: choosing.Standing = None,
    class_: choosing.Class = None,
    jurisdiction: choosing.Jurisdiction = None,
    since: choosing.Since = None,
    until: choosing.Until = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """List sessions, newest deposit first. Filters add up."""
    from vault.operations import listing, retrieve

    desk: Desk = context.obj
    filters = choosing.Filters(
        subject, agent, tag, external_id, format, state, class_, jurisdiction, since, until
    )
    with desk.room() as room:
        where = filters.where(room)
        found = [listing.summary(row) for row in retrieve.sessions(room, where, limit=limit)]
    lines = [
        f"{s['id']}  {str(s['started_at'])[:19]}  {duration(s['duration_ns']):>8}  "  # type: ignore[arg-type]  # int or None in this document
        f"{s['format']:<21} {s['state']:<8} {s['class']}"
        for s in found
    ]
    desk.answer({"sessions": found}, lines)


def show(context: typer.Context, session: SESSION) -> None:
    """Show everything about a session but its bytes."""
    from vault.operations import retrieve
    from vault.operations import show as documents

    desk: Desk = context.obj
    with desk.room() as room:
        opened = retrieve.Opened(room, retrieve.session(room, session, erased=True))
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
    reason: Annotated[
        str | None,
        typer.Option(help="Why it is opened; the ledger is told a commitment to it."),
    ] = None,
) -> None:
    """Open sealed parts and write them. Nothing is written unless all of it verifies."""
    from vault.errors import UsageError
    from vault.operations import fetch as fetching

    desk: Desk = context.obj
    if originals == (part is not None):
        raise UsageError("Say either --originals or --part NAME.")
    with desk.room() as room, desk.progress() as progress:
        if part is None:
            files = fetching.originals(room, session, output, reason=reason, progress=progress)
        else:
            files = [fetching.part(room, session, part, output, reason=reason, progress=progress)]
    wrote(desk, files, {})


def _deposited_lines(answer: dict[str, Any]) -> list[str]:
    word = "already" if answer["already"] else answer["state"]
    total = sum(o["bytes"] for o in answer["originals"])
    first = (
        f"{answer['id']}  {word:<8} {answer['format']:<21} {duration(answer['duration_ns']):>8}"
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
    stated = ", and stated by the source, unchecked" if document["consent"]["stated"] else ""
    lines.append(f"{'consent':<14} {document['consent']['state']}{stated}")
    lines += [f"{'hold':<14} {h['hold']}  {h['state']}" for h in document["holds"]]
    lines += [f"{'certificate':<14} {one}" for one in document["certificates"]]
    lines += ["", "decided (`policy explain` says why)"]
    lines += [
        f"  {e['element']:<20} {e['decision']:<16} not before {(e['not_before'] or '–')[:10]}"
        for e in document["elements"]
    ]
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
