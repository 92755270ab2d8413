"""Verbs on the archive as a whole: actor, keys, fixity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vault.cli.desk import Desk

actor_app = typer.Typer(help="Who may act.", no_args_is_help=True)
keys_app = typer.Typer(help="The key hierarchy.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(actor_app, name="actor")
    app.add_typer(keys_app, name="keys")
    app.command("fixity")(fixity)


@actor_app.command("add")
def actor_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A person or a service.")],
    role: Annotated[str, typer.Option(help="agent, officer, dpo, auditor or admin.")],
) -> None:
    """Register an actor. The token is shown this once."""
    from vault.operations import actors

    desk: Desk = context.obj
    with desk.room() as room:
        actors.permit(room, "actors")
        token = actors.add(room.catalogue, room.keys, room.clock, name, role)
    desk.answer({"name": name, "role": role, "token": token}, [f"{name} ({role})  {token}"])


@keys_app.command("status")
def keys_status(context: typer.Context) -> None:
    """Show every bucket's generations and how many records each wraps."""
    from vault.operations import actors, keys

    desk: Desk = context.obj
    with desk.room() as room:
        actors.permit(room, "keys")
        document = keys.status(room.catalogue, room.kms)
    lines = [
        f"{g['bucket']:<20} g{g['generation']:<4} {g['state']:<10} "
        f"{g['records']:>8} records  root {g['root'] or '–'}"
        for g in document["generations"]
    ]
    desk.answer(document, [f"kms {document['kms']}", *lines])


@keys_app.command("rotate")
def keys_rotate(
    context: typer.Context,
    root: Annotated[bool, typer.Option("--root", help="A new root key version too.")] = False,
) -> None:
    """Begin new generations and re-wrap every record; no sealed object is touched. Resumable."""
    from vault.operations import actors

    desk: Desk = context.obj
    with desk.room() as room, desk.progress() as progress:
        actors.permit(room, "keys")
        document: dict[str, object] = dict(
            room.keys.rotate(lambda done, total: progress("re-wrapping", done, total))
        )
        if root:
            document.update(room.keys.rotate_root())
    again = "finished an interrupted rotation: " if document["resumed"] else ""
    lines = [f"{again}{document['records']} records re-wrapped, {document['keys']} keys retired"]
    if root:
        lines.append(f"new root {document['root']}, {document['keys_rewrapped']} keys re-wrapped")
    desk.answer(document, lines)


@keys_app.command("passphrase")
def keys_passphrase(
    context: typer.Context,
    new_file: Annotated[Path, typer.Option(metavar="FILE", help="Holds the new passphrase.")],
) -> None:
    """Put the keyring file under another passphrase, or a first one; no root key changes.

    The one it has is given as always. Processes that run need the new one and a new start.
    Copies of the old file open as before: remove them, or `keys rotate --root`.
    """
    from vault.kms import change_passphrase
    from vault.operations import actors

    desk: Desk = context.obj
    with desk.room() as room:
        actors.permit(room, "keys")
        replaced = change_passphrase(room.kms, new_file)
        document = {"kms": room.kms.url, "passphrase": "changed" if replaced else "set"}
    word = "another passphrase" if replaced else "a passphrase"
    desk.answer(document, [f"the keyring has {word}; STRONGROOM_PASSPHRASE_FILE={new_file}"])


def fixity(
    context: typer.Context,
    all_bytes: Annotated[bool, typer.Option("--all", help="Re-read every byte.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what killed deposits left behind.")
    ] = False,
) -> int:
    """Check that the store holds what was sealed; without --all it re-reads a sample."""
    from vault.operations import fixity as checking

    desk: Desk = context.obj
    with desk.room() as room, desk.progress() as progress:
        report = checking.check(room, all_bytes=all_bytes, repair=repair, progress=progress)
    document = {
        "checked": report.checked,
        "reread": report.reread,
        "damaged": report.damaged,
        "missing": report.missing,
        "orphans": report.orphans,
        "removed": report.removed,
        "kept": report.kept,
    }
    lines = [f"{report.checked} objects checked, {report.reread} of them re-read"]
    lines += [f"damaged: {i}" for i in report.damaged] + [f"missing: {i}" for i in report.missing]
    if report.orphans:
        lines.append(f"{len(report.orphans)} orphans; `fixity --repair` removes them")
    if repair:
        lines.append(f"{report.removed} orphans removed, {len(report.kept)} under lock kept")
    desk.answer(document, lines)
    return 5 if report.damaged or report.missing else 0
