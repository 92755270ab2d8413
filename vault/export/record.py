"""What an export is made of: stored sessions, and what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from vault.formats.fields import Notes
from vault.formats.promptkit_writer import Options
from vault.formats.vcon_envelope import Envelope
from vault.model import Annotation, Json, Original, Part, Reading, Warn
from vault.replay import metrics

_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Record:
    """One stored session, and all that an export may show of it.

    `session` is what its source said, as when it was read; its originals open to verified
    bytes. `parts` are all that is stored of it, `warnings` all that was noticed, `analyses`
    what `vault.replay.analysis` makes of it. `said` are all annotations, also those that hold no
    more; only where what came may go out as it is. Where it is not `measured` no figure is shown.
    """

    id: str
    state: str
    started_at: datetime
    ended_at: datetime
    deposited_at: datetime
    privacy_level: str
    class_name: str
    jurisdictions: Sequence[str]
    regimes: Sequence[str]
    session: Reading
    parts: Sequence[Part] = ()
    warnings: Sequence[Warn] = ()
    analyses: Callable[[], Mapping[str, Json]] = dict
    said: Sequence[Annotation] = ()
    measured: bool = True

    @property
    def name(self) -> str:
        """What people call it: its title, else the source's own id, else ours."""
        return self.session.title or self.session.external_id or self.id

    @property
    def people(self) -> str:
        """Who took part, each with their role."""
        found = self.session.participants
        return ", ".join(f"{p.name} ({p.role})" if p.name else p.role for p in found)


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. `notes` gathers what a writer leaves out, and why.

    `scope` is one of the six of `vault/export/README.md`, `originals` puts the files as they
    came into a bundle, `layout` is one of `vault.export.audio.LAYOUTS`, and `manifest` puts
    the list of segments beside those of a scenario bundle. `envelope` is put around a vCon,
    and `promptkit` is what a PromptKit recording says of itself. `verbatim` lets out what came
    and was not understood; never where somebody is to be made anonymous.
    """

    made_at: datetime
    scope: str = "single_session"
    originals: bool = False
    layout: str = "timeline"
    manifest: bool = True
    envelope: Envelope | None = None
    promptkit: Options | None = None
    verbatim: bool = True
    notes: Notes = field(default_factory=Notes)

    def left(self, code: str, text: str, record: Record, file: str | None = None) -> None:
        """Note what is left out of a session; neither content nor a name of a person."""
        self.notes.add(code, text, record.id if file is None else f"{record.id}/{file}")


def head(order: Order) -> dict[str, Json]:
    """What every machine-readable export says about itself."""
    return {"strongroom_export": 1, "made_at": order.made_at.isoformat(), "scope": order.scope}


def document(record: Record) -> dict[str, Json]:
    """Everything about one session but the bytes of its parts, as JSON."""
    session, timeline = record.session, record.session.timeline
    return {
        "id": record.id,
        "external_id": session.external_id,
        "title": session.title,
        "format": session.format,
        "state": record.state,
        "started_at": record.started_at.isoformat(),
        "ended_at": record.ended_at.isoformat(),
        "duration_ns": session.duration_ns,
        "deposited_at": record.deposited_at.isoformat(),
        "privacy_level": record.privacy_level,
        "class": record.class_name,
        "jurisdictions": list(record.jurisdictions),
        "regimes": list(record.regimes),
        "subjects": list(session.subjects),
        "agent": session.agent,
        "tags": list(session.tags),
        "participants": plain(session.participants),
        "segments": plain(timeline.segments),
        "events": plain(timeline.events),
        "annotations": plain(timeline.annotations),
        "metrics": measured(record),
        "analyses": dict(record.analyses()),
        "parts": [part.entry() for part in record.parts],
        "source": dict(session.source),
        "warnings": [warning.entry() for warning in record.warnings],
    }


def measured(record: Record) -> dict[str, Json]:
    """The metrics of the timeline, and beside them what the source states itself; or nothing."""
    if not record.measured:
        return {}
    found = metrics.measure(record.session.timeline, record.session.duration_ns)
    return {**found, "stated": dict(record.session.metrics)}


def plain(value: Any) -> Any:  # noqa: ANN401  any value of the model
    """A value of the model as JSON."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.value if isinstance(value, Enum) else value


def blocks(original: Original) -> Iterator[bytes]:
    """The bytes of one original."""
    with original.open() as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block
