"""A unit of work on the catalogue: everything that can be asked and done at once."""

from __future__ import annotations

from typing import Protocol

from vault.ports.governance import (
    ActWork,
    ConsentWork,
    DisposalWork,
    EvidenceWork,
    HoldWork,
    RequestWork,
)
from vault.ports.sealing import KeyWork
from vault.ports.sessions import ActorWork, ObjectWork, SessionWork
from vault.ports.work import JobWork


class Transaction(
    SessionWork,
    ObjectWork,
    KeyWork,
    JobWork,
    ActorWork,
    HoldWork,
    ConsentWork,
    RequestWork,
    DisposalWork,
    EvidenceWork,
    ActWork,
    Protocol,
):
    """One unit of work on the catalogue; visible to others all at once or not at all."""
