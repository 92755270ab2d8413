"""The operations of S3 that a bucket is kept with, as a client library must offer them.

One class of calls for each library: `s3.Boto3Calls`, `minio.MinioCalls`. They translate the
library's errors (see failures.py), retry within the library, and know nothing of our keys:
a `name` is the object's whole name in the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.ports import Lock

#: What S3 calls the only version of an object in a bucket without versions.
UNVERSIONED = "null"


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one object, as the store lists it."""

    name: str
    version: str
    size_bytes: int
    stored_at: datetime


class Calls(Protocol):
    """What both client libraries can do.

    Missing objects raise `NotFound`, refusals `AnswerError`, silence
    `BackendError(retryable=True)`.
    """

    def put(
        self,
        name: str,
        body: bytearray,
        sha256: bytes,
        lock: Lock | None = None,
        *,
        new: bool = False,
    ) -> str | None:
        """Store `body`, declaring its digest; the version, if told. `new`: only if absent."""
        ...

    def start(self, name: str, lock: Lock | None) -> str:
        """Begin an upload in parts; its id."""
        ...

    def send_part(self, name: str, upload: str, number: int, body: bytearray) -> str:
        """Store part `number`, from 1; its ETag."""
        ...

    def complete(self, name: str, upload: str, etags: Sequence[str]) -> str | None:
        """Make one object of the parts; the version, if told."""
        ...

    def abort(self, name: str, upload: str) -> None:
        """Drop an upload and its parts. One that is gone is no error."""
        ...

    def uploads(self, prefix: str) -> Sequence[tuple[str, str]]:
        """Some of the uploads under way, as (name, id); empty if there are none."""
        ...

    def read(self, name: str, version: str, start: int, stop: int | None) -> Iterator[bytes]:
        """The bytes [start, stop) in blocks of at most 1 MiB.

        The request is made at once, the body read as it is asked for. Raises an `AnswerError`
        of status 416 if there is no byte from `start` on.
        """
        ...

    def head(self, name: str, version: str | None = None) -> Entry:
        """The version that the store says it found, the newest if none is named."""
        ...

    def versions(self, prefix: str) -> Iterator[Entry]:
        """Every version under `prefix`, delete markers left out."""
        ...

    def remove(self, name: str, version: str, *, bypass: bool = False) -> None:
        """Remove a version for good; `bypass` passes over a governance lock."""
        ...

    def retention(self, name: str, version: str) -> Lock | None:
        """The lock on a version. Raises a `AnswerError` with a code of `NO_LOCK` for none."""
        ...

    def retain(self, name: str, version: str, lock: Lock) -> None:
        """Set the lock on a version."""
        ...

    def legal_hold(self, name: str, version: str) -> bool:
        """Whether a hold stands. Raises a `AnswerError` with a code of `NO_LOCK` for none."""
        ...

    def set_legal_hold(self, name: str, version: str, *, on: bool) -> None:
        """Set or lift the hold on a version."""
        ...

    def create(self) -> None:
        """Make the bucket with Object Lock, and so with versions, unless it exists."""
        ...
