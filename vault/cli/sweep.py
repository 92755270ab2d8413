"""Verbs that dispose of what is due: sweep plan, show, approve, run, list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.desk import Desk

if TYPE_CHECKING:
    from vault.operations.disposition import Plan, Swept

sweep_app = typer.Typer(help="Dispose of what is due.", no_args_is_help=True)
PLAN = Annotated[str, typer.Argument(metavar="PLAN", help="A plan's id.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(sweep_app, name="sweep")


@sweep_app.command("plan")
def sweep_plan(
    context: typer.Context,
    as_of: Annotated[str | None, typer.Option(help="What would be due then, ISO 8601.")] = None,
) -> None:
    """Find what is due and freeze the list. Destroys nothing."""
    from vault.operations import disposition

    desk: Desk = context.obj
    at = choosing.instant("--as-of", as_of)
    with desk.room() as room, desk.progress() as progress:
        found = disposition.plan(room, as_of=at, progress=progress)
    _answer(desk, found)
    if not desk.as_json and found.session_ids:
        desk.say("next: a second person runs `strongroom --actor NAME sweep approve PLAN`")


@sweep_app.command("show")
def sweep_show(context: typer.Context, plan: PLAN) -> None:
    """Show a plan as it was frozen, and what its breaker says now."""
    from vault.operations import disposition

    desk: Desk = context.obj
    with desk.room() as room:
        found = disposition.show(room, plan)
    _answer(desk, found)


@sweep_app.command("list")
def sweep_list(context: typer.Context) -> None:
    """List plans, the newest first."""
    from vault.operations import disposition

    desk: Desk = context.obj
    with desk.room() as room:
        rows = disposition.listed(room)
    found = [{"plan": r.id, "state": r.state, "planned_at": r.planned_at.isoformat()} for r in rows]
    lines = [f"{p['plan']}  {p['planned_at'][:19]}  {p['state']}" for p in found]
    desk.answer({"plans": found}, lines)


@sweep_app.command("approve")
def sweep_approve(
    context: typer.Context,
    plan: PLAN,
    override_breaker: Annotated[
        bool, typer.Option("--override-breaker", help="Go on although it tripped; say why.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why the breaker is overridden.")] = None,
) -> None:
    """Agree to exactly this list, as a second person. Destroys nothing."""
    from vault.errors import UsageError
    from vault.operations import disposition

    desk: Desk = context.obj
    if override_breaker != bool(reason and reason.strip()):
        raise UsageError("--override-breaker and --reason TEXT belong together.")
    with desk.room() as room:
        found = disposition.approve(room, plan, override=override_breaker, reason=reason)
    _answer(desk, found)


@sweep_app.command("run")
def sweep_run(context: typer.Context, plan: PLAN) -> int:
    """Destroy what an approved plan names, each session decided anew. Resumable."""
    from vault.errors import Refused, exit_code
    from vault.operations import disposition

    desk: Desk = context.obj
    with desk.room() as room, desk.progress() as progress:
        swept = disposition.run(room, plan, progress=progress)
    document = _swept(swept)
    lines = [f"{d['session']}  {d['element']} destroyed" for d in document["destroyed"]]
    lines += [f"{k['session']}  {k['element'] or '–'} kept: {k['why']}" for k in document["kept"]]
    lines += [f"certificate {one}" for one in document["certificates"]]
    desk.answer(document, lines)
    for session_id, error in swept.failed:
        desk.say(f"{session_id}: {error}")
    codes = [exit_code(error) for _, error in swept.failed]
    # A lock of the store keeps bytes whose key is gone.
    return max([*codes, *(exit_code(Refused()) for d in swept.done if d.unfinished)], default=0)


def _answer(desk: Desk, found: Plan) -> None:
    breaker = found.breaker
    document = {
        "plan": found.row.id,
        "hash": found.row.hash.hex(),
        "state": found.row.state,
        "as_of": found.document["as_of"],
        "items": found.document["items"],
        "kept": found.document["kept"],
        "breaker": {"tripped": breaker.tripped, "why": list(breaker.why)},
    }
    items: list[dict[str, Any]] = found.document["items"]  # type: ignore[assignment]  # as it was written
    lines = [f"plan {found.row.id}  {found.row.state}  sha256 {found.row.hash.hex()}"]
    lines += [
        f"  {i['session']}  {i['element']:<20} {i['action']:<8} {i['reasons'][0]['text']}"
        for i in items
    ]
    lines.append(f"{len(found.session_ids)} sessions due, {document['kept']} due but kept")
    lines += [f"breaker: {why}" for why in breaker.why]
    desk.answer(document, lines)


def _swept(swept: Swept) -> dict[str, list[Any]]:
    return {
        "destroyed": [
            {"session": d.session_id, "element": element.value}
            for d in swept.done
            for element in d.destroyed
        ],
        "kept": [
            *(
                {"session": d.session_id, "element": element.value, "why": why}
                for d in swept.done
                for element, why in d.kept
            ),
            *(
                {"session": d.session_id, "element": None, "why": d.unfinished}
                for d in swept.done
                if d.unfinished
            ),
            *({"session": s, "element": None, "why": str(e)} for s, e in swept.failed),
        ],
        "certificates": [d.certificate for d in swept.done if d.certificate],
    }
