"""The verbs, gathered. Global options may stand anywhere on the line."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from vault.cli import (
    analysing,
    archive,
    compliance,
    consent,
    conversing,
    evidence,
    exporting,
    following,
    holds,
    installation,
    policy,
    remarks,
    replaying,
    requests,
    schedules,
    sessions,
    sweep,
    transcribing,
)
from vault.cli.desk import Desk
from vault.errors import StrongroomError, UsageError, exit_code

app = typer.Typer(
    name="strongroom",
    help="A privacy-first, encrypted archive for finished voice and agent sessions.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _globals(
    context: typer.Context,
    home: Annotated[
        str | None, typer.Option(help="The archive's folder [STRONGROOM_HOME, ~/.strongroom].")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    actor: Annotated[str, typer.Option(help="Who acts.")] = "owner",
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
) -> None:
    if home == "":
        raise UsageError("--home is empty; is a variable not set?")
    context.obj = Desk(None if home is None else Path(home), json, actor, debug)


sessions.register(app)
analysing.register(app)
transcribing.register(app)
conversing.register(app)
replaying.register(app)
remarks.register(app)
following.register(app)
exporting.register(app)
schedules.register(app)
consent.register(app)
requests.register(app)
policy.register(app)
compliance.register(app)
holds.register(app)
sweep.register(app)
evidence.register(app)
archive.register(app)
installation.register(app)


@cache
def command() -> Any:  # noqa: ANN401  click's, whatever typer makes of it
    """All verbs put together; that takes a while, once."""
    return typer.main.get_command(app)


def run(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code, as the contract says."""
    given = _globals_first(sys.argv[1:] if arguments is None else arguments)
    if not all(map(_is_text, given)):
        return _end("An argument is neither UTF-8 text nor a file that is there.", 2)
    try:
        result = command().main(given, "strongroom", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _print_no_more()
        return 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the last door
        if "--debug" in given:
            traceback.print_exc()
        return _explain(error)
    return result if isinstance(result, int) else 0


def _explain(error: BaseException) -> int:
    """Say what happened, without content, and choose the exit code."""
    if isinstance(error, TyperException):
        return _end(error.format_message(), 2)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return _end("Interrupted; what was finished stays done.", 1)
    if isinstance(error, StrongroomError):
        return _end(str(error), exit_code(error))
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
        _print_no_more()
        return _end(f"The answer cannot be written: {os.strerror(error.errno)}.", 6)
    return _end(f"Unexpected {type(error).__name__}; --debug shows where.", 1)


def _print_no_more() -> None:
    """So that the end of the program does not try again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_text(argument: str) -> bool:
    """Whether it can be kept and looked up: UTF-8, and if not, at least the name of a file."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return os.path.exists(argument)  # noqa: PTH110  Path.exists raises where a name is too long
    return True


def _end(message: str, code: int) -> int:
    for line in message.splitlines():
        Desk().say(f"strongroom: {line}")
    return code


def _globals_first(arguments: list[str]) -> list[str]:
    """The same arguments with the global options in front, wherever they stood before `--`."""
    front, rest = [], []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in {"--json", "--debug"} or word.startswith(("--home=", "--actor=")):
            front.append(word)
        elif word in {"--home", "--actor"}:
            front.append(word)
            if (value := next(words, None)) is None:
                return front  # so that what is said to be missing is its value
            front.append(value)
        else:
            rest.append(word)
    return front + rest
