"""VoiceMode's logs: one line an utterance, one file a day, many conversations in each.

    exchanges_YYYY-MM-DD.jsonl          rows of versions 1 to 4 and of any other
    voicemode_events_YYYY-MM-DD.jsonl   events, see `voicemode_events`
    *.jsonl.gz                          either of them, packed when it was old
    audio/YYYY/MM/                      the recordings that the rows name

A place is one log, a folder of logs, or the home of VoiceMode, with its logs in
`logs/conversations` and `logs/events`. Each conversation is a session whose originals are its
own lines of every log, byte for byte, and its own recordings. The ids in the log are trusted;
`vault.replay.conversation` derives them anew for those who ask.

Source: VoiceMode's `ConversationLogger`, schemas 1 to 4.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from decimal import Decimal
from os import PathLike
from pathlib import PurePath
from typing import BinaryIO

from vault.errors import BadInput
from vault.formats import loglines, voicemode_events
from vault.formats.content import Looked
from vault.formats.fields import NS_LIMIT, Notes, end_of, speakers
from vault.formats.gzipped import MARK_BYTES, Marks
from vault.formats.jsontext import object_in
from vault.formats.loglines import Place
from vault.formats.source import Source
from vault.formats.voicemode_audio import Recordings
from vault.formats.voicemode_logs import logs_in, only_logs, packed_too, peek
from vault.formats.voicemode_rows import EVENTS, EXCHANGES, Rows, belongs_to, seconds, timed
from vault.model import Event, Json, Reading, Segment, Timeline, Warn

NAMES = (EXCHANGES, EVENTS)
EXTENSIONS: frozenset[str] = frozenset()
LAST_VERSION = 4
LOGS_BYTES_LIMIT = 256 << 20
#: A packed log is unpacked again for each conversation, from a mark on: so often, and so often
#: each part between two marks.
MIXED_LIMIT, MIXED_MOST = 2_000, 64

_MS_LIMIT = NS_LIMIT // 10**6


def detect(source: Source) -> str | None:
    """The format of the first row of a log; of a folder, if it holds logs and nothing else."""
    if not source.is_folder:
        return peek(source, source.name)
    found = [peek(source, name) for name in logs_in(source)]
    if not found or not only_logs(source):
        return None
    return EXCHANGES if EXCHANGES in found else next(filter(None, found), None)


def read(source: Source, name: str) -> list[Reading]:
    """The conversations in the logs by first appearance, event sessions where there are any.

    Lines that belong to none are kept with the last one of their log, with a warning. Raises
    `BadInput` where no row is of that format, and for more than 256 MiB of logs.
    """
    logs = logs_in(source) if source.is_folder else [source.name]
    marks: dict[str, Marks] = {log: [] for log in logs}
    talks = _sorted(source, logs, marks)
    if all(talk.format != name for talk in talks):
        raise BadInput(f"{str(source.path)!a} holds no row of a {name} log.")
    recordings = Recordings(source, logs)
    readings = [_reading(source, talk, recordings, marks) for talk in talks]
    notes = talks[-1].rows.notes
    for orphan in recordings.orphans():
        notes.add("orphan-file", "No row names this recording; it stays out.", orphan)
    for packed in packed_too(source, logs):
        notes.add("same-recording", "The log lies here unpacked too, and that is read.", packed)
    readings[-1] = replace(readings[-1], warnings=notes.all())
    return readings


def tail(
    path: str | PathLike[str], pause: Callable[[], bool], *, from_end: bool = False
) -> Iterator[dict[str, Json] | Warn]:
    """The rows of a growing log as they are written; of a folder, of its newest log.

    `pause` waits and says whether to go on. What is no row is a warning in its place; see
    `loglines.follow` for a half-written line and for a log that is cut or replaced. Raises
    `BadInput` for a packed log, to which nobody appends.
    """
    if PurePath(path).suffix == loglines.PACKED:
        raise BadInput(f"{str(path)!a} is packed, and so it does not grow.")

    def reopen() -> io.FileIO:
        source = Source(path)
        logs = logs_in(source) if source.is_folder else [source.name]
        logs = [log for log in logs if not log.endswith(loglines.PACKED)]
        if not logs:
            raise BadInput(f"{str(source.path)!a} holds no log that grows.")
        return source.open(logs[-1])

    for line in loglines.follow(reopen, pause, from_end=from_end):
        if isinstance(line, Warn):
            yield line
        elif line.strip():
            yield object_in(line) or Warn("unreadable-row", "A line is no JSON object.")


# --- sorting the lines of all logs by conversation ----------------------------------------


@dataclass(slots=True)
class _Talk:
    """A conversation as it is gathered: its rows, and the places of its lines in each log."""

    format: str
    id: str
    rows: Rows = field(default_factory=Rows)
    places: dict[str, list[Place]] = field(default_factory=dict)


def _sorted(source: Source, logs: Sequence[str], marks: Mapping[str, Marks]) -> list[_Talk]:
    """Every conversation in the logs, with every line of the logs in one of them.

    Sets `marks` in those that are packed.
    """
    talks: dict[tuple[str, str], _Talk] = {}
    left: list[tuple[str, list[Place], list[Warn]]] = []
    size = 0
    for log in logs:
        left_bytes = LOGS_BYTES_LIMIT - size
        with loglines.opened(source, log, left_bytes, marks=marks[log]) as stream:
            last, strays, warnings = _sort(stream, log, talks, left_bytes)
            if loglines.is_packed(stream):
                _refuse_mixed(log, stream.tell(), talks.values())
            size += stream.tell()
            if loglines.is_damaged(stream):
                text = "It is cut or damaged, or something else follows; the end is lost."
                warnings.append(Warn("damaged-gzip", text, log))
        if last is None:
            left.append((log, strays, warnings))
        else:
            _keep(last, log, strays, warnings)
    if talks:
        for log, strays, warnings in left:
            _keep(list(talks.values())[-1], log, strays, warnings)
    return list(talks.values())


def _refuse_mixed(log: str, size_bytes: int, talks: Iterable[_Talk]) -> None:
    """`BadInput` for a packed log of which too much is unpacked anew for each conversation."""
    each = (talk.places.get(log, ()) for talk in talks)
    needed = sum(len({start // MARK_BYTES for start, _, _ in places}) for places in each)
    if needed > MIXED_LIMIT + (size_bytes // MARK_BYTES + 1) * MIXED_MOST:
        raise BadInput(f"{log!a} has many conversations side by side; unpack it first.")


def _sort(
    stream: BinaryIO, log: str, talks: dict[tuple[str, str], _Talk], limit: int
) -> tuple[_Talk | None, list[Place], list[Warn]]:
    """Gather one log; the conversation of its last row, and the lines that are of none.

    An empty line goes with the row before it.
    """
    talk: _Talk | None = None
    strays: list[Place] = []
    warnings = Notes()
    known: tuple[str, str] | None = None
    for number, (place, line, value) in enumerate(loglines.rows(stream), 1):
        if place[1] > limit:
            raise BadInput(f"There are more than {LOGS_BYTES_LIMIT >> 20} MiB of logs; part them.")
        if value is not None and (key := belongs_to(value)) is not None:
            if talk is None or key != known:
                talk = talks[key] = talks.get(key) or _Talk(*key)
                rows, known, places = talk.rows, key, talk.places.setdefault(log, [])
            rows.values.append(value)
            rows.lines.append((log, number))
            places.append(place)
        elif line is not None and not line.strip():
            (talk.places[log] if talk is not None else strays).append(place)
        else:
            strays.append(place)
            warnings.extend([_lost(log, number, line, value)])
    return talk, strays, list(warnings.all())


def _lost(log: str, number: int, line: bytes | None, value: dict[str, Json] | None) -> Warn:
    """Why a line is of no conversation."""
    where, kept = f"line {number}", "it is kept with the last conversation"
    if value is not None:
        return Warn("no-conversation-id", f"{where}: the row names no conversation; {kept}.", log)
    if line is not None and not line.endswith(b"\n"):
        return Warn("truncated-row", f"{where}: the log is cut off; the row is lost; {kept}.", log)
    return Warn("unreadable-row", f"{where}: not a row; {kept}.", log)


def _keep(talk: _Talk, log: str, strays: list[Place], warnings: list[Warn]) -> None:
    talk.places[log] = sorted([*talk.places.get(log, ()), *strays])
    talk.rows.notes.extend(warnings)


# --- one conversation ---------------------------------------------------------------------


def _reading(
    source: Source, talk: _Talk, recordings: Recordings, marks: Mapping[str, Marks]
) -> Reading:
    begun, offsets = timed(talk.rows)
    stated: dict[str, Json] = {} if begun is None else {"started_at": begun.isoformat()}
    metrics: dict[str, Json] = {}
    if talk.format == EVENTS:
        timeline, taken, other = voicemode_events.read_timeline(
            talk.rows, offsets, recordings, talk.id
        )
        metrics["timings"] = voicemode_events.timings(timeline.events)
        if other:
            stated["fields"] = other
    else:
        timeline, taken = _exchanges(talk.rows, offsets, recordings, talk.id)
        if isinstance(project := talk.rows.values[0].get("project_path"), str):
            stated["project_path"] = project
    for looked in taken:
        talk.rows.notes.extend(looked.warnings)
    return Reading(
        format=talk.format,
        external_id=talk.id,
        started_at=None if begun is None else begun.astimezone(UTC),
        duration_ns=end_of(timeline.segments, timeline.events),
        participants=speakers(timeline.segments),
        timeline=timeline,
        originals=(
            *(loglines.excerpt(source, log, p, marks[log]) for log, p in talk.places.items()),
            *{looked.original.name: looked.original for looked in taken}.values(),
        ),
        metrics=metrics,
        warnings=talk.rows.notes.all(),
        source=stated,
    )


def _exchanges(
    rows: Rows, offsets: Sequence[int], recordings: Recordings, owner: str
) -> tuple[Timeline, list[Looked]]:
    """One segment and one event a row; `data` is all of the row but what was said."""
    segments: list[Segment] = []
    events: list[Event] = []
    taken: list[Looked] = []
    strange = 0
    for index, (value, offset) in enumerate(zip(rows.values, offsets, strict=True)):
        looked = None
        if (named := value.get("audio_file")) is not None:
            looked = recordings.find(rows, index, named, owner)
            if looked is not None:
                taken.append(looked)
        version = value.get("version", 1)
        strange += type(version) is not int or not 1 <= version <= LAST_VERSION
        segment, event = _exchange(rows, index, offset, looked)
        segments.append(segment)
        events.append(event)
    if strange:
        text = f"{strange} rows are of no version from 1 to {LAST_VERSION}; they are kept whole."
        rows.notes.add("unknown-version", text)
    return Timeline(tuple(segments), tuple(events)), taken


def _exchange(rows: Rows, index: int, offset: int, looked: Looked | None) -> tuple[Segment, Event]:
    value = rows.values[index]
    text, kind, metadata = value.get("text"), value.get("type"), value.get("metadata")
    if isinstance(text, str):
        del value["text"]
    elif text is not None:
        rows.fields(index).bad("text", "text")
        text = None
    if not isinstance(metadata, dict):
        if metadata is not None:
            rows.fields(index).bad("metadata", "an object")
        metadata = {}
    speaker: str | None = None
    if kind == "stt":
        role = "user"
    elif kind == "tts":
        role = "agent"
    else:
        role, speaker = rows.fields(index).role("type")
    file = decoded = None
    if looked is not None:
        file, decoded = looked.original.name, looked.duration_ns
    end = offset + _length(rows, index, role, metadata, decoded)
    latency = seconds(metadata, "time_to_first_audio") if role == "agent" else None
    return (
        Segment(index, role, speaker, offset, end, decoded, text, False, file, value),
        Event(index, kind if isinstance(kind, str) else "", offset, _stated(latency)),
    )


def _stated(latency: float | None) -> dict[str, Json]:
    return {} if latency is None else {"latency": latency}


def _length(
    rows: Rows, index: int, role: str, metadata: dict[str, Json], decoded: int | None
) -> int:
    """How long the utterance was (ns): as stated, as timed, as recorded; 0 if nobody knows."""
    stated = rows.values[index].get("duration_ms")
    if type(stated) is int and 0 <= stated <= _MS_LIMIT:
        return stated * 1_000_000
    if isinstance(stated, float) and 0 <= stated <= _MS_LIMIT:
        return round(Decimal(repr(stated)).scaleb(6))
    if stated is not None:
        rows.fields(index).bad("duration_ms", "a time between 0 and a year")
    took = seconds(metadata, "playback_time" if role == "agent" else "recording_time")
    return round(Decimal(repr(took)).scaleb(9)) if took is not None else decoded or 0
