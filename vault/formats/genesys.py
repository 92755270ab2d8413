"""A Genesys Cloud transcript: one conversation, a transcript for each of its communications.

    conversationId, conversationStartTime, startTime (epoch ms), duration.milliseconds
    participants[]: participantPurpose, startTimeMs, endTimeMs, ani, userId …
    transcripts[]: phrases[]: participantPurpose internal | external, text, decoratedText,
                              startTimeMs (epoch ms), duration.milliseconds, words[], confidence
                   analytics: sentiment[], topics[], acoustics[], each startTimeMs (epoch ms)

Source: developer.genesys.cloud, speech and text analytics, transcripts.
"""

from __future__ import annotations

from collections.abc import Iterator

from vault.formats.fields import Fields
from vault.formats.rows import left
from vault.formats.single import MS, Clock, Told, rest, role, turn
from vault.model import Event, Json, Participant, Segment

NAME = "genesys"
SIGNS = (b'"phrases"', b'"participantPurpose"')
ROLES = {
    "external": "user",
    "customer": "user",
    "internal": "agent",
    "agent": "agent",
    "user": "agent",  # in Genesys a user is one of the organisation's own
    "bot": "agent",
    "ivr": "system",
    "acd": "system",
    "workflow": "system",
}


def claims(document: dict[str, Json]) -> bool:
    """A conversation with transcripts."""
    return "conversationId" in document and isinstance(document.get("transcripts"), list)


def tell(document: Fields) -> Told:
    """What the transcripts say; offset 0 is the start of the communication."""
    clock = Clock(
        document.epoch_ns("startTime", "conversationStartTime", unit_ns=MS), document.notes
    )
    transcripts = [item for _, item in document.objects("transcripts") or ()]
    listed = [item for _, item in document.objects("participants") or ()]
    segments = [
        _segment(item, clock) for each in transcripts for _, item in each.objects("phrases") or ()
    ]
    found = sorted(
        (event for each in transcripts for event in _events(each.object("analytics"), clock)),
        key=lambda event: event.offset_ns,
    )
    agents = [
        p.text("userId") for p in listed if role(p, "participantPurpose", ROLES)[0] == "agent"
    ]
    callers = [p for p in listed if role(p, "participantPurpose", ROLES)[0] == "user"]
    return Told(
        external_id=document.text("conversationId"),
        zero_ns=clock.zero_ns,
        duration_ns=document.object("duration").ns("milliseconds", unit_ns=MS),
        participants=[_participant(item) for item in listed],
        segments=segments,
        events=[Event(n, e.type, e.offset_ns, e.data) for n, e in enumerate(found)],
        source={
            **rest(document, "transcripts", "participants"),
            "transcripts": [rest(each, "phrases", "analytics") for each in transcripts],
        },
        agent=next((agent for agent in agents if agent), None),
        subjects=[
            p.text("dnis" if p.value.get("initialDirection") == "outbound" else "ani")
            for p in callers
        ],
    )


def _participant(item: Fields) -> Participant:
    who, label = role(item, "participantPurpose", ROLES)
    return Participant(who, item.text("name", "userId") or label, rest(item))


def _segment(item: Fields, clock: Clock) -> Segment:
    start = clock.at(item.epoch_ns("startTimeMs", unit_ns=MS))
    length = item.object("duration").ns("milliseconds", unit_ns=MS)
    end = None if start is None or length is None else start + length
    who = role(item, "participantPurpose", ROLES)
    text = item.text("decoratedText", "text")
    return turn(who, start, end, text, left(item.value, "decoratedText", "participantPurpose"))


def _events(analytics: Fields, clock: Clock) -> Iterator[Event]:
    for kind in analytics.value:
        for _, item in analytics.objects(kind) or ():
            offset = clock.at(item.epoch_ns("startTimeMs", unit_ns=MS)) or 0
            data: dict[str, Json] = rest(item)
            yield Event(0, kind, offset, data)
