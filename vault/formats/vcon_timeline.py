"""What happened when in a vCon: dialogs, transcripts and attachments put on one timeline.

Offsets count from the earliest dialog. A transcript that tells turns apart takes the place of
its dialog: each turn is a segment. Otherwise a recording or a text is one segment, said by the
first of its parties. `data["dialog"]` of a segment is the index of its dialog.
"""

from __future__ import annotations

import email
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from vault.formats import instants
from vault.formats.fields import NS_LIMIT, Fields, Notes, end_of
from vault.formats.sound import RECORDING_NS
from vault.formats.vcon_attached import Attached
from vault.formats.vcon_content import content
from vault.formats.vcon_dates import instant
from vault.formats.vcon_dialogs import Dialog, Timed
from vault.formats.vcon_party import People
from vault.formats.vcon_transcript import Transcript, Turn, transcript
from vault.model import Annotation, Event, Json, Participant, Segment, Timeline

_MAIL_LIMIT = 1 << 20
_MULTIPARTS_LIMIT = 64
_SPOKEN = {"recording", "text", "recording-set"}


@dataclass(frozen=True, slots=True)
class Made:
    """A timeline, and what else attachments said."""

    timeline: Timeline
    tags: Sequence[str]
    consent: list[Json]
    stated_ns: int | None
    is_endless: bool

    def length_ns(self, timed: Timed) -> int | None:
        """What a timeline or a recording-set from the start states, else where all of it ends."""
        if self.stated_ns is not None or self.is_endless:
            return self.stated_ns
        whole, last = timed.whole_ns(), end_of(self.timeline.segments, self.timeline.events)
        ends = timed.ends_ns if last is None else [*timed.ends_ns, last]
        return whole or max(ends, default=None)


def timeline(top: Fields, timed: Timed, people: People, notes: Notes) -> Made:
    """Everything with a time, and everything said about it."""
    annotations: list[Annotation] = []
    said = _transcripts(top, timed, people, annotations, notes)
    attached = Attached(notes, timed.started_at)
    for position, item in top.objects("attachments") or ():
        attached.take(position, item)
    segments: list[Segment] = []
    numbers = count()
    events = list(attached.events)
    columns = timed.rows.places, timed.rows.shapes, timed.starts_ns, timed.ends_ns
    special, listed = said.keys() | attached.transport.keys(), people.listed
    for n, (index, one, start, end) in enumerate(zip(*columns, strict=True)):
        if index not in special and one.is_plain():
            began = one.originator
            by = listed.get(began) if type(began) is int else None
            by, at, data = by or people.at(one.first()), next(numbers), {"dialog": index}
            segments.append(
                Segment(at, by.role, by.name, start, end, None, one.body, False, None, data)
            )
            continue
        dialog = timed.dialog(n)
        segments += _segments(dialog, numbers, said.get(index), people, attached.transport)
        if dialog.kind not in _SPOKEN or one.party_history is not None:
            events += _events(dialog, timed.started_at, notes)
    events.sort(key=lambda event: event.offset_ns)
    made = Timeline(
        tuple(segments),
        tuple(replace(event, seq=n) for n, event in enumerate(events)),
        (*annotations, *attached.annotations),
    )
    tags = tuple(dict.fromkeys(attached.tags))
    return Made(made, tags, attached.consent, attached.length_ns, attached.is_endless)


# --- what was said -------------------------------------------------------------------------


def _transcripts(
    top: Fields,
    timed: Timed,
    people: People,
    annotations: list[Annotation],
    notes: Notes,
) -> dict[int, Transcript]:
    """The transcript of each dialog; every other analysis becomes an annotation."""
    places = set(timed.rows.places)
    found: dict[int, Transcript] = {}
    for position, item in top.objects("analysis") or ():
        kind, target = item.text("type") or "analysis", item.value.get("dialog")
        if isinstance(target, list) and target:
            target = target[0]
        if target is None and places:
            target = timed.rows.places[0]
        body = content(item)
        if body is None:
            body = item.value.get("transcript")
        free = type(target) is int and target in places and target not in found
        speech = None
        if free and kind == "transcript":
            speech = transcript(body, item.where, notes, people.names)
        if speech is not None and isinstance(target, int):
            found[target] = speech
            continue
        known = {"type", "body", "dialog", "transcript"}
        rest = {key: value for key, value in item.value.items() if key not in known}
        where: dict[str, Json] = {"dialog": item.value.get("dialog")}
        key = item.text("product", "vendor") or ""
        made = Annotation(f"analysis-{position}", kind, key, body, where=where, data=rest)
        annotations.append(made)
    return found


def _segments(
    dialog: Dialog,
    numbers: Iterator[int],
    speech: Transcript | None,
    people: People,
    transport: Mapping[int, int],
) -> Iterator[Segment]:
    notes = dialog.item.notes
    if dialog.kind not in _SPOKEN:
        return
    said, body = dialog.item.value, dialog.item.value.get("body")
    if dialog.file is None and said.get("url") is not None:
        notes.add("outside", f"{dialog.item.where}: what it links to is not fetched.")
    elif dialog.file is None and body is not None and dialog.kind == "recording":
        notes.add("unreadable-audio", f"{dialog.item.where}: its body holds no audio known here.")
    if speech is not None and speech.turns:
        if any(turn.start_ns is None for turn in speech.turns):
            notes.add("untimed-turns", f"{dialog.item.where}: turns are placed at its start.")
        for turn in speech.turns:
            yield _turn(next(numbers), dialog, turn, people)
        return
    text = speech.text if speech else None
    data: dict[str, Json] = {"dialog": dialog.index}
    if dialog.kind == "text":
        text = _written(dialog.item) if text is None else text
    if dialog.kind == "recording-set" and text is None:
        return
    person = people.at(dialog.parties[0] if dialog.parties else None)
    span = transport.get(dialog.index)
    yield Segment(
        index=next(numbers),
        role=person.role,
        speaker=person.name,
        start_ns=dialog.start_ns,
        end_ns=dialog.end_ns if span is None else dialog.start_ns + span,
        decoded_ns=dialog.decoded_ns,
        text=text,
        truncated=speech is not None and speech.truncated,
        file=dialog.file,
        data=data | (speech.data if speech else {}),
    )


def _turn(index: int, dialog: Dialog, turn: Turn, people: People) -> Segment:
    person = _speaker(dialog, turn, people)
    start = dialog.start_ns + (turn.start_ns or 0)
    end = start if turn.end_ns is None else max(start, dialog.start_ns + turn.end_ns)
    data: dict[str, Json] = {"dialog": dialog.index, **turn.data}
    if dialog.file is not None:
        data[RECORDING_NS] = dialog.start_ns
    return Segment(
        index,
        person.role,
        person.name,
        start,
        end,
        None,
        turn.text,
        turn.truncated,
        dialog.file,
        data,
    )


def _speaker(dialog: Dialog, turn: Turn, people: People) -> Participant:
    """Who says a turn: a party by its index or name, or by its place in the dialog."""
    if turn.party is not None:
        return people.at(turn.party)
    if isinstance(turn.speaker, str):
        return people.called(turn.speaker)
    place = turn.speaker or 0
    return people.at(dialog.parties[place] if 0 <= place < len(dialog.parties) else None)


def _written(item: Fields) -> str | None:
    """The words of a text dialog; of an e-mail with several parts the first plain one."""
    body = content(item)
    if not isinstance(body, str):
        return None
    mediatype = str(item.value.get("mediatype", ""))
    if mediatype == "text/plain":
        return body
    if not mediatype.lower().startswith("multipart/") or len(body) > _MAIL_LIMIT:
        return body
    if body.count("\n--") > _MULTIPARTS_LIMIT:
        return body
    folded = " ".join(mediatype.split())
    message = email.message_from_string(f"Content-Type: {folded}\n\n{body}")
    for part in message.walk():
        if part.get_content_type() == "text/plain" and part is not message:
            payload = part.get_payload(decode=True)
            return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else body
    return body


# --- what happened beside ------------------------------------------------------------------


def _events(dialog: Dialog, started_at: datetime | None, notes: Notes) -> Iterator[Event]:
    """Dialogs that are no speech, and who joined, held or left during any."""
    if dialog.kind not in _SPOKEN:
        rest = {k: v for k, v in dialog.item.value.items() if k not in {"type", "body"}}
        data: dict[str, Json] = {"dialog": dialog.index, **rest}
        yield Event(0, dialog.kind, dialog.start_ns, data)
    for _, item in dialog.item.objects("party_history") or ():
        at = instant(item, "time")
        offset = dialog.start_ns
        if at is not None and started_at is not None:
            since = at - instants.from_datetime(started_at)
            offset = since if 0 <= since <= NS_LIMIT else offset
        else:
            notes.add("no-event-time", f"{dialog.item.where}: placed at its start.")
        rest = {k: v for k, v in item.value.items() if k not in {"event", "time"}}
        yield Event(0, item.text("event") or "", offset, {"dialog": dialog.index, **rest})
