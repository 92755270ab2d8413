"""The media of a session as tracks: which bytes sound when, and those bytes, checked.

Nothing is opened here. A track lists its chunks; `samples` and `wav` ask for just the bytes of
each through the `fetch` they are given, and refuse what is not what was recorded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from vault.errors import BadInput, IntegrityError, NotFound
from vault.formats.promptkit_turns import AUDIO, chunk_ns
from vault.formats.sound import law_of
from vault.media import wav as wave
from vault.model import Event, Json, Timeline

#: Gives the bytes [start, start + length) of an original by its name.
Fetch = Callable[[str, int, int], bytes]

VISUAL = ("video.frame", "screenshot", "image.input", "image.output")
_TRACKS = {"audio.input": "audio_input", "audio.output": "audio_output"}
_FOLDERS = ("blobs/", "events/blobs/", "")
#: Chunks that follow each other this closely are one sound: networks are not clocks.
JITTER_NS = 60_000_000
_SILENCE_FRAMES = 1 << 15
_RAW = {"", "pcm", "pcm_linear16", "pcm_s16le", "linear16", "l16"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of media that begins at `offset_ns` and lasts `duration_ns`.

    Its bytes are the blob `ref`, or the base64 at `inline` (file, start, length) that holds
    `size_bytes`; neither if the source did not keep them. `sha256` is what they must hash to.
    """

    seq: int
    offset_ns: int
    duration_ns: int
    turn: str | None
    ref: str | None
    inline: tuple[str, int, int] | None
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Track:
    """The chunks of one kind in the order of time; `length_ns` is the sum of theirs."""

    name: str
    role: str | None
    encoding: str
    rate: int
    channels: int
    bits: int
    chunks: Sequence[Chunk]

    @property
    def frame_bytes(self) -> int:
        """The size of one sample of every channel."""
        return max(1, self.channels * self.bits // 8)

    @property
    def length_ns(self) -> int:
        """How much there is, gaps left out."""
        return sum(chunk.duration_ns for chunk in self.chunks)


def tracks(timeline: Timeline) -> dict[str, Track]:
    """`audio_input`, `audio_output` and `visual` (frames, screenshots, images), where there are."""
    grouped: dict[str, list[Event]] = {}
    for event in sorted(timeline.events, key=lambda event: event.offset_ns):
        name = _TRACKS.get(event.type) or ("visual" if event.type in VISUAL else None)
        if name is not None:
            grouped.setdefault(name, []).append(event)
    return {name: _track(name, events) for name, events in sorted(grouped.items())}


def samples(track: Track, fetch: Fetch, sizes: Mapping[str, int]) -> Iterator[bytes]:
    """The bytes of every chunk, one after the other; `sizes` are the originals' by name.

    A chunk whose bytes the source did not keep is passed over. Raises `NotFound` where a blob is
    not among the originals, `IntegrityError` where bytes are not what was recorded.
    """
    for chunk in track.chunks:
        found = chunk_bytes(chunk, fetch, sizes)
        if found is not None:
            yield found


def chunk_bytes(chunk: Chunk, fetch: Fetch, sizes: Mapping[str, int]) -> bytes | None:
    """The bytes of one chunk, checked as `samples` says; None if they were not kept."""
    if chunk.inline is not None:
        held = base64.b64decode(fetch(*chunk.inline).replace(b"\\", b""))
    elif chunk.ref is not None:
        name = original(chunk.ref, sizes)
        held = fetch(name, 0, sizes[name])
    else:
        return None
    if chunk.sha256 is not None and hashlib.sha256(held).hexdigest() != chunk.sha256:
        raise IntegrityError("A piece of media is not what was recorded; nothing was given out.")
    return held


def turns(track: Track) -> Iterator[Track]:
    """The track in parts, one for each turn of the speaker, in the order in which they begin.

    Turns may overlap. What names no turn is one with what names none right before it.
    """
    found: dict[object, list[Chunk]] = {}
    for run, (turn, chunks) in enumerate(groupby(track.chunks, key=lambda chunk: chunk.turn)):
        found.setdefault(run if turn is None else turn, []).extend(chunks)
    for own in found.values():
        yield replace(track, chunks=tuple(own))


def kept(track: Track, sizes: Mapping[str, int]) -> Track:
    """The track without the chunks whose bytes are not among the originals."""
    there = [
        chunk
        for chunk in track.chunks
        if (chunk.inline is not None and chunk.inline[0] in sizes)
        or (chunk.ref is not None and any(f"{folder}{chunk.ref}" in sizes for folder in _FOLDERS))
    ]
    return replace(track, chunks=tuple(there))


def is_raw(track: Track) -> bool:
    """Whether it is sound in samples, plain or of G.711, which `wav` can write."""
    return track.role is not None and (track.encoding in _RAW or law_of(track.encoding) is not None)


def frames(track: Track, sizes: Mapping[str, int], *, gaps: bool = False) -> int:
    """How many frames `wav` makes of it."""
    return sum(silence + sound for silence, sound, _ in _laid(track, sizes, gaps=gaps))


def wav(
    track: Track,
    fetch: Fetch,
    sizes: Mapping[str, int],
    *,
    gaps: bool = False,
    skip: int = 0,
) -> Iterator[bytes]:
    """The track as a WAV file that begins with its first chunk, or `skip` frames later.

    The chunks follow one another; with `gaps` each waits for its own time, in silence. One that
    came before the one before it had ended waits for that, as it did when it was played. What is
    skipped is not fetched, but for the chunk in which it ends.
    Raises `BadInput` for a track that is not raw samples, and what `samples` raises.
    """
    if not is_raw(track):
        raise BadInput(f"The track {track.name} holds no raw samples.")
    total = frames(track, sizes, gaps=gaps)
    tag, silent = _coded(track)
    yield wave.write_header(track.rate, track.channels, track.bits, max(0, total - skip), tag)
    for silence, sound, chunk in _laid(track, sizes, gaps=gaps):
        passed = min(skip, silence)
        for done in range(passed, silence, _SILENCE_FRAMES):
            yield silent * (min(_SILENCE_FRAMES, silence - done) * track.frame_bytes)
        skip -= passed
        if skip < max(1, sound):
            held = chunk_bytes(chunk, fetch, sizes) or b""
            yield held[
                skip * track.frame_bytes : len(held) // track.frame_bytes * track.frame_bytes
            ]
        skip -= min(skip, sound)


def _coded(track: Track) -> tuple[int, bytes]:
    """What a WAV file calls such samples, and the byte that silence is made of."""
    law = law_of(track.encoding)
    if law is not None:
        return {"u": (wave.MULAW, b"\xff"), "a": (wave.ALAW, b"\xd5")}[law]
    return wave.PCM, b"\x80" if track.bits == 8 else b"\0"


def _laid(
    track: Track, sizes: Mapping[str, int], *, gaps: bool
) -> Iterator[tuple[int, int, Chunk]]:
    """For each chunk the frames of silence before it and of its own."""
    at = 0
    for chunk in track.chunks:
        size = 0
        if chunk.inline is not None:
            size = chunk.size_bytes or 0
        elif chunk.ref is not None:
            size = sizes[original(chunk.ref, sizes)]
        since_ns = chunk.offset_ns - track.chunks[0].offset_ns
        silence = since_ns * track.rate // 1_000_000_000 - at
        if not gaps or silence * 1_000_000_000 <= JITTER_NS * track.rate:
            silence = 0
        at += silence + size // track.frame_bytes
        yield silence, size // track.frame_bytes, chunk


def original(ref: str, sizes: Mapping[str, int]) -> str:
    """The original that a blob's name means; `NotFound` if there is none."""
    for folder in _FOLDERS:
        if f"{folder}{ref}" in sizes:
            return f"{folder}{ref}"
    raise NotFound("A piece of media is not in the archive.")


def _track(name: str, events: Sequence[Event]) -> Track:
    metadata = _object(events[0].data.get("metadata"))
    encoding = metadata.get("encoding")
    return Track(
        name=name,
        role=AUDIO.get(events[0].type),
        encoding=encoding.lower() if isinstance(encoding, str) else "",
        rate=_number(metadata, "sample_rate", 24_000, wave.MAX_RATE),
        channels=_number(metadata, "channels", 1, wave.MAX_CHANNELS),
        bits=8 if law_of(encoding) else _number(metadata, "bits_per_sample", 16, 64),
        chunks=tuple(_chunk(event) for event in events),
    )


def _chunk(event: Event) -> Chunk:
    payload = _object(event.data.get("payload"))
    inline, ref, checksum = (
        _object(payload.get("inline")),
        payload.get("storage_ref"),
        payload.get("checksum"),
    )
    turn = event.data.get("turn_id")
    digest = checksum.removeprefix("sha256:") if isinstance(checksum, str) else ""
    size = inline.get("size") if inline else payload.get("size")
    return Chunk(
        seq=event.seq,
        offset_ns=event.offset_ns,
        duration_ns=chunk_ns(dict(event.data)),
        turn=turn if isinstance(turn, str) else None,
        ref=ref.removeprefix("file://") if isinstance(ref, str) and ref else None,
        inline=_extent(inline),
        size_bytes=size if isinstance(size, int) else None,
        sha256=digest.lower() if len(digest) == 64 else None,
    )


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _number(metadata: Mapping[str, Json], key: str, default: int, most: int) -> int:
    value = metadata.get(key)
    return value if isinstance(value, int) and 0 < value <= most else default


def _extent(inline: Mapping[str, Json]) -> tuple[str, int, int] | None:
    file, start, length = inline.get("file"), inline.get("start"), inline.get("bytes")
    if isinstance(file, str) and isinstance(start, int) and isinstance(length, int):
        return file, start, length
    return None
