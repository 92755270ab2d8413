"""A program that has read all of ours and does nothing but fork: `python -m tests.zygote`.

Starting Python and reading the program takes most of the time of a short command. A test's own
process is nothing to fork, though: it has threads, and libraries that began some. For each line of
JSON on standard input (`environment`, `arguments`, `folder`, `out`, `err`) a child runs the console
script's function as if it had just begun; its exit code is the line that is answered.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120
_MODULES = (
    *("vault.cli", "vault.operations", "vault.formats", "vault.export", "vault.catalogue"),
    *("vault.ledger", "vault.kms", "vault.storage", "policies"),
)


class Zygote:
    """One such program, started when it is first asked; for any number of threads, one by one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._mutex = threading.Lock()

    def run(
        self, environment: Mapping[str, str], arguments: Sequence[str], out: Path, err: Path
    ) -> int:
        """The exit code of a command that wrote into these files."""
        asked = {
            "environment": dict(environment),
            "arguments": list(arguments),
            "folder": str(Path.cwd()),
            "out": str(out),
            "err": str(err),
        }
        with self._mutex:
            process = self._started()
            print(json.dumps(asked), file=process.stdin, flush=True)
            assert process.stdout is not None
            code = process.stdout.readline()
        if code == "late\n":
            raise TimeoutError(f"A command took more than {PATIENCE_SECONDS} s.")
        return int(code)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            root = Path(__file__).resolve().parent.parent
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process


def _main(script: str) -> None:
    for name in _MODULES:
        package = importlib.import_module(name)
        for found in pkgutil.iter_modules(package.__path__, f"{name}."):
            importlib.import_module(found.name)
    # What each would make for itself, and is the same for all.
    importlib.import_module("vault.cli.app").command()
    importlib.import_module("vault.operations.policy").packaged()
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_as_script(script, asked))
        print(_waited(pid), flush=True)


def _as_script(script: str, asked: dict[str, Any]) -> int:
    """Run `main` as if this process had just begun; its exit code. Never returns by an error."""
    from vault import cli

    os.chdir(asked["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for place, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), place)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115  end with the process
    sys.argv = [script, *asked["arguments"]]
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None
    code = 1
    try:
        cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  what Python does at the end of a program
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _waited(pid: int) -> int | str:
    """The exit code of a child; "late" for one that takes too long and is killed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return "late"
        time.sleep(0.005)


if __name__ == "__main__":
    _main("strongroom")
