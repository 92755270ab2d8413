"""Verbs on requests of data subjects: open, verify, decide, approve, refuse, fulfil, and so on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.operations.request_record import Case, Item

requests_app = typer.Typer(
    help="What data subjects ask for: access, erasure, and by when it is answered.",
    no_args_is_help=True,
)
REQUEST = Annotated[str, typer.Argument(metavar="R", help="The request's id.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(requests_app, name="requests")


@requests_app.command("open")
def requests_open(
    context: typer.Context,
    type: Annotated[
        str,
        typer.Option("--type", help="access, erasure, portability, restriction, rectification."),
    ],
    subject: Annotated[str, typer.Option("--subject", help="Who asks: e-mail, phone, id.")],
    regime: Annotated[str, typer.Option(help="gdpr, uk-gdpr, ccpa or hipaa.")],
    received: Annotated[str | None, typer.Option(help="When it arrived, ISO 8601.")] = None,
) -> None:
    """Record a request; the clock runs from its receipt."""
    from vault.operations import requests

    desk: Desk = context.obj
    at = choosing.instant("--received", received)
    with desk.room() as room:
        case = requests.receive(room, requests.Asked(type, subject, regime, at))
    due, by = case.row.due_at.isoformat(), case.details.acknowledge_by
    lines = [f"{case.id}  due {due}" + (f", to be acknowledged by {by}" if by else "")]
    document = {"request": case.id, "state": case.row.state, "due_at": due, "acknowledge_by": by}
    desk.answer(document, lines)


@requests_app.command("verify")
def requests_verify(
    context: typer.Context,
    request: REQUEST,
    proof: Annotated[str | None, typer.Option(help="How identity was proved; sealed.")] = None,
    paused_days: Annotated[
        int, typer.Option(min=0, help="Days spent waiting for the proof, where they count.")
    ] = 0,
) -> None:
    """Note that the person is who they say they are."""
    from vault.operations import requests

    desk: Desk = context.obj
    with desk.room() as room:
        case = requests.verify(room, request, proof=proof, paused_days=paused_days)
    _answer(desk, case, case.details.items or ())


@requests_app.command("decide")
def requests_decide(
    context: typer.Context,
    request: REQUEST,
    session: Annotated[
        str | None, typer.Option(help="Rule on this session, where the rules leave it open.")
    ] = None,
    element: Annotated[str | None, typer.Option(help="On this element of it only.")] = None,
    outcome: Annotated[str | None, typer.Option(help="erase, provide or refused.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept sealed.")] = None,
) -> None:
    """Decide on every element and freeze it, or rule: --session, --outcome and --reason."""
    from vault.errors import UsageError
    from vault.operations import requests
    from vault.operations.request_items import Ruling

    desk: Desk = context.obj
    ruling = None
    if session is not None and outcome is not None and reason is not None:
        ruling = Ruling(session, outcome, reason, element)
    elif session or element or outcome or reason:
        raise UsageError("A ruling has --session, --outcome and --reason.")
    with desk.room() as room:
        case = requests.decide(room, request, ruling)
    _answer(desk, case, case.details.items or ())


@requests_app.command("approve")
def requests_approve(context: typer.Context, request: REQUEST) -> None:
    """Let what was decided be done."""
    from vault.operations import requests

    desk: Desk = context.obj
    with desk.room() as room:
        case = requests.approve(room, request)
    _answer(desk, case, case.details.items or ())


@requests_app.command("refuse")
def requests_refuse(
    context: typer.Context,
    request: REQUEST,
    reason: Annotated[str, typer.Option(help="Why it is not answered; kept sealed.")],
) -> None:
    """End a request that was not approved: not who they say they are, or taken back."""
    from vault.operations import requests

    desk: Desk = context.obj
    with desk.room() as room:
        case = requests.refuse(room, request, reason)
    _answer(desk, case, case.details.items or ())


@requests_app.command("extend")
def requests_extend(
    context: typer.Context,
    request: REQUEST,
    reason: Annotated[str, typer.Option(help="Why it takes longer; kept sealed.")],
) -> None:
    """Take the longer time that the law allows, before the first has run out."""
    from vault.operations import requests

    desk: Desk = context.obj
    with desk.room() as room:
        case = requests.extend(room, request, reason)
    _answer(desk, case, case.details.items or ())


@requests_app.command("fulfil")
def requests_fulfil(
    context: typer.Context,
    request: REQUEST,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The copy; else request-R.zip here.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="What was put right; kept sealed.")] = None,
) -> None:
    """Do what was approved, or what is left of it: hand over, or destroy."""
    from vault.operations.request_fulfilment import fulfil

    desk: Desk = context.obj
    with desk.room() as room, desk.progress() as progress:
        found = fulfil(room, request, output=output, note=note, progress=progress)
    kept = [{"session": i.session, "element": i.element, "why": i.reason} for i in found.kept]
    document = {
        "request": request,
        "state": found.state,
        "package": found.package,
        "certificates": list(found.certificates),
        "kept": kept,
        "unfinished": list(found.unfinished),
    }
    lines = [f"{request}  {found.state}"]
    lines += [f"package {found.package}"] if found.package else []
    lines += [f"certificate {one}" for one in found.certificates]
    lines += [f"kept {k['session']} {k['element']}: {k['why']}" for k in kept]
    desk.answer(document, [*lines, *(f"unfinished: {why}" for why in found.unfinished)])


@requests_app.command("show")
def requests_show(
    context: typer.Context,
    request: REQUEST,
    as_of: Annotated[str | None, typer.Option(help="As it would be decided then.")] = None,
) -> None:
    """Show a request, its clock, and what becomes of each element."""
    from vault.operations import requests

    desk: Desk = context.obj
    instant = choosing.instant("--as-of", as_of)
    with desk.room() as room:
        case, items = requests.show(room, request, instant)
    _answer(desk, case, items)


@requests_app.command("list")
def requests_list(context: typer.Context) -> None:
    """List requests, the oldest first."""
    from vault.operations import requests

    desk: Desk = context.obj
    with desk.room() as room:
        found = [_summary(case) for case in requests.listed(room)]
    lines = [
        f"{s['request']}  {s['state']:<9} {s['type']:<13} {s['regime']:<8} due {_due(s['clock'])}"
        for s in found
    ]
    desk.answer({"requests": found}, lines)


def _answer(desk: Desk, case: Case, items: Iterable[Item]) -> None:
    from vault.operations.request_package import answer

    document = {**_summary(case), "items": [answer(item) for item in items]}
    about = f"{document['type']} under {document['regime']}, due {_due(document['clock'])}"
    lines = [f"{case.id}  {document['state']}  {about}"]
    lines += [
        f"  {i['session']}  {i['element']:<20} {i['outcome']:<16} {i['reason']}"
        + (f" ({i['citation']})" if i["citation"] else "")
        for i in document["items"]
    ]
    desk.answer(document, lines)


def _summary(case: Case) -> dict[str, Any]:
    row, details = case.row, case.details
    extended = None if row.extended_due_at is None else row.extended_due_at.isoformat()
    return {
        "request": row.id,
        "state": row.state,
        "type": row.type,
        "regime": row.regime,
        "subject": details.subject,
        "sessions": list(details.sessions),
        "clock": {
            "received_at": row.received_at.isoformat(),
            "due_at": row.due_at.isoformat(),
            "extended_due_at": extended,
            "acknowledge_by": details.acknowledge_by,
            "paused_days": details.paused_days,
        },
        "note": details.note,
        "package": details.package,
    }


def _due(clock: dict[str, Any]) -> str:
    return str(clock["extended_due_at"] or clock["due_at"])[:16]
