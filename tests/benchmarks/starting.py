"""How long a command takes before it does anything."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from tests.benchmarks import inputs
from tests.benchmarks.depositing import clean_environment
from tests.benchmarks.measure import Row, Spread, at_most, in_turn, ratios, seconds

ROUNDS = 10


def rows() -> Iterator[Row]:
    """Seconds by the clock, and how often `python -c pass` would fit in."""
    strongroom = str(Path(sysconfig.get_path("scripts")) / "strongroom")
    with inputs.scratch() as folder:
        environment = clean_environment() | {"STRONGROOM_HOME": str(folder / "home")}
        _run([strongroom, "init"], environment)
        sides = {
            "nothing": [sys.executable, "-c", "pass"],
            "help": [strongroom, "--help"],
            "list": [strongroom, "list"],
        }
        found = in_turn(
            ROUNDS,
            {
                name: partial(seconds, partial(_run, command, environment))
                for name, command in sides.items()
            },
        )
    for name, what, target in (
        ("help", "`strongroom --help`", 0.35),
        ("list", "`strongroom list` in an empty home", 0.8),
    ):
        text = f"{ratios(found[name], found['nothing']).median:.1f} × `python -c pass`"
        yield at_most(what, Spread.of(found[name]), target, " s", text)


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.DEVNULL)
