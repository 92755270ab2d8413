"""Verbs on policies: policy list, show, explain, simulate, activate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.desk import Desk

#: More than any pack or set of facts takes.
_LARGEST_BYTES = 1 << 22
policy_app = typer.Typer(help="Which rules hold, and what they decide.", no_args_is_help=True)
AsOf = Annotated[str | None, typer.Option(help="What would be decided then, ISO 8601.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A pack, as `policy show` prints it.")]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(policy_app, name="policy")


@policy_app.command("list")
def policy_list(context: typer.Context) -> None:
    """List the packs in force, the classes there are, and what waits for a second person."""
    from vault.operations import activation, actors

    desk: Desk = context.obj
    with desk.room() as room:
        actors.permit_any(room, "read", "evidence")
        packs = [_brief(one) for one in room.policies.active().values()]
        classes = [
            {"class": c.name, "period": None if c.period is None else str(c.period)}
            for c in room.policies.classes().values()
        ]
        waiting = activation.proposed(room)
    lines = [
        f"{p['policy']:<18} {p['version']:<10} {p['rules']:>3} rules  {p['title']}" for p in packs
    ]
    lines += [
        "",
        "classes",
        *(f"  {c['class']:<16} {c['period'] or 'without end'}" for c in classes),
    ]
    lines += [f"awaiting approval: {w['policy']} {w['version']}" for w in waiting]
    desk.answer({"policies": packs, "classes": classes, "proposed": waiting}, lines)


@policy_app.command("show")
def policy_show(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]
) -> None:
    """Show a pack: every rule with its citation and how far it can be relied on."""
    from policies.pack import document
    from vault.errors import NotFound
    from vault.operations import actors

    desk: Desk = context.obj
    with desk.room() as room:
        actors.permit_any(room, "read", "evidence")
        found = room.policies.active().get(name)
    if found is None:
        raise NotFound("There is no policy of that name; `policy list` names them.")
    lines = [f"{found.name} {found.version}  {found.title}", f"counted in {found.zone}", ""]
    lines += [
        f"  {r.kind:<9} {r.period or ''!s:<7} {r.text} [{r.citation}; {r.status}]"
        for r in found.rules
    ]
    lines += [f"  class     {c.name}: {c.period or 'without end'}" for c in found.classes]
    lines += [f"  tag       {tag}: class {kept}" for tag, kept in found.tag_classes]
    desk.answer(document(found), lines)


@policy_app.command("explain")
def policy_explain(
    context: typer.Context,
    session: Annotated[str | None, typer.Argument(metavar="[ID]", help="A session's id.")] = None,
    facts: Annotated[
        Path | None, typer.Option(help="A JSON file of plain facts instead of a session.")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Say what is decided about each element, when that changes, and on which rules it rests."""
    from vault.errors import UsageError
    from vault.operations import explain

    desk: Desk = context.obj
    if (session is None) == (facts is None):
        raise UsageError("Say a session's ID, or --facts FILE.")
    at = choosing.instant("--as-of", as_of)
    given = None if facts is None else _json(facts)
    with desk.room() as room:
        if given is None:
            document = explain.explain(room, session or "", at)
        else:
            document = explain.explain_facts(room, given, at)
    desk.answer(document, element_lines(document["elements"]))  # type: ignore[arg-type]  # a list of objects


@policy_app.command("simulate")
def policy_simulate(context: typer.Context, file: File, as_of: AsOf = None) -> None:
    """Say what a pack would decide otherwise. Changes nothing."""
    from vault.operations import activation, explain

    desk: Desk = context.obj
    pack = activation.load(_read(file))
    at = choosing.instant("--as-of", as_of)
    with desk.room() as room, desk.progress() as progress:
        found = activation.Simulated(room, pack, at, progress)
        changes = (
            {
                "id": change.id,
                "element": change.element.value,
                "before": explain.entry(change.before),
                "after": explain.entry(change.after),
            }
            for change in found.changes()
        )
        desk.answer_each("changes", changes, _change_lines, lambda: _counts(found))


@policy_app.command("activate")
def policy_activate(
    context: typer.Context,
    file: File,
    reason: Annotated[str | None, typer.Option(help="Why; evidence keeps a commitment.")] = None,
) -> None:
    """Put a pack in force. Where anything would end sooner, a second person runs the same."""
    from vault.operations import activation

    desk: Desk = context.obj
    pack = activation.load(_read(file))
    with desk.room() as room, desk.progress() as progress:
        done = activation.activate(room, pack, reason=reason, progress=progress)
    document = {**_brief(done.pack), "digest": done.digest, "state": done.state}
    line = f"{done.pack.name} {done.pack.version}  {done.state}  sha256 {done.digest}"
    desk.answer({**document, "sessions": done.sessions}, [line])
    if done.state != "active":
        desk.say("It makes something due sooner: a second person runs the same `activate FILE`.")


def element_lines(elements: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is decided about each element, and why, for people."""
    lines = []
    for one in elements:
        only = " (only stored)" if one["restricted"] else ""
        due = f"  by {one['due_by'][:10]}" if one["due_by"] else ""
        lines.append(f"  {one['element']:<20} {one['decision']}{only}{due}")
        for reason in one["reasons"]:
            doubt = "" if reason["status"] in {None, "verified"} else f"; {reason['status']}"
            cited = f" [{reason['citation']}{doubt}]" if reason["citation"] else ""
            lines.append(f"      {reason['text']}{cited}")
    return lines


def _change_lines(change: Mapping[str, Any]) -> list[str]:
    was, then = (_dated(change[when]) for when in ("before", "after"))
    return [f"{change['id']}  {change['element']:<20} {was} → {then}"]


def _dated(decided: Mapping[str, Any]) -> str:
    return f"{decided['decision']} ({(decided['not_before'] or '–')[:10]})"


def _counts(found: Any) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401  Simulated, imported only when needed
    per_class = {name: asdict(count) for name, count in sorted(found.per_class.items())}
    document = {
        "newly_due": found.newly_due,
        "no_longer_due": found.no_longer_due,
        "per_class": per_class,
        "sessions": found.sessions,
    }
    line = (
        f"{found.sessions} sessions: {found.newly_due} elements newly due, "
        f"{found.no_longer_due} no longer due. Nothing was changed."
    )
    return document, [line]


def _brief(pack: Any) -> dict[str, Any]:  # noqa: ANN401  Pack, imported only when needed
    return {
        "policy": pack.name,
        "version": pack.version,
        "title": pack.title,
        "zone": pack.zone,
        "jurisdictions": list(pack.jurisdictions),
        "rules": len(pack.rules),
        "unverified": sum(rule.status != "verified" for rule in pack.rules),
    }


def _json(path: Path) -> dict[str, object]:
    from vault.errors import BadInput

    try:
        found = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise BadInput("The file of facts is not JSON.") from None
    if not isinstance(found, dict):
        raise BadInput("The file of facts holds no JSON object.")
    return found


def _read(path: Path) -> bytes:
    from vault.errors import BadInput

    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"The file cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_BYTES:
        raise BadInput("The file is larger than a pack or facts can be.")
    return content
