"""What a session says about itself, as sealed JSON: its timeline and its metadata.

Both are compressed, sealed under their own compartments' keys, and lie in the catalogue,
so that a transcript can outlive the audio and a list needs no store.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from vault.errors import IntegrityError
from vault.model import (
    Annotation,
    Compartment,
    Event,
    Json,
    Part,
    Participant,
    Segment,
    Timeline,
    Warn,
)
from vault.operations.keys import DataKey, Keys
from vault.rows import SessionRow
from vault.seal import pack

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_VERSION = 1
#: What is as long fits into the smaller window.
_SHORT_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class Metadata:
    """What can name people and is not part of what was said.

    `annotations` are those made here; the source's own are in its timeline.
    """

    external_id: str | None = None
    title: str | None = None
    subjects: Sequence[str] = ()
    agent: str | None = None
    tags: Sequence[str] = ()
    participants: Sequence[Participant] = ()
    warnings: Sequence[Warn] = ()
    stated: Mapping[str, Json] = field(default_factory=dict)
    source: Mapping[str, Json] = field(default_factory=dict)
    annotations: Sequence[Annotation] = ()


def seal_timeline(key: DataKey, timeline: Timeline) -> bytes:
    """A timeline, sealed for its session."""
    return _seal(key, Compartment.TIMELINE, _fields(timeline))


def open_timeline(keys: Keys, session: SessionRow) -> Timeline:
    """The timeline of a stored session; an empty one where it was destroyed."""
    if not session.timeline:
        return Timeline()
    key = keys.data_key(session, Compartment.TIMELINE)
    document = _open(key, Compartment.TIMELINE, session.timeline)
    return Timeline(
        segments=tuple(Segment(**s) for s in document["segments"]),
        events=tuple(Event(**e) for e in document["events"]),
        annotations=tuple(Annotation(**a) for a in document.get("annotations", ())),
    )


def seal_metadata(key: DataKey, metadata: Metadata) -> bytes:
    """Metadata, sealed for its session."""
    return _seal(key, Compartment.METADATA, _fields(metadata))


def open_metadata(keys: Keys, session: SessionRow) -> Metadata:
    """The metadata of a stored session; none where it was destroyed."""
    if not session.metadata:
        return Metadata()
    return metadata_of(keys.data_key(session, Compartment.METADATA), session)


def metadata_of(key: DataKey, session: SessionRow) -> Metadata:
    """The same, under a key that is at hand."""
    document = _open(key, Compartment.METADATA, session.metadata)
    return replace(
        Metadata(**document),
        participants=tuple(Participant(**p) for p in document["participants"]),
        warnings=tuple(Warn(**w) for w in document["warnings"]),
        annotations=tuple(Annotation(**a) for a in document.get("annotations", ())),
    )


def seal_manifest(
    key: DataKey, object_id: str, parts: Sequence[Part], warnings: Sequence[Warn] = ()
) -> bytes:
    """Which parts lie where in an object, and what was noticed while it was made."""
    document = {"pack": pack.dump(parts).decode(), "warnings": list(warnings)}
    return key.seal_value("manifest", object_id, _squeeze(document))


def open_manifest(
    key: DataKey, object_id: str, sealed: bytes, compartment: Compartment
) -> tuple[list[Part], list[Warn]]:
    """The parts and warnings of a stored object."""
    document = _expand(key.open_value("manifest", object_id, sealed))
    parts = pack.load(document["pack"].encode(), compartment)
    return parts, [Warn(**w) for w in document["warnings"]]


def _seal(key: DataKey, kind: Compartment, document: dict[str, Any]) -> bytes:
    return key.seal_value(kind, key.session_id, _squeeze({"version": _VERSION, **document}))


def _open(key: DataKey, kind: Compartment, sealed: bytes) -> dict[str, Any]:
    document = _expand(key.open_value(kind, key.session_id, sealed))
    if document.pop("version") != _VERSION:
        raise IntegrityError("This session was described by a newer version of strongroom.")
    return document


def _squeeze(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, separators=(",", ":"), default=_fields).encode()
    # Making room for a large window costs ten times as much as a short text itself.
    room = (zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL) if len(text) > _SHORT_BYTES else (12, 5)
    compressor = zlib.compressobj(1, zlib.DEFLATED, *room)
    return compressor.compress(text) + compressor.flush()


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any of our dataclasses
    """The fields of a value by name; unlike `asdict` it copies nothing."""
    return {name: getattr(value, name) for name in _names(value.__class__)}


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


def _expand(squeezed: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(zlib.decompress(squeezed))
    return document
