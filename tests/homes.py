"""An archive's home as tests use it: through the console script, or opened in this process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vault import bootstrap, cli
from vault.operations.room import Room
from vault.settings import Settings

SCRIPT = Path(sysconfig.get_path("scripts")) / "strongroom"
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output; fails if there is anything else."""
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed


@dataclass(slots=True)
class Home:
    """The home in `folder`; `extra` is added to the environment of every command."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str | Path, **more: str) -> subprocess.Popen[str]:
        """The console script, running."""
        return subprocess.Popen(
            [str(SCRIPT), *map(str, arguments)],
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, code: int | None = 0, **more: str) -> Answer:
        """A command with `--json`, which has to end with `code` (None: with any).

        In a process of its own, but forked off this one: starting Python and reading the
        program takes most of the time of a short command. `script` spends it.
        """
        return checked(forked(self.environment | more, ["--json", *map(str, arguments)]), code)

    def script(self, *arguments: str | Path, code: int | None = 0, **more: str) -> Answer:
        """The same through the console script, as a user starts it."""
        return ended(self.start("--json", *arguments, **more), code)

    def python(self, program: str, *arguments: str | Path, **more: str) -> subprocess.Popen[str]:
        """A program of a test's own, running in the environment of this home."""
        return subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a command sees: this home and none of the caller's settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("STRONGROOM_")}
        root = str(Path(__file__).resolve().parent.parent)
        return kept | {"STRONGROOM_HOME": str(self.folder), "PYTHONPATH": root} | self.extra

    @contextlib.contextmanager
    def room(self, actor: str = "owner") -> Iterator[Room]:
        """The archive, open in this process."""
        names = {k.removeprefix("STRONGROOM_").lower(): v for k, v in self.extra.items()}
        given: Mapping[str, Any] = {k: v for k, v in names.items() if k in Settings.model_fields}
        with bootstrap.open_room(Settings(home=self.folder, **given), actor) as room:
            yield room

    def objects(self) -> list[Path]:
        """The files of the sealed objects in a home that keeps them in a folder."""
        return sorted(p for p in (self.folder / "objects" / "objects").rglob("*") if p.is_file())

    def copy(self, folder: Path) -> Home:
        """The same home elsewhere."""
        shutil.copytree(self.folder, folder)
        return Home(folder, dict(self.extra))


def ended(process: subprocess.Popen[str], code: int | None = 0) -> Answer:
    """Wait for a command, which has to end with `code` (None: with any)."""
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return checked(Answer(process.returncode, out, err), code)


def checked(answer: Answer, code: int | None) -> Answer:
    """The answer, if the command ended with `code` (None: with any)."""
    said = f"ended with {answer.code}: {answer.err}\n{answer.out[:2000]}"
    assert code is None or answer.code == code, said
    return answer


def forked(environment: Mapping[str, str], arguments: Sequence[str]) -> Answer:
    """What the console script's own function does in a child of this process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            os._exit(_as_script(environment, arguments, out.fileno(), err.fileno()))
        code = _waited(pid)
        out.seek(0)
        err.seek(0)
        return Answer(code, out.read().decode(), err.read().decode())


def _as_script(environment: Mapping[str, str], arguments: Sequence[str], out: int, err: int) -> int:
    """Run `main` as if this process had just begun; its exit code. Never returns by an error."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115  end with the process
    sys.argv = [str(SCRIPT), *arguments]
    os.environ.clear()
    os.environ.update(environment)
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


def _waited(pid: int) -> int:
    """The exit code of a child; one that takes too long is killed, and an error."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise TimeoutError(f"A command took more than {PATIENCE_SECONDS} s.")
        time.sleep(0.005)


def made(folder: Path, **extra: str) -> Home:
    """A new home."""
    home = Home(folder, extra)
    names = {k.removeprefix("STRONGROOM_").lower(): v for k, v in extra.items()}
    given: Mapping[str, Any] = {k: v for k, v in names.items() if k in Settings.model_fields}
    bootstrap.init(Settings(home=folder, **given))
    return home
