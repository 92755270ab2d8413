"""Verbs that write files for people and other programs: export, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vault.cli import choosing
from vault.cli.choosing import MANY, Filters
from vault.cli.desk import Desk, wrote

if TYPE_CHECKING:
    from vault.formats.promptkit_writer import Options
    from vault.formats.vcon_envelope import Envelope
    from vault.operations.delivery import Exported
    from vault.operations.records import Choice
    from vault.operations.room import Room

Sessions = Annotated[MANY, typer.Argument(metavar="[ID]...", help="Sessions, by their ids.")]
Everything = Annotated[bool, typer.Option("--all", help="Every session there is.")]
FromFormat = Annotated[str | None, typer.Option("--source-format", help="The source's format.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Where to write.")]
Anonymise = Annotated[
    bool, typer.Option("--anonymise", help="Without what names people; needs a redaction engine.")
]
EncryptTo = Annotated[
    MANY, typer.Option("--encrypt-to", metavar="KEY", help="An age or ssh public key, or a file.")
]

TYPES = (
    "session_summary, quality_report, transcript_report, analytics_report, compliance_report, "
    "performance_report or custom_report."
)


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.command("export")(export)
    app.command("report")(report)


def export(
    context: typer.Context,
    format: Annotated[str, typer.Option(help="json, csv, html, pdf, xlsx, zip, vtt, wav …")],
    output: Output,
    sessions: Sessions = None,
    everything: Everything = False,
    audio: Annotated[
        str, typer.Option(help="Of sound: timeline, stereo, concat or tracks.")
    ] = "timeline",
    originals: Annotated[
        bool, typer.Option("--originals", help="Of zip: with the files as they came.")
    ] = False,
    manifest: Annotated[
        bool, typer.Option("--manifest/--no-manifest", help="Of scenario: with manifest.json.")
    ] = True,
    sign_with: Annotated[
        Path | None, typer.Option(metavar="KEYFILE", help="Of vcon: sign it; an RSA key, PEM.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Of vcon: the signing key's certificate chain, PEM.")
    ] = None,
    recipient: Annotated[
        Path | None,
        typer.Option(metavar="CERT", help="Of vcon: encrypt it for this RSA certificate or key."),
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Of promptkit: the provider.")] = None,
    model: Annotated[str | None, typer.Option(help="Of promptkit: the model.")] = None,
    custom: Annotated[
        MANY, typer.Option(metavar="KEY=VALUE", help="Of promptkit: custom metadata.")
    ] = None,
    without: Annotated[
        MANY, typer.Option(help="Leave out audio, transcript, metadata, metrics or analysis.")
    ] = None,
    anonymise: Anonymise = False,
    encrypt_to: EncryptTo = None,
    subject: choosing.Subjects = None,
    agent: choosing.Agents = None,
    tag: choosing.Tags = None,
    external_id: choosing.ExternalIds = None,
    source_format: FromFormat = None,
    state: choosing.Standing = None,
    class_: choosing.Class = None,
    jurisdiction: choosing.Jurisdiction = None,
    since: choosing.Since = None,
    until: choosing.Until = None,
) -> None:
    """Write sessions as files: by id, by the same filters as `list`, or all. Whole or not at all.

    One file holds every session in json, jsonl, csv, xml, html, pdf, xlsx, docx, zip and txt;
    of the others, several sessions make a folder with a file each and a manifest.
    """
    from vault.operations import export as exporting

    desk: Desk = context.obj
    filters = Filters(
        subject, agent, tag, external_id, source_format, state, class_, jurisdiction, since, until
    )
    request = exporting.Request(
        format=format,
        layout=audio,
        originals=originals,
        manifest=manifest,
        envelope=_envelope(sign_with, certificate, recipient),
        promptkit=_options(provider, model, custom),
        without=without or (),
        anonymise=anonymise,
        encrypt_to=encrypt_to or (),
    )
    with desk.room() as room, desk.progress() as progress:
        choice = chosen(room, sessions, filters, everything=everything)
        done = exporting.export(room, choice, request, output, progress=progress)
    answer(desk, done)


def _envelope(
    sign_with: Path | None, certificate: Path | None, recipient: Path | None
) -> Envelope | None:
    """What a vCon is put into; None if nothing was asked for."""
    from vault.errors import UsageError
    from vault.formats.vcon_envelope import Envelope

    if (sign_with is None) != (certificate is None):
        raise UsageError("To sign takes both --sign-with KEYFILE and --certificate CHAIN.")
    if sign_with is None and recipient is None:
        return None
    return Envelope(
        sign_key=None if sign_with is None else choosing.key(sign_with),
        chain=None if certificate is None else choosing.pem(certificate),
        recipient=None if recipient is None else choosing.pem(recipient),
    )


def _options(provider: str | None, model: str | None, custom: MANY) -> Options | None:
    """What a PromptKit recording says of itself; None if nothing was given."""
    from vault.formats.promptkit_writer import Options

    if provider is None and model is None and custom is None:
        return None
    fields = choosing.pairs("--custom", "KEY=VALUE", custom) or None
    return Options(provider_name=provider, model=model, custom=fields)


def report(
    context: typer.Context,
    type: Annotated[str, typer.Argument(metavar="TYPE", help=TYPES)],
    output: Output,
    sessions: Sessions = None,
    everything: Everything = False,
    format: Annotated[
        str | None,
        typer.Option(help="html, pdf, docx, json, txt, csv, xlsx; else by the file's ending."),
    ] = None,
    section: Annotated[
        MANY, typer.Option(help="Of custom_report: summary, quality, transcript, analytics, …")
    ] = None,
    anonymise: Anonymise = False,
    encrypt_to: EncryptTo = None,
    subject: choosing.Subjects = None,
    agent: choosing.Agents = None,
    tag: choosing.Tags = None,
    external_id: choosing.ExternalIds = None,
    source_format: FromFormat = None,
    state: choosing.Standing = None,
    class_: choosing.Class = None,
    jurisdiction: choosing.Jurisdiction = None,
    since: choosing.Since = None,
    until: choosing.Until = None,
) -> None:
    """Write a report on sessions: what there is, how it went, what is kept under which terms."""
    from vault.export.endings import ending
    from vault.operations import report as reporting

    desk: Desk = context.obj
    filters = Filters(
        subject, agent, tag, external_id, source_format, state, class_, jurisdiction, since, until
    )
    request = reporting.Request(
        type=type,
        format=format or ending(output) or "html",
        sections=section or (),
        anonymise=anonymise,
        encrypt_to=encrypt_to or (),
    )
    with desk.room() as room, desk.progress() as progress:
        choice = chosen(room, sessions, filters, everything=everything)
        done = reporting.report(room, choice, request, output, progress=progress)
    answer(desk, done)


def chosen(room: Room, ids: MANY, filters: Filters, *, everything: bool) -> Choice:
    """The sessions that the command line names; `UsageError` where it does so in two ways."""
    from vault.errors import UsageError
    from vault.operations.records import Choice

    if sum((bool(ids), bool(filters), everything)) != 1:
        raise UsageError("Say which sessions: ids, or filters, or --all.")
    return Choice(ids=ids) if ids else Choice(where=filters.where(room))


def answer(desk: Desk, done: Exported) -> None:
    """Say what was written."""
    more = {"records": done.records, "warnings": [warning.entry() for warning in done.warnings]}
    wrote(desk, done.files, more)
