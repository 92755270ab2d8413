"""Sends a stream to a bucket: small ones in one request, large ones in parallel parts."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, MutableSequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from threading import BoundedSemaphore

from vault.errors import StrongroomError
from vault.ports import Buffer, Lock
from vault.storage.calls import Calls
from vault.storage.contract import regrouped

#: Of 10,000 parts at most, so an object may have 78 GiB. Source: Amazon S3, multipart limits.
PART_BYTES = 8 << 20
THREADS = 4
#: Parts waiting or under way, of all puts of one store together: 48 MiB.
IN_FLIGHT = THREADS + 2


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent; `version` is None where the store did not say."""

    version: str | None
    size_bytes: int
    sha256: bytes


class Sender:
    """Sends blocks through `calls`; one for each store, shared by any number of threads.

    Memory is constant: `IN_FLIGHT` parts of the store and up to two of each put.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._room = BoundedSemaphore(IN_FLIGHT)

    def send(self, name: str, blocks: Iterable[Buffer], lock: Lock | None) -> Sent:
        """Store the concatenation of `blocks` and answer once the store has confirmed it.

        Whatever is raised, by the blocks or by the store, leaves nothing behind: an upload
        that was begun is given up, and the exception passes through.
        """
        spare: deque[bytearray] = deque()
        parts = regrouped(blocks, PART_BYTES, spare)
        begun = list(itertools.islice(parts, 2))
        if len(begun) < 2:
            body = begun[0] if begun else bytearray()
            sha256 = hashlib.sha256(body).digest()
            return Sent(self._calls.put(name, body, sha256, lock), len(body), sha256)
        parts = itertools.chain(_handed_over(begun), parts)
        return self._send_parts(name, parts, lock, spare)

    def _send_parts(
        self,
        name: str,
        parts: Iterator[bytearray],
        lock: Lock | None,
        spare: MutableSequence[bytearray],
    ) -> Sent:
        """Send each of `parts`, and put it into `spare` once the store has it."""
        upload = self._calls.start(name, lock)
        under_way: deque[Future[str]] = deque()
        etags: list[str] = []
        digest, size = hashlib.sha256(), 0
        with ThreadPoolExecutor(THREADS, thread_name_prefix="strongroom-part") as pool:
            try:
                for number, part in enumerate(parts, 1):
                    self._room.acquire()
                    future = pool.submit(self._calls.send_part, name, upload, number, part)
                    future.add_done_callback(partial(self._done, part, spare))
                    under_way.append(future)
                    digest.update(part)
                    size += len(part)
                    while under_way and under_way[0].done():  # a failure ends it early
                        etags.append(under_way.popleft().result())
                etags += [future.result() for future in under_way]
                version = self._calls.complete(name, upload, etags)
            except BaseException:
                self._give_up(name, upload, under_way)
                raise
        return Sent(version, size, digest.digest())

    def _done(self, part: bytearray, spare: MutableSequence[bytearray], _: Future[str]) -> None:
        """The store has `part`, or never will: the next one may be written over it."""
        spare.append(part)
        self._room.release()

    def _give_up(self, name: str, upload: str, under_way: Iterable[Future[str]]) -> None:
        for future in under_way:
            future.cancel()
        wait(under_way)  # a part that arrives after the abort would stay
        # What cannot be given up now, the next `abort_unfinished` will.
        with contextlib.suppress(StrongroomError):
            self._calls.abort(name, upload)


def _handed_over(parts: list[bytearray]) -> Iterator[bytearray]:
    """The items of `parts`, each let go of as it is given."""
    while parts:
        yield parts.pop(0)
