"""The answer to a deposit: what is in the archive now, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vault.errors import StrongroomError
from vault.model import Part, State, Warn


@dataclass(frozen=True, slots=True)
class Deposited:
    """One session that is in the archive now; `already` if it was before."""

    path: Path
    id: str
    external_id: str | None
    format: str
    state: State
    duration_ns: int | None
    warnings: Sequence[Warn]
    originals: Sequence[Part]
    already: bool


@dataclass(slots=True)
class Outcome:
    """What became of everything that was given; `note` says what keeps jobs waiting."""

    sessions: list[Deposited] = field(default_factory=list)
    refused: list[tuple[Path, StrongroomError]] = field(default_factory=list)
    note: str | None = None
