"""What the catalogue and a session look like to the outside: the documents of the contract."""

from __future__ import annotations

from dataclasses import asdict

from vault.model import Compartment, Json, Kind
from vault.operations.outcome import Deposited
from vault.operations.retrieve import Opened
from vault.replay import metrics
from vault.rows import SessionRow

#: Which element, the unit of a later decision, a part belongs to.
_ELEMENTS = {
    (Compartment.ORIGINAL, Kind.AUDIO): "original_audio",
    (Compartment.DERIVED, Kind.AUDIO): "original_audio",
    (Compartment.DERIVED, Kind.PEAKS): "original_audio",
    (Compartment.ANALYSIS, Kind.TRANSCRIPT): "analysis",
    (Compartment.DERIVED, Kind.TRANSCRIPT): "analysis",  # of sessions from before it had a key
    (Compartment.ORIGINAL, Kind.OTHER): "original_audio",  # unknown bytes fare like the strictest
    (Compartment.ORIGINAL, Kind.TRANSCRIPT): "transcript",
    (Compartment.ORIGINAL, Kind.METADATA): "metadata",
}


def deposited(answer: Deposited) -> dict[str, Json]:
    """One entry of `sessions[]` in the answer to a deposit."""
    return {
        "path": str(answer.path),
        "id": answer.id,
        "external_id": answer.external_id,
        "format": answer.format,
        "state": answer.state.value,
        "duration_ns": answer.duration_ns,
        "warnings": [warning.entry() for warning in answer.warnings],
        "originals": [
            {"name": p.name, "bytes": p.size_bytes, "sha256": p.sha256} for p in answer.originals
        ],
        "already": answer.already,
    }


def summary(row: SessionRow) -> dict[str, Json]:
    """One entry of `sessions[]` in a list: what the catalogue knows in clear."""
    return {
        "id": row.id,
        "format": row.format,
        "state": row.state.value,
        "started_at": row.started_at.isoformat(),
        "ended_at": row.ended_at.isoformat(),
        "duration_ns": row.duration_ns,
        "deposited_at": row.deposited_at.isoformat(),
        "privacy_level": row.privacy_level.value,
        "class": row.class_name,
        "jurisdictions": list(row.jurisdictions),
        "regimes": list(row.regimes),
    }


def session(opened: Opened) -> dict[str, Json]:
    """Everything about one session but the bytes of its parts."""
    metadata, timeline = opened.metadata(), opened.timeline()
    return {
        **summary(opened.row),
        "external_id": metadata.external_id,
        "title": metadata.title,
        "subjects": list(metadata.subjects),
        "agent": metadata.agent,
        "tags": list(metadata.tags),
        "participants": [asdict(p) for p in metadata.participants],
        "segments": [asdict(s) for s in timeline.segments],
        "events": [asdict(e) for e in timeline.events],
        "parts": [part.entry() for part in opened.parts],
        "metrics": {
            **metrics.measure(timeline, opened.row.duration_ns),
            "stated": dict(metadata.stated),
        },
        "elements": _elements(opened),
        "holds": [],
        "consent": {"state": "unknown", "stated": _consents(metadata.source.get("consent"))},
        "jobs": [{"name": j.name, "state": j.state, "attempts": j.attempts} for j in opened.jobs],
        "warnings": [warning.entry() for warning in opened.warnings()],
    }


def _consents(stated: Json) -> list[Json]:
    """What a source states of consent, each by itself; not every source has a list of them."""
    return stated if isinstance(stated, list) else [] if stated is None else [stated]


def _elements(opened: Opened) -> list[Json]:
    """The elements a session has. No policy decides yet, and this does not pretend that one did."""
    present = {_ELEMENTS[p.compartment, p.kind] for p in opened.parts} | {"metadata"}
    if any(s.text for s in opened.timeline().segments):
        present.add("transcript")
    return [
        {
            "element": name,
            "class": opened.row.class_name,
            "decision": None,
            "not_before": None,
            "due_by": None,
            "reasons": [],
        }
        for name in sorted(present)
    ]
