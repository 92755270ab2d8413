"""A server that answers every request with whatever bytes a test wants."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

#: What minio-py asks a store first.
_REGION = b"<LocationConstraint/>"


@dataclass
class Hostile:
    """`play` sees (method, path with query) and gives the bytes of an answer, for ever if it likes.

    `sent_bytes` is what went out before the client hung up.
    """

    endpoint: str
    play: Callable[[str, str], Iterable[bytes]] = field(default=lambda _method, _path: ())
    sent_bytes: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)

    def always(self, *answer: bytes) -> None:
        """The same answer to whatever is asked."""
        self.play = lambda _method, _path: answer


def whole(
    body: bytes, *headers: str, status: str = "200 OK", length: str | int | None = None
) -> bytes:
    """A whole answer of HTTP, with a `Content-Length` that may be a lie."""
    said = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"Content-Length: {said}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@contextlib.contextmanager
def hostile(tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """A server on a free port of its own, with TLS if it is given some; ends with the block."""
    state = Hostile("")

    class Handler(_Handler):
        hostile = state

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        state.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _Handler(socketserver.StreamRequestHandler):
    hostile: Hostile
    timeout = 20

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client hung up, as it should
            method, path, _ = self.rfile.readline().decode().split(" ", 2)
            length = 0
            while (line := self.rfile.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.rfile.read(length)
            self.hostile.requests.append((method, path))
            asks_region = path.endswith("?location=")
            answer = [whole(_REGION)] if asks_region else self.hostile.play(method, path)
            for piece in answer:
                self.wfile.write(piece)
                self.hostile.sent_bytes += len(piece)
