"""The only place that starts ffmpeg.

A run is one generator: whoever leaves it early, by an exception or by closing it, ends the
process. What ffmpeg may do is settled here and in process.py, and nowhere else:

- it never sees a file name: input comes through a pipe or a descriptor, output leaves through
  pipes or a memory descriptor, and the protocols are `pipe` and `fd` alone;
- the demuxer is named, never guessed, and decoders come from a list of audio coders, so a
  playlist or a script is never obeyed, whatever it is called;
- its environment is empty, its working directory `/`, its session its own; CPU time, address
  space, descriptors, file size (0: it cannot write a file at all) and core dumps are limited;
- what it says on standard error is read to find a reason and then dropped, since it may quote
  the file's own metadata.

When this process dies, every pipe breaks: ffmpeg reads an end of file, or its next write
fails. A run that does neither lives on until its limit of CPU time.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from vault.errors import BackendError
from vault.media.process import Limits, pump, started
from vault.media.refusals import refuse
from vault.media.sources import BLOCK_BYTES, Source, blocks_of, held, real_file

#: The containers this archive takes, and the demuxer for each.
DEMUXERS = {
    "wav": "wav",
    "mp3": "mp3",
    "ogg": "ogg",
    "opus": "ogg",
    "flac": "flac",
    "m4a": "mov",
    "webm": "matroska",
}
#: Containers that can only be read by seeking: their index may lie at the end.
SEEKING = frozenset({"m4a"})

DECODERS = (
    "pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,"
    "pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav,gsm_ms,mp3float,mp3,"
    "vorbis,opus,libopus,flac,aac,alac"
)
#: What every output begins with: the first sound track alone, and nothing the file says of
#: itself (titles, comments, the time it was made); the same input gives the same bytes. They
#: come in blocks of 32 KiB, not packet by packet, which would cost us a fifth of the time.
AUDIO = (
    *("-map", "0:a:0", "-map_metadata", "-1", "-map_chapters", "-1"),
    *("-fflags", "+bitexact", "-flags", "+bitexact"),
    *("-threads", "1", "-flush_packets", "0"),
)
MESSAGE_BYTES = 65_536
#: How ffmpeg ends after one polite signal, and after many.
_SIGNALLED = (255, 123)


@dataclass(frozen=True, slots=True)
class Feed:
    """What ffmpeg reads, and the options that say how; made by `media` or `pcm`."""

    source: Source
    options: Sequence[str]
    seeking: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """One thing to make. `seekable` gathers it in memory first, so that its header is right."""

    options: Sequence[str]
    seekable: bool = False


def media(source: Source, container: str) -> Feed:
    """A recording in one of the `DEMUXERS`; raises `BadInput` for any other container."""
    if container not in DEMUXERS:
        raise refuse("unsupported")
    demuxer = DEMUXERS[container]
    options = ("-threads", "1", "-format_whitelist", demuxer, "-codec_whitelist", DECODERS)
    return Feed(source, (*options, "-f", demuxer), container in SEEKING)


def pcm(source: Iterator[bytes], rate: int, channels: int) -> Feed:
    """Bare samples: interleaved, 16 bits, little-endian."""
    return Feed(source, ("-f", "s16le", "-ar", str(rate), "-ac", str(channels)))


def run(
    feed: Feed,
    outputs: Sequence[Output],
    limits: Limits | None = None,
    listen: Callable[[bytes], None] | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Blocks of every output as they come: (index of the output, at most 256 KiB).

    Memory is constant but for `seekable` outputs and sources that must be sought in. An
    exception of the source passes through. With `listen`, ffmpeg's description of the file
    is handed over as well; it is content and must not reach an error or a log.

    Raises `BadInput` with one of the reasons of refusals.py, `BackendError` when ffmpeg is
    missing or somebody else ended it.
    """
    limits = limits or Limits()
    said = _Messages(listen)
    with ExitStack() as stack:
        given = _descriptor(feed, limits.input_in_memory_bytes, stack)
        sinks = [_Sink(output, stack) for output in outputs]
        command = [_program(), "-nostdin", "-hide_banner", "-nostats", "-filter_threads", "1"]
        command += ["-loglevel", "info" if listen else "error"]
        command += ["-protocol_whitelist", "pipe,fd", *feed.options]
        command += ["-i", "pipe:0"] if given is None else ["-fd", str(given.fileno()), "-i", "fd:"]
        for sink in sinks:
            command += sink.arguments
        give = [*([given] if given else []), *(sink.given for sink in sinks)]
        largest = limits.output_bytes if any(output.seekable for output in outputs) else 0
        process = stack.enter_context(started(command, give, limits, largest_file_bytes=largest))
        began = time.monotonic()
        blocks = iter(()) if given else blocks_of(feed.source)
        yield from pump(process, blocks, [sink.read for sink in sinks], said.hear, limits)
        _judge(process, said.kept, limits, began)
        for index, sink in enumerate(sinks):
            for block in sink.memory():
                yield index, block


def _program() -> str:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise BackendError("ffmpeg is missing: reinstall the package imageio-ffmpeg.") from error


def _descriptor(feed: Feed, limit_bytes: int, stack: ExitStack) -> io.FileIO | None:
    """The descriptor to hand to ffmpeg, at its start; None where a pipe will do."""
    if (file := real_file(feed.source)) is not None:
        file.seek(0)
        return file
    if not feed.seeking:
        return None
    return real_file(stack.enter_context(held(feed.source, limit_bytes)))


class _Sink:
    """Where one output goes: a pipe we `read`, or memory; `given` is ffmpeg's end of it."""

    def __init__(self, output: Output, stack: ExitStack) -> None:
        self.read: io.FileIO | None = None
        if output.seekable:
            self.given = stack.enter_context(io.FileIO(os.memfd_create("output"), "r+"))
            address = ["-fd", str(self.given.fileno()), "fd:"]
        else:
            reading, writing = os.pipe()
            self.read = stack.enter_context(io.FileIO(reading))
            self.given = stack.enter_context(io.FileIO(writing, "w"))
            address = [f"pipe:{writing}"]
        self.arguments = [*output.options, *address]

    def memory(self) -> Iterator[bytes]:
        """What lies in memory, once ffmpeg is done with it."""
        if self.read is None:
            self.given.seek(0)
            yield from iter(lambda: self.given.read(BLOCK_BYTES), b"")


class _Messages:
    """The end of what ffmpeg says."""

    def __init__(self, listen: Callable[[bytes], None] | None) -> None:
        self.listen = listen
        self.kept = b""

    def hear(self, block: bytes) -> None:
        self.kept = (self.kept + block)[-MESSAGE_BYTES:]
        if self.listen:
            self.listen(block)


def _judge(process: subprocess.Popen[bytes], messages: bytes, limits: Limits, began: float) -> None:
    """Nothing if ffmpeg was content, else the reason why not."""
    try:
        code = process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        raise refuse("timeout") from None
    if code == 0:
        return
    if _ended_by_others(code, limits, began):
        message = "ffmpeg was ended from outside, as happens when memory runs out."
        raise BackendError(message, retryable=True)
    if code == -signal.SIGKILL:
        raise refuse("timeout")
    if code == -signal.SIGXFSZ or b"Cannot allocate memory" in messages:
        raise refuse("too-large")
    if b"matches no streams" in messages or b"does not contain any stream" in messages:
        raise refuse("no-audio")
    raise refuse("undecodable")


def _ended_by_others(code: int, limits: Limits, began: float) -> bool:
    """Whether a signal came that no limit sends.

    The limit of processor time kills as well, but not before so much can have been spent.
    """
    spent_seconds = (time.monotonic() - began) * (os.cpu_count() or 1)
    killed = code == -signal.SIGKILL and spent_seconds < limits.cpu_seconds
    return killed or code in {*_SIGNALLED, -signal.SIGTERM}
