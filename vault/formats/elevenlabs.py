"""ElevenLabs' post-call webhooks and its conversation object.

    type post_call_transcription | post_call_audio, event_timestamp (epoch s), data:
        agent_id, conversation_id, user_id?, status, analysis{}
        transcript[]: role, message, time_in_call_secs (whole seconds), tool_calls, tool_results,
                      interrupted, conversation_turn_metrics
        metadata: start_time_unix_secs, call_duration_secs
        full_audio: MP3 in base64, in `post_call_audio` alone

No turn says when it ends. The turn metrics time single services, not the whole answer, so
they become events and no latency. The webhook with the sound says nothing of the call but its
ids, and when it was sent: that, less the length of the call where it is known, is its start.

Source: elevenlabs.io documentation, post-call webhooks.
"""

from __future__ import annotations

from itertools import compress

from vault.formats import enclosed
from vault.formats.fields import Fields
from vault.formats.rows import Flag, Number, Rows, Shape, Text, Value, Word
from vault.formats.single import Told, rest, turns, unplaced
from vault.formats.times import carried
from vault.model import Event, Json, Kind, Segment

NAME = "elevenlabs"
SIGNS = (b'"agent_id"', b'"conversation_id"')
TRANSCRIPT, AUDIO = "post_call_transcription", "post_call_audio"
#: Lists inside a turn that are things done, not said.
_DONE = ("tool_calls", "tool_results")
_METRICS = "conversation_turn_metrics"


def claims(document: dict[str, Json]) -> bool:
    """A webhook by its type; a conversation object by its ids, transcript and metadata."""
    if document.get("type") in (TRANSCRIPT, AUDIO):
        return isinstance(document.get("data"), dict)
    wanted = {"agent_id", "conversation_id", "transcript", "metadata"}
    return wanted <= document.keys() and isinstance(document["metadata"], dict)


def tell(document: Fields) -> Told:
    """What the conversation says; offset 0 is its stated start."""
    data = document.object("data") if "data" in document.value else document
    metadata = data.object("metadata")
    above = ("data",) if data is not document else ()
    length = metadata.ns("call_duration_secs")
    segments, events = _turns(data)
    return Told(
        external_id=data.text("conversation_id"),
        zero_ns=_start(document, metadata, length or 0),
        unit="s",
        duration_ns=length,
        segments=unplaced(segments, document.notes),
        events=events,
        metrics={"cost": metadata.value["cost"]} if metadata.value.get("cost") is not None else {},
        source={
            **(rest(document, "data") if data is not document else {}),
            **rest(data, "transcript", "full_audio"),
        },
        agent=data.text("agent_id"),
        subjects=[data.text("user_id"), metadata.object("phone_call").text("external_number")],
        elsewhere=data.value.get("has_audio") is True,
        inside=enclosed.find(data, *above, "full_audio"),
        kind=Kind.OTHER if "full_audio" in data.value else Kind.TRANSCRIPT,
    )


def _start(document: Fields, metadata: Fields, length_ns: int) -> int | None:
    """When the call began, or the latest that it can have begun (ns since 1970)."""
    stated = metadata.epoch_ns("start_time_unix_secs")
    sent = document.epoch_ns("event_timestamp") if stated is None else None
    if sent is None:
        return stated
    text = "Nobody says when it began; that is reckoned from when the document was sent."
    document.notes.add("assumed-start", text)
    return max(0, sent - length_ns)


class _Turn(Shape):
    """What the transcript says of a turn."""

    role: Word = None
    message: Text = None
    time_in_call_secs: Number = None
    interrupted: Flag = None
    tool_calls: Value = None
    tool_results: Value = None
    conversation_turn_metrics: Value = None


def _turns(data: Fields) -> tuple[list[Segment], list[Event]]:
    """What was said; tools and turn metrics are events at the time of their turn."""
    events: list[Event] = []
    rows = Rows(data, "transcript", _Turn)
    starts = carried(rows.ns("time_in_call_secs"))
    for n, (told, start) in enumerate(zip(rows.shapes, starts, strict=True)):
        if told.tool_calls is not None or told.tool_results is not None:
            for kind in _DONE:
                for _, one in rows.fields(n).objects(kind) or ():
                    events.append(Event(len(events), kind, start, one.value))
                rows.items[n].pop(kind, None)
        if told.conversation_turn_metrics is not None:
            measured = rows.fields(n).object(_METRICS).value
            if measured:
                events.append(Event(len(events), _METRICS, start, measured))
            del rows.items[n][_METRICS]
    wanted = [told.message is not None for told in rows.shapes]
    said, at = rows.only(wanted), list(compress(starts, wanted))
    texts = [told.message for told in said.shapes]
    cut = [told.interrupted is True for told in said.shapes]
    return turns(said.roles("role"), at, at, texts, said.rest("message", "role"), cut=cut), events
