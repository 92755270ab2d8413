"""The operations of S3 that a bucket is kept with, as a client library must offer them.

One class of calls for each library: `s3.Boto3Calls`, `minio.MinioCalls`. They translate the
library's errors (see failures.py), retry within the library, and know nothing of our keys:
a `name` is the object's whole name in the bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.ports import Lock

#: What S3 calls the only version of an object in a bucket without versions.
UNVERSIONED = "null"
#: What a client is given: how long one answer may take, how often one thing is asked in all,
#: and how many connections are kept.
TIMEOUT_SECONDS = 60.0
ATTEMPTS = 4
CONNECTIONS = 32
#: Where a listing begins: at a name, and a version of it.
Marker = tuple[str, str]
START: Marker = ("", "")


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one object, as the store lists it."""

    name: str
    version: str
    size_bytes: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Some versions, and where the listing goes on; None if it does not."""

    entries: Sequence[Entry]
    then: Marker | None


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer whose body is an object's: what it says of itself, believed by nobody yet.

    `read` gives at most so many bytes, none at the end. `close` may be called at any time.
    """

    version: str
    content_range: str
    size_bytes: int | None
    read: Callable[[int], bytes]
    close: Callable[[], None]


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

    def read(self, name: str, version: str, start: int, stop: int | None) -> Opened:
        """Asks for the bytes [start, stop): without a range if that is all there are.

        Raises an `AnswerError` of status 416 if there is no byte from `start` on.
        """
        ...

    def head(self, name: str, version: str | None = None) -> Entry:
        """The version that the store says it found, the newest if none is named."""
        ...

    def versions(self, prefix: str, after: Marker) -> Page:
        """The versions under `prefix` that come after `after`, delete markers left out."""
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

    def exists(self) -> bool:
        """Whether there is such a bucket."""
        ...

    def make(self) -> None:
        """Make the bucket with Object Lock, and so with versions."""
        ...
