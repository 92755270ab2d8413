"""What may come in, and under which terms: consent and the privacy level, before any sealing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from policies.model import CLASSES, REGIMES, RetentionClass
from vault.errors import BadInput, Refused, UsageError
from vault.formats import FORMATS, instants
from vault.formats.promptkit_inline import inline_sound
from vault.formats.promptkit_turns import sound_of
from vault.formats.sound import recording_of
from vault.model import Compartment, Kind, Original, PrivacyLevel, Reading, State, Timeline, Warn
from vault.operations import consent, describe
from vault.operations.facts import PERSON
from vault.operations.keys import DataKey, bucket_of
from vault.operations.room import Room
from vault.operations.spelling import is_blank
from vault.rows import LookupRow, SessionRow

_BLOCK_BYTES = 1 << 20
#: What readers say of sound inside a file that they cannot take out.
_SOUND_STAYS = frozenset({"inline-audio", "unreadable-inline"})
#: How often a file is in memory while what lies inside it is unpacked.
_UNPACKED = 8


@dataclass(frozen=True, slots=True)
class Terms:
    """What the depositor says about the sessions, beside the sessions themselves."""

    format: str | None = None
    external_id: str | None = None
    subjects: Sequence[str] = ()
    agent: str | None = None
    jurisdictions: Sequence[str] = ()
    regimes: Sequence[str] = ()
    tags: Sequence[str] = ()
    privacy_level: PrivacyLevel = PrivacyLevel.FULL
    class_name: str | None = None
    started_at: datetime | None = None
    decrypt_key: bytes | None = field(default=None, repr=False)
    signers: bytes | None = None

    def check(self, classes: Collection[str] = CLASSES.keys()) -> None:
        """Raises `UsageError` for a value that does not exist; `classes` are those there are."""
        if self.format is not None and self.format not in FORMATS:
            raise UsageError(f"No format {self.format!r}; there are: {', '.join(FORMATS)}.")
        if self.class_name is not None and self.class_name not in classes:
            raise UsageError(f"No class {self.class_name!r}; there are: {', '.join(classes)}.")
        named = (*self.subjects, *self.tags, self.agent, self.external_id)
        if any(value is not None and is_blank(value) for value in named):
            raise UsageError("A subject, tag, agent or external id is not blank.")
        for regime in self.regimes:
            if regime not in REGIMES:
                raise UsageError(f"No regime {regime!r}; there are: {', '.join(sorted(REGIMES))}.")
        for place in self.jurisdictions:
            jurisdiction(place)
        if self.started_at is not None and self.started_at.tzinfo is None:
            raise UsageError("--started-at needs an offset, as in 2026-01-31T09:30:00+01:00.")
        if self.started_at is not None and not instants.is_possible(self.started_at):
            raise UsageError("--started-at is an instant since 1970 and before the year 9000.")


def jurisdiction(place: str) -> str:
    """The same; raises `UsageError` for what does not look like one."""
    if not re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", place):
        raise UsageError(f"A jurisdiction is CC or CC-RR, as in DE or US-CA, not {place!r}.")
    return place


@dataclass(frozen=True)
class Admitted:
    """A session that may be stored: `reading` holds what may, `left` what may not."""

    path: Path
    terms: Terms
    reading: Reading
    left: Sequence[Original]

    @cached_property
    def content_bytes(self) -> int:
        """The size of the session as it was given, what is left out included."""
        return sum(o.size_bytes for o in (*self.reading.originals, *self.left))

    @property
    def external_id(self) -> str | None:
        """What others call it."""
        return self.terms.external_id or self.reading.external_id

    @property
    def memory_bytes(self) -> int:
        """What to reckon with: what lies inside a file is unpacked in memory."""
        return self.content_bytes * (_UNPACKED if self.reading.inside else 1)

    @cached_property
    def metadata(self) -> describe.Metadata:
        """What can name people, to be sealed."""
        return describe.Metadata(
            external_id=self.external_id,
            title=self.reading.title,
            subjects=tuple(dict.fromkeys((*self.terms.subjects, *self.reading.subjects))),
            agent=self.terms.agent or self.reading.agent,
            tags=tuple(dict.fromkeys((*self.terms.tags, *self.reading.tags))),
            participants=tuple(self.reading.participants),
            warnings=tuple(self.reading.warnings),
            stated=dict(self.reading.metrics),
            source=dict(self.reading.source),
        )


def admit(room: Room, path: Path, reading: Reading, terms: Terms) -> Admitted:
    """What of a reading may come in; the privacy level binds the originals too.

    The level is the narrower of what the source was recorded under and what is asked for.
    What it keeps out is named in the warnings. Fields of the source go with the file they
    came from. Whose data it is may be said by the depositor or by the source itself; what is
    blank there says nothing.
    Raises `Refused` without consent where the archive demands it, and for the level `disabled`.
    """
    subjects = [one for one in reading.subjects if not is_blank(one)]
    if room.consent_required:
        consent.demand(room, terms.subjects or subjects, subjects, terms.jurisdictions)
    level = terms.privacy_level.within(reading.privacy_level)
    if level is PrivacyLevel.DISABLED:
        raise Refused("The privacy level is `disabled`: nothing of this session may be stored.")
    keeps = level.keeps
    if level is not terms.privacy_level:
        terms = replace(terms, privacy_level=level)
    warnings = list(reading.warnings)
    named = (*terms.subjects, *subjects, *terms.jurisdictions, *terms.regimes)
    if not named:
        text = "No subject, jurisdiction or regime was named, so consent is unknown."
        warnings.append(Warn("consent-unknown", text))
    left = [o for o in reading.originals if o.kind not in keeps]
    stays = Kind.AUDIO in keeps and any(w.code in _SOUND_STAYS for w in reading.warnings)
    for original in left:
        lost = ", and the sound inside it with it" if stays and original.kind is Kind.OTHER else ""
        text = f"Left out{lost}, because the privacy level is {level}."
        warnings.append(Warn("left-out", text, original.name))
    timeline = reading.timeline
    if Kind.TRANSCRIPT not in keeps:
        timeline = _wordless(timeline, sound=Kind.AUDIO in keeps)
    kept = [o for o in reading.originals if o.kind in keeps]
    described = Kind.TRANSCRIPT in keeps or any(o.kind is Kind.METADATA for o in kept)
    reading = replace(
        reading,
        external_id=None if is_blank(reading.external_id or "") else reading.external_id,
        agent=None if is_blank(reading.agent or "") else reading.agent,
        subjects=subjects,
        tags=[one for one in reading.tags if not is_blank(one)],
        originals=kept,
        timeline=timeline,
        warnings=warnings,
        source=reading.source if described else {},
        inside=(reading.inside or inline_sound(reading, left)) if Kind.AUDIO in keeps else None,
    )
    return Admitted(path, terms, reading, left)


def _wordless(timeline: Timeline, *, sound: bool) -> Timeline:
    """The same times with nothing that was said: no text, and of data only latencies.

    With `sound` also what it takes to find and play the sound that the level keeps.
    """
    segments = tuple(
        replace(s, text=None, data=recording_of(s.data) if sound else {}) for s in timeline.segments
    )
    events = tuple(
        replace(
            e,
            data={
                **{k: v for k, v in e.data.items() if k == "latency"},
                **(sound_of(e) if sound else {}),
            },
        )
        for e in timeline.events
    )
    return Timeline(segments, events)


def blocks(original: Original) -> Iterator[bytes]:
    """The bytes of one original; `BadInput` if they are not as many as there were."""
    left = original.size_bytes
    with original.open() as stream:
        while block := stream.read(_BLOCK_BYTES):
            left -= len(block)
            yield block
    if left:
        raise BadInput(f"{original.name} changed while it was being read.")


def kept_as(room: Room, terms: Terms, tags: Sequence[str]) -> RetentionClass:
    """The class of a session: the one that is named, else that of its tags, else the archive's."""
    by_tags = None if terms.class_name else room.policies.class_by_tags(tags)
    return by_tags or room.policies.retention_class(terms.class_name or room.default_class)


def session_row(
    room: Room, admitted: Admitted, fingerprint: bytes, data_keys: dict[Compartment, DataKey]
) -> SessionRow:
    """The catalogue's row of a session whose originals are sealed."""
    reading, terms = admitted.reading, admitted.terms
    now = room.clock.now()
    started_at = terms.started_at or reading.started_at or now
    kept = kept_as(room, terms, admitted.metadata.tags)
    metadata_key, timeline_key = data_keys[Compartment.METADATA], data_keys[Compartment.TIMELINE]
    return SessionRow(
        id=metadata_key.session_id,
        tenant=room.tenant,
        format=reading.format,
        state=State.SEALED,
        started_at=started_at,
        ended_at=started_at + timedelta(microseconds=(reading.duration_ns or 0) // 1000),
        duration_ns=reading.duration_ns,
        deposited_at=now,
        deposited_by=room.actor.id,
        privacy_level=terms.privacy_level,
        class_name=kept.name,
        bucket=bucket_of(kept, started_at),
        jurisdictions=tuple(dict.fromkeys(terms.jurisdictions)),
        regimes=tuple(dict.fromkeys(terms.regimes)),
        fingerprint=fingerprint,
        content_bytes=admitted.content_bytes,
        metadata=describe.seal_metadata(metadata_key, admitted.metadata),
        timeline=describe.seal_timeline(timeline_key, reading.timeline),
    )


def lookup_rows(room: Room, session_id: str, admitted: Admitted) -> list[LookupRow]:
    """The keyed hashes by which the session can be found again, and one for each person in it.

    A name that the source has for someone is not one more person beside those that the depositor
    named: there are as many as the longer of the two lists has.
    """
    metadata = admitted.metadata
    values = [
        *(("subject", s) for s in metadata.subjects),
        *(("tag", t) for t in metadata.tags),
        *([("agent", metadata.agent)] if metadata.agent else []),
        *([("external-id", metadata.external_id)] if metadata.external_id else []),
    ]
    found = dict.fromkeys((kind, room.keys.lookup(kind, value)) for kind, value in values)
    lists = (admitted.terms.subjects, admitted.reading.subjects)
    named, stated = ({room.keys.lookup("subject", one) for one in each} for each in lists)
    found |= dict.fromkeys((PERSON, one) for one in max(named, stated, key=len))
    return [LookupRow(session_id, kind, digest) for kind, digest in found]
