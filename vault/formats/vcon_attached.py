"""What the attachments of a vCon say, sorted by their purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from vault.formats import instants
from vault.formats.fields import NS_LIMIT, Fields, Notes
from vault.formats.rows import read_events
from vault.formats.vcon_content import content
from vault.formats.vcon_dates import instant
from vault.model import Annotation, Event, Json


class Attached:
    """The sum of the attachments taken so far.

    `transport` holds, by the index of a dialog, how long (ns) the transport carried it.
    `is_endless` says that a timeline states that nobody knows how long all of it was.
    """

    def __init__(self, notes: Notes, started_at: datetime | None) -> None:
        self._notes = notes
        self._started_ns = None if started_at is None else instants.from_datetime(started_at)
        self.length_ns: int | None = None
        self.is_endless = False
        self.events: list[Event] = []
        self.annotations: list[Annotation] = []
        self.tags: list[str] = []
        self.consent: list[Json] = []
        self.transport: dict[int, int] = {}

    def take(self, position: int, item: Fields) -> None:
        """Take one attachment; one of no purpose known here becomes an annotation."""
        purpose = item.text("purpose", "type") or "attachment"
        body = content(item)
        if purpose == "timeline" and isinstance(body, dict):
            self._timeline(Fields(body, item.where, self._notes), instant(item, "start"))
        elif purpose == "annotations" and isinstance(body, list):
            inner = Fields({"annotations": body}, item.where, self._notes)
            self.annotations += [
                _annotation(each) for _, each in inner.objects("annotations") or ()
            ]
        elif purpose == "tags" and isinstance(body, list):
            self.tags += [tag for tag in body if isinstance(tag, str)]
        elif purpose == "consent" and body is not None:
            self.consent.append(body)
        else:
            known = {"purpose", "type", "body", "filename"}
            rest = {key: value for key, value in item.value.items() if key not in known}
            key = item.text("filename") or ""
            made = Annotation(f"attachment-{position}", purpose, key, body, data=rest)
            self.annotations.append(made)

    def _timeline(self, body: Fields, start_ns: int | None) -> None:
        """Events from where the attachment starts, as strongroom or a scenario manifest has them.

        strongroom's have whole nanoseconds (`offset_ns`), a manifest's seconds (`time`).
        """
        if self.length_ns is None:
            self.length_ns = body.ns("duration")
            self.is_endless = "duration" in body.value and body.value["duration"] is None
        for _, segment in body.objects("segments") or ():
            dialog, span = segment.value.get("dialog"), segment.value.get("transport_ns")
            if isinstance(dialog, int) and isinstance(span, int) and 0 <= span <= NS_LIMIT:
                self.transport[dialog] = int(span)
        listed = body.value.get("events")
        exact = isinstance(listed, list) and any(
            isinstance(each, dict) and "offset_ns" in each for each in listed
        )
        zero = 0
        if start_ns is not None and self._started_ns is not None:
            zero = min(max(0, start_ns - self._started_ns), NS_LIMIT)
        if not exact and isinstance(listed, list):  # as they stand they are written again
            body.value = body.value | {"events": [_copied(each) for each in listed]}
        found = _exact(body) if exact else read_events(body, self._notes)
        self.events += [replace(event, offset_ns=event.offset_ns + zero) for event in found]


def _copied(event: Json) -> Json:
    return event.copy() if isinstance(event, dict) else event


def zeros(top: Fields) -> Iterator[int]:
    """Where attached timelines begin, in nanoseconds since 1970."""
    attachments = top.value.get("attachments")
    for item in attachments if isinstance(attachments, list) else []:
        if isinstance(item, dict) and "timeline" in {str(item.get(k)) for k in ("purpose", "type")}:
            start = instant(Fields({"start": item.get("start")}, "timeline", Notes()), "start")
            if start is not None:
                yield start


def _exact(body: Fields) -> Iterator[Event]:
    for _, each in body.objects("events") or ():
        offset, data = each.value.get("offset_ns"), each.value.get("data")
        if isinstance(offset, int) and 0 <= offset <= NS_LIMIT:
            kept = data if isinstance(data, dict) else {}
            yield Event(0, each.text("type") or "", int(offset), kept)
        else:
            each.bad("offset_ns", "a time in nanoseconds")


def _annotation(item: Fields) -> Annotation:
    where, data = item.value.get("where"), item.value.get("data")
    return Annotation(
        id=item.text("id") or "",
        type=item.text("type") or "",
        key=item.text("key") or "",
        value=item.value.get("value"),
        version=item.index("version") or 1,
        previous_id=item.text("previous_id"),
        target=item.text("target") or "session",
        where=where if isinstance(where, dict) else {},
        deleted=item.flag("deleted"),
        data=data if isinstance(data, dict) else {},
    )
