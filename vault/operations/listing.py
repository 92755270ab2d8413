"""What a list, and the answer to a deposit, say of a session.

Apart from `show.py`, because who lists decides nothing, and starts sooner without what decides.
"""

from __future__ import annotations

from vault.model import Json
from vault.operations.outcome import Deposited
from vault.rows import SessionRow


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
