"""Keys at work: new data keys for a deposit, the right one for a reader, rotation.

Bucket keys K are cached for a short while, data keys D never. Whether a key may still be
used is asked of the catalogue each time, so a key destroyed by another process is closed
here at once, cached or not.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from policies.model import RetentionClass
from vault.errors import BackendError, NotFound, Refused
from vault.model import Compartment
from vault.operations.spelling import normalise
from vault.ports import Buffer, Catalogue, Clock, KeyManagement, Transaction
from vault.rows import KeyRow, RecordRow, SessionRow
from vault.seal import keys, stream

_CACHE_SECONDS = 300
_CACHE_KEYS = 256
_BATCH = 500
#: The bucket of the key that look-ups and names of actors depend on. It is never rotated,
#: for every keyed hash in the catalogue would have to be made anew from what only sealed
#: values know; a new root key re-wraps it like any other.
TENANT_BUCKET = "tenant"


def _as_it_is() -> None:
    """Of a catalogue that nothing is known against."""


def bucket_of(kept: RetentionClass, started_at: datetime) -> str:
    """The key bucket: retention class and expiry month, as in `long/2027-11`."""
    until = kept.expires_at(started_at)
    return kept.name if until is None else f"{kept.name}/{until:%Y-%m}"


@dataclass(frozen=True, slots=True)
class DataKey:
    """D of one session and compartment, and all that is done with it."""

    tenant: str
    session_id: str
    key: bytes

    def _of(self, kind: str, object_id: str) -> tuple[bytes, bytes]:
        return (
            keys.object_key(self.key, kind, object_id),
            keys.object_context(self.tenant, self.session_id, object_id, kind),
        )

    def seal(self, kind: str, object_id: str, blocks: Iterable[Buffer]) -> Iterator[bytes]:
        """The sealed object of `blocks`."""
        return stream.seal(*self._of(kind, object_id), blocks)

    def seal_value(self, kind: str, object_id: str, plaintext: bytes) -> bytes:
        """A small sealed value, for a catalogue column."""
        return stream.seal_bytes(*self._of(kind, object_id), plaintext)

    def open_value(self, kind: str, object_id: str, sealed: bytes) -> bytes:
        """A small value again."""
        return stream.open_bytes(*self._of(kind, object_id), sealed)

    def reader(
        self,
        kind: str,
        object_id: str,
        fetch: Callable[[int, int], Iterable[Buffer]],
        sealed_bytes: int,
    ) -> stream.RangeReader:
        """A range reader over a stored object."""
        return stream.RangeReader(*self._of(kind, object_id), fetch, sealed_bytes)


class Keys:
    """The key hierarchy of one tenant, over a catalogue and a KMS.

    `expect_current` raises what keeps the keys of sessions from being used, new ones too.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        kms: KeyManagement,
        clock: Clock,
        tenant: str,
        expect_current: Callable[[], None] = _as_it_is,
    ) -> None:
        self.expect_current = expect_current
        self._catalogue = catalogue
        self._kms = kms
        self._clock = clock
        self._tenant = tenant
        self._cache: dict[bytes, tuple[float, bytes]] = {}
        self._lock = threading.Lock()
        self._tenant_row: KeyRow | None = None  # never rotated, so read once

    # --- data keys -----------------------------------------------------------------------

    def new_data_key(self, session_id: str) -> DataKey:
        """A fresh D; worth nothing until `record` has wrapped it and a transaction kept it."""
        self.expect_current()
        return DataKey(self._tenant, session_id, keys.new_key())

    def record(self, kek: KeyRow, data_key: DataKey, compartment: Compartment) -> RecordRow:
        """`data_key` wrapped by `kek`, to be added to the catalogue."""
        place = self._place(kek, data_key.session_id, compartment)
        wrapped = keys.wrap(self._unwrapped(kek), kek.id, data_key.key, place)
        return RecordRow(data_key.session_id, compartment, kek.id, wrapped)

    def data_key(self, session: SessionRow, compartment: Compartment) -> DataKey:
        """D of a stored session; `NotFound` once its record or key has been destroyed."""
        self.expect_current()
        with self._catalogue.transaction() as tx:
            row = tx.record(session.id, compartment)
            kek = tx.key(row.key_id)
        place = self._place(kek, session.id, compartment)
        key = keys.unwrap(self._unwrapped(kek), row.record, place)
        return DataKey(self._tenant, session.id, key)

    def active(self, bucket: str) -> KeyRow:
        """The key that wraps new records of `bucket`; made if there is none."""
        while True:
            with self._catalogue.transaction() as tx:
                row = tx.active_key(self._tenant, bucket)
            if row is not None:
                return row
            new = self._new_kek(bucket, generation=1)
            with self._catalogue.transaction() as tx:
                tx.add_key(new)

    # --- look-ups --------------------------------------------------------------------------

    def lookup(self, kind: str, value: str) -> bytes:
        """The keyed hash by which `value` can be found. HMAC-SHA256, 32 bytes."""
        return self.keyed_hash(f"lookup/{kind}", normalise(kind, value).encode())

    def keyed_hash(self, purpose: str, value: bytes) -> bytes:
        """A hash nobody can try values against without the tenant's key."""
        key = keys.object_key(self._tenant_root(), "keyed-hash", purpose)
        return hmac.digest(key, value, "sha256")

    def tenant_key(self) -> DataKey:
        """Seals what belongs to the archive and to no session, such as the names of actors."""
        root = self._tenant_root()
        return DataKey(self._tenant, "", keys.object_key(root, "data-key", self._tenant))

    def _tenant_root(self) -> bytes:
        if self._tenant_row is None:
            self._tenant_row = self.active(TENANT_BUCKET)
        try:
            return self._unwrapped(self._tenant_row)
        except NotFound as error:
            # No session was asked for yet: it is the archive that cannot be opened.
            raise BackendError(str(error)) from error

    # --- rotation --------------------------------------------------------------------------

    def rotate(self, tell: Callable[[int, int], None]) -> dict[str, int | bool]:
        """New generations for every bucket, and every record re-wrapped; objects stay as they are.

        Resumable: after a crash the next call finishes what was begun before it begins anew.
        `tell(done, total)` is called after each batch.
        """
        with self._catalogue.transaction() as tx:
            counts = tx.count_records()
            rows = tx.keys()
        left = [k for k in rows if k.state == "retired"]
        resumed = any(counts.get(k.id) for k in left)
        if not resumed:
            left = left + self._retire_all([k for k in rows if k.state == "active"])
        total = sum(counts.get(k.id, 0) for k in left)
        done = 0
        for old in left:
            for moved in self._rewrap(old):
                done += moved
                tell(done, total)
        return {"records": done, "keys": len(left), "resumed": resumed}

    def rotate_root(self) -> dict[str, int | str]:
        """A new root version, and every key wrapped by it. Resumable: call it again."""
        version = self._kms.rotate()
        moved = 0
        with self._catalogue.transaction() as tx:
            rows = tx.keys()
        for row in rows:
            if row.wrapped is None or self._kms.version_of(row.wrapped) == version:
                continue
            wrapped = self._kms.wrap(self._unwrapped(row), self._context(row))
            with self._catalogue.transaction() as tx:
                now = tx.key(row.id)
                if now.wrapped is not None:
                    tx.set_key(row.id, state=now.state, wrapped=wrapped)
                    moved += 1
        return {"root": version, "keys_rewrapped": moved}

    def _retire_all(self, active: list[KeyRow]) -> list[KeyRow]:
        """One step for all buckets: the next generation begins, the present one retires."""
        old = [k for k in active if k.bucket != TENANT_BUCKET and k.tenant == self._tenant]
        new = [self._new_kek(k.bucket, k.generation + 1) for k in old]
        with self._catalogue.transaction() as tx:
            for k, successor in zip(old, new, strict=True):
                tx.set_key(k.id, state="retired", wrapped=k.wrapped)
                if not tx.add_key(successor):
                    raise Refused("Another rotation is under way; let it finish.")
        return old

    def _rewrap(self, old: KeyRow) -> Iterator[int]:
        """Move the records of a retired key to its bucket's active one, batch by batch."""
        while True:
            new = self.active(old.bucket)
            before, after = self._unwrapped(old), self._unwrapped(new)
            with self._catalogue.transaction() as tx:
                if not self.still_active(tx, [new]):
                    continue
                rows = tx.records_under(old.id, limit=_BATCH)
                for row in rows:
                    place = self._place(old, row.session_id, row.compartment)
                    dek = keys.unwrap(before, row.record, place)
                    place = self._place(new, row.session_id, row.compartment)
                    record = keys.wrap(after, new.id, dek, place)
                    tx.replace_record(RecordRow(row.session_id, row.compartment, new.id, record))
                if not rows:
                    tx.destroy_unused_key(old.id)
                    return
            yield len(rows)

    @staticmethod
    def still_active(tx: Transaction, rows: Iterable[KeyRow]) -> bool:
        """Whether these keys may still take records; they stay so until `tx` ends."""
        return all(row.state == "active" for row in tx.keys_shared([r.id for r in rows]))

    # --- bucket keys -----------------------------------------------------------------------

    def _new_kek(self, bucket: str, generation: int) -> KeyRow:
        row = KeyRow(
            id=os.urandom(16),
            tenant=self._tenant,
            bucket=bucket,
            generation=generation,
            state="active",
            wrapped=None,
            created_at=self._clock.now(),
        )
        wrapped = self._kms.wrap(keys.new_key(), self._context(row))
        return KeyRow(row.id, row.tenant, bucket, generation, "active", wrapped, row.created_at)

    def _unwrapped(self, row: KeyRow) -> bytes:
        """K of a row that the catalogue has just shown; one flight to the KMS per miss."""
        if row.state == "destroyed" or row.wrapped is None:
            raise NotFound("The key of this was destroyed; nobody can open it any more.")
        with self._lock:
            expires, key = self._cache.get(row.id, (0.0, b""))
            if time.monotonic() < expires:
                return key
            key = self._kms.unwrap(row.wrapped, self._context(row))
            if len(self._cache) >= _CACHE_KEYS:
                self._cache.clear()
            self._cache[row.id] = (time.monotonic() + _CACHE_SECONDS, key)
            return key

    @staticmethod
    def _context(row: KeyRow) -> Mapping[str, str]:
        return {
            "tenant": row.tenant,
            "bucket": row.bucket,
            "generation": str(row.generation),
            "key": row.id.hex(),
        }

    @staticmethod
    def _place(kek: KeyRow, session_id: str, compartment: Compartment) -> keys.Place:
        return keys.Place(kek.tenant, kek.bucket, kek.generation, session_id, compartment)


def status(catalogue: Catalogue, kms: KeyManagement) -> dict[str, Any]:
    """The state of the hierarchy: every generation, how many records, which root."""
    with catalogue.transaction() as tx:
        counts = tx.count_records()
        rows = tx.keys()
    generations = [
        {
            "bucket": row.bucket,
            "generation": row.generation,
            "state": row.state,
            "records": counts.get(row.id, 0),
            "root": None if row.wrapped is None else kms.version_of(row.wrapped),
            "created_at": row.created_at.isoformat(),
        }
        for row in rows
    ]
    return {
        "kms": kms.url,
        "generations": generations,
        "records": sum(counts.values()),
        "oldest_backup_horizon": None,
    }
