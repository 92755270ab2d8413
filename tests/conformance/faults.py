"""A proxy in front of a real S3 store that misbehaves on demand."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers import S3Server

FORWARD, CUT, HANG = 0, -1, -2
HANG_SECONDS = 3.0
SIGNING = ("authorization", "x-amz-date", "x-amz-content-sha256")


@dataclass
class Faults:
    """What goes wrong next.

    `choose` sees (method, path with query) and answers an HTTP status to send instead,
    FORWARD, CUT (the connection) or HANG. Lock headers of a put or of the start of an upload
    are lost while `loses_locks`; setting a lock or a hold later is answered with success and
    forgotten while `forgets_locks`; bodies end after `breaks_bodies_after` bytes.
    """

    endpoint: str
    choose: Callable[[str, str], int] = field(default=lambda _method, _path: FORWARD)
    loses_locks: bool = False
    forgets_locks: bool = False
    breaks_bodies_after: int | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)

    def first(self, count: int, fault: int) -> None:
        """The first `count` requests from now on meet `fault`."""
        left = iter(range(count))
        self.choose = lambda _method, _path: fault if next(left, None) is not None else FORWARD

    def always(self, fault: int, *, of: str = "", method: str = "") -> None:
        """Every request whose path holds `of` meets `fault`."""
        self.choose = lambda m, path: fault if of in path and method in ("", m) else FORWARD


@contextlib.contextmanager
def proxy(upstream: S3Server) -> Iterator[Faults]:
    """A server on a free port of its own; ends with the block."""
    faults = Faults("")

    class Proxy(_Proxy):
        server_faults, server_upstream = faults, upstream

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    faults.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Proxy(BaseHTTPRequestHandler):
    server_faults: Faults
    server_upstream: S3Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server_faults.requests.append((self.command, self.path))
        fault = self.server_faults.choose(self.command, self.path)
        query = urlsplit(self.path).query
        if fault == FORWARD:
            about_locks = "retention" in query or "legal-hold" in query
            if self.server_faults.forgets_locks and self.command == "PUT" and about_locks:
                self.answer(200, {}, b"")
            else:
                self.forward(body)
        elif fault == HANG:
            time.sleep(HANG_SECONDS)
            self.close_connection = True
        elif fault == CUT:
            self.close_connection = True
        else:
            self.answer(fault, {}, b"")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve  # noqa: N815 - http.server's names

    def forward(self, body: bytes) -> None:
        headers = dict(self.headers.items())
        lost = {name for name in headers if name.lower().startswith("x-amz-object-lock")}
        if lost and self.server_faults.loses_locks:
            headers = self.signed_again(body, {k: v for k, v in headers.items() if k not in lost})
        address = urlsplit(self.server_upstream.endpoint)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        self.answer(response.status, dict(response.getheaders()), answer)
        connection.close()

    def signed_again(self, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        left = {k: v for k, v in headers.items() if k.lower() not in SIGNING}
        url = f"http://{headers['Host']}{self.path}"
        request = AWSRequest(method=self.command, url=url, data=body, headers=left)
        server = self.server_upstream
        S3SigV4Auth(Credentials(server.access_key, server.secret_key), "s3", "us-east-1").add_auth(
            request
        )
        return dict(request.headers.items())

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length", str(len(body)))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            limit = self.server_faults.breaks_bodies_after
            self.wfile.write(body[:limit])
            if limit is not None and len(body) > limit:
                self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # clients that time out hang up on us
            super().handle()
