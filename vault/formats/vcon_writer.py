"""Writes a session as a vCon 0.4.0 that its schema accepts; sign or encrypt it afterwards.

    parties      who takes part, with all that the source says of them
    dialog       sound and texts, see `vcon_speech.py` beside this
    analysis[]   a transcript for each recording, a report of the stated metrics
    attachments  timeline (events, transport times), annotations, tags, consent, source-manifest

What `vcon` reads from it again is what was written. Sound lies inside, so a vCon holds at most
`SOUND_LIMIT_BYTES` of it, which signing and encrypting keep within what a reader takes; memory
is some four times that. A session that came as a vCon and whose file is here goes through
`rewrite`, which loses nothing of it.

Source: draft-ietf-vcon-vcon-core; `vcon.schema.json` beside this file is its schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from vault.errors import BadInput
from vault.formats import instants, vcon_again
from vault.formats.source import JSON_BYTES_LIMIT
from vault.formats.vcon_schema import VERSION, Missing, fit, validate
from vault.formats.vcon_speech import Sound, Speech, plain
from vault.model import Annotation, Json, Participant, Reading

SOUND_LIMIT_BYTES = 24 << 20

_JSON: dict[str, Json] = {"mediatype": "application/json", "encoding": "json"}
_TEXT: dict[str, Json] = {"mediatype": "text/plain", "encoding": "none"}
#: What is said of a body as it was written, which here is written anew.
_FORM = {"mediatype", "encoding", "content_hash", "alg", "signature"}
_VENDOR = "strongroom"


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
    top: dict[str, Json] = {
        "vcon": VERSION,
        "uuid": uuid,
        "created_at": instants.write(instants.from_datetime(created_at)),
        **({"subject": reading.title} if reading.title else {}),
        **({"redacted": dict(redacted)} if redacted else {}),
    }
    validate(top)
    return _bytes(_Vcon(reading, created_at, sounds).lists(top, attachments or {}))


def rewrite(
    document: dict[str, Json], before: Reading, now: Reading, *, uuid: str, created_at: datetime
) -> bytes:
    """A vCon that came as one as the bytes of one of 0.4.0; see `vcon_again.again`.

    Raises `BadInput` where it breaks the schema in a way that nobody can mend.
    """
    made_at = instants.write(instants.from_datetime(created_at))
    return _bytes(vcon_again.again(document, before, now, uuid=uuid, created_at=made_at))


def _bytes(document: dict[str, Json]) -> bytes:
    validate(document)
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > JSON_BYTES_LIMIT:
        raise BadInput(f"The vCon would be larger than {JSON_BYTES_LIMIT >> 20} MiB.")
    return data


class _Vcon:
    """The lists of a vCon, while they grow."""

    def __init__(self, reading: Reading, created_at: datetime, sounds: Sequence[Sound]) -> None:
        self._reading = reading
        start_ns = instants.from_datetime(reading.started_at or created_at)
        self._speech = Speech(reading, start_ns, sounds)
        self._analysis: list[Json] = []
        self._attachments: list[Json] = []
        for dialog, body in self._speech.transcripts:
            self._analyse("transcript", dialog, body)

    def lists(self, top: dict[str, Json], more: Mapping[str, Json]) -> dict[str, Json]:
        """The whole vCon; what the schema takes nowhere is in its attachment `unfit`."""
        self._attach_all(more)
        document: dict[str, Json] = {
            **top,
            "parties": [_party(person) for person in self._speech.people],
            "dialog": self._speech.dialog,
            "analysis": self._analysis,
            "attachments": self._attachments,
        }
        missing = Missing(self._speech.at(0), str(top["uuid"]), str(top["created_at"]))
        if unfit := list(fit(document, missing)):
            self._attach("unfit", unfit)
        return document

    def _attach_all(self, more: Mapping[str, Json]) -> None:
        """Everything that is not speech."""
        reading = self._reading
        events: list[Json] = [plain(asdict(event)) for event in reading.timeline.events]
        length = reading.duration_ns
        stated: Json = None if length is None else length / 1e9  # null: nobody knows
        spans = self._speech.spans
        self._attach("timeline", {"duration": stated, "events": events, "segments": spans})
        rest: list[Json] = [
            plain(asdict(annotation))
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
            self._analyse("report", 0, plain(reading.metrics))
        for purpose, body in more.items():
            self._attach(purpose, body)
        manifest = {"format": reading.format, "id": reading.external_id, "source": plain(source)}
        self._attach("source-manifest", plain(manifest))

    def _analyse(self, kind: str, dialog: int, body: Json) -> None:
        maker = {"vendor": _VENDOR, "product": self._reading.format}
        self._analysis.append({"type": kind, "dialog": dialog, **maker, **_inline(body)})

    def _attach(self, purpose: str, body: Json, said: Mapping[str, Json] | None = None) -> None:
        roles = [person.role for person in self._speech.people]  # an index, of nobody maybe
        party = roles.index("agent") if "agent" in roles else 0
        place: dict[str, Json] = {"start": self._speech.at(0), "party": party, "dialog": 0}
        self._attachments.append({**place, **(said or {}), "purpose": purpose, **_inline(body)})

    def _as_it_was(self, annotation: Annotation) -> bool:
        """Put an analysis or attachment that came in a vCon back in its place."""
        if self._reading.format != "vcon":
            return False
        form = set() if annotation.value is None else _FORM
        said = {key: value for key, value in annotation.data.items() if key not in form}
        body = _inline(annotation.value)
        if annotation.id.startswith("analysis-"):
            kind = annotation.type
            dialog: Json = [] if kind == "transcript" else 0  # what is said is told already
            made = {"vendor": "unknown", **said, "type": kind, "dialog": dialog, **body}
            self._analysis.append(made)
            return True
        if annotation.id.startswith("attachment-") and annotation.type != "source-manifest":
            name: dict[str, Json] = {"filename": annotation.key} if annotation.key else {}
            self._attach(annotation.type, annotation.value, {**said, **name})
            return True
        return annotation.id.startswith("attachment-")


def _inline(body: Json) -> dict[str, Json]:
    """A body and how it is written: a text as it is, anything else as JSON, nothing not at all."""
    if body is None:
        return {}
    return {**(_TEXT if isinstance(body, str) else _JSON), "body": body}


def _party(person: Participant) -> Json:
    """A party: what its source says of it, and what it is."""
    kind = "bot" if person.role == "agent" else "person"
    name = {"name": person.name} if person.name else {}
    return plain({"type": kind, **person.data, **name, "role": person.role})
