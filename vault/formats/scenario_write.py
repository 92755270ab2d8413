"""Write a scenario bundle again: `manifest.json`, `full.wav`, `segments/`.

Source: the recordings that langwatch scenario's kits write; see `scenario.py` beside this.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from vault.formats.fields import end_of
from vault.formats.scenario import FULL, MANIFEST, SEGMENTS
from vault.model import Event, Original, Reading, Segment

#: Names that a bundle of this format has; an export removes those of an earlier one.
OWNED = re.compile(rf"{MANIFEST}|{FULL}|{SEGMENTS}/\d{{2,9}}-[a-z]+-\d{{4,10}}ms\.wav")
_SECOND_NS = 1_000_000_000
#: Gives a recording as a WAV file, whatever it was.
ToWav = Callable[[Original], Iterator[bytes]]


def files(
    session: Reading,
    to_wav: ToWav,
    full: Iterator[bytes] | None,
    came: Sequence[Original] = (),
    *,
    manifest: bool = True,
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The files of a bundle: (name, its blocks), in the order to be written.

    `came` are the originals of a session that came as such a bundle: what of them has the name
    of a bundle's file goes out under it, whether a segment names it or not, and the manifest as
    it is. `full` is the whole recording where none came; None leaves it out. A segment of another
    format whose recording is not here, or is not its own, has an empty `file` in the manifest.
    """
    kept = {o.name: o for o in came if OWNED.fullmatch(o.name)}
    listed = kept.pop(MANIFEST, None)
    for name, original in kept.items():
        yield name, to_wav(original)
    recordings = {original.name: original for original in session.recordings()}
    times = Counter(segment.file for segment in session.timeline.segments)
    names: dict[int, str] = {}
    for segment in session.timeline.segments:
        file = segment.file
        if file is None or file in kept or times[file] > 1:
            continue
        if file in recordings and _name(segment) not in kept:
            names[segment.index] = _name(segment)
            yield names[segment.index], to_wav(recordings[file])
    if full is not None and FULL not in kept:
        yield FULL, full
    if manifest:
        yield MANIFEST, _manifest(session, names, listed, own=bool(came))


def _manifest(
    session: Reading, names: Mapping[int, str], listed: Original | None, *, own: bool
) -> Iterator[bytes]:
    """The manifest, byte for byte as it came where no recording has another name now."""
    if listed is None:
        made = document(session, names, own=own)
    else:
        with listed.open() as stream:
            data = stream.read()
        if not names:
            yield data
            return
        made = dict(json.loads(data))
        renamed = {s.file: names[s.index] for s in session.timeline.segments if s.index in names}
        for row in made.get("segments") or ():
            if isinstance(row, dict) and row.get("file") in renamed:
                row["file"] = renamed[row["file"]]
    yield json.dumps(made, indent=2).encode() + b"\n"


def _name(segment: Segment) -> str:
    role = segment.role if re.fullmatch("[a-z]+", segment.role) else "system"
    return f"{SEGMENTS}/{segment.index:02d}-{role}-{segment.start_ns // 1_000_000:04d}ms.wav"


def document(session: Reading, names: Mapping[int, str], *, own: bool = False) -> dict[str, Any]:
    """The manifest: segments by their recordings' `names`, the source's own fields beside.

    `own` leaves a recording that has none of these under the name it came with.
    """
    timeline, duration = session.timeline, session.duration_ns
    if duration is None:
        duration = end_of(timeline.segments, timeline.events) or 0
    written: dict[str, Any] = {}
    if session.started_at is not None:
        written_at = session.started_at + timedelta(microseconds=duration // 1000)
        written["generated_at"] = written_at.isoformat()
    written["duration"] = _seconds(duration)
    written["segment_count"] = len(timeline.segments)
    written["segments"] = [
        _segment(s, names.get(s.index, (s.file or "") if own else "")) for s in timeline.segments
    ]
    written["events"] = [_event(e) for e in timeline.events]
    stated = {name: value for name, value in session.source.items() if name != "_times"}
    return {**stated, **written}


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
    if segment.speaker is not None:
        written["speaker"] = segment.speaker
    if segment.truncated:
        written["transcript_truncated"] = True
    return written


def _event(event: Event) -> dict[str, Any]:
    """An event with its fields beside its time and type, or below them where they would clash."""
    data = dict(event.data)
    more: dict[str, Any] = {"metadata": data} if {"time", "type"} & data.keys() else data
    return {"time": _seconds(event.offset_ns), "type": event.type, **more}


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / _SECOND_NS
