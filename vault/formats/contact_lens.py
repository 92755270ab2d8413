"""Amazon Connect Contact Lens: the analysis file of a finished contact.

    Participants[]: ParticipantId, ParticipantRole AGENT | CUSTOMER | SYSTEM …
    Transcript[]: Id, ParticipantId, Content, BeginOffsetMillis, EndOffsetMillis,
                  Sentiment, LoudnessScore[], Redaction{}, IssuesDetected[] …
    ConversationCharacteristics, Categories, CustomerMetadata{ContactId, InputS3Uri}

The start is not in it but in the name of the recording that it names, to the minute.

Source: docs.aws.amazon.com, Contact Lens output file schema, version 1.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from vault.formats.fields import Fields, note_repeated
from vault.formats.rows import Number, Rows, Shape, Text, Value
from vault.formats.single import MS, Told, epoch, rest, turns
from vault.model import Event, Json, Participant, Segment

NAME = "contact-lens"
SIGNS = (b'"Transcript"', b'"Participants"', b'"ParticipantId"')
ROLES = {"customer": "user", "agent": "agent", "supervisor": "agent", "system": "system"}
_NAMED_START = re.compile(r"_(\d{8}T\d\d:\d\d)_UTC\.", re.ASCII)


def claims(document: dict[str, Json]) -> bool:
    """A transcript and its participants, in Amazon's capitals."""
    return isinstance(document.get("Transcript"), list) and isinstance(
        document.get("Participants"), list
    )


def tell(document: Fields) -> Told:
    """What the analysis says; offset 0 is the start of the contact."""
    customer = document.object("CustomerMetadata")
    measured = document.object("ConversationCharacteristics")
    participants = {
        str(item.value.get("ParticipantId")): _participant(item)
        for _, item in document.objects("Participants") or ()
    }
    return Told(
        external_id=customer.text("ContactId"),
        zero_ns=_started(customer.value.get("InputS3Uri")),
        duration_ns=measured.ns("TotalConversationDurationMillis", unit_ns=MS),
        participants=tuple(participants.values()),
        segments=_segments(document, participants),
        events=_events(document, measured),
        metrics={"ConversationCharacteristics": measured.value},
        source=rest(document, "Transcript", "Participants", "ConversationCharacteristics"),
        elsewhere="InputS3Uri" in customer.value,
    )


def _participant(item: Fields) -> Participant:
    label = item.text("ParticipantRole", "ParticipantId") or ""
    role = ROLES.get(label.lower())
    if role is None:
        role = item.role("ParticipantRole")[0]
    return Participant(role, item.text("ParticipantId"), rest(item))


class _Turn(Shape, rename="pascal"):
    """What the transcript says of a turn."""

    id: Value = None
    participant_id: Text = None
    content: Text = None
    begin_offset_millis: Number = None
    end_offset_millis: Number = None


def _segments(document: Fields, participants: dict[str, Participant]) -> list[Segment]:
    rows = Rows(document, "Transcript", _Turn)
    starts, ends = rows.ns("begin_offset_millis", MS), rows.ns("end_offset_millis", MS)
    note_repeated([told.id for told in rows.shapes], document.notes)
    known = {name: (who.role, name) for name, who in participants.items()}
    said = [(told.participant_id, told.content) for told in rows.shapes]
    who = [known.get(name or "") or _unlisted(name) for name, _ in said]
    return turns(who, starts, ends, [text for _, text in said], rows.rest("Content"))


def _unlisted(name: str | None) -> tuple[str, str | None]:
    """Who speaks a turn whose participant is not among those listed."""
    return ROLES.get((name or "").lower(), "system"), name


def _events(document: Fields, measured: Fields) -> list[Event]:
    """Categories, interruptions and silences where they happened, by Amazon's own names."""
    categories = document.object("Categories").object("MatchedDetails")
    interrupters = measured.object("Interruptions").object("InterruptionsByInterrupter")
    found = [
        *_points(categories, "PointsOfInterest", "Category"),
        *_points(interrupters, None, "Interrupter"),
        *(
            ("NonTalkTime", item, {})
            for _, item in measured.object("NonTalkTime").objects("Instances") or ()
        ),
    ]
    placed = [
        (item.ns("BeginOffsetMillis", unit_ns=MS) or 0, kind, {**item.value, **more})
        for kind, item, more in found
    ]
    placed.sort(key=lambda one: one[0])
    return [Event(n, kind, at, data) for n, (at, kind, data) in enumerate(placed)]


def _points(
    groups: Fields, inner: str | None, label: str
) -> Iterator[tuple[str, Fields, dict[str, Json]]]:
    """The places that are listed in each group, with the group's name under `label`."""
    for name in groups.value:
        listed = groups.object(name).objects(inner) if inner else groups.objects(name)
        for _, item in listed or ():
            yield ("Category" if inner else "Interruption"), item, {label: name}


def _started(address: Json) -> int | None:
    named = _NAMED_START.search(address[-200:]) if isinstance(address, str) else None
    if named is None:
        return None
    try:
        found = datetime.strptime(named[1], "%Y%m%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None
    return epoch(found) if found.year >= 1970 else None
