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
from vault.formats.vcon_attached import Attached, zeros
from vault.formats.vcon_content import content
from vault.formats.vcon_dates import instant
from vault.formats.vcon_party import People, indices
from vault.formats.vcon_transcript import Transcript, Turn, transcript
from vault.model import Annotation, Event, Json, Participant, Segment, Timeline

_MAIL_LIMIT = 1 << 20
_MULTIPARTS_LIMIT = 64
_SPOKEN = {"recording", "text", "recording-set"}


@dataclass(slots=True)  # frozen, it would take three times as long to make
class Dialog:
    """One dialog where it belongs. `file` and `decoded_ns` are of a recording that lies inside."""

    index: int
    item: Fields
    kind: str
    start_ns: int
    length_ns: int | None
    parties: Sequence[int]
    file: str | None
    decoded_ns: int | None

    @property
    def end_ns(self) -> int:
        """Where it ends: as stated, or when its sound does."""
        length = self.decoded_ns if self.length_ns is None else self.length_ns
        return self.start_ns + (length or 0)


@dataclass(frozen=True, slots=True)
class Timed:
    """The dialogs on one clock."""

    started_at: datetime | None
    dialogs: Sequence[Dialog]

    def length_ns(self, made: Made) -> int | None:
        """What a timeline or a recording-set from the start states, else where all of it ends."""
        if made.length_ns is not None or made.is_endless:
            return made.length_ns
        for dialog in self.dialogs:
            if dialog.kind == "recording-set" and not dialog.start_ns and dialog.length_ns:
                return dialog.length_ns
        ends = [dialog.end_ns for dialog in self.dialogs]
        last = end_of(made.timeline.segments, made.timeline.events)
        return max(ends if last is None else [*ends, last], default=None)

    @classmethod
    def of(
        cls,
        items: Mapping[int, Fields],
        sounds: Mapping[int, tuple[str, int | None]],
        top: Fields,
        notes: Notes,
    ) -> Timed:
        """Place the dialogs; one that says no usable start is placed with the one before it.

        The clock starts with the earliest of them, or with an attached timeline that begins
        before; without either when the vCon was made.
        """
        starts = {index: instant(item, "start") for index, item in items.items()}
        first = min((start for start in starts.values() if start is not None), default=None)
        for attached in zeros(top):
            if first is None or first - NS_LIMIT < attached < first:
                first = attached
        first = instant(top, "created_at") if first is None else first
        origin = None if first is None else first // 1000 * 1000  # what a datetime can hold
        dialogs: list[Dialog] = []
        offset = 0
        for index, item in items.items():
            start = starts[index]
            if start is None or origin is None or start - origin > NS_LIMIT:
                notes.add("no-start", f"{item.where}: placed with the dialog before it.")
            else:
                offset = start - origin
            kind = item.text("type") or ""
            parties, sound = _parties(item), sounds.get(index, (None, None))
            length = item.ns("duration")
            dialogs.append(Dialog(index, item, kind, offset, length, parties, *sound))
        return cls(None if origin is None else instants.to_datetime(origin), dialogs)


@dataclass(frozen=True, slots=True)
class Made:
    """A timeline, and what else attachments said."""

    timeline: Timeline
    tags: Sequence[str]
    consent: list[Json]
    length_ns: int | None
    is_endless: bool


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
    for dialog in timed.dialogs:
        speech = said.get(dialog.index)
        segments += _segments(dialog, numbers, speech, people, attached.transport)
        if dialog.kind not in _SPOKEN or "party_history" in dialog.item.value:
            events += _events(dialog, timed.started_at, notes)
    events.sort(key=lambda event: event.offset_ns)
    made = Timeline(
        tuple(segments),
        tuple(replace(event, seq=n) for n, event in enumerate(events)),
        (*annotations, *attached.annotations),
    )
    tags = tuple(dict.fromkeys(attached.tags))
    return Made(made, tags, attached.consent, attached.length_ns, attached.is_endless)


def _parties(item: Fields) -> Sequence[int]:
    """The parties of a dialog, the one who began it first; `[0, [1, 2]]` is taken flat."""
    stated, originator = item.value.get("parties"), item.value.get("originator")
    if type(stated) is list and len(stated) == 1 and originator in (None, *stated):
        stated = stated[0]  # most have one party, and nobody else began
        if type(stated) is int and stated >= 0:
            return (stated,)
    return indices(originator if isinstance(originator, int) else None, stated)


# --- what was said -------------------------------------------------------------------------


def _transcripts(
    top: Fields,
    timed: Timed,
    people: People,
    annotations: list[Annotation],
    notes: Notes,
) -> dict[int, Transcript]:
    """The transcript of each dialog; every other analysis becomes an annotation."""
    places = {dialog.index for dialog in timed.dialogs}
    found: dict[int, Transcript] = {}
    for position, item in top.objects("analysis") or ():
        kind, target = item.text("type") or "analysis", item.value.get("dialog")
        if isinstance(target, list) and target:
            target = target[0]
        if target is None and places:
            target = timed.dialogs[0].index
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
