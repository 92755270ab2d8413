"""The command line, on a home of its own: deposits, and verbs that name no place outside of it."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from functools import cache
from pathlib import Path
from unittest import mock

import typer.main

from tests.fuzz import scratch, sound
from vault import samples
from vault.cli.app import run
from vault.model import PrivacyLevel

VERBS = ("list", "show", "replay", "annotate", "title", "tag")
#: Every option that names a place, or an archive.
_PLACES = ("--home", "--install", "-o", "--output")
_LEVELS = [level.value for level in PrivacyLevel]
#: Gathering the verbs takes most of the time of a short command, and is the same every time.
_gathered = cache(typer.main.get_command)
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def line(data: bytes) -> None:
    """A verb and its arguments, one a line, `ID` being a session's: never an unexpected error."""
    verb, *words = data.replace(b"\0", b"").decode(errors="surrogateescape").split("\n")
    if verb not in VERBS or any(w.startswith(_PLACES) for w in words):
        return
    home, session = _home()
    words = [session if word == "ID" else word for word in words]
    code, out, err = _run(["--home", str(home), "--json", verb, *words])
    assert code in {0, 2, 3, 4, 7}, err
    if code == 0 and "--help" not in words and "-h" not in words:
        sound.written(json.loads(out))


def deposit(data: bytes) -> None:
    """A whole deposit, of a folder or of one file, at any privacy level; what is said of it."""
    files = scratch.unpack(data) or {"input": data}
    place = scratch.write(files)
    home, _ = _home()
    path = place if len(files) > 1 else place / next(iter(files))
    level = _LEVELS[len(data) % len(_LEVELS)]
    asked = ["deposit", "--no-wait", "--privacy-level", level, str(path)]
    code, out, err = _run(["--home", str(home), "--json", *asked])
    assert code in {0, 4, 7}, err
    for session in json.loads(out)["sessions"] if out else ():
        code, out, err = _run(["--home", str(home), "--json", "show", session["id"]])
        assert code == 0, err
        sound.written(json.loads(out))


@cache
def _home() -> tuple[Path, str]:
    _KEPT.append(tempfile.TemporaryDirectory(prefix="strongroom-fuzz-", dir=scratch.PARENT))
    home = Path(_KEPT[0].name) / "home"
    made, _, err = _run(["--home", str(home), "init"])
    sample = samples.folder() / "pharmacy-refill"
    code, out, _ = _run(["--home", str(home), "--json", "deposit", str(sample), "--no-wait"])
    assert made == code == 0, err
    return home, json.loads(out)["sessions"][0]["id"]


def _run(arguments: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch("typer.main.get_command", _gathered),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(["--debug", *arguments])
    return code, out.getvalue(), err.getvalue()
