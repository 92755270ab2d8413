"""What a certificate of destruction states, in the order of the form of NIST SP 800-88.

The medium is the sealed object; its serial number is the key that is gone; the method is
cryptographic erase, a kind of purge. Ids, digests and instants only: no personal data.

Source: NIST SP 800-88, certificate of sanitization
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from vault.model import Json


@dataclass(frozen=True, slots=True)
class Medium:
    """One version of a sealed object that can never be opened again; `sha256` is of its bytes."""

    key: str
    version: str
    size_bytes: int
    sha256: str

    def entry(self) -> dict[str, Json]:
        """Its entry in `media[]`."""
        named: dict[str, Json] = {"key": self.key, "version": self.version}
        return {**named, "bytes": self.size_bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Act:
    """Who did it, when, and how; `by` is pseudonymous."""

    by: str
    at: datetime
    method: str

    def entry(self) -> dict[str, Json]:
        """Its part of the statement."""
        return {"by": self.by, "at": self.at.isoformat(), "method": self.method}


@dataclass(frozen=True, slots=True)
class Destruction:
    """Elements of one session, gone. `authority` names the plan or request it was done for.

    `keys` are ids of destroyed keys, `entries` the ledger's indices of what was done, by type.
    `horizon_at` is when no back-up can bring the keys back any more; None where nobody knows.
    """

    certificate: str
    archive: str
    session: str
    elements: Sequence[str]
    keys: Sequence[str]
    media: Sequence[Medium]
    sanitization: Act
    verification: Act
    authority: Mapping[str, Json]
    reasons: Sequence[Mapping[str, Json]]
    entries: Mapping[str, int]
    horizon_at: datetime | None
    tool: str
    test_clock: bool = False

    def statement(self) -> dict[str, Json]:
        """What is signed."""
        clock: dict[str, Json] = {"test_clock": True} if self.test_clock else {}
        horizon = None if self.horizon_at is None else self.horizon_at.isoformat()
        return {
            "kind": "certificate-of-destruction",
            "certificate": self.certificate,
            "standard": "NIST SP 800-88",
            "archive": self.archive,
            "source": {"session": self.session, "elements": list(self.elements)},
            "media_type": "sealed object",
            "media": [medium.entry() for medium in self.media],
            "serials": list(self.keys),
            "sanitization": {
                "category": "purge",
                "technique": "cryptographic erase",
                "tool": self.tool,
                **self.sanitization.entry(),
            },
            "verification": self.verification.entry(),
            "destination": "destroyed",
            "authority": dict(self.authority),
            "reasons": [dict(reason) for reason in self.reasons],
            "entries": dict(self.entries),
            "backup": {"horizon_at": horizon},
            **clock,
        }
