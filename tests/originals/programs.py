"""The programs of this folder that are run with an original tool at hand, and tell what it read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.processes import environment

BIN = ROOT / ".venv" / "originals" / "bin"
#: A checkout of PromptKit, which is no package that could be pinned and installed.
SOURCE = "STRONGROOM_PROMPTKIT_SOURCE"
_HERE = Path(__file__).parent


def python(folder: Path, program: str, *arguments: Path | str) -> dict[str, Any]:
    """What a Python program of this folder prints in the environment of the original tools."""
    return run(folder, [BIN / "python", "-W", "ignore", _HERE / program], *arguments)


def run(folder: Path, command: list[Path | str], *arguments: Path | str) -> dict[str, Any]:
    """The JSON that a command prints; ends everything if it fails."""
    read: dict[str, Any] = json.loads(_said([*command, *arguments], environment(folder)))
    return read


def _said(command: Sequence[Path | str], environ: Mapping[str, str] | None = None) -> str:
    """What a program prints; ends everything if it fails."""
    answer = subprocess.run(
        [str(each) for each in command],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        called = " ".join(map(str, command))
        raise SystemExit(f"{called} ended with {answer.returncode}:\n{answer.stderr[-3000:]}")
    return answer.stdout


def promptkit(folder: Path) -> Path | None:
    """`read_promptkit.go`, built in the checkout of PromptKit that is named; None if none is.

    Nothing is written there: the build sees our file in it through an overlay. Modules that it
    needs come from where the caller's own Go has or gets them.
    """
    source = os.environ.get(SOURCE)
    go = shutil.which("go", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if not source or go is None:
        lacking = f"{SOURCE} names no checkout of it" if not source else "there is no go"
        print(f"PromptKit itself has read nothing: {lacking}.", file=sys.stderr)
        return None
    runtime, program = Path(source).resolve() / "runtime", folder / "read_promptkit"
    placed = runtime / "read_promptkit" / "main.go"
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": {str(placed): str(_HERE / "read_promptkit.go")}}))
    _said([go, "build", "-C", runtime, "-overlay", overlay, "-o", program, "./read_promptkit"])
    return program
