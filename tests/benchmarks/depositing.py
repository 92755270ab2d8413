"""One deposit in a process of its own: `python -m tests.benchmarks.depositing HOME PATH`.

Makes the home, then opens the room and deposits PATH without running its jobs, and prints
how long that took and the most memory the process ever had. Its own start and the making of
the home are not counted in the time; in the memory everything is.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Deposit:
    """What a deposit cost."""

    seconds: float
    peak_bytes: int
    sessions: int


def deposit(home: Path, path: Path, settings: Mapping[str, str]) -> Deposit:
    """Make `home` and deposit what lies at `path`, in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(home), str(path)],
        env=clean_environment() | dict(settings),
        check=True,
        stdout=subprocess.PIPE,
    )
    return Deposit(**json.loads(done.stdout))


def clean_environment() -> dict[str, str]:
    """This process's environment without anybody's settings or credentials."""
    strange = ("STRONGROOM_", "AWS_")
    found = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return found | nothing | {"AWS_EC2_METADATA_DISABLED": "true"}


def _main(home: Path, path: Path) -> None:
    from vault import bootstrap
    from vault.operations.admission import Terms
    from vault.operations.deposit import deposit as take
    from vault.settings import load

    bootstrap.init(load(home))
    settings = load(home)
    began = time.perf_counter()
    with bootstrap.open_room(settings) as room:
        gc.freeze()  # as the command line does
        outcome = take(room, [path], Terms(), wait=False)
    seconds = time.perf_counter() - began
    for _, error in outcome.refused:
        raise error
    found = {"seconds": seconds, "peak_bytes": peak_bytes(), "sessions": len(outcome.sessions)}
    print(json.dumps(found))


def peak_bytes() -> int:
    """The most memory this program ever held.

    Not `ru_maxrss`: that begins with what the process held which started this one.
    Source: proc(5), VmHWM.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
