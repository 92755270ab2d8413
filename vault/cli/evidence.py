"""Verbs on evidence: ledger, certificate.

What is signed is printed byte for byte: `ledger checkpoint` and `ledger prove` without `--json`,
`certificate show` in any case.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vault.cli.desk import Desk

if TYPE_CHECKING:
    from vault.ports import Ledger

#: More than any certificate needs, and an end to what a file can make us read.
_MOST_BYTES = 16 << 20

ledger_app = typer.Typer(help="The evidence of what was done.", no_args_is_help=True)
certificate_app = typer.Typer(help="Certificates of what is gone.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.add_typer(ledger_app, name="ledger")
    app.add_typer(certificate_app, name="certificate")


@ledger_app.command("checkpoint")
def ledger_checkpoint(context: typer.Context) -> None:
    """Sign the ledger's size and root. Keep it elsewhere: it finds a ledger that is put back."""
    desk: Desk = context.obj
    with _ledger(desk) as ledger:
        signed = ledger.checkpoint()
    if not desk.as_json:
        return _write(signed)
    _, size, root, *_ = signed.decode().split("\n")
    return desk.answer({"size": int(size), "root": root, "checkpoint": signed.decode()}, [])


@ledger_app.command("verify")
def ledger_verify(context: typer.Context) -> int:
    """Read and hash everything again, and compare it with all that was ever signed."""
    from vault.errors import IntegrityError

    desk: Desk = context.obj
    with _ledger(desk) as ledger:
        try:
            size, digest = ledger.verify()
        except IntegrityError as error:
            return _bad(desk, {"size": None, "root": None}, error)
    root = base64.b64encode(digest).decode()
    desk.answer({"size": size, "root": root, "ok": True}, [f"ok, {size} entries, root {root}"])
    return 0


@ledger_app.command("prove")
def ledger_prove(
    context: typer.Context,
    entry: Annotated[int, typer.Argument(min=0, help="The entry's index, counted from 0.")],
) -> None:
    """Prove that the ledger has an entry: a tlog-proof, or its parts with --json."""
    from vault.ledger import proof

    desk: Desk = context.obj
    with _ledger(desk) as ledger:
        proven = ledger.prove(entry)
        [line] = ledger.entries(entry, entry + 1)
    if not desk.as_json:
        return _write(proof.write(proven))
    document = {
        "index": proven.index,
        "proof": [base64.b64encode(step).decode() for step in proven.path],
        "checkpoint": proven.checkpoint.decode(),
        "entry": line.decode(),
    }
    return desk.answer(document, [])


@ledger_app.command("export")
def ledger_export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")],
) -> None:
    """Write the whole ledger as files that tools of transparency logs read (C2SP tlog-tiles).

    Again to the same folder: what is new is added.
    """
    desk: Desk = context.obj
    with _ledger(desk) as ledger:
        files = [str(path.relative_to(folder)) for path in ledger.export(folder)]
    desk.answer({"folder": str(folder), "files": files}, [f"{len(files)} files written"])


@certificate_app.command("show")
def certificate_show(
    context: typer.Context,
    certificate: Annotated[str, typer.Argument(metavar="ID")],
) -> None:
    """Print a certificate as it is, to be kept in a file."""
    desk: Desk = context.obj
    with _ledger(desk) as ledger:
        document = ledger.certificate(certificate)
    _write(document)


@certificate_app.command("verify")
def certificate_verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `certificate show` printed.")],
    public_key: Annotated[
        str, typer.Option(help="The archive's verifier key NAME+ID+KEY, or a file that has it.")
    ],
) -> int:
    """Check a certificate by the archive's public key alone; no archive is needed."""
    import json

    from vault.errors import IntegrityError
    from vault.ledger import certificate

    desk: Desk = context.obj
    document, vkey = _content(file), public_key
    if os.path.isfile(public_key):  # noqa: PTH113  Path.is_file raises where a name is too long
        vkey = _content(Path(public_key)).decode(errors="replace").strip()
    try:
        statement = certificate.verify(document, vkey)
    except IntegrityError as error:
        return _bad(desk, {"statement": None}, error)
    told = json.dumps(statement, indent=2, ensure_ascii=False).split("\n")
    desk.answer({"ok": True, "statement": statement}, ["ok", *told])
    return 0


@contextmanager
def _ledger(desk: Desk) -> Iterator[Ledger]:
    """The archive's ledger, told all that waits for it, for one who may see evidence."""
    from vault.operations import actors, evidence

    with desk.room() as room:
        actors.permit(room, "evidence")
        evidence.publish(room)
        yield room.ledger


def _bad(desk: Desk, document: dict[str, None], error: Exception) -> int:
    """Answer that it is not good, and why; the exit code."""
    from vault.errors import exit_code

    desk.answer({**document, "ok": False, "error": str(error)}, [])
    desk.say(f"strongroom: {error}")
    return exit_code(error)


def _content(path: Path) -> bytes:
    from vault.errors import BadInput

    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def _write(document: bytes) -> None:
    """To standard output, whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(document)
    sys.stdout.buffer.flush()
