"""A recording as a decoder takes it, however it was kept: as it is, packed, or bare samples.

Readers say in the media type what bytes alone do not tell: `rate` and `channels` of samples that
have no header (little-endian, 16 bits unless `bits` says otherwise; 8 are unsigned, as in WAV; with
`law` they are those of G.711), packed or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

from vault.errors import BadInput
from vault.formats import gzipped
from vault.media import probe, wav
from vault.model import Json, Original, Segment

#: In a segment's data: where the recording begins in which it is one of several turns.
RECORDING_NS = "recording_ns"
PACKED = "application/gzip"
_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 18
_SAMPLES = re.compile(
    r"(?:audio/pcm|application/gzip);rate=(\d{1,6});channels=(\d{1,2})"
    r"(?:;bits=(8|16|24|32)|;law=(a|u))?"
)
_TAGS = {"a": wav.ALAW, "u": wav.MULAW, None: wav.PCM}
#: What sources call the two laws of G.711: mulaw, pcm_alaw, g711_ulaw, audio/PCMU, audio/x-mulaw.
_LAW = re.compile(r"(?:.{0,24}[^a-z])?(?:(mu|u|a)[-_]?law|pcm(u|a))", re.IGNORECASE)

#: Whoever says that a second of speech has fewer samples is wrong.
_LOWEST_RATE = 1000


@dataclass(frozen=True, slots=True)
class Sound:
    """What to decode: `open` gives the bytes of a file in `container`, anew at each call."""

    container: str
    open: Callable[[], Iterator[bytes]]


def sound(original: Original) -> Sound:
    """The recording in an original, unpacked as a stream within the limits of `gzipped`.

    Raises `BadInput` for what is no sound known here, or unpacks to far more than it should.
    """
    with original.open() as stream:
        packed = gzipped.is_gzip(stream.read(3)) and original.media_type[:9] != "audio/pcm"
    content = partial(_unpacked if packed else _blocks, original)
    samples = _SAMPLES.fullmatch(original.media_type)
    if samples is not None:
        rate, channels, law = int(samples[1]), int(samples[2]), samples[4]
        bits = 8 if law else int(samples[3] or 16)
        if 0 < rate <= wav.MAX_RATE and 0 < channels <= wav.MAX_CHANNELS:
            size = sum(map(len, content())) if packed else original.size_bytes
            frames = size // (channels * bits // 8)
            header = wav.write_header(rate, channels, bits, frames, _TAGS[law])
            return Sound("wav", lambda: chain([header], content()))
    container = probe.sniff(_head(content()))
    if container is None:
        raise BadInput("No audio format is recognised in this file.")
    return Sound(container, content)


def law_of(encoding: Json) -> str | None:
    """The law of G.711 that a source means by the name of an encoding: a, u, or None."""
    found = _LAW.fullmatch(encoding) if isinstance(encoding, str) else None
    return None if found is None else (found[1] or found[2])[-1].lower()


class Telephony(NamedTuple):
    """Sound of G.711 in no container, a byte a sample; `media_type` as `sound` takes it."""

    media_type: str
    rate: int
    channels: int

    def duration_ns(self, size_bytes: int) -> int:
        """How long so many bytes of it sound."""
        return size_bytes // self.channels * 1_000_000_000 // self.rate


def telephony(media_type: Json) -> Telephony | None:
    """What a media type says of sound of G.711, 8 kHz mono unless it says more; None for others.

    Source: RFC 3551, 4.5.14, and RFC 4856 (`audio/PCMU;rate=16000`); RFC 2046, 4.2 (`audio/basic`).
    """
    stated = media_type.lower() if isinstance(media_type, str) else ""
    kind, *said = (each.strip() for each in stated.split(";"))
    law = "u" if kind == "audio/basic" else law_of(kind.removesuffix("-basic"))
    told = {name.strip(): value.strip(' "') for name, _, value in (s.partition("=") for s in said)}
    shape = told.get("rate", "8000"), told.get("channels", "1")
    found = f"audio/pcm;rate={shape[0]};channels={shape[1]};law={law}"
    if not kind.startswith("audio/") or not _SAMPLES.fullmatch(found):
        return None
    rate, channels = map(int, shape)
    possible = _LOWEST_RATE <= rate <= wav.MAX_RATE and 0 < channels <= wav.MAX_CHANNELS
    return Telephony(found, rate, channels) if possible else None


def recording_of(data: Mapping[str, Json]) -> dict[str, Json]:
    """Of what a source says of a turn only what it takes to find its sound."""
    return {RECORDING_NS: data[RECORDING_NS]} if type(data.get(RECORDING_NS)) is int else {}


def beginnings(segments: Iterable[Segment]) -> dict[str, int]:
    """Where each recording that segments name begins, in nanoseconds.

    One that several name is of the whole session and begins with it, unless they say when.
    """
    starts: dict[str, int] = {}
    for segment in segments:
        if segment.file is not None:
            stated = segment.data.get(RECORDING_NS)
            start = 0 if segment.file in starts else segment.start_ns
            starts[segment.file] = stated if isinstance(stated, int) else start
    return starts


def _head(blocks: Iterator[bytes]) -> bytes:
    head = b""
    while len(head) < _HEAD_BYTES and (block := next(blocks, None)) is not None:
        head += block
    return head[:_HEAD_BYTES]


def _blocks(original: Original) -> Iterator[bytes]:
    with original.open() as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block


def _unpacked(original: Original) -> Iterator[bytes]:
    """What is packed, as far as it can be read; its reader has said where it is damaged."""
    with original.open() as stream:
        try:
            yield from gzipped.inflate(stream, original.name)
        except gzipped.Damaged:
            return
