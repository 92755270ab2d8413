"""PromptKit recordings: one file of JSON, one of JSON lines, or a session of an event store.

    recording   {"metadata": {…}, "events": […]}
    lines       {"metadata": {…}, "type": "metadata"}, then {"event": {…}, "type": "event"} a line
    event store {"seq", "parent_id"?, "event": {…}} a line

All three say the same and give the same timeline. Beside one, or beside the folder `events` that
it lies in, are its blobs (`blobs/<session>/<sha256>.<ext>`) and annotations
(`annotations/<session>.annotations.jsonl`): they belong to the session. Two variants of one
recording are two sessions, for their bytes differ; both say so.

Durations are integer nanoseconds, instants RFC 3339 to the nanosecond.
Source: the Go packages recording, events and annotations of AltairaLabs' PromptKit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from vault.errors import BadInput
from vault.formats import instants, loglines, promptkit_annotations
from vault.formats.fields import NS_LIMIT, Fields, Notes
from vault.formats.promptkit_events import Gathered, is_safe_id, known_instant
from vault.formats.promptkit_media import Media, buffered, size_of
from vault.formats.promptkit_turns import segments
from vault.formats.promptkit_variant import LINES, RECORDING, variant_of
from vault.formats.source import JSON_BYTES_LIMIT, Source, sayable
from vault.model import Annotation, Json, Kind, Original, Participant, Reading, Timeline

NAMES = ("promptkit",)
EXTENSIONS: frozenset[str] = frozenset()
EVENTS, BLOBS, ANNOTATIONS = "events", "blobs", "annotations"
#: What a line says of its event.
_ON_LINE = frozenset({"event", "type"})
_ON_STORED_LINE = frozenset({"seq", "parent_id", "event"})


def detect(source: Source) -> str | None:
    """`promptkit` for a file of any of the three variants, by how it begins."""
    if source.is_folder:
        return None
    return "promptkit" if variant_of(source.head(source.name)) else None


def read(source: Source, name: str) -> list[Reading]:
    """The one session of the file, with the blobs and annotations that lie beside it.

    Raises `BadInput` for a file that is none of the three variants, lines without their metadata,
    a blob reference that leads outside, and bytes that are not what their checksum says.
    """
    if source.is_folder:
        raise BadInput(f"{str(source.path)!a} is a folder, not one {name} file.")
    variant = variant_of(source.head(source.name))
    if variant is None:
        raise BadInput(f"{source.name!a} is not a PromptKit recording.")
    if variant == RECORDING and _begins_with_line(source):
        variant = LINES
    return [_Recording(source, variant).reading(name)]


def _begins_with_line(source: Source) -> bool:
    """Whether the first line is a whole one of metadata, too long to be told by its beginning."""
    with buffered(source, source.name) as stream:
        line = stream.readline(loglines.LINE_BYTES_LIMIT)
    return variant_of(line) == LINES


class _Recording:
    """One file while it is read."""

    def __init__(self, source: Source, variant: str) -> None:
        self.source = source
        self.variant = variant
        self.notes = Notes()
        # Blobs and annotations lie beside the file, or beside the folder of an event store.
        path = Path(os.fspath(source.path)).resolve()
        inside = path.parent.name == EVENTS
        self.place = Source(path.parent.parent if inside else path.parent)
        self.file = f"{EVENTS}/{source.name}" if inside else source.name
        self.place.holds(self.file, source)
        self.folders = ("", f"{EVENTS}/") if inside else ("",)
        blobs = tuple(f"{folder}{BLOBS}" for folder in self.folders)
        self.media = Media(self.place, self.file, blobs, self.notes)
        called = "events[{}]" if variant == RECORDING else "line {}"
        self.events = Gathered(called, self.notes)
        self.metadata: dict[str, Json] | None = None
        self.around: dict[str, Json] = {}  # what is unknown beside the metadata
        self.size_bytes = size_of(self.place, self.file) or 0

    def reading(self, name: str) -> Reading:
        """Everything that is understood of it."""
        if self.variant == RECORDING:
            self._read_recording()
        else:
            self._read_lines()
        top = Fields(self.metadata or {}, "metadata", self.notes)
        start_text, start_ns = self._start(top)
        events, envelopes = self.events.finish(start_ns, start_text)
        stated = top.value.get("event_count")
        if stated is not None and stated != len(events):
            text = f"{len(events)} events are there, another number is stated."
            self.notes.add("event-count-mismatch", text, self.file)
        session_id = self._session_id(top, envelopes.shared.get("session_id"))
        annotations, beside = self._annotations(session_id, start_ns)
        orphans = self._beside(session_id)
        kind = Kind.OTHER if self.media.has_inline else Kind.TRANSCRIPT
        media_type = "application/json" if self.variant == RECORDING else "application/x-ndjson"
        opener = self.place.opener(self.file, self.size_bytes)
        user = envelopes.shared.get("user_id")
        source: dict[str, Json] = {
            "variant": self.variant,
            "start_time": start_text,
            "envelopes": asdict(envelopes),
        }
        if self.metadata is not None:
            source["metadata"] = self.metadata
        if self.around:
            source["around"] = self.around
        return Reading(
            format=name,
            external_id=session_id,
            started_at=None if start_ns is None else instants.to_datetime(start_ns),
            duration_ns=self._duration(top, events[-1].offset_ns if events else None),
            participants=self._participants(top, user),
            timeline=Timeline(segments(events), tuple(events), annotations),
            originals=(
                Original(self.file, kind, media_type, self.size_bytes, opener),
                *beside,
                *self.media.originals(),
                *orphans,
            ),
            metrics={"event_count": len(events), "run_ids": dict(self.events.runs())},
            warnings=self.notes.all(),
            subjects=(user,) if isinstance(user, str) and user else (),
            source=source,
        )

    def _read_recording(self) -> None:
        if self.size_bytes > JSON_BYTES_LIMIT:
            raise BadInput(f"{self.file!a} is larger than {JSON_BYTES_LIMIT >> 20} MiB.")
        text, value = self.source.whole(self.source.name), self.source.json(self.source.name)
        self.source.forget()  # for it is taken apart
        metadata = value.get("metadata") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(metadata, dict):
            raise BadInput(f"{self.file!a} has no metadata.")
        self.metadata, self.around = metadata, _other(value, "metadata", "events")
        for number, fields in Fields(value, self.file, self.notes).objects("events") or ():
            self._take(fields.value, number, text, 0)

    def _read_lines(self) -> None:
        with buffered(self.place, self.file) as stream:
            for number, ((start, stop, _), line, row) in enumerate(loglines.rows(stream), 1):
                if line is not None and row is not None:
                    self._line(row, number, line, start)
                elif line is None or not line.isspace():
                    last = stop == self.size_bytes and line and not line.endswith(b"\n")
                    code = "truncated-row" if last else "unreadable-row"
                    self.notes.add(code, f"Line {number} cannot be read; it is lost.", self.file)
        if self.variant == LINES and self.metadata is None:
            raise BadInput(f"{self.file!a} has no line of metadata.")

    def _line(self, value: dict[str, Json], number: int, row: bytes, start: int) -> None:
        event, metadata = value.get("event"), value.get("metadata")
        if self.variant == LINES and isinstance(metadata, dict):
            self.metadata, self.around = metadata, _other(value, "metadata", "type")
        elif isinstance(event, dict):
            self.media.rewind()
            known, fields = _ON_LINE, event
            if self.variant != LINES:
                known, fields = _ON_STORED_LINE, _unstored(value, event)
            if not value.keys() <= known:
                fields = fields | {"line": _other(value, *known)}
            self._take(fields, number, row, start)
        else:
            text = f"line {number} is no event; it is lost."
            self.notes.add("unreadable-row", text, self.file)

    def _take(self, fields: dict[str, Json], number: int, text: bytes, start: int) -> None:
        data = fields.get("data")
        if isinstance(data, dict) and "payload" in data:
            self.media.take(data, self.events.where(number), text, start)
        self.events.add(fields, number)

    def _start(self, top: Fields) -> tuple[str, int | None]:
        """When the session began, as it was written and in nanoseconds since 1970."""
        text = top.value.get("start_time")
        at = known_instant(text)
        if at is not None and isinstance(text, str):
            return text, at
        if self.metadata is not None:
            top.bad("start_time", "an instant since 1970")
        return self.events.earliest() or ("", None)

    def _duration(self, top: Fields, last_ns: int | None) -> int | None:
        """The stated one, else up to the last event, as PromptKit itself counts it."""
        stated = top.value.get("duration")
        if type(stated) is int and 0 <= stated <= NS_LIMIT:
            return stated
        if stated is not None:
            top.bad("duration", "nanoseconds of at most a year")
        return last_ns

    def _session_id(self, top: Fields, shared: Json) -> str | None:
        """The session's own id; one that could lead a path elsewhere is not taken."""
        for stated in (top.text("session_id"), shared):
            if isinstance(stated, str) and is_safe_id(stated):
                return stated
            if stated:
                text = "The session's id could be mistaken for a path; it is not taken."
                self.notes.add("unsafe-id", text, self.file)
        return None

    def _participants(self, top: Fields, user: Json) -> tuple[Participant, ...]:
        agent = {
            key: top.value[key]
            for key in ("provider_name", "model")
            if isinstance(top.value.get(key), str)
        }
        person: dict[str, Json] = {"user_id": user} if isinstance(user, str) else {}
        return Participant("user", None, person), Participant("agent", None, agent)

    def _annotations(
        self, session_id: str | None, start_ns: int | None
    ) -> tuple[tuple[Annotation, ...], list[Original]]:
        """What lies beside as annotations of this session, and the file they are in."""
        for folder in self.folders if session_id else ():
            for name in (f"{folder}{ANNOTATIONS}/", folder):
                file = f"{name}{session_id}.annotations.jsonl"
                size = size_of(self.place, file)
                if size is None:
                    continue
                with buffered(self.place, file) as stream:
                    rows = (row or b"?" for _, row in loglines.lines(stream))
                    found = promptkit_annotations.read(rows, file, start_ns, self.notes)
                opener = self.place.opener(file, size)
                kind, media_type = Kind.TRANSCRIPT, "application/x-ndjson"
                return found, [Original(file, kind, media_type, size, opener)]
        return (), []

    def _beside(self, session_id: str | None) -> list[Original]:
        """Blobs of this session that no event names; other variants of it are told of."""
        if session_id is None:
            return []
        names = (f"{session_id}.recording.json", f"{session_id}.recording.jsonl")
        for other in (*names, f"{session_id}.jsonl", f"{EVENTS}/{session_id}.jsonl"):
            if other != self.file and size_of(self.place, other) is not None:
                text = "Another variant of this recording lies beside it, a session of its own."
                self.notes.add("same-recording", text, other)
        return list(self._orphans(session_id))

    def _orphans(self, session_id: str) -> Iterator[Original]:
        known = self.media.names()
        for folder in self.folders:
            below = f"{folder}{BLOBS}/{session_id}"
            for entry in self.place.listing(below):
                file = f"{below}/{entry.name}"
                if entry.kind != "file" or file in known or entry.name.startswith("."):
                    continue
                if sayable(file) is None:
                    text = "No event names a blob, whose name cannot be written; it stays out."
                    self.notes.add("orphan-file", text)
                    continue
                self.notes.add("orphan-file", "No event names this blob.", file)
                opener = self.place.opener(file, entry.size_bytes)
                kind, media_type = Kind.OTHER, "application/octet-stream"
                yield Original(file, kind, media_type, entry.size_bytes, opener)


def _unstored(line: dict[str, Json], event: dict[str, Json]) -> dict[str, Json]:
    """A line of an event store as a recording would say it."""
    fields = dict(event)
    fields["seq"] = line["seq"] if "seq" in line else fields.get("sequence")
    if fields.get("sequence") == fields["seq"]:
        fields.pop("sequence", None)
    if "parent_id" in line:
        fields["parent_seq"] = line["parent_id"]
    if "execution_id" in fields and "run_id" not in fields:
        fields["run_id"] = fields.pop("execution_id")
    return fields


def _other(value: dict[str, Json], *known: str) -> dict[str, Json]:
    return {key: inner for key, inner in value.items() if key not in known}
