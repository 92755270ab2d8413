"""Write an object as its bytes come into being: a push on one side, a store's pull on the other."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self

from vault.errors import IntegrityError
from vault.model import Compartment, Kind, Warn, new_id
from vault.operations import describe
from vault.operations.keys import DataKey
from vault.operations.room import Room
from vault.ports import Buffer, Stored
from vault.rows import ObjectRow
from vault.seal import pack
from vault.seal.pack import Packer

_QUEUED_BLOCKS = 16


class ObjectWriter:
    """One new object of a session, written part by part; a context manager.

    Leaving it without an exception makes the object durable and `row` ready to be recorded;
    leaving it with one aborts the put. Memory: at most 16 blocks wait to be sealed.
    """

    def __init__(self, room: Room, data_key: DataKey, compartment: Compartment, kind: str) -> None:
        self.packer = Packer(compartment)
        self.warnings: list[Warn] = []
        self._room = room
        self._key = data_key
        self._compartment = compartment
        self._kind = kind
        self._id = new_id()
        self._blocks: queue.Queue[Buffer | BaseException | None] = queue.Queue(_QUEUED_BLOCKS)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="put")
        self._put: Future[Stored] = Future()
        self._row: ObjectRow | None = None

    def begin(self, name: str, kind: Kind, media_type: str) -> None:
        """Announce a part."""
        self.packer.begin(name, kind, media_type)

    def write(self, name: str, block: Buffer) -> None:
        """The next bytes of a part."""
        self._push(self.packer.take(name, block))

    def prepend(self, name: str, block: Buffer) -> None:
        """Bytes that belong in front of everything else of a part."""
        self._push(self.packer.prepend(name, block))

    @property
    def row(self) -> ObjectRow:
        """What to record about the object, once it is durable."""
        if self._row is None:
            raise RuntimeError("the object is not written yet")
        return self._row

    def __enter__(self) -> Self:
        sealed = self._key.seal("pack", self._id, self._pull())
        self._put = self._pool.submit(self._room.store.put, self._room.store_key(self._id), sealed)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._push(error)
            if error is None:
                self._row = self._recorded(self._put.result())
            else:
                self._put.exception()  # the abort has to be over; its cause is `error`
        finally:
            self._pool.shutdown()

    def _push(self, item: Buffer | BaseException | None) -> None:
        """Queue a block, unless the put has ended under us."""
        while True:
            if self._put.done():
                if isinstance(item, BaseException):
                    return
                self._put.result()
                raise IntegrityError("The store stopped listening before the object was whole.")
            try:
                self._blocks.put(item, timeout=0.2)
            except queue.Full:
                continue
            return

    def _pull(self) -> Iterator[Buffer]:
        while (item := self._blocks.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _read_back(self, stored: Stored) -> None:
        """Hash, as a reader will see them, the parts that could not be hashed on the way."""
        if not (unhashed := self.packer.unhashed()):
            return
        fetch = partial(self._room.store.get, stored.key, stored.version)
        reader = self._key.reader("pack", self._id, fetch, stored.size_bytes)
        for part in unhashed:
            digest = hashlib.sha256()
            for block in pack.stream(reader, part):
                digest.update(block)
            self.packer.digest_as(part.name, digest.hexdigest())

    def _recorded(self, stored: Stored) -> ObjectRow:
        self._read_back(stored)
        parts = self.packer.parts()
        return ObjectRow(
            id=self._id,
            session_id=self._key.session_id,
            compartment=self._compartment,
            kind=self._kind,
            store_key=stored.key,
            version=stored.version,
            size_bytes=stored.size_bytes,
            sha256=stored.digest,
            manifest=describe.seal_manifest(self._key, self._id, parts, self.warnings),
            created_at=self._room.clock.now(),
        )
