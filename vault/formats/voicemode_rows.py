"""One row of a VoiceMode log: what it is, when it was, and how long it took.

{"version", "timestamp", "conversation_id", "type", "text", "project_path",     an exchange
"audio_file", "duration_ms", "metadata": {…}}
{"timestamp", "event_type", "session_id", "data": {…}}                           an event
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from vault.formats import instants
from vault.formats.fields import NS_LIMIT, Fields, Notes
from vault.model import Json

EXCHANGES, EVENTS = "voicemode", "voicemode-events"
ID_LIMIT = 1024
_MICROSECOND = timedelta(microseconds=1)

#: "ttfa 1.2s, tts_gen 2.3s, tts_play 6.0s", which is all that versions 1 and 2 say of times.
_TIMING = re.compile(r"(\w{1,40}) (\d{1,9}(?:\.\d{1,9})?)s\b", re.ASCII)
#: What the numbers are called since version 3, and what that text called them before.
TIMINGS = {
    "time_to_first_audio": ("ttfa",),
    "generation_time": ("tts_gen", "gen"),
    "playback_time": ("tts_play", "play"),
    "recording_time": ("record",),
    "transcription_time": ("stt",),
    "total_turnaround_time": ("total",),
}


@dataclass(slots=True)
class Rows:
    """The rows of one session: what each holds, and where it stands as (file, line number)."""

    values: list[dict[str, Json]] = field(default_factory=list)
    lines: list[tuple[str, int]] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    def fields(self, index: int) -> Fields:
        """One row's fields, for reading those that are not as they should be."""
        return Fields(self.values[index], self.where(index), self.notes)

    def where(self, index: int) -> str:
        return f"line {self.lines[index][1]}"

    def note(self, index: int, code: str, text: str, file: str | None = None) -> None:
        """Warn of one row."""
        self.notes.add(code, f"{self.where(index)}: {text}", file or self.lines[index][0])


def belongs_to(value: dict[str, Json]) -> tuple[str, str] | None:
    """The format and id of the session that a row is of; None if it names none."""
    name, key = EXCHANGES, value.get("conversation_id")
    if key is None and type(value.get("event_type")) is str:
        name, key = EVENTS, value.get("session_id")
    return (name, key) if type(key) is str and 0 < len(key) <= ID_LIMIT else None


def timed(rows: Rows) -> tuple[datetime | None, list[int]]:
    """When the first of these rows was, in its own zone, and the offset (ns) of each from it.

    A row without a usable time, or more than a year from the first, is at the one before it.
    """
    stamps = [_stamp(rows, index) for index in range(len(rows.values))]
    first = next((stamp for stamp in stamps if stamp is not None), None)
    if first is None:
        return None, [0] * len(stamps)
    begun, earliest, latest = first, 0, 0
    offsets: list[int] = []
    for index, stamp in enumerate(stamps):
        if stamp is not None:
            ns = (stamp - first) // _MICROSECOND * 1000
            if not -NS_LIMIT <= ns <= NS_LIMIT:
                rows.note(index, "bad-interval", "more than a year away; placed at the row before.")
            else:
                latest = ns
                if ns < earliest:
                    begun, earliest = stamp, ns
        offsets.append(latest)
    return begun, [ns - earliest for ns in offsets] if earliest else offsets


def _stamp(rows: Rows, index: int) -> datetime | None:
    """A row's own time with its own offset."""
    text = rows.values[index].get("timestamp")
    if isinstance(text, str):
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            pass  # which is noted below
        else:
            if found.tzinfo is not None and instants.is_possible(found):
                return found
    if text is None:
        rows.note(index, "bad-field", "there is no timestamp.")
    return rows.fields(index).instant("timestamp")


def seconds(metadata: Mapping[str, Json], name: str) -> float | None:
    """How long something took, by its name in `TIMINGS`; never negative.

    A number goes before what the text `timing` says.
    """
    value = metadata.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if 0 <= value <= NS_LIMIT // 10**9 else None
    text = metadata.get("timing")
    if not isinstance(text, str):
        return None
    said = _TIMING.findall(text[:1000])
    return next((float(number) for word, number in said if word in TIMINGS[name]), None)
