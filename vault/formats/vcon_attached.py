"""What the attachments of a vCon say, sorted by their purpose."""

from __future__ import annotations

from vault.formats.fields import NS_LIMIT, Fields, Notes, read_events
from vault.formats.vcon_content import content
from vault.model import Annotation, Event, Json


class Attached:
    """The sum of the attachments taken so far.

    `transport` holds, by the index of a dialog, how long (ns) the transport carried it.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
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
            self._timeline(Fields(body, item.where, self._notes))
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

    def _timeline(self, body: Fields) -> None:
        """Events as strongroom writes them, in whole nanoseconds, or as a scenario manifest has."""
        for _, segment in body.objects("segments") or ():
            dialog, span = segment.value.get("dialog"), segment.value.get("transport_ns")
            if isinstance(dialog, int) and isinstance(span, int) and 0 <= span <= NS_LIMIT:
                self.transport[dialog] = int(span)
        listed = body.value.get("events")
        if not isinstance(listed, list) or not any(
            isinstance(each, dict) and "offset_ns" in each for each in listed
        ):
            self.events += read_events(body, self._notes)
            return
        for _, each in body.objects("events") or ():
            offset, data = each.value.get("offset_ns"), each.value.get("data")
            if isinstance(offset, int) and 0 <= offset <= NS_LIMIT:
                kept = data if isinstance(data, dict) else {}
                self.events.append(Event(0, each.text("type") or "", int(offset), kept))
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
