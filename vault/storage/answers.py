"""Bounds what a store may answer: in bytes, in time, and in what its XML may hold.

Both client libraries speak through urllib3 and read an answer to its end, as long as something
comes. So their sockets are metered: whoever answers for ever, or a byte a minute, is hung up on.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any

import urllib3

from vault.errors import BackendError

#: The most that anything but an object's own bytes may have, headers included. A full page of
#: a listing with the longest names has 3.6 MiB.
WHOLE_BYTES = 4 << 20
#: Each second of waiting past the read time-out must have brought that much.
SLOWEST_BYTES = 16 << 10


class _Meter(io.RawIOBase):
    """What a socket receives, as long as there is room for it and it is not too slow."""

    __slots__ = ("_patience_seconds", "_raw_close", "_receive", "room_bytes")

    def __init__(self, raw: io.RawIOBase, patience_seconds: float) -> None:
        self.room_bytes = WHOLE_BYTES
        self._patience_seconds = patience_seconds
        self._receive, self._raw_close = raw.readinto, raw.close

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        began = time.monotonic()
        count = self._receive(buffer) or 0
        self._patience_seconds += count / SLOWEST_BYTES - (time.monotonic() - began)
        self.room_bytes -= count
        if self.room_bytes < 0:
            raise _too_much()
        if self._patience_seconds < 0:
            raise TimeoutError("The answer comes too slowly.")
        return count

    def close(self) -> None:
        self._raw_close()
        super().close()


class _Reader(io.BufferedReader):
    """Reads what the meter lets through, and makes no room in memory for what it will not."""

    __slots__ = ()
    raw: _Meter

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.raw.room_bytes + io.DEFAULT_BUFFER_SIZE:
            raise _too_much()
        return super().read(size)


class _Answer(HTTPResponse):
    """An answer that is metered from its first byte."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - its base's
        super().__init__(sock, *args, **kwargs)
        self.meter = _Meter(self.fp.detach(), sock.gettimeout() or float("inf"))
        self.fp = _Reader(self.meter)


def _too_much() -> BackendError:
    return BackendError("The store answered nonsense: more bytes than such an answer has.")


def bounded(pools: Mapping[str, type[Any]]) -> dict[str, type[Any]]:
    """The same kinds of urllib3's connection pools, by scheme, with answers that are metered."""
    made = {}
    for scheme, pool in pools.items():
        connection = type("Connection", (pool.ConnectionCls,), {"response_class": _Answer})
        made[scheme] = type("Pool", (pool,), {"ConnectionCls": connection})
    return made


def make_room(answer: urllib3.BaseHTTPResponse, size_bytes: int) -> None:
    """The body of `answer` is an object's: it may have so many bytes more."""
    metered = answer._original_response  # type: ignore[attr-defined]  # noqa: SLF001 - kept nowhere else
    if isinstance(metered, _Answer):
        metered.meter.room_bytes += size_bytes


def refuse_entities(body: bytes) -> None:
    """`BackendError` for XML that declares what it stands for: that may be a thousand times it.

    No S3 answers such. The clients read XML as UTF-8, whatever it says of itself.
    """
    if b"<!DOCTYPE" in body:
        raise BackendError("The store answered nonsense: XML that declares entities.")


class BoundedPools(urllib3.PoolManager):
    """urllib3 with all of these bounds; it unpacks nothing, for nothing of ours is packed."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - its base's
        super().__init__(**options)
        self.pool_classes_by_scheme = bounded(self.pool_classes_by_scheme)

    def urlopen(  # type: ignore[override]  # its base passes on whatever it is given, too
        self,
        method: str,
        url: str,
        *,
        preload_content: bool = True,
        **options: Any,  # noqa: ANN401 - its base's
    ) -> urllib3.BaseHTTPResponse:
        answer = super().urlopen(
            method, url, preload_content=preload_content, decode_content=False, **options
        )
        if preload_content or answer.status >= 300:
            refuse_entities(answer.data)
        return answer
