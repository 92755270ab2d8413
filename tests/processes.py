"""One process that listens on loopback ports: started, waited for, and ended by its id."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
START_SECONDS = 30.0
#: A port found free may be taken before the server binds it; then we look for others.
ATTEMPTS = 3
PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h
_LIBC = ctypes.CDLL(None)


@contextlib.contextmanager
def running(
    command: Callable[[Sequence[int]], list[str]],
    answers: Callable[[Sequence[int]], bool],
    folder: Path,
    *,
    ports: int = 1,
    user: int | None = None,
    stop: signal.Signals = signal.SIGKILL,
    extra: Mapping[str, str] | None = None,
) -> Iterator[tuple[Sequence[int], int]]:
    """Run `command(free ports)` until the block ends; yields those ports and the pid."""
    log = folder / "server.log"
    for _ in range(ATTEMPTS):
        chosen = free_ports(ports)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(chosen),
                user=user,
                group=user,
                extra_groups=None if user is None else (),
                cwd=folder,
                env=environment(folder) | dict(extra or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: _LIBC.prctl(  # noqa: PLW1509 - one C call, takes no lock
                    PR_SET_PDEATHSIG, stop
                ),
            )
        try:
            if _came_up(process, answers, chosen):
                yield chosen, process.pid
                return
        finally:
            process.send_signal(stop)
            process.wait()
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{Path(command(chosen)[0]).name} did not start:\n{tail}")


def _came_up(
    process: subprocess.Popen[bytes], answers: Callable[[Sequence[int]], bool], ports: Sequence[int]
) -> bool:
    """Whether the process answers in time; False as soon as it has ended."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            return False
        if answers(ports):
            return process.poll() is None
        time.sleep(0.02)
    return False


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nothing was using a moment ago."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's environment but where programs are found."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C"}
