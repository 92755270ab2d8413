"""Verbs on consent: request, grant, withdraw, check, list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.desk import Desk

if TYPE_CHECKING:
    from vault.operations.consent import Said

consent_app = typer.Typer(
    help="What data subjects consented to; what they take back is erased.", no_args_is_help=True
)
_TYPES = "recording, storage, analysis or sharing."
_BASES = "consent, contract, legal-obligation, vital-interests, public-task, legitimate-interests."
Subject = Annotated[str, typer.Option("--subject", help="Whose: e-mail, phone, id.")]
Type = Annotated[str, typer.Option("--type", help=_TYPES)]
Basis = Annotated[str, typer.Option(help=_BASES)]
Expires = Annotated[str | None, typer.Option(help="Until when, ISO 8601.")]
Notice = Annotated[str | None, typer.Option(help="What they were told; kept sealed.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(consent_app, name="consent")


@consent_app.command("request")
def consent_request(
    context: typer.Context,
    subject: Subject,
    type: Type,
    jurisdiction: choosing.Jurisdiction = None,
    basis: Basis = "consent",
    expires: Expires = None,
    notice: Notice = None,
) -> None:
    """Record that someone was asked for consent."""
    from vault.operations import consent

    said = _said(subject, type, jurisdiction, basis, expires, notice)
    desk: Desk = context.obj
    with desk.room() as room:
        record = consent.request(room, said)
    desk.answer({"consent": record, "state": "requested"}, [f"{record}  requested"])


@consent_app.command("grant")
def consent_grant(
    context: typer.Context,
    subject: Subject,
    type: Type,
    jurisdiction: choosing.Jurisdiction = None,
    basis: Basis = "consent",
    expires: Expires = None,
    notice: Notice = None,
) -> None:
    """Record that someone consented."""
    from vault.operations import consent

    said = _said(subject, type, jurisdiction, basis, expires, notice)
    desk: Desk = context.obj
    with desk.room() as room:
        record = consent.grant(room, said)
    desk.answer({"consent": record, "state": "granted"}, [f"{record}  granted"])


@consent_app.command("withdraw")
def consent_withdraw(
    context: typer.Context,
    subject: Subject,
    type: Type,
    jurisdiction: choosing.Jurisdiction = None,
    regime: Annotated[str, typer.Option(help="The law that an erasure is under.")] = "gdpr",
    other_basis: Annotated[
        str | None, typer.Option(help="Another legal basis: nothing is erased then.")
    ] = None,
) -> None:
    """Record that someone takes consent back; without recording or storage, all is erased.

    Nothing is destroyed by this: `requests fulfil` or a sweep does it.
    """
    from vault.operations import withdrawal

    said = _said(subject, type, jurisdiction)
    desk: Desk = context.obj
    with desk.room() as room:
        found = withdrawal.withdraw(room, said, regime=regime, other_basis=other_basis)
    document = {
        "consent": found.consent,
        "state": "withdrawn",
        "request": found.request,
        "sessions": found.sessions,
    }
    lines = [f"{found.consent}  withdrawn"]
    if found.request is not None:
        lines.append(f"{found.sessions} sessions: `strongroom requests fulfil {found.request}`")
    desk.answer(document, lines)


@consent_app.command("check")
def consent_check(
    context: typer.Context,
    subject: Subject,
    type: Type,
    jurisdiction: choosing.Jurisdiction = None,
    as_of: Annotated[str | None, typer.Option(help="At another instant, ISO 8601.")] = None,
) -> None:
    """Say whether consent stands, and why."""
    from vault.operations import consent

    desk: Desk = context.obj
    place, instant = choosing.jurisdiction(jurisdiction), choosing.instant("--as-of", as_of)
    with desk.room() as room:
        found = consent.check(room, subject, type, place, instant)
    document = {
        "granted": found.granted,
        "state": found.state,
        "reason": found.reason,
        "citation": found.citation,
        "basis": found.basis,
        "expires_at": None if found.expires_at is None else found.expires_at.isoformat(),
    }
    word = "granted" if found.granted else "not granted"
    desk.answer(document, [f"{word}: {found.reason} ({found.citation})"])


@consent_app.command("list")
def consent_list(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option("--subject", help="Whose; else all.")] = None,
    type: Annotated[str | None, typer.Option("--type", help=_TYPES)] = None,
) -> None:
    """List what was recorded, oldest first."""
    from vault.operations import consent

    desk: Desk = context.obj
    kind = None if type is None else consent.known_type(type)
    with desk.room() as room:
        found = (
            _entry(*one) for one in consent.listed(room, subject) if kind in {None, one[0].type}
        )
        desk.answer_each("consents", found, _lines)


def _said(
    subject: str,
    type: str,
    jurisdiction: str | None,
    basis: str = "consent",
    expires: str | None = None,
    notice: str | None = None,
) -> Said:
    from vault.operations.consent import Said

    place, until = choosing.jurisdiction(jurisdiction), choosing.instant("--expires", expires)
    return Said(subject, type, place, basis, until, notice)


def _entry(row: Any, subject: str) -> dict[str, Any]:  # noqa: ANN401  ConsentRow, imported only when needed
    return {
        "consent": row.id,
        "subject": subject,
        "type": row.type,
        "jurisdiction": row.jurisdiction,
        "state": row.state,
        "basis": row.basis,
        "at": row.at.isoformat(),
        "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
    }


def _lines(entry: Any) -> list[str]:  # noqa: ANN401  what `_entry` gives
    place = entry["jurisdiction"] or "anywhere"
    what = f"{entry['state']:<10} {entry['type']:<10} {place:<8}"
    return [f"{entry['at'][:19]}  {what} {entry['subject']}"]
