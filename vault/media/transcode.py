"""Playback, archive and waveform of a recording, from decoding it once."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from vault.media import flac, wav
from vault.media.ends import id3_bytes
from vault.media.ffmpeg import AUDIO, SEEKING, Output, media, run
from vault.media.peaks import Peaks
from vault.media.probe import Shape, shape_of
from vault.media.process import Limits
from vault.media.refusals import refuse
from vault.media.sources import Source, blocks_of, held, real_file

#: The most channels that FLAC has room for.
MAX_CHANNELS = 8
OPUS_BITS_PER_SECOND = 32_000
OPUS = ("-ar", "48000", "-c:a", "libopus", "-application", "voip", "-f", "ogg")
#: How much of a stream's beginning is kept to learn its shape.
HEAD_BYTES = 1 << 20
#: The size of a file whose end nobody has seen.
UNTOLD = 1 << 62
_LOSSLESS = ("pcm_s24", "pcm_s32", "pcm_f", "flac", "alac")


@dataclass(frozen=True, slots=True)
class Renditions:
    """What was made of a recording.

    `flac_header` is the first 42 bytes of the FLAC rendition, with its length filled in; the
    sink got the rest. `peaks` is laid out as peaks.py says.
    """

    duration_ns: int
    rate: int
    channels: int
    frames: int
    peaks: bytes
    flac_header: bytes


def renditions(
    source: Source,
    container: str,
    sink: Callable[[str, bytes], None],
    limits: Limits | None = None,
) -> Renditions:
    """Hand `sink` the blocks of "opus" and "flac" as they are made, interleaved.

    - opus: Ogg, 48 kHz, tuned for voice, 32 kbit/s a channel; one or two channels as they
      are, more mixed down to one in which each is heard alike.
    - flac: the decoded samples at their rate and channels, without their first 42 bytes. 24
      bits stay 24; lossy codings become 16, and 32-bit and float samples 24.

    No tag of the source goes along. Constant memory, but for the peaks (360 kB an hour and
    channel) and for m4a, which is held in memory within `limits`. What the sink has got is
    worth nothing unless this returns. Raises `BadInput`, and whatever source or sink raise.
    """
    limits = limits or Limits()
    if container in SEEKING and not hasattr(source, "read"):
        with held(source, limits.input_in_memory_bytes) as memory:
            return renditions(memory, container, sink, limits)
    shape, source = look(source, container, limits)
    if shape.channels > MAX_CHANNELS:
        raise refuse("too-many-channels")
    peaks = Peaks(shape.rate, shape.channels)
    flac_header = b""
    for index, block in run(media(source, container), _outputs(shape), limits):
        if index == 0:
            sink("opus", block)
        elif index == 2:
            peaks.add(block)
        elif len(flac_header) == flac.HEADER_BYTES:
            sink("flac", block)
        else:
            missing = flac.HEADER_BYTES - len(flac_header)
            flac_header += block[:missing]
            if block[missing:]:
                sink("flac", block[missing:])
    points = peaks.finish()
    if not peaks.frames:
        raise refuse("empty")
    return Renditions(
        duration_ns=peaks.frames * 1_000_000_000 // shape.rate,
        rate=shape.rate,
        channels=shape.channels,
        frames=peaks.frames,
        peaks=points,
        flac_header=flac.with_frames(flac_header, peaks.frames),
    )


def _outputs(shape: Shape) -> list[Output]:
    mixed = "+".join(f"c{channel}" for channel in range(shape.channels))
    down = ("-af", f"pan=mono|c0<{mixed}") if shape.channels > 2 else ()
    voices = min(shape.channels, 2) if not down else 1
    depth = () if shape.codec.startswith(_LOSSLESS) else ("-sample_fmt", "s16")
    return [
        Output((*AUDIO, *down, *OPUS, "-b:a", str(OPUS_BITS_PER_SECOND * voices))),
        Output((*AUDIO, "-c:a", "flac", *depth, "-f", "flac")),
        Output((*AUDIO, "-c:a", "pcm_s16le", "-f", "s16le")),
    ]


def look(source: Source, container: str, limits: Limits) -> tuple[Shape, Source]:
    """The shape of the sound, and a source that still begins at the beginning."""
    if (file := real_file(source)) is not None:
        if container != "wav":
            return shape_of(source, container, limits), source
        file.seek(0)
        return _wav_shape(file), source
    blocks = blocks_of(source)
    if container == "mp3":
        blocks = _without_id3(blocks)
    head = bytearray()
    while len(head) < HEAD_BYTES and (block := next(blocks, None)) is not None:
        head += block
    beginning = bytes(head)
    whole = chain((beginning,), blocks)
    if container == "wav":
        return _wav_shape(io.BytesIO(beginning)), whole
    return shape_of(iter((beginning,)), container, limits), whole


def _wav_shape(file: BinaryIO) -> Shape:
    header = wav.read_header(file, size_bytes=UNTOLD)
    return Shape(header.codec or "", header.rate, header.channels)


def _without_id3(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks of an MP3 after its leading tags, which may be megabytes of pictures."""
    kept = b""
    for block in blocks:
        kept += block
        while kept[:3] == b"ID3" and len(kept) >= 10:
            size = id3_bytes(kept)
            while len(kept) < size and (more := next(blocks, None)) is not None:
                size -= len(kept)
                kept = more
            kept = kept[size:]
        if len(kept) >= 10:
            yield kept
            break
    else:
        yield kept
    yield from blocks
