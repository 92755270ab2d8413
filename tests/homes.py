"""An archive's home as tests use it: through the console script, or opened in this process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.zygote import PATIENCE_SECONDS, Zygote
from vault import bootstrap
from vault.operations.room import Room
from vault.settings import Settings

SCRIPT = Path(sysconfig.get_path("scripts")) / "strongroom"
_zygote = Zygote()


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

        In a process of its own, but forked off one that has read the program already. `script`
        takes the time to start one.
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
    """What the console script's own function does in a child of a process that has read it."""
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        code = _zygote.run(environment, arguments, out, err)
        return Answer(code, out.read_text("utf-8"), err.read_text("utf-8"))


def made(folder: Path, **extra: str) -> Home:
    """A new home."""
    home = Home(folder, extra)
    names = {k.removeprefix("STRONGROOM_").lower(): v for k, v in extra.items()}
    given: Mapping[str, Any] = {k: v for k, v in names.items() if k in Settings.model_fields}
    bootstrap.init(Settings(home=folder, **given))
    return home
