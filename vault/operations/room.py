"""The room an operation works in: the ports it may use and who is acting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vault.operations.keys import Keys
from vault.operations.policy import Policies
from vault.ports import Catalogue, Clock, ErasureRecord, KeyManagement, Ledger, ObjectStore, Queue
from vault.rows import ActorRow

#: Told on long work: what is being done, how much is done, how much there is (None: unknown).
Progress = Callable[[str, int, int | None], None]


def silent(_what: str, _done: int, _total: int | None) -> None:
    """The progress of one who does not watch."""


@dataclass(frozen=True, slots=True)
class Room:
    """Everything an operation needs. `jobs` finds the handler of a job by its name.

    A job that the broker was told of, and nobody took in `redeliver_seconds`, is told again.
    """

    archive_id: str
    tenant: str
    catalogue: Catalogue
    store: ObjectStore
    kms: KeyManagement
    clock: Clock
    keys: Keys
    actor: ActorRow
    jobs: Mapping[str, Callable[..., None]]
    queue: Queue | None
    redeliver_seconds: int
    default_class: str
    consent_required: bool
    ledger: Ledger
    policies: Policies
    erasure: ErasureRecord
    test_clock: bool = False

    def store_key(self, object_id: str) -> str:
        """Where an object lies in the store; archives that share a bucket never meet."""
        return f"{self.archive_id}/{object_id[-2:]}/{object_id}"
