"""A session of another format as PromptKit's events: what was said, its sound in blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vault.formats.promptkit_turns import MESSAGE
from vault.model import Event, Json, Segment, Timeline

#: The roles whose sound PromptKit has a track for.
TRACKS = {"user": "input", "agent": "output"}
_ROLES = {"user": "user", "agent": "assistant", "system": "system"}
#: The number of an event that is made here, until all have their own.
_MADE = -1


@dataclass(frozen=True, slots=True)
class Blob:
    """A turn's samples as a file of their own: PCM of 16 bits, little-endian, channels in turn."""

    sha256: str
    size_bytes: int
    rate: int
    channels: int

    @property
    def duration_ns(self) -> int:
        """How long it sounds."""
        return self.size_bytes * 1_000_000_000 // (2 * self.channels * self.rate)

    def name(self, session_id: str) -> str:
        """Where it lies below the folder of blobs."""
        return f"{session_id}/{self.sha256}.pcm"


def retold(timeline: Timeline, session_id: str, blobs: Mapping[str, Blob]) -> list[Event]:
    """The start of the session, its own events, and its turns, in the order of time.

    An event that it did not have is of no number. `blobs` are those of the turns that are alone
    in a recording, by its name. PromptKit plays a whole track in the shape of its first piece, so
    a piece without sound has that of the track's first sound.
    """
    shapes: dict[str, Blob] = {}
    for segment in timeline.segments:
        if blob := blobs.get(segment.file or ""):
            shapes.setdefault(segment.role, blob)
    found = [Event(_MADE, "conversation.started", 0, {"SystemPrompt": ""})]
    found += timeline.events
    spoken = 0
    for segment in timeline.segments:
        sound = blobs.get(segment.file or "")
        found += _turn(segment, session_id, sound, shapes.get(segment.role))
        if segment.text:
            found.append(_message(segment, spoken))
            spoken += 1
    found.sort(key=lambda event: event.offset_ns)
    return found


def numbers(timeline: Timeline, session_id: str, blobs: Mapping[str, Blob]) -> dict[int, int]:
    """What the number of each event that the session had becomes."""
    found = enumerate(retold(timeline, session_id, blobs), 1)
    return {event.seq: number for number, event in found if event.seq != _MADE}


def _turn(segment: Segment, session_id: str, blob: Blob | None, shape: Blob | None) -> list[Event]:
    """That someone was heard, for how long, and where the sound of it is if it is anywhere."""
    track = TRACKS.get(segment.role)
    length_ns = segment.decoded_ns or segment.end_ns - segment.start_ns
    if blob is not None:
        length_ns = blob.duration_ns
    if track is None or length_ns <= 0:
        return []
    payload: dict[str, Json] = {"storage_ref": "", "mime_type": "audio/pcm", "size": 0}
    if blob is not None:
        payload |= {"storage_ref": f"file://{blob.name(session_id)}", "size": blob.size_bytes}
        payload["checksum"] = f"sha256:{blob.sha256}"
    data: dict[str, Json] = {
        "direction": track,
        "actor": segment.role,
        "payload": payload,
        "metadata": {**_shape(blob or shape), "duration_ms": length_ns // 1_000_000},
        "turn_id": f"turn-{segment.index}",
        "chunk_index": 0,
        "is_final": True,
    }
    return [Event(_MADE, f"audio.{track}", segment.start_ns, data)]


def _shape(blob: Blob | None) -> dict[str, Json]:
    if blob is None:
        return {"sample_rate": 0, "channels": 0, "encoding": ""}
    shape: dict[str, Json] = {"sample_rate": blob.rate, "channels": blob.channels}
    return shape | {"encoding": "pcm_linear16", "bits_per_sample": 16}


def _message(segment: Segment, index: int) -> Event:
    data: dict[str, Json] = {
        "Role": _ROLES.get(segment.role, segment.role),
        "Content": segment.text,
        "Index": index,
        "Parts": None,
        "ToolCalls": None,
        "ToolResult": None,
    }
    return Event(_MADE, MESSAGE, segment.start_ns, data)
