"""The evidence book: what was done, in an order that nobody can change afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vault.model import Json
from vault.ports.finding import Finding


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: `type` in kebab-case, and its `body`: at, actor, ids.

    `once` names the thing itself: telling it again changes nothing. No personal data; what is free
    text goes in as a commitment.
    """

    type: str
    once: str
    body: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Proof:
    """That the ledger of `checkpoint` (a signed note) has an entry at `index`.

    `path` holds hashes of 32 bytes, from the leaf's sibling up.
    """

    index: int
    path: Sequence[bytes]
    checkpoint: bytes


class Ledger(Protocol):
    """An append-only log with a Merkle tree over it.

    `IntegrityError` where it was altered or rolled back, `BackendError` where it cannot be
    reached or written: then nothing that needs evidence may happen.
    """

    url: str

    def create(self) -> None:
        """Make it where there is none; idempotent."""
        ...

    def append(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Their indices, durable and in this order once this returns; all of them or none.

        One whose `once` is there already is not added again: the answer is the first one's index.
        """
        ...

    def certify(
        self, certificate_id: str, make: Callable[[], Mapping[str, Json]], entry: Entry
    ) -> bytes:
        """Sign the statement that `make` gives, append `entry` and keep both, in one step.

        `entry` is of the type `certificate-issued`; `certificate` and the statement's `sha256`
        are added to its body. The answer carries the proof that the entry is in this ledger
        (vault/ledger/certificate.py reads it). Where there is a certificate of that id already it
        is the answer, and nothing is made. `make` must not use the ledger for writing.
        """
        ...

    def certificate(self, certificate_id: str) -> bytes:
        """Raises `NotFound`."""
        ...

    def size(self) -> int: ...

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The entries [start, stop) as they were hashed, in order."""
        ...

    def find(self, once: str) -> int | None:
        """The index of what was told under that name."""
        ...

    def checkpoint(self) -> bytes:
        """A signed note of the present size and root, which is remembered."""
        ...

    def prove(self, index: int) -> Proof:
        """Raises `NotFound` for what is not there."""
        ...

    def verify(self) -> tuple[int, bytes]:
        """Read and hash everything again: size and root. Raises `IntegrityError`."""
        ...

    def export(self, folder: Path) -> Sequence[Path]:
        """Write C2SP tiles and a checkpoint, which verify without us; what is there is kept."""
        ...

    def probe(self) -> Sequence[Finding]:
        """What this ledger can and cannot promise; never raises."""
        ...

    def close(self) -> None:
        """Let go of what is open; using it again opens it again."""
        ...
