"""Why a recording is not taken: a few stable reasons that say nothing of what it holds."""

from __future__ import annotations

from vault.errors import BadInput

REASONS = {
    "empty": "There is no audio in this file.",
    "no-audio": "This file holds no sound track.",
    "undecodable": "This audio cannot be decoded.",
    "timeout": "This audio took too long to decode.",
    "too-large": "This audio is larger than the limits allow.",
    "too-many-channels": "This audio has more than eight channels.",
    "unsupported": "This archive does not read that container.",
}


def refuse(reason: str) -> BadInput:
    """The error for one of the `REASONS`; its message ends in the reason, in brackets."""
    return BadInput(f"{REASONS[reason]} ({reason})")
