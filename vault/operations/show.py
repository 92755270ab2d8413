"""What a session looks like to the outside: the document of the contract."""

from __future__ import annotations

from dataclasses import asdict

from vault.model import Json
from vault.operations import disposal, explain, holds, judgement, processing
from vault.operations.elements import carried
from vault.operations.facts import consent
from vault.operations.listing import summary
from vault.operations.retrieve import Opened
from vault.replay import metrics


def session(opened: Opened) -> dict[str, Json]:
    """Everything about one session but the bytes of its parts; of an erased one what is left."""
    room, row = opened.room, opened.row
    metadata, timeline = opened.metadata(), opened.timeline()
    decided = _decided(opened)
    return {
        **summary(row),
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
            **metrics.measure(timeline, row.duration_ns),
            "stated": dict(metadata.stated),
        },
        **decided,
        "holds": list[Json](holds.holds_of(room, row.id)),
        "certificates": list[Json](disposal.certificates(room, row.id)),
        "jobs": [{"name": j.name, "state": j.state, "attempts": j.attempts} for j in opened.jobs],
        "warnings": [warning.entry() for warning in opened.warnings()],
    }


def _decided(opened: Opened) -> dict[str, Json]:
    """What the policies in force say of it, what was applied to it, and what stands of consent."""
    room, row, now = opened.room, opened.row, opened.room.clock.now()
    lies = carried((p.compartment, p.kind) for p in opened.parts)
    packs = room.policies.active()
    with room.catalogue.transaction() as tx:
        judged = judgement.judge(tx, row, lies, packs, now)
        applied = [processing.entry(one) for one in tx.applied(row.id)]
        subjects = [one.hash for one in tx.lookups(row.id) if one.kind == "subject"]
        said = [one for subject in subjects for one in tx.consents(room.tenant, subject)]
    return {
        "elements": explain.elements(judged.decisions, row.class_name),
        "processing": list[Json](applied),
        "consent": {
            "state": consent(said, now).value,
            "stated": _consents(opened.metadata().source.get("consent")),
        },
    }


def _consents(stated: Json) -> list[Json]:
    """What a source states of consent, each by itself; not every source has a list of them."""
    return stated if isinstance(stated, list) else [] if stated is None else [stated]
