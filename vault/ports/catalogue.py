"""The catalogue, and what makes a unit of work on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from vault.ports.finding import Finding
from vault.ports.transaction import Transaction


class Catalogue(Protocol):
    """The truth about what is archived.

    No answer: `BackendError(retryable=True)`. No catalogue, or a schema that is not this
    program's: `BackendError` that says what to do.
    """

    url: str

    def create(self) -> None:
        """Make or migrate the schema; idempotent."""
        ...

    def migrate(self) -> None:
        """Migrate the schema that is there; `BackendError`, and nothing made, if there is none."""
        ...

    def put_back(self, copy: Path) -> None:
        """Replace everything by what the catalogue in the file `copy` holds, at once or not at all.

        Its schema stays as old as it is: `migrate` next. Nobody may be at work meanwhile.
        Raises `BadInput` where `copy` is no whole catalogue, `Refused` where a server's own tools
        do this.
        """
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commits on a clean exit, rolls back on any exception. Durable once it returns."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Held while objects are put that the catalogue does not know yet. Shared by any
        number of processes and threads, on any host, and released when a process dies.
        """
        ...

    def exclusive(self, *, timeout_seconds: float) -> AbstractContextManager[None]:
        """Held while orphans are removed: nobody is `writing`. `Refused` on a time-out."""
        ...

    def probe(self) -> Sequence[Finding]:
        """What this database can and cannot promise; never raises."""
        ...

    def close(self) -> None: ...
