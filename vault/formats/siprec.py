"""SIPREC: the body of a recording session's INVITE, which describes the call and holds no sound.

    multipart/mixed: application/sdp (the media), application/rs-metadata+xml (who, when)

The body may come alone or below the SIP message's own headers. The XML is of either namespace
(`urn:ietf:params:xml:ns:recording`, with `:1` or without) and of either style: with associations
inside the participant, or beside it. Of the SDP only streams are kept, never its keys.

Source: RFC 7866 (the multipart body), RFC 7865 (the metadata); RFC 2046, section 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vault.errors import BadInput
from vault.formats import single, xmltext
from vault.formats.fields import Fields, Notes
from vault.formats.single import Clock, Told, epoch
from vault.formats.source import Source
from vault.formats.xmltext import Element
from vault.model import Event, Json, Kind, Participant, Reading

NAMES = ("siprec",)
#: Such bodies are stored under any name; none promises a session.
EXTENSIONS: frozenset[str] = frozenset()
BYTES_LIMIT = 8 * 1024 * 1024
PARTS_LIMIT = 100
METADATA, SDP = "application/rs-metadata", "application/sdp"

_BOUNDARY = re.compile(rb"""boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_FIRST = re.compile(rb"\s*--([^\r\n]{1,70}?)[ \t]*\r?\n")
_BLANK = re.compile(rb"\r?\n\r?\n")
_LABEL = re.compile(r"^a=label:(\S{1,64})", re.MULTILINE)
_RTPMAP = re.compile(r"^a=rtpmap:(\d{1,3} \S{1,64})", re.MULTILINE)
_START, _END = ("start-time", "associate-time"), ("stop-time", "end-time", "disassociate-time")


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the multipart body; `media_type` in lower case, without parameters."""

    media_type: str
    body: bytes


def detect(source: Source) -> str | None:
    """`siprec` for text whose beginning is a multipart body, or a SIP message, with metadata."""
    if source.is_folder or not 0 < source.files()[source.name] <= BYTES_LIMIT:
        return None
    head = source.head(source.name)
    if not (_FIRST.match(head) or head.startswith(b"INVITE ") or _BOUNDARY.search(head)):
        return None
    return "siprec" if METADATA.encode() in source.whole(source.name).lower() else None


def read(source: Source, name: str) -> list[Reading]:
    """The one session of the body; `BadInput` without readable metadata in it."""
    single.require_file(source, name)
    notes = Notes()
    sections = list(_sections(source.whole(source.name, BYTES_LIMIT)))
    described = next((s for s in sections if s.media_type.startswith(METADATA)), None)
    if described is None:
        raise BadInput(f"{source.name!a} holds no recording metadata.")
    root = xmltext.parse(described.body.strip(), source.name)
    sessions = list(root.all("session"))
    if root.tag != "recording" or not sessions:
        raise BadInput(f"{source.name!a} holds metadata of no recording session.")
    times = Notes()
    clock = Clock(_time(sessions[0], _START, times) or _earliest(root, times), notes)
    media = [
        line
        for s in sections
        if s.media_type == SDP
        for line in _media(s.body.decode("utf-8", "replace"))
    ]
    participants = [_participant(each, notes) for each in root.all("participant")]
    events = _events(root, clock, times)
    notes.extend(list(dict.fromkeys(times.all())))
    told = Told(
        external_id=_id(sessions[0]),
        zero_ns=clock.zero_ns,
        participants=participants,
        events=events,
        ends=False,
        source={
            "datamode": root.first("datamode"),
            "sessions": [_value(each) for each in sessions],
            "media": media,
            "parts": [s.media_type for s in sections],
        },
        subjects=[_address(p) for p in participants if p.role == "user"],
        elsewhere=True,
        kind=Kind.METADATA,
    )
    return [single.reading(source, name, told, notes)]


# --- the multipart body ------------------------------------------------------------------


def _sections(data: bytes) -> Iterator[Section]:
    """The parts of the body; a missing last boundary is forgiven."""
    first = _FIRST.match(data)
    if first is None:
        headers, _, body = _parted(data)
        stated = _BOUNDARY.search(headers)
        if stated is None:
            return
        boundary, data = stated[1] or stated[2], body
    else:
        boundary = first[1]
    for part in re.split(rb"(?:^|\r?\n)--" + re.escape(boundary), data)[1 : PARTS_LIMIT + 1]:
        if part.startswith(b"--"):
            return
        headers, _, body = _parted(part)
        kind = re.search(rb"content-type:[ \t]*([^\s;]{1,100})", headers, re.IGNORECASE)
        yield Section(kind[1].decode("ascii", "replace").lower() if kind else "", body)


def _parted(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Headers, the blank line, body."""
    blank = _BLANK.search(data)
    if blank is None:
        return data, b"", b""
    return data[: blank.start()], blank[0], data[blank.end() :]


def _media(sdp: str) -> Iterator[Json]:
    """The streams an SDP offers: kind, port, label and codings."""
    for block in re.split(r"^m=", sdp, flags=re.MULTILINE)[1:]:
        line = block.split("\n", 1)[0].split()
        label = _LABEL.search(block)
        yield {
            "media": line[0] if line else "",
            "port": line[1] if len(line) > 1 else "",
            "label": label[1] if label else None,
            "codings": list(_RTPMAP.findall(block)),
        }


# --- the metadata ------------------------------------------------------------------------


def _id(element: Element) -> str | None:
    """The element's own id: `id` in older drafts, `session_id` and so on in the RFC."""
    own = f"{element.tag}_id"
    return element.attributes.get(own) or element.attributes.get("id") or None


def _participant(element: Element, notes: Notes) -> Participant:
    """Who takes part. Only a `callingParty` extension says who called."""
    named = next(element.all("nameID"), Element("nameID", {}))
    extra = [deep for each in element.all("extensiondata") for deep in each.children]
    calling = next((e.text.strip().lower() for e in extra if e.tag == "callingParty"), None)
    role = {"true": "user", "false": "agent"}.get(calling or "")
    if role is None:
        notes.add("unknown-role", "A participant is neither the caller nor the called.")
    name = named.first("name") or named.attributes.get("aor")
    return Participant(
        role or "system", name, {"aor": named.attributes.get("aor"), **_value(element)}
    )


def _address(participant: Participant) -> str | None:
    address = participant.data.get("aor")
    return address if isinstance(address, str) else None


def _events(root: Element, clock: Clock, notes: Notes) -> list[Event]:
    """Every element that has a time, under its own name, in order of time."""
    found = []
    for element in root.children:
        started = clock.at(_time(element, _START, notes))
        ended = clock.at(_time(element, _END, notes))
        if started is not None:
            found.append((started, element.tag, _value(element)))
        if ended is not None:
            found.append((ended, f"{element.tag}.ended", _value(element)))
    found.sort(key=lambda one: one[0])
    return [Event(n, kind, at, data) for n, (at, kind, data) in enumerate(found)]


def _earliest(root: Element, notes: Notes) -> int | None:
    times = (_time(element, _START, notes) for element in root.children)
    return min((time for time in times if time is not None), default=None)


def _time(element: Element, tags: tuple[str, ...], notes: Notes) -> int | None:
    """The first of these children that is an instant; without an offset it is UTC."""
    values: dict[str, Json] = {tag: element.first(tag) for tag in tags}
    return epoch(Fields(values, element.tag, notes).instant(*tags))


def _value(element: Element) -> dict[str, Json]:
    """An element as JSON: its attributes, and its children's text under their names."""
    made: dict[str, Json] = dict(element.attributes)
    for child in element.children:
        inner: Json = _value(child) or None
        text = child.text.strip()
        if text:
            inner = {**inner, "text": text} if isinstance(inner, dict) else text
        known = made.get(child.tag)
        if child.tag not in made:
            made[child.tag] = inner
        elif isinstance(known, list):
            known.append(inner)
        else:
            made[child.tag] = [known, inner]
    return made
