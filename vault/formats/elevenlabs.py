"""ElevenLabs' post-call webhooks and its conversation object.

    type post_call_transcription | post_call_audio, event_timestamp (epoch s), data:
        agent_id, conversation_id, user_id?, status, analysis{}
        transcript[]: role, message, time_in_call_secs (whole seconds), tool_calls, tool_results,
                      interrupted, conversation_turn_metrics
        metadata: start_time_unix_secs, call_duration_secs
        full_audio: MP3 in base64, in `post_call_audio` alone

No turn says when it ends. The turn metrics time single services, not the whole answer, so
they become events and no latency.

Source: elevenlabs.io documentation, post-call webhooks.
"""

from __future__ import annotations

from vault.formats.fields import Fields, plain_ns
from vault.formats.single import Told, left, rest, turn, unplaced
from vault.model import Event, Json, Kind, Segment

NAME = "elevenlabs"
SIGNS = (b'"agent_id"', b'"conversation_id"')
TRANSCRIPT, AUDIO = "post_call_transcription", "post_call_audio"
#: Lists inside a turn that are things done, not said.
_DONE = ("tool_calls", "tool_results")


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
    inline = "full_audio" in data.value
    if inline:
        document.notes.add("inline-audio", "The recording lies in the document and stays there.")
    segments, events = _turns(data)
    return Told(
        external_id=data.text("conversation_id"),
        zero_ns=metadata.epoch_ns("start_time_unix_secs"),
        unit="s",
        duration_ns=metadata.ns("call_duration_secs"),
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
        kind=Kind.OTHER if inline else Kind.TRANSCRIPT,
    )


def _turns(data: Fields) -> tuple[list[Segment], list[Event]]:
    """What was said; tools and turn metrics are events at the time of their turn."""
    segments: list[Segment] = []
    events: list[Event] = []
    last = 0
    starts = plain_ns(data.value.get("transcript"), "time_in_call_secs")
    for (_, item), stated in zip(data.each("transcript"), starts, strict=False):
        value = item.value
        start = item.ns("time_in_call_secs") if stated is None else stated
        last = start = last if start is None else start
        for kind in _DONE:
            if value.get(kind) is not None:
                for _, one in item.each(kind):
                    events.append(Event(len(events), kind, start, one.value))
        if value.get("conversation_turn_metrics") is not None:
            measured = item.object("conversation_turn_metrics").value
        else:
            measured = {}
        if measured:
            events.append(Event(len(events), "conversation_turn_metrics", start, measured))
        text = item.text("message")
        if text is not None:
            cut = item.flag("interrupted")
            who, at = item.role("role"), len(segments)
            more = left(item, "message", "role", "conversation_turn_metrics", *_DONE)
            segments.append(turn(who, start, None, text, more, truncated=cut, index=at))
    return segments, events
