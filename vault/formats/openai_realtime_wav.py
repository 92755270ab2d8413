"""The sound of a log of OpenAI Realtime events, read where it lies in the log, as WAV files.

It is decoded line by line, each time that it is read, and never held.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

from vault.errors import BadInput
from vault.formats import jsontext, loglines
from vault.formats.blocks import Blocks
from vault.formats.content import MEDIA_TYPES
from vault.formats.openai_realtime_sound import Recording
from vault.formats.source import Source
from vault.media import wav
from vault.model import Json, Kind, Original


def inside(source: Source, found: Sequence[Recording]) -> Iterator[Original]:
    """The recordings as originals, for `Reading.inside`; `BadInput` where the log has changed."""
    for recording in found:
        size = sum(map(len, _around(recording))) + recording.frames * recording.shape.frame_bytes
        opened = partial(_open, source, recording)
        yield Original(recording.name, Kind.AUDIO, MEDIA_TYPES["wav"], size, opened)


def event_in(row: dict[str, Json]) -> dict[str, Json]:
    """The event that a line of the log holds, with or without a wrapper around it."""
    inner = row.get("event")
    return inner if isinstance(inner, dict) else row


def _open(source: Source, recording: Recording) -> BinaryIO:
    lines = loglines.excerpt(source, source.name, [place for place, _ in recording.pieces]).open()
    return io.BufferedReader(Blocks(lines, _wav(lines, recording)), 1 << 16)


def _wav(lines: BinaryIO, recording: Recording) -> Iterator[bytes]:
    """A WAV file of the pieces in these lines; half a sample at its end is left out."""
    header, padding = _around(recording)
    yield header
    left = recording.frames * recording.shape.frame_bytes
    for line, (_, path) in zip(lines, recording.pieces, strict=False):
        found: Any = event_in(jsontext.object_in(line) or {})
        try:
            for step in path:
                found = found[step]
            block = base64.b64decode(str(found))[:left]
        except (LookupError, TypeError, ValueError):
            raise BadInput("The log changed while it was being read.") from None
        left -= len(block)
        yield block
    yield padding


def _around(recording: Recording) -> tuple[bytes, bytes]:
    """What a WAV file has before its samples and behind them."""
    shape = recording.shape
    tag = {"a": wav.ALAW, "u": wav.MULAW}.get(shape.law or "", wav.PCM)
    header = wav.write_header(shape.rate, 1, 8 * shape.frame_bytes, recording.frames, tag)
    return header, bytes(recording.frames * shape.frame_bytes % 2)
