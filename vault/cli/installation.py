"""Verbs on the installation: init, upgrade, restore, doctor, up, demo."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.desk import Desk


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (init, upgrade, restore, doctor, up, demo):
        app.command(verb.__name__)(verb)


def init(
    context: typer.Context,
    test_clock: Annotated[
        bool, typer.Option("--test-clock", help="Time comes from STRONGROOM_TEST_NOW.")
    ] = False,
    passphrase_file: Annotated[
        str | None, typer.Option(help="Protects the keyring file. Needed again at every use.")
    ] = None,
) -> None:
    """Make the home: keyring, catalogue, store, signing key, owner."""
    from pathlib import Path

    from vault import bootstrap
    from vault.kms import passphrase_in

    desk: Desk = context.obj
    settings = desk.settings()
    if passphrase_file is not None:
        given = {"passphrase": passphrase_in(Path(passphrase_file)), "passphrase_file": None}
        settings = settings.model_copy(update=given)
    document = bootstrap.init(settings, test_clock=test_clock)
    lines = [f"made {document['home']}", f"public key {document['public_key']}"]
    desk.answer(document, [*lines, "next: strongroom doctor, strongroom deposit PATH"])


def upgrade(context: typer.Context) -> None:
    """Bring the catalogue to this version's schema. Back it up first."""
    from vault import bootstrap

    desk: Desk = context.obj
    bootstrap.upgrade(desk.settings())
    desk.answer({"upgraded": True}, ["the catalogue is up to date"])


def restore(
    context: typer.Context,
    folder: Annotated[
        str | None,
        typer.Argument(metavar="[DIR]", help="A back-up: catalogue.db and home.json."),
    ] = None,
) -> None:
    """Put a catalogue back, and destroy and hold again what it knows nothing of."""
    from pathlib import Path

    from vault import bootstrap
    from vault.operations import restoring

    desk: Desk = context.obj
    if folder is not None:
        if _answers(desk):
            with desk.room() as room:
                restoring.prepare(room)
        bootstrap.put_back(desk.settings(), Path(folder))
    with desk.room() as room, desk.progress() as progress:
        done = restoring.replay(room, back_up=folder is not None, progress=progress)
    document = {
        "restored": folder is not None,
        "replayed": done.disposals,
        "holds": done.holds,
        "absent": done.absent,
        "unfinished": list(done.unfinished),
    }
    lines = [] if folder is None else [f"the catalogue is the one of {folder}"]
    lines.append(f"{done.disposals} disposals and {done.holds} changes of holds were done again")
    if done.absent:
        lines.append(f"{done.absent} times a session was meant that came after the back-up")
    lines += [f"not done: {why}" for why in done.unfinished]
    desk.answer(document, lines)


def _answers(desk: Desk) -> bool:
    """Whether the catalogue that is to be replaced can still be asked what it knows."""
    from vault.errors import BackendError

    with desk.room(for_nobody=True) as room:
        try:
            with room.catalogue.transaction():
                return True
        except BackendError as lost:
            if lost.retryable:
                raise
            desk.say(f"the catalogue in place is given up: {lost}")
            return False


def doctor(
    context: typer.Context,
    retry: Annotated[
        str | None,
        typer.Option(metavar="ID|all", help="First try a session's failed jobs again, or all."),
    ] = None,
) -> int:
    """Say what this installation can and cannot promise."""
    from vault.operations import doctor as checking

    desk: Desk = context.obj
    again = {} if retry is None else {"retried": _retried(desk, retry)}
    with desk.room(for_nobody=True) as room, desk.progress() as progress:
        findings = checking.examine(room, desk.settings().folder, progress=progress)
    checks = [{"name": f.name, "ok": f.ok, "detail": f.detail} for f in findings]
    lines = [f"{'ok  ' if f.ok else 'WARN'}  {f.name:<22} {f.detail}" for f in findings]
    desk.answer({"checks": checks, **again}, lines)
    return 6 if any(not f.ok and f.name in checking.VITAL for f in findings) else 0


def _retried(desk: Desk, session: str) -> list[dict[str, str]]:
    """Open failed jobs again and see that they get done; which ones."""
    from vault.operations import jobs

    with desk.room() as room, desk.progress() as progress:
        opened = jobs.retry(room, None if session == "all" else session)
        ids = list(dict.fromkeys(job.session_id for job in opened))
        note = jobs.wake(room, ids, wait=True, progress=progress)
    desk.say(f"{len(opened)} failed jobs of {len(ids)} sessions were opened again.")
    if note:
        desk.say(note)
    return [{"session": job.session_id, "job": job.name} for job in opened]


def up(
    context: typer.Context,
    concurrency: Annotated[int, typer.Option(min=1, help="Jobs at a time.")] = 1,
) -> int:
    """Run worker and scheduler together until interrupted."""
    from vault.cli.up import serve

    desk: Desk = context.obj
    return serve(desk, concurrency)


def demo(context: typer.Context) -> None:
    """The whole story on packaged sample sessions, in a throw-away home."""
    from vault.cli.demo import play

    play(context.obj)
