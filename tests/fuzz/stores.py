"""The door of a store: whatever it answers, the adapters believe none of it unseen."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from unittest import mock

from vault.ports import Lock, Stored
from vault.storage.bucket import BucketStore
from vault.storage.calls import Calls
from vault.storage.minio import MinioCalls
from vault.storage.s3 import Boto3Calls

#: Between the answer to one request and that to the next.
_NEXT = b"\n%%%\n"
_VERSION = "v1"
_LOCK = Lock("governance", datetime(2036, 1, 1, tzinfo=UTC))
_ASKED: tuple[Callable[[BucketStore], object], ...] = (
    lambda store: _is_stored(store.put("k", [b"x"])),
    lambda store: _is_stored(store.put("k", [b"x"], lock=_LOCK)),
    lambda store: _at_most(3, b"".join(store.get("k", _VERSION, 2, 5))),
    lambda store: b"".join(store.get("k", _VERSION)),
    lambda store: _is_stored(store.stat("k")),
    lambda store: [*map(_is_stored, itertools.islice(store.versions(), 50))],
    lambda store: store.delete("k", _VERSION),
    lambda store: store.lock("k", _VERSION, _LOCK),
    lambda store: store.hold("k", _VERSION, True),
    lambda store: store.abort_unfinished(),
    lambda store: store.create(),
    lambda store: store._calls.start("k", _LOCK),
    lambda store: store._calls.send_part("k", "u", 1, bytearray(b"x")),
    lambda store: store._calls.complete("k", "u", ["e"]),
    lambda store: store._calls.abort("k", "u"),
    lambda store: store._calls.put("k", bytearray(b"x"), bytes(32), new=True),
)
_KEYS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nobody",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def answers(data: bytes) -> None:
    """What a store says to one operation, named by the first byte, through either client."""
    chosen = data[0] if data else 0
    server = _server()
    server.waiting = iter(data[1:].split(_NEXT))
    with mock.patch.dict(os.environ, {**_KEYS, "AWS_ENDPOINT_URL": f"http://{server.host}"}):
        _ASKED[chosen // 2 % len(_ASKED)](_store(bool(chosen % 2), server.host))


def seeds() -> list[bytes]:
    """Every operation, with answers as a store gives them, and with none."""
    heads = (
        b'HTTP/1.1 200 OK\r\nETag: "e"\r\nx-amz-version-id: v1\r\nContent-Length: %d\r\n'
        b"Last-Modified: Wed, 01 Jul 2026 10:00:00 GMT\r\n%b\r\n%b"
    )
    listed = (
        b"<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>k</Key>"
        b"<VersionId>v1</VersionId><Size>1</Size><LastModified>2026-07-01T10:00:00Z</LastModified>"
        b"</Version></ListVersionsResult>"
    )
    uploads = (
        b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>k</Key>"
        b"<UploadId>u</UploadId></Upload></ListMultipartUploadsResult>"
    )
    locked = (
        b"<Retention><Mode>GOVERNANCE</Mode>"
        b"<RetainUntilDate>2036-01-01T00:00:00Z</RetainUntilDate></Retention>"
    )
    held = b"<LegalHold><Status>ON</Status></LegalHold>"
    begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    ended = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
    refused = b"<Error><Code>NoSuchKey</Code></Error>"
    texts = [b"", b"xyz", listed, uploads, locked, held, begun, ended]
    said = [heads % (len(text), b"", text) for text in texts]
    said.append(heads % (3, b"Content-Range: bytes 2-4/9\r\n", b"xyz"))
    said.append(b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n%b" % (len(refused), refused))
    said.append(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n")
    made = [bytes([at]) + _NEXT.join([one] * 3) for at in range(2 * len(_ASKED)) for one in said]
    return [*made, b"", b"\x00HTTP/1.1 200 OK\r\n\r\n"]


class _Server:
    """Gives each request the next of the answers that wait, and hangs up."""

    def __init__(self) -> None:
        self.waiting: Iterator[bytes] = iter(())
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection, suppress(OSError):  # a client that hung up
                connection.settimeout(5)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as request:
            asks_region = b"?location=" in request.readline()
            length = 0
            while (line := request.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            request.read(length)
        region = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<LocationConstraint/>"
        connection.sendall(region if asks_region else next(self.waiting, b""))


@cache
def _server() -> _Server:
    return _Server()


@cache
def _store(minio: bool, host: str) -> BucketStore:
    calls: Calls
    if minio:
        calls = MinioCalls("minio://fuzz", host, "bucket", secure=False, attempts=1)
    else:
        calls = Boto3Calls("s3://fuzz", "bucket", attempts=1)
    return BucketStore("s3://fuzz", calls, "")


def _is_stored(found: Stored) -> None:
    assert found.size_bytes >= 0
    assert found.version.isprintable()
    assert found.stored_at.utcoffset() is not None


def _at_most(size: int, data: bytes) -> None:
    assert len(data) <= size
