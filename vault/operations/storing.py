"""Many sessions on their way into the store, some of them at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeAlias

from vault.errors import StrongroomError
from vault.operations import doubles
from vault.operations.admission import Admitted
from vault.operations.room import Progress, Room
from vault.operations.sealing import Sealed, Sealing
from vault.rows import SessionRow

_THREADS = 8
#: Sessions up to this are sealed in memory before they are put, a batch of them at most.
_SMALL_BYTES = 512 << 10
#: Sessions larger than this are sealed one at a time, so that memory stays bounded.
_LARGE_BYTES = 32 << 20

#: A session that is being stored, or turns out to be here already.
Attempt: TypeAlias = tuple[Admitted, Future[Sealed | SessionRow]]


class Storing:
    """Starts to store sessions; who needs a result waits for it."""

    def __init__(self, room: Room, progress: Progress, pool: ThreadPoolExecutor) -> None:
        self._room, self._progress, self._pool = room, progress, pool
        self._one_large = Lock()

    def start(self, batch: Sequence[Admitted]) -> list[Attempt]:
        """Begin with all of them."""
        batch = doubles.with_warnings(self._room, batch)
        with self._room.catalogue.transaction() as tx:
            sizes = tx.sizes_among(self._room.tenant, {a.content_bytes for a in batch})
        return [(a, self._start(a, perhaps_known=a.content_bytes in sizes)) for a in batch]

    def _start(self, admitted: Admitted, *, perhaps_known: bool) -> Future[Sealed | SessionRow]:
        """Unless one of the same size turns out to be the same.

        A small one is sealed here: threads would spend more on sharing that work than on it.
        """
        if perhaps_known or admitted.memory_bytes > _SMALL_BYTES:
            return self._pool.submit(self._store, admitted, perhaps_known=perhaps_known)
        sealing = Sealing(self._room, admitted)
        try:
            sealing.ahead()
        except StrongroomError as error:
            refused: Future[Sealed | SessionRow] = Future()
            refused.set_exception(error)
            return refused
        return self._pool.submit(sealing.put)

    def _store(self, admitted: Admitted, *, perhaps_known: bool) -> Sealed | SessionRow:
        if perhaps_known and (known := doubles.known(self._room, admitted)) is not None:
            return known
        if admitted.memory_bytes <= _LARGE_BYTES:
            return Sealing(self._room, admitted).put()
        with self._one_large:
            return Sealing(self._room, admitted, self._progress).put()


@contextmanager
def storing(room: Room, progress: Progress) -> Iterator[Storing]:
    """What has not begun when this ends early never begins."""
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="deposit")
    try:
        yield Storing(room, progress, pool)
    finally:
        pool.shutdown(cancel_futures=True)
