"""The erasure record: what was destroyed and held, kept apart from the catalogue's back-ups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from vault.model import Json
from vault.rows import ActRow


class ErasureRecord(Protocol):
    """Acts in order of their numbers, each with documents: all that it takes to do it again.

    Ids, sealed values and keyed hashes only. `BackendError` where it cannot be read or written,
    `IntegrityError` where it was altered.
    """

    def newest(self) -> ActRow | None:
        """The last act that was added whole; quick, however much there is."""
        ...

    def append(self, act: ActRow, documents: Iterable[Mapping[str, Json]]) -> None:
        """Add an act; durable once this returns. One of a number that is there adds nothing."""
        ...

    def acts(self, *, after: int) -> Iterator[tuple[ActRow, Iterator[Mapping[str, Json]]]]:
        """Those of higher numbers than `after`, in order, each with its documents."""
        ...
