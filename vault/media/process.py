"""A program under limits, with any number of pipes, that ends when its caller leaves."""

from __future__ import annotations

import io
import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import F_SETPIPE_SZ, fcntl

from vault.errors import BackendError
from vault.media.refusals import refuse
from vault.media.sources import BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. `wait_seconds` counts only the time spent waiting for the program,
    `output_bytes` everything it makes together.
    """

    cpu_seconds: int = 3600
    wait_seconds: float = 7200.0
    memory_bytes: int = 1 << 30
    input_in_memory_bytes: int = 1 << 30
    output_bytes: int = 32 << 30


@contextmanager
def started(
    command: Sequence[str], give: Sequence[io.FileIO], limits: Limits, *, largest_file_bytes: int
) -> Iterator[subprocess.Popen[bytes]]:
    """The running program, killed with its whole group on the way out.

    It gets a session of its own, an empty environment, `/` as working directory, and of our
    descriptors those in `give` alone; those that can only be written are closed here, so that
    their pipes end when it does. The limits stand before a byte of its standard input is fed.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={"MALLOC_ARENA_MAX": "2"},  # glibc wastes address space on arenas
            cwd="/",
            start_new_session=True,
            pass_fds=[end.fileno() for end in give],
        )
    except OSError as error:
        raise BackendError("ffmpeg could not be started.", retryable=True) from error
    try:
        for end in give:
            if not end.readable():
                end.close()
        _limit(process.pid, limits, largest_file_bytes)
        yield process
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe:
                pipe.close()


def _limit(pid: int, limits: Limits, largest_file_bytes: int) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: largest_file_bytes,
        resource.RLIMIT_NOFILE: 64,
    }
    try:
        for kind, value in wanted.items():
            _, ceiling = resource.prlimit(pid, kind)
            lowest = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
            resource.prlimit(pid, kind, (lowest, lowest))
    except OSError as error:
        raise BackendError("ffmpeg could not be put under limits.") from error


def pump(
    process: subprocess.Popen[bytes],
    source: Iterator[bytes],
    pipes: Sequence[io.FileIO | None],
    hear: Callable[[bytes], None],
    limits: Limits,
) -> Iterator[tuple[int, bytes]]:
    """Feed standard input and drain `pipes` at once: (index of the pipe, block) as they come.

    One thread for all of it, so that no pipe waits for another, and an exception of the
    source is simply ours. The source is asked only while the program can take more, so
    memory stays constant. Standard error goes to `hear`. Ends when every pipe has ended.
    """
    standard_input, standard_error = process.stdin, process.stderr
    if not standard_input or not standard_error:
        raise ValueError("The program was started without pipes.")
    with selectors.DefaultSelector() as selector:
        _widen(standard_input.fileno())
        os.set_blocking(standard_input.fileno(), False)
        selector.register(standard_input, selectors.EVENT_WRITE, _Feeder(source))
        selector.register(standard_error, selectors.EVENT_READ, -1)
        for index, pipe in enumerate(pipes):
            if pipe:
                _widen(pipe.fileno())
                selector.register(pipe, selectors.EVENT_READ, index)
        made = 0
        for key in _ready(selector, limits.wait_seconds):
            if isinstance(key.data, _Feeder):
                if not key.data.push(key.fd):
                    selector.unregister(key.fileobj)
                    standard_input.close()
                continue
            block = os.read(key.fd, BLOCK_BYTES)
            if not block:
                selector.unregister(key.fileobj)
            elif key.data < 0:
                hear(block)
            else:
                made += len(block)
                if made > limits.output_bytes:
                    raise refuse("too-large")
                yield key.data, block


def _ready(
    selector: selectors.BaseSelector, wait_seconds: float
) -> Iterator[selectors.SelectorKey]:
    """The pipes that can be served, until none is left to be read."""
    while any(key.events & selectors.EVENT_READ for key in selector.get_map().values()):
        began = time.monotonic()
        ready = selector.select(max(0.0, wait_seconds))
        wait_seconds -= time.monotonic() - began
        if not ready:
            raise refuse("timeout")
        for key, _ in ready:
            yield key


class _Feeder:
    """What is still to be written of a source."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self.source = source
        self.pending = memoryview(b"")

    def push(self, pipe: int) -> bool:
        """Write once; False when nothing more is to be fed."""
        while not self.pending:
            block = next(self.source, None)
            if block is None:
                return False
            self.pending = memoryview(block)
        try:
            self.pending = self.pending[os.write(pipe, self.pending) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False  # it has enough, or has ended: its exit code tells which
        return True


def _widen(pipe: int) -> None:
    with suppress(OSError):  # the machine's allowance for large pipes may be used up
        fcntl(pipe, F_SETPIPE_SZ, BLOCK_BYTES)
