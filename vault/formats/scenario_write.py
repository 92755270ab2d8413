"""Write a scenario bundle again: `manifest.json`, `full.wav`, `segments/`.

Source: the recordings that langwatch scenario's kits write; see `scenario.py` beside this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from vault.formats.scenario import FULL, MANIFEST, SEGMENTS
from vault.model import Event, Original, Reading, Segment

#: Names that a bundle of this format has; an export removes those of an earlier one.
OWNED = re.compile(rf"{MANIFEST}|{FULL}|{SEGMENTS}/\d{{2,9}}-[a-z]+-\d{{4,10}}ms\.wav")
_SECOND_NS = 1_000_000_000
#: Gives a recording as a WAV file, whatever it was.
ToWav = Callable[[Original], Iterator[bytes]]


def files(
    session: Reading, to_wav: ToWav, full: Iterator[bytes] | None, *, manifest: bool = True
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The files of a bundle: (name, its blocks), in the order to be written.

    `full` is the whole recording; None leaves it out. A segment whose recording is not among
    the recordings is listed in the manifest with an empty `file`, so that nothing points to
    what is not there.
    """
    recordings = {original.name: original for original in session.recordings()}
    names: dict[int, str] = {}
    for segment in session.timeline.segments:
        if segment.file in recordings:
            names[segment.index] = _name(segment)
            yield names[segment.index], to_wav(recordings[segment.file])
    if full is not None:
        yield FULL, full
    if manifest:
        yield MANIFEST, iter([json.dumps(document(session, names), indent=2).encode() + b"\n"])


def _name(segment: Segment) -> str:
    role = segment.role if re.fullmatch("[a-z]+", segment.role) else "system"
    return f"{SEGMENTS}/{segment.index:02d}-{role}-{segment.start_ns // 1_000_000:04d}ms.wav"


def document(session: Reading, names: Mapping[int, str]) -> dict[str, Any]:
    """The manifest: segments by their recordings' `names`, the source's own fields beside."""
    timeline, duration = session.timeline, session.duration_ns or 0
    written: dict[str, Any] = {}
    if session.started_at is not None:
        written_at = session.started_at + timedelta(microseconds=duration // 1000)
        written["generated_at"] = written_at.isoformat()
    written["duration"] = _seconds(duration)
    written["segment_count"] = len(timeline.segments)
    written["segments"] = [_segment(s, names.get(s.index, "")) for s in timeline.segments]
    written["events"] = [_event(e) for e in timeline.events]
    return {**dict(session.source), **written}


def _segment(segment: Segment, name: str) -> dict[str, Any]:
    written: dict[str, Any] = {
        **dict(segment.data),
        "idx": segment.index,
        "file": name,
        "role": segment.role,
        "start_time": _seconds(segment.start_ns),
        "end_time": _seconds(segment.end_ns),
        "duration": _seconds(segment.end_ns - segment.start_ns),
        "transcript": segment.text,
    }
    if segment.truncated:
        written["transcript_truncated"] = True
    return written


def _event(event: Event) -> dict[str, Any]:
    return {"time": _seconds(event.offset_ns), "type": event.type, **dict(event.data)}


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / _SECOND_NS
