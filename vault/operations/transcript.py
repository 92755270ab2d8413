"""A stored transcript as `vault.replay.transcript` makes it readable."""

from __future__ import annotations

from dataclasses import replace

from vault.errors import UsageError
from vault.export.record import Record
from vault.operations import retrieve
from vault.operations.retrieve import Opened
from vault.operations.room import Room
from vault.replay.transcript import Processing, Transcript, process

#: The formats that tell what was said and nothing that passages no longer are.
FORMATS = ("txt", "srt", "vtt", "docx")


def transcript(room: Room, session_id: str, how: Processing) -> Transcript:
    """The processed transcript of a session; what is stored stays as it is."""
    opened = Opened(room, retrieve.session(room, session_id))
    return process(opened.timeline(), how)


def check(name: str) -> None:
    """Raises `UsageError` for a format that would not tell the passages as they are."""
    if name not in FORMATS:
        raise UsageError(f"A processed transcript is one of: {', '.join(FORMATS)}.")


def readable(record: Record, how: Processing) -> Record:
    """A session as an export sees it, with the passages for its segments, and no analyses."""
    timeline = record.session.timeline
    told = process(timeline, how).timeline(timeline)
    return replace(record, session=replace(record.session, timeline=told), analyses=dict)
