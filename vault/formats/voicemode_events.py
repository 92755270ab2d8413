"""VoiceMode's event log: what the machine did, in a session that the log names.

    {"timestamp", "event_type", "session_id", "data": {…}}        one a line, UTC, to the µs

Every event is kept as it is. What was said is read from them as well: what was played between
the start and end of playback, and what was heard between the start and end of a recording.

Source: VoiceMode's `EventLogger`, whose event types these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

from vault.formats.content import Looked
from vault.formats.voicemode_audio import Recordings
from vault.formats.voicemode_rows import Rows
from vault.model import Event, Json, Segment, Timeline

#: From which event to the next of which other, by what VoiceMode calls the time between.
SPANS = {
    "ttfa": ("TTS_START", "TTS_FIRST_AUDIO"),
    "recording_duration": ("RECORDING_START", "RECORDING_END"),
    "stt_processing": ("STT_START", "STT_COMPLETE"),
    "response_time": ("RECORDING_END", "TTS_PLAYBACK_START"),
    "session_duration": ("SESSION_START", "SESSION_END"),
}
_ENDS = frozenset(kind for span in SPANS.values() for kind in span)
#: The event that names a recording.
SAVED = "RECORDING_SAVED"
_OWN = {"timestamp", "event_type", "session_id", "data"}


def read_timeline(
    rows: Rows, offsets: Sequence[int], recordings: Recordings, owner: str
) -> tuple[Timeline, list[Looked], dict[str, Json]]:
    """The timeline of one session, its recordings, and fields that are in no event's data."""
    events: list[Event] = []
    taken: list[Looked] = []
    other: dict[str, Json] = {}
    said = _Said()
    for seq, (value, offset) in enumerate(zip(rows.values, offsets, strict=True)):
        inner = value.get("data")
        if inner is not None and not isinstance(inner, dict):
            rows.fields(seq).bad("data", "an object")
        data = inner if isinstance(inner, dict) else {}
        event = Event(seq, str(value["event_type"]), offset, data)
        events.append(event)
        if not value.keys() <= _OWN:
            other[str(seq)] = {key: item for key, item in value.items() if key not in _OWN}
        looked = None
        if event.type == SAVED and "file" in data:
            looked = recordings.find(rows, seq, data["file"], owner)
        if looked is not None:
            taken.append(looked)
        said.take(event, looked)
    return Timeline(said.segments(), tuple(events)), taken, other


class _Said:
    """What was said, gathered from the events as they come."""

    def __init__(self) -> None:
        self._done: list[Segment] = []
        self._to_say: str | None = None
        self._playing: int | None = None
        self._recording: int | None = None

    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._done)

    def take(self, event: Event, looked: Looked | None) -> None:
        text = event.data.get("text", event.data.get("message"))
        match event.type:
            case "TTS_REQUEST" | "TTS_START" if isinstance(text, str):
                self._to_say = text
            case "TTS_PLAYBACK_START":
                self._playing = event.offset_ns
            case "TTS_PLAYBACK_END" | "BARGE_IN_DETECTED" if self._playing is not None:
                cut = event.type == "BARGE_IN_DETECTED"
                self._add("agent", self._playing, event.offset_ns, self._to_say, cut=cut)
                self._playing = self._to_say = None
            case "RECORDING_START":
                self._recording = event.offset_ns
            case "RECORDING_END" if self._recording is not None:
                self._add("user", self._recording, event.offset_ns, None)
                self._recording = None
            case "RECORDING_SAVED" if looked is not None:
                self._amend(None, looked)
            case "STT_COMPLETE" if isinstance(text, str):
                if not self._amend(text, None):
                    self._add("user", event.offset_ns, event.offset_ns, text)

    def _add(self, role: str, start: int, end: int, text: str | None, *, cut: bool = False) -> None:
        index = len(self._done)
        end = max(start, end)
        self._done.append(Segment(index, role, None, start, end, None, text, cut, None))

    def _amend(self, text: str | None, looked: Looked | None) -> bool:
        """Complete the last thing heard; False if that has a text already."""
        place = next((s.index for s in reversed(self._done) if s.role == "user"), None)
        if place is None or (text is not None and self._done[place].text is not None):
            return False
        was = self._done[place]
        if text is not None:
            was = replace(was, text=text)
        if looked is not None:
            was = replace(was, file=looked.original.name, decoded_ns=looked.duration_ns)
        self._done[place] = was
        return True


def timings(events: Sequence[Event]) -> dict[str, Json]:
    """The times between events, in seconds, as `{name: {count, avg, min, max}_seconds}`.

    Each starting event counts to the next ending one after it, and only if no other of its kind
    starts between; so no time is ever negative, and one that has no end is left out.
    """
    known = [event for event in events if event.type in _ENDS]
    ordered = sorted(known, key=attrgetter("offset_ns"))
    found: dict[str, Json] = {}
    for name, (start, end) in SPANS.items():
        took: list[float] = []
        since: int | None = None
        for event in ordered:
            if event.type == start:
                since = event.offset_ns
            elif event.type == end and since is not None:
                took.append((event.offset_ns - since) / 1e9)
                since = None
        found[name] = {
            "count": len(took),
            "avg_seconds": sum(took) / len(took) if took else None,
            "min_seconds": min(took, default=None),
            "max_seconds": max(took, default=None),
        }
    return found
