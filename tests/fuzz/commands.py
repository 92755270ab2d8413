"""The command line, on a home of its own: only verbs that name no place outside of it."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from functools import cache
from pathlib import Path

from vault import samples
from vault.cli.app import run

VERBS = ("list", "show", "replay", "annotate", "title", "tag")
#: Every option that names a place, or an archive.
_PLACES = ("--home", "--install", "-o", "--output")
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
        json.loads(out)


@cache
def _home() -> tuple[Path, str]:
    _KEPT.append(tempfile.TemporaryDirectory(prefix="strongroom-fuzz-"))
    home = Path(_KEPT[0].name) / "home"
    made, _, err = _run(["--home", str(home), "init"])
    sample = samples.folder() / "pharmacy-refill"
    code, out, _ = _run(["--home", str(home), "--json", "deposit", str(sample), "--no-wait"])
    assert made == code == 0, err
    return home, json.loads(out)["sessions"][0]["id"]


def _run(arguments: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["--debug", *arguments])
    return code, out.getvalue(), err.getvalue()
