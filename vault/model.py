"""The nouns of the archive: plain frozen values that touch nothing.

Times inside a session are integer nanosecond offsets from its start (`_ns`), instants
are aware UTC datetimes (`_at`), sizes are bytes (`_bytes`).

What a session has thousands of is a `msgspec.Struct`, made in a tenth of the time that a frozen
dataclass takes. The decorator above it tells `dataclasses.replace`, `fields` and `asdict` of its
fields and changes nothing, so that all values here are used alike.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, TypeAlias, Union

import msgspec

#: Anything `json.loads` returns.
Json: TypeAlias = Union[bool, int, float, str, "list[Json]", "dict[str, Json]", None]


def new_id() -> str:
    """A UUIDv7 string: unique, and sorted by the millisecond it was made in.

    Source: RFC 9562, section 5.7.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


class State(StrEnum):
    """Where a session stands."""

    SEALED = "sealed"  # every original is sealed and stored; jobs are still to run
    READY = "ready"  # every job has ended
    QUARANTINED = "quarantined"  # kept apart until somebody decides
    RESTRICTED = "restricted"  # only stored: a request is open or destroying is put off
    ERASED = "erased"  # no key of it is left; what remains is a tombstone


class Compartment(StrEnum):
    """Parts of a session that share one key, and so live and die together."""

    ORIGINAL = "original"  # the files as they came
    DERIVED = "derived"  # what jobs made from them
    ANALYSIS = "analysis"  # what jobs found out about them
    TIMELINE = "timeline"  # transcript, segments and events (sealed in the catalogue)
    METADATA = "metadata"  # names, titles, warnings (sealed in the catalogue)


class Kind(StrEnum):
    """What a part holds; privacy levels choose by it."""

    AUDIO = "audio"
    TRANSCRIPT = "transcript"  # text that was said, alone or with other things
    METADATA = "metadata"  # descriptions that hold nothing that was said
    PEAKS = "peaks"
    OTHER = "other"  # nobody can tell; only the full level lets it in


class PrivacyLevel(StrEnum):
    """What of a session may be stored at all; it binds the originals too."""

    FULL = "full"
    AUDIO_ONLY = "audio_only"
    TRANSCRIPT_ONLY = "transcript_only"
    METADATA_ONLY = "metadata_only"
    DISABLED = "disabled"

    @property
    def keeps(self) -> frozenset[Kind]:
        """The kinds of part this level lets in."""
        return _KEPT[self]

    def within(self, other: PrivacyLevel) -> PrivacyLevel:
        """The level that lets in only what both do; `disabled` if either is."""
        if PrivacyLevel.DISABLED in {self, other}:
            return PrivacyLevel.DISABLED
        both = self.keeps & other.keeps
        return next(level for level in PrivacyLevel if level.keeps == both)


_KEPT: dict[PrivacyLevel, frozenset[Kind]] = {
    PrivacyLevel.FULL: frozenset(Kind),
    PrivacyLevel.AUDIO_ONLY: frozenset({Kind.AUDIO, Kind.PEAKS, Kind.METADATA}),
    PrivacyLevel.TRANSCRIPT_ONLY: frozenset({Kind.TRANSCRIPT, Kind.METADATA}),
    PrivacyLevel.METADATA_ONLY: frozenset({Kind.METADATA}),
    PrivacyLevel.DISABLED: frozenset(),
}


@dataclass(init=False, repr=False, eq=False, match_args=False)
class Warn(msgspec.Struct, frozen=True, gc=False):
    """Something about a session that a reader should know and that did not stop it.

    `code` is stable and in kebab-case, `file` a name inside the session's own bundle.
    """

    code: str
    text: str
    file: str | None = None

    def entry(self) -> dict[str, Json]:
        """Its entry in `warnings[]`; the file only where it is about one."""
        about: dict[str, Json] = {} if self.file is None else {"file": self.file}
        return {"code": self.code, "text": self.text, **about}


@dataclass(init=False, repr=False, eq=False, match_args=False)
class Participant(msgspec.Struct, frozen=True, gc=False):
    """Someone who spoke: `role` is user, agent or system.

    `data` is whatever else the source says of them, under its own names.
    """

    role: str
    name: str | None = None
    data: Mapping[str, Json] = msgspec.field(default_factory=dict)


@dataclass(init=False, repr=False, eq=False, match_args=False)
class Segment(msgspec.Struct, frozen=True, gc=False):
    """One turn of one speaker.

    `start_ns` and `end_ns` are the source's transport times; `decoded_ns` is the length
    of the audio in `file`, which may be quite another matter. None where unknown. `data`
    is whatever else the source says of it (confidence, words, language …), in its own names.
    """

    index: int
    role: str
    speaker: str | None
    start_ns: int
    end_ns: int
    decoded_ns: int | None
    text: str | None
    truncated: bool
    file: str | None
    data: Mapping[str, Json] = msgspec.field(default_factory=dict)


@dataclass(init=False, repr=False, eq=False, match_args=False)
class Event(msgspec.Struct, frozen=True, gc=False):
    """One entry of the timeline; `type` and `data` are the source's own."""

    seq: int
    type: str
    offset_ns: int
    data: Mapping[str, Json] = msgspec.field(default_factory=dict)


@dataclass(init=False, repr=False, eq=False, match_args=False)
class Annotation(msgspec.Struct, frozen=True):
    """Something said about a session, or about one place in it, later on.

    `target` is session, event, time_range, turn or message, and `where` says which one in the
    source's own words (sequence number, offsets, message id). `previous_id` names the version
    that this one replaces. `deleted` hides it and all it replaced.
    """

    id: str
    type: str
    key: str
    value: Json
    version: int = 1
    previous_id: str | None = None
    target: str = "session"
    where: Mapping[str, Json] = msgspec.field(default_factory=dict)
    deleted: bool = False
    data: Mapping[str, Json] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened when. Sealed in its own compartment."""

    segments: Sequence[Segment] = ()
    events: Sequence[Event] = ()
    annotations: Sequence[Annotation] = ()


@dataclass(frozen=True, slots=True)
class Original:
    """One file of a session as it came in.

    `name` is relative, POSIX, free of `..`; `open` gives a fresh binary stream of exactly
    `size_bytes` bytes each time it is called, or raises `BadInput`.
    """

    name: str
    kind: Kind
    media_type: str
    size_bytes: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format reader understood of one session, before anything is stored.

    `duration_ns` is the source's stated duration, else the end of the timeline.
    `metrics` are what the source itself states, under its own names; `source` is every other
    session-level field of it, kept so that writing the same format again loses nothing.
    `privacy_level` is the one the source was recorded under; a deposit may only narrow it.
    `inside` gives the recordings that lie inside an original, anew at each call and one at a
    time: each may be in memory until the next is asked for. None where there are none.
    """

    format: str
    external_id: str | None
    started_at: datetime | None
    duration_ns: int | None
    participants: Sequence[Participant]
    timeline: Timeline
    originals: Sequence[Original]
    metrics: Mapping[str, Json]
    warnings: Sequence[Warn] = ()
    title: str | None = None
    agent: str | None = None
    subjects: Sequence[str] = ()
    tags: Sequence[str] = ()
    source: Mapping[str, Json] = field(default_factory=dict)
    privacy_level: PrivacyLevel = PrivacyLevel.FULL
    inside: Callable[[], Iterable[Original]] | None = None

    def recordings(self) -> Iterator[Original]:
        """All its sound: the originals that are audio, and what lies inside others."""
        yield from (original for original in self.originals if original.kind is Kind.AUDIO)
        yield from self.inside() if self.inside is not None else ()


@dataclass(frozen=True, slots=True)
class Part:
    """A named run of plaintext inside a sealed object.

    Its bytes are the concatenation of `extents`, pairs of (offset, length) in the
    object's plaintext. `sha256` is the lower-case hex digest of those bytes.
    """

    name: str
    kind: Kind
    compartment: Compartment
    media_type: str
    size_bytes: int
    sha256: str
    extents: Sequence[tuple[int, int]]

    def entry(self) -> dict[str, Json]:
        """Its entry in `parts[]`, wherever a session is written down."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "compartment": self.compartment.value,
            "media_type": self.media_type,
            "bytes": self.size_bytes,
            "sha256": self.sha256,
        }
