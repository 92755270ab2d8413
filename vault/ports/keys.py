"""The service that keeps the root key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from vault.ports.finding import Finding


class KeyManagement(Protocol):
    """Wraps key-encryption keys under a root key that never leaves it.

    `context` is bound as associated data: unwrapping with any other context raises
    `IntegrityError`, as does any flipped bit. A root key that is gone or disabled raises
    `NotFound`. No answer: `BackendError(retryable=True)`. Wrong passphrase, no permission:
    `BackendError(retryable=False)`.
    """

    url: str

    def create(self) -> None:
        """Make the root key where there is none; idempotent."""
        ...

    def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """`key` (32 bytes) wrapped under the newest root version. Never twice the same bytes."""
        ...

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """The key again, whichever root version wrapped it."""
        ...

    def version_of(self, wrapped: bytes) -> str:
        """Which root version wrapped it, without asking anyone."""
        ...

    def rotate(self) -> str:
        """Make a new root version for the wraps to come and name it; old wraps still unwrap."""
        ...

    def probe(self) -> Sequence[Finding]:
        """What this root key can and cannot promise; never raises."""
        ...
