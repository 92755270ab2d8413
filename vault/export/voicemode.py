"""A log as VoiceMode writes it, and below `audio` beside it the recordings that its rows name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import PurePosixPath

from vault.errors import BadInput, NotFound
from vault.export.record import Order, Record, blocks
from vault.export.unsaid import said_here
from vault.formats import voicemode_write
from vault.formats.content import MEDIA_TYPES
from vault.formats.voicemode_audio import AUDIO, place
from vault.formats.voicemode_events import SAVED
from vault.formats.voicemode_rows import EVENTS
from vault.model import Json, Original

#: What lies beside a log.
RECORDINGS = re.compile(rf"{AUDIO}/.+", re.DOTALL)


def log(record: Record, order: Order) -> Iterator[bytes]:
    """The rows of a VoiceMode log: of exchanges, or of events where that is what came.

    Raises `NotFound` for a session without any, for which there would be an empty file.
    """
    session = record.session
    if session.format == EVENTS:
        if not session.timeline.events:
            raise NotFound("This session has no events, and so an event log would be empty.")
        said_here(record, order, session.timeline.annotations)
        own = session.external_id or record.id
        return voicemode_write.write_events(
            session.timeline, record.started_at, own, session.source
        )
    if not session.timeline.segments:
        raise NotFound("This session has no turns, and so a VoiceMode log would be empty.")
    for warning in voicemode_write.left_out(session.timeline):
        order.left(warning.code, warning.text, record)
    said_here(record, order, ())
    return voicemode_write.write(session.timeline, record.started_at, _own_id(record))


def recordings(record: Record, order: Order) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The recordings as they came, each where VoiceMode looks for it.

    Those that no row names, that are no files of sound, or that would lie where another does or
    has its folder, stay out with a note; so do all of them where somebody is to be made anonymous.
    """
    there = {original.name: original for original in record.session.recordings()}
    if not there:
        return
    if not order.verbatim:
        order.left("originals-left-out", "Recordings cannot be anonymised.", record)
        return
    found: dict[str, Original] = {}
    folders: set[str] = set()
    for name, where in _named(record, there):
        above = set(map(str, PurePosixPath(where).parents))
        has_room = where not in folders and above.isdisjoint(found)
        if has_room and there[name].media_type in MEDIA_TYPES.values():
            found.setdefault(where, there[name])
            folders |= above
    lost = len(there.keys() - {original.name for original in found.values()})
    if lost:
        text = "recordings stay out: only a file of sound that a row names has a place of its own."
        order.left("sound-left-out", f"{lost} {text}", record)
    yield from ((where, blocks(original)) for where, original in found.items())


def _own_id(record: Record) -> str | None:
    """The conversation's id, if it is one of VoiceMode's."""
    own_id = record.session.external_id or ""
    return own_id if own_id.startswith("conv_") else None


def _named(record: Record, there: Collection[str]) -> Iterator[tuple[str, str]]:
    """The recordings that are there and that rows name, and where beside the log each belongs."""
    for name, said, timestamp in _said(record, there):
        if name is not None and name in there and isinstance(said, str):
            with suppress(BadInput):
                yield name, place(said, timestamp)


def _said(record: Record, there: Collection[str]) -> Iterator[tuple[str | None, Json, Json]]:
    """Recordings, by what rows call each of them, and by the time of the row."""
    session, began = record.session, record.started_at
    if session.format != EVENTS:
        for segment, row in voicemode_write.rows(session.timeline, began, _own_id(record)):
            yield segment.file, row.get("audio_file"), row["timestamp"]
        return
    for row in voicemode_write.event_rows(session.timeline, began, "", session.source):
        data = row["data"]
        said = data.get("file") if isinstance(data, dict) and row["event_type"] == SAVED else None
        if isinstance(said, str):
            ends = f"/{PurePosixPath(said)}"
            yield next((n for n in there if f"/{n}".endswith(ends)), None), said, row["timestamp"]
