"""Verbs on legal holds: hold preview, place, release, approve, list, show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.choosing import MANY
from vault.cli.desk import Desk, size

if TYPE_CHECKING:
    from vault.operations.hold_record import Seen
    from vault.operations.hold_scope import Scope
    from vault.rows import HoldRow

hold_app = typer.Typer(help="Legal holds: what may not be destroyed.", no_args_is_help=True)
Hold = Annotated[str, typer.Argument(metavar="HOLD", help="A hold's id.")]
Sessions = Annotated[MANY, typer.Option("--session", help="A session, whatever else is said.")]
Query = Annotated[str | None, typer.Option(help="Words in the transcript or the title.")]
Future = Annotated[
    bool,
    typer.Option("--future", help="Also what comes under these subjects, agents and tags."),
]
Reason = Annotated[str | None, typer.Option(help="Why.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(hold_app, name="hold")


@hold_app.command("preview")
def hold_preview(
    context: typer.Context,
    session: Sessions = None,
    subject: choosing.Subjects = None,
    agent: choosing.Agents = None,
    tag: choosing.Tags = None,
    since: choosing.Since = None,
    until: choosing.Until = None,
    query: Query = None,
    future: Future = False,
    matter: Annotated[str | None, typer.Option(help="As in place; not kept.")] = None,  # noqa: ARG001  so that a preview is the same line
    reason: Reason = None,  # noqa: ARG001  likewise
) -> None:
    """Show what a hold would reach: how many, which classes, what is destroyed. Changes nothing.

    Subjects, agents and tags add up; --from, --to and --query narrow them down, or alone mean
    everything in them. Named sessions come on top.
    """
    from vault.operations import hold_scope

    desk: Desk = context.obj
    scope = _scope(session, subject, agent, tag, since, until, query, future=future)
    with desk.room() as room, desk.progress() as progress:
        seen = hold_scope.preview(room, scope, progress=progress)
    document: dict[str, Any] = {
        "sessions": seen.sessions,
        "bytes": seen.bytes,
        "per_class": dict(sorted(seen.per_class.items())),
        "unpreservable": _pairs(seen.unpreservable),
        "in_flight": _pairs(seen.in_flight),
        "open_requests": [
            {"request": one, "sessions": count} for one, count in seen.open_requests.items()
        ],
    }
    lines = [f"{seen.sessions} sessions, {size(seen.bytes)} of originals"]
    lines += [f"  {count:>9}  {name}" for name, count in document["per_class"].items()]
    lines += [f"  being destroyed: {one}" for one, _ in seen.in_flight]
    lines += [f"  asked for in request {one}" for one in seen.open_requests]
    desk.answer(document, [*lines, *_late(seen.unpreservable)])


@hold_app.command("place")
def hold_place(
    context: typer.Context,
    matter: Annotated[str, typer.Option(help="The case; kept sealed.")],
    session: Sessions = None,
    subject: choosing.Subjects = None,
    agent: choosing.Agents = None,
    tag: choosing.Tags = None,
    since: choosing.Since = None,
    until: choosing.Until = None,
    query: Query = None,
    future: Future = False,
    reason: Reason = None,
    authority: Annotated[str | None, typer.Option(help="Who ordered it.")] = None,
    counsel: Annotated[str | None, typer.Option(help="Who advises.")] = None,
    second_person: Annotated[
        bool, typer.Option("--second-person", help="Another actor has to approve; protects now.")
    ] = False,
    preserve_unredacted: Annotated[
        bool, typer.Option("--preserve-unredacted", help="Even what must be redacted is kept.")
    ] = False,
) -> None:
    """Place a hold: nothing in it can be destroyed until its release was approved.

    Subjects, agents and tags add up; --from, --to and --query narrow them down, or alone mean
    everything in them. Named sessions come on top.
    """
    from vault.operations import holds

    desk: Desk = context.obj
    scope = _scope(session, subject, agent, tag, since, until, query, future=future)
    with desk.room() as room, desk.progress() as progress:
        placed = holds.place(
            room,
            holds.Matter(matter, reason, authority, counsel),
            scope,
            second_person=second_person,
            preserve_unredacted=preserve_unredacted,
            progress=progress,
        )
    document: dict[str, Any] = {
        "hold": placed.hold,
        "state": placed.state,
        "sessions": placed.sessions,
        "unpreservable": _pairs(placed.unpreservable),
        "store": asdict(placed.store),
    }
    lines = [f"{placed.hold}  {placed.state}  {placed.sessions} sessions"]
    desk.answer(document, [*lines, *_late(placed.unpreservable)])
    _tell_store(desk, document["store"])
    if not desk.as_json and second_person:
        desk.say("next: a second person runs `strongroom --actor NAME hold approve HOLD`")


@hold_app.command("release")
def hold_release(
    context: typer.Context,
    hold: Hold,
    reason: Annotated[str, typer.Option(help="Why; kept sealed.")],
) -> None:
    """Ask for a hold's release. It protects until somebody else approves, and destroys nothing."""
    from vault.operations import holds

    desk: Desk = context.obj
    with desk.room() as room:
        row = holds.release(room, hold, reason)
    desk.answer({"hold": row.id, "state": row.state}, [f"{row.id}  {row.state}"])
    if not desk.as_json:
        desk.say("next: a second person runs `strongroom --actor NAME hold approve HOLD`")


@hold_app.command("approve")
def hold_approve(context: typer.Context, hold: Hold) -> None:
    """Approve a hold's placement or release, as a person who neither placed it nor asked."""
    from vault.operations import holds

    desk: Desk = context.obj
    with desk.room() as room:
        row = holds.approve(room, hold)
    until = None if row.grace_until is None else row.grace_until.isoformat()
    document = {"hold": row.id, "state": row.state, "grace_until": until}
    grace = "" if until is None else f"; everything stays until {until}"
    desk.answer(document, [f"{row.id}  {row.state}{grace}"])


@hold_app.command("list")
def hold_list(context: typer.Context) -> None:
    """List every hold there was, the oldest first."""
    from vault.operations import holds

    desk: Desk = context.obj
    with desk.room() as room:
        found = [{**_entry(one), "sessions": one.sessions} for one in holds.listed(room)]
    lines = [f"{h['hold']}  {h['state']:<17} {h['sessions']:>9}  {h['matter']}" for h in found]
    desk.answer({"holds": found}, lines)


@hold_app.command("show")
def hold_show(context: typer.Context, hold: Hold) -> None:
    """Show a hold and its sessions, and bring the store's own holds to what it says."""
    from vault.operations import hold_store, holds

    desk: Desk = context.obj
    with desk.room() as room, desk.progress() as progress:
        store = asdict(hold_store.reconcile(room, hold, progress=progress))
        seen = holds.show(room, hold)
        late = holds.unpreservable(room, seen)
        about = {
            **_entry(seen),
            "scope": seen.details["scope"],
            "unpreservable": _pairs(late),
            "store": store,
        }
        if not desk.as_json:
            desk.answer({}, _about(seen, about))
            desk.answer({}, _late(late))
        desk.answer_each(
            "sessions", holds.members(room, hold), lambda one: [one], lambda: (about, ())
        )
    _tell_store(desk, store)


def _scope(
    session: MANY,
    subject: MANY,
    agent: MANY,
    tag: MANY,
    since: str | None,
    until: str | None,
    query: str | None,
    *,
    future: bool,
) -> Scope:
    from vault.operations.hold_scope import Scope

    return Scope(
        sessions=session or (),
        subjects=subject or (),
        agents=agent or (),
        tags=tag or (),
        since=choosing.instant("--from", since),
        until=choosing.instant("--to", until),
        query=query,
        future=future,
    )


def _entry(seen: Seen) -> dict[str, Any]:
    row: HoldRow = seen.row
    instants = {
        name: None if at is None else at.isoformat()
        for name, at in (
            ("proposed_at", row.proposed_at),
            ("placed_at", row.placed_at),
            ("released_at", row.released_at),
            ("grace_until", row.grace_until),
        )
    }
    return {
        "hold": row.id,
        "matter": seen.details["matter"],
        "state": row.state,
        "reason": seen.details["reason"],
        "authority": seen.details["authority"],
        "counsel": seen.details["counsel"],
        "release_reason": seen.details.get("release_reason"),
        "future": row.future,
        "preserve_unredacted": row.preserve_unredacted,
        **instants,
        "proposed_by": row.proposed_by,
        "placed_by": row.placed_by,
        "release_asked_by": row.release_asked_by,
        "released_by": row.released_by,
    }


def _about(seen: Seen, about: dict[str, Any]) -> list[str]:
    """What there is to say of a hold, a line each."""
    said = {k: v for k, v in about.items() if k not in {"scope", "unpreservable", "store"}}
    lines = [f"{name:<20} {value}" for name, value in said.items() if value not in (None, False)]
    scope = [f"{name} {value}" for name, value in about["scope"].items() if value]
    return [*lines, f"{'scope':<20} {'; '.join(scope)}", f"{'sessions':<20} {seen.sessions}"]


def _pairs(found: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"session": session, "certificate": certificate} for session, certificate in found]


def _late(found: Sequence[tuple[str, str]]) -> list[str]:
    return [f"destroyed before: {session}, certificate {one}" for session, one in found]


def _tell_store(desk: Desk, store: dict[str, Any]) -> None:
    """Say where the store keeps no holds beside the catalogue's, or lacks an object."""
    if store["detail"] is not None:
        desk.say(f"warning: the hold stands, but the store keeps none beside it: {store['detail']}")
    if store["missing"]:
        desk.say(f"warning: {store['missing']} objects are missing from the store; run fixity")
