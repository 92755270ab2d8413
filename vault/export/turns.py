"""The sound of single turns, as bare samples."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

from vault.errors import BadInput
from vault.export.record import Record
from vault.formats.promptkit_retold import TRACKS, Blob
from vault.formats.sound import RECORDING_NS
from vault.media import wav
from vault.model import Original

_BLOCK_BYTES = 1 << 18


def turns(record: Record) -> Mapping[str, Blob]:
    """The turns of a session of another format than PromptKit's whose sound it has a place for.

    By the name of the recording, which is a WAV of 16 bits that one turn alone has. Each is read
    for its digest.
    """
    session = record.session
    if session.format == "promptkit":
        return {}
    named = Counter(segment.file for segment in session.timeline.segments)
    alone = {
        segment.file
        for segment in session.timeline.segments
        if named[segment.file] == 1 and segment.role in TRACKS and RECORDING_NS not in segment.data
    }
    found = ((each.name, _blob(each)) for each in session.recordings() if each.name in alone)
    return {name: blob for name, blob in found if blob is not None}


def samples(original: Original) -> Iterator[bytes]:
    """The samples of a WAV, whole frames, as they lie in it."""
    with _opened(original) as (header, stream):
        left = header.frames * header.channels * header.bits // 8
        while left and (block := stream.read(min(left, _BLOCK_BYTES))):
            left -= len(block)
            yield block


def _blob(original: Original) -> Blob | None:
    """What a blob of these samples is; None for what is no WAV of 16 bits, or is empty."""
    try:
        with _opened(original) as (header, _):
            pass
    except BadInput:
        return None
    if (header.format_tag, header.bits) != (wav.PCM, 16) or not header.frames:
        return None
    digest, size = hashlib.sha256(), 0
    for block in samples(original):
        digest.update(block)
        size += len(block)
    return Blob(digest.hexdigest(), size, header.rate, header.channels)


@contextmanager
def _opened(original: Original) -> Iterator[tuple[wav.WavHeader, BinaryIO]]:
    """A WAV's header, and the file at its first sample."""
    with original.open() as stream:
        yield wav.read_header(stream, original.size_bytes), stream
