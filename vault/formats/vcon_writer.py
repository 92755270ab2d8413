"""Writes a session as a vCon 0.4.0 that its schema accepts; sign or encrypt it afterwards.

    dialog[0]    recording-set, the whole session (only where there is sound, or nothing else)
    dialog[1…]   a recording for each sound, a text for each turn without one
    analysis[]   a transcript for each recording, a report of the stated metrics
    attachments  timeline (events, transport times), annotations, tags, consent, source-manifest

What `vcon` reads from it again is what was written. Sound lies inside, so a vCon holds at most
`SOUND_LIMIT_BYTES` of it, which signing and encrypting keep within what a reader takes; memory
is some four times that.

Source: draft-ietf-vcon-vcon-core; `vcon.schema.json` beside this file is its schema.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO

from vault.errors import BadInput
from vault.formats import instants
from vault.formats.fields import speakers
from vault.formats.sound import RECORDING_NS
from vault.formats.source import JSON_BYTES_LIMIT
from vault.formats.vcon_schema import party_texts, validate
from vault.model import Annotation, Json, Participant, Reading, Segment

VERSION = "0.4.0"
SOUND_LIMIT_BYTES = 24 << 20

_MEDIA_TYPES = {"audio/wav": "audio/x-wav", "audio/mpeg": "audio/x-mp3", "audio/mp4": "audio/x-mp4"}
_JSON: dict[str, Json] = {"mediatype": "application/json", "encoding": "json"}
_VENDOR = "strongroom"


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording that goes into the vCon.

    The segments whose `file` is `name` were said in it; a lone one that no segment names holds
    them all. `open` gives `size_bytes` bytes, `start_ns` is where it lies in the session and
    `channels` are the roles in the order of its channels, where there are several.
    """

    name: str
    media_type: str
    size_bytes: int
    open: Callable[[], BinaryIO]
    start_ns: int = 0
    decoded_ns: int | None = None
    channels: Sequence[str] = ()


def write(
    reading: Reading,
    *,
    uuid: str,
    created_at: datetime,
    sounds: Sequence[Sound] = (),
    attachments: Mapping[str, Json] | None = None,
    redacted: Mapping[str, Json] | None = None,
) -> bytes:
    """The session as the bytes of an unsigned vCon.

    `attachments` are more of them, by purpose (consent, retention, hold …). `redacted` is
    `{uuid, type}` of what a redacted vCon was made from. Raises `BadInput` where the sound is
    too much for one vCon, changed while it was read, or the result would not keep to the schema.
    """
    if sum(sound.size_bytes for sound in sounds) > SOUND_LIMIT_BYTES:
        limit = SOUND_LIMIT_BYTES >> 20
        raise BadInput(f"One vCon holds at most {limit} MiB of sound; give it smaller recordings.")
    made = _Vcon(reading, created_at, sounds)
    made.attach_all(attachments or {})
    document: dict[str, Json] = {
        "vcon": VERSION,
        "uuid": uuid,
        "created_at": instants.write(instants.from_datetime(created_at)),
        **({"subject": reading.title} if reading.title else {}),
        **({"redacted": dict(redacted)} if redacted else {}),
        "parties": list(made.parties),
        "dialog": list(made.dialog),
        "analysis": list(made.analysis),
        "attachments": list(made.attachments),
    }
    validate(document)
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > JSON_BYTES_LIMIT:
        raise BadInput(f"The vCon would be larger than {JSON_BYTES_LIMIT >> 20} MiB.")
    return data


class _Vcon:
    """The four lists of a vCon, while they grow."""

    def __init__(self, reading: Reading, created_at: datetime, sounds: Sequence[Sound]) -> None:
        self._reading = reading
        self._start_ns = instants.from_datetime(reading.started_at or created_at)
        people = list(reading.participants)
        roles = Counter(person.role for person in people)
        known = {(person.role, person.name) for person in people}
        for one in speakers(reading.timeline.segments):
            alone = one.name is None and roles[one.role] == 1
            if not alone and (one.role, one.name) not in known:
                people.append(one)
        self._people = people or [Participant("user")]
        self._places: dict[object, int] = {}
        for place, person in enumerate(self._people):
            self._places.setdefault((person.role, person.name), place)
            self._places.setdefault(person.role, place)
        self.parties: list[Json] = [_party(person) for person in self._people]
        self.dialog: list[Json] = []
        self.analysis: list[Json] = []
        self.attachments: list[Json] = []
        self._recordings: list[Json] = []
        self._spans: list[Json] = []
        self._speech(sounds)

    def attach_all(self, more: Mapping[str, Json]) -> None:
        """Everything that is not speech."""
        reading = self._reading
        events: list[Json] = [_plain(asdict(event)) for event in reading.timeline.events]
        length = reading.duration_ns
        stated: dict[str, Json] = {} if length is None else {"duration": length / 1e9}
        self._attach("timeline", {**stated, "events": events, "segments": self._spans})
        rest: list[Json] = [
            _plain(asdict(annotation))
            for annotation in reading.timeline.annotations
            if not self._as_it_was(annotation)
        ]
        if rest:
            self._attach("annotations", rest)
        if reading.tags:
            self._attach("tags", list(reading.tags))
        source = dict(reading.source)
        consent = source.pop("consent", None)
        for each in consent if isinstance(consent, list) else []:
            self._attach("consent", each)
        if reading.metrics:
            self._analyse("report", 0, _plain(reading.metrics))
        for purpose, body in more.items():
            self._attach(purpose, body)
        manifest = {"format": reading.format, "id": reading.external_id, "source": _plain(source)}
        self._attach("source-manifest", _plain(manifest))

    # --- speech ---

    def _speech(self, sounds: Sequence[Sound]) -> None:
        segments = self._reading.timeline.segments
        whole = len(sounds) == 1 and all(segment.file != sounds[0].name for segment in segments)
        if sounds or not any(segment.text for segment in segments):
            self.dialog.append(self._whole())
        heard = {sound.name: sound for sound in sounds}
        said: dict[str, list[Segment]] = defaultdict(list)
        for segment in segments:
            if segment.file in heard:
                said[segment.file].append(segment)
        for segment in () if whole else segments:
            if segment.file not in heard:
                self._written(segment)
            elif segment is said[segment.file][0]:
                self._recorded(heard[segment.file], said[segment.file])
        for sound in sounds:
            if sound.name not in said:
                self._recorded(sound, segments if whole else ())

    def _whole(self) -> dict[str, Json]:
        length = self._reading.duration_ns
        return {
            "type": "recording-set",
            "start": self._at(0),
            **({"duration": length / 1e9} if length is not None else {}),
            "parties": list(range(len(self._people))),
            "recordings": self._recordings,
        }

    def _recorded(self, sound: Sound, said: Sequence[Segment]) -> None:
        """A recording with what was said in it."""
        one = said[0] if len(said) == 1 else None
        if one is not None:
            sound = replace(sound, start_ns=one.start_ns)
        length = sound.decoded_ns
        if length is None and one is not None:
            length = one.decoded_ns if one.decoded_ns is not None else one.end_ns - one.start_ns
        body, digest = _inside(sound)
        index = len(self.dialog)
        self._recordings.append(index)
        self.dialog.append(
            {
                "type": "recording",
                "start": self._at(sound.start_ns),
                **({"duration": length / 1e9} if length is not None else {}),
                "parties": self._heard(sound, said),
                "recording_set": 0,
                "mediatype": _MEDIA_TYPES.get(sound.media_type, sound.media_type),
                "filename": sound.name.rpartition("/")[2],
                "encoding": "base64url",
                "body": body,
                "content_hash": digest,
            }
        )
        if one is not None:
            self._spans.append({"dialog": index, "transport_ns": one.end_ns - one.start_ns})
        if one is not None and one.text is not None:
            self._analyse("transcript", index, _words(one))
        elif one is None and any(segment.text is not None for segment in said):
            turns = [self._turn(segment, sound) for segment in said if segment.text is not None]
            self._analyse("transcript", index, {"segments": turns})

    def _heard(self, sound: Sound, said: Sequence[Segment]) -> Json:
        """The parties of a recording: by its channels, else those who speak in it."""
        if sound.channels:
            roles = [person.role for person in self._people]
            return [roles.index(role) if role in roles else None for role in sound.channels]
        places = list(dict.fromkeys(self._who(segment) for segment in said))
        return places[0] if len(places) == 1 else (list(places) or list(range(len(self._people))))

    def _turn(self, segment: Segment, sound: Sound) -> Json:
        start = max(0, segment.start_ns - sound.start_ns)
        times: dict[str, Json] = {
            "speaker": segment.speaker or segment.role,
            "party": self._who(segment),
            "start": start / 1e9,
            "end": max(start, segment.end_ns - sound.start_ns) / 1e9,
        }
        return _words(segment) | times

    def _written(self, segment: Segment) -> None:
        """A turn without sound: its text, or that there was a recording which is not in here."""
        index = len(self.dialog)
        dialog: dict[str, Json] = {
            "start": self._at(segment.start_ns),
            "duration": (segment.end_ns - segment.start_ns) / 1e9,
            "parties": self._who(segment),
        }
        if segment.text is None:
            self.dialog.append({"type": "recording", **dialog})
            return
        text: dict[str, Json] = {"mediatype": "text/plain", "encoding": "none"}
        self.dialog.append({"type": "text", **dialog, **text, "body": segment.text})
        words = _words(segment)
        if words.keys() - {"text"}:
            self._analyse("transcript", index, words)

    def _who(self, segment: Segment) -> int:
        """The party who speaks: the one of that role and name, else the first of that role."""
        return self._places.get((segment.role, segment.speaker), self._places[segment.role])

    def _at(self, offset_ns: int) -> str:
        return instants.write(self._start_ns + offset_ns)

    # --- beside speech ---

    def _analyse(self, kind: str, dialog: int, body: Json) -> None:
        maker = {"vendor": _VENDOR, "product": self._reading.format}
        self.analysis.append({"type": kind, "dialog": dialog, **maker, **_JSON, "body": body})

    def _attach(self, purpose: str, body: Json) -> None:
        roles = [person.role for person in self._people]
        party = roles.index("agent") if "agent" in roles else 0
        place: dict[str, Json] = {"start": self._at(0), "party": party, "dialog": 0}
        self.attachments.append({"purpose": purpose, **place, **_JSON, "body": body})

    def _as_it_was(self, annotation: Annotation) -> bool:
        """Put an analysis or attachment that came in a vCon back in its place."""
        if self._reading.format != "vcon":
            return False
        if annotation.id.startswith("analysis-"):
            vendor, product = annotation.data.get("vendor"), annotation.data.get("product")
            maker = {
                "vendor": vendor if isinstance(vendor, str) else "unknown",
                **({"product": product} if isinstance(product, str) else {}),
            }
            body: dict[str, Json] = {**maker, **_JSON, "body": annotation.value}
            self.analysis.append({"type": annotation.type, "dialog": 0, **body})
            return True
        if annotation.id.startswith("attachment-") and annotation.type != "source-manifest":
            self._attach(annotation.type, annotation.value)
            return True
        return annotation.id.startswith("attachment-")


def _party(person: Participant) -> Json:
    """A party: what its source says of it, as far as the schema lets it, and what it is."""
    texts = party_texts()
    said = {
        key: value
        for key, value in person.data.items()
        if key != "civicaddress" and (key not in texts or isinstance(value, str))
    }
    kind = "bot" if person.role == "agent" else "person"
    name = {"name": person.name} if person.name else {}
    return _plain({"type": kind, **said, **name, "role": person.role})


def _words(segment: Segment) -> dict[str, Json]:
    own = {"dialog", RECORDING_NS}
    rest = {key: value for key, value in segment.data.items() if key not in own}
    cut: dict[str, Json] = {"transcript_truncated": True} if segment.truncated else {}
    words = {"words": rest.pop("words")} if "words" in rest else {}
    more = {"data": rest} if rest else {}
    return {"text": segment.text, **cut, **_plain(words), **_plain(more)}


def _inside(sound: Sound) -> tuple[str, str]:
    """A recording as the text that carries it, and its digest as a `content_hash` is written."""
    with sound.open() as stream:
        data = stream.read(sound.size_bytes + 1)
    if len(data) != sound.size_bytes:
        raise BadInput(f"{sound.name!a} changed while it was read.")
    return _base64url(data), f"sha512-{_base64url(hashlib.sha512(data).digest())}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same with every mapping in it a dictionary and every sequence a list."""
    made: dict[str, Any] = json.loads(json.dumps(value))
    return made
