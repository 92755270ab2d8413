"""What an installation can and cannot promise, in lines that `doctor` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what an installation can and cannot promise, as `doctor` prints it."""

    name: str
    ok: bool
    detail: str
