"""The sound of a Voice Agents Platform session, as it is and not as it is called."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from vault.errors import BadInput
from vault.formats import content, gzipped, sound
from vault.formats.fields import NS_LIMIT, Fields, Notes
from vault.formats.source import HEAD_BYTES, Source
from vault.media import probe, wav
from vault.model import Json

#: The container that a file's ending promises; None for bare samples.
_CALLED: dict[str, str | None] = {
    **{name: name for name in ("wav", "mp3", "opus", "flac", "ogg")},
    **dict.fromkeys(("pcm", "raw", "ulaw", "alaw")),
}


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: `media_type` tells what its bytes are, `facts` what is known of the sound.

    Raw samples are `audio/pcm;rate=…;channels=…` (signed, little-endian, 16 bits unless
    `;bits=…`; 8 are unsigned, as where the platform puts them into a WAV file; `;law=…` where it
    says that they are those of G.711); what is packed is `application/gzip`, with the same after
    it where it holds raw samples. `duration_ns` is None where only a decoder can tell.
    """

    name: str
    media_type: str
    duration_ns: int | None
    facts: dict[str, Json]


def hear(source: Source, name: str, metadata: Fields, notes: Notes) -> Sound:
    """What a recording holds, by its own first bytes, and by the metadata where those are samples.

    A packed one is unpacked once, in constant memory, to see how long it is. `BadInput` if it
    unpacks to far more than it should.
    """
    packed = gzipped.is_gzip(source.head(name))
    head, size = _measured(source, name, notes) if packed else _plain(source, name)
    container = probe.sniff(head)
    called = _CALLED.get(name.removesuffix(".gz").rpartition(".")[2], "")
    duration: int | None = None
    facts: dict[str, Json] = {"container": container}
    if container == "wav":
        duration, media_type = _of_wav(head, size, name, facts, notes), "audio/wav"
    elif container is not None:
        media_type = content.MEDIA_TYPES[container]
    elif metadata.flag("encrypted"):
        media_type = "application/octet-stream"
        notes.add("encrypted-media", "It was encrypted by the platform and cannot be told.", name)
        return Sound(name, media_type, None, facts)
    else:
        duration, media_type = _of_samples(size, metadata, facts)
    if called != container and not (called in {"ogg", "opus"} and container in {"ogg", "opus"}):
        held = container or "raw samples without a header"
        notes.add("mislabelled-media", f"The file is {held}, whatever its name says.", name)
    if packed:
        _, semicolon, shape = media_type.partition(";")
        media_type = sound.PACKED + semicolon + shape
    return Sound(name, media_type, duration, facts)


def _plain(source: Source, name: str) -> tuple[bytes, int]:
    return source.head(name), source.files()[name]


def _measured(source: Source, name: str, notes: Notes) -> tuple[bytes, int]:
    """The first bytes of what is packed, and how many there are."""
    head, size = b"", 0
    with source.open(name) as stream:
        blocks: Iterator[bytes] = gzipped.inflate(stream, name)
        try:
            for block in blocks:
                head += block[: HEAD_BYTES - len(head)]
                size += len(block)
        except gzipped.Damaged:
            notes.add("damaged-gzip", "It is cut or damaged; the end is lost.", name)
    return head, size


def _of_wav(head: bytes, size: int, name: str, facts: dict[str, Json], notes: Notes) -> int | None:
    stream: BinaryIO = io.BytesIO(head)
    try:
        header = wav.read_header(stream, size)
    except BadInput:
        notes.add("unreadable-audio", "The WAV header cannot be read.", name)
        return None
    notes.extend(content.told(header.warnings, name))
    facts |= {"codec": header.codec, "rate": header.rate, "channels": header.channels}
    return header.duration_ns if header.duration_ns <= NS_LIMIT else None


def _of_samples(size: int, metadata: Fields, facts: dict[str, Json]) -> tuple[int | None, str]:
    """The length and type of raw samples, as the metadata describes them."""
    rate, channels = metadata.index("sample_rate"), metadata.index("channels")
    bits = metadata.index("bit_depth")
    if not rate or not channels or bits not in {8, 16, 24, 32} or rate > wav.MAX_RATE:
        return None, "application/octet-stream"
    law = sound.law_of(metadata.value.get("audio_format")) if bits == 8 else None
    codec = "pcm_u8" if bits == 8 else f"pcm_s{bits}le"
    codec = {"u": "pcm_mulaw", "a": "pcm_alaw"}.get(law or "", codec)
    facts |= {"codec": codec, "rate": rate, "channels": channels}
    duration = size // (channels * bits // 8) * 1_000_000_000 // rate
    wide = f";law={law}" if law else "" if bits == 16 else f";bits={bits}"
    media_type = f"audio/pcm;rate={rate};channels={channels}{wide}"
    return (duration if duration <= NS_LIMIT else None), media_type
