"""What the S3 adapters do with a server whose answers were made to harm."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance import shelves
from tests.conformance.hostile import Hostile, hostile, whole
from vault.errors import BackendError, NotFound, StrongroomError
from vault.ports import Lock, ObjectStore
from vault.storage.multipart import PART_BYTES

V = "v1"
VERSION = f"x-amz-version-id: {V}"
HEAD = b"HTTP/1.1 200 OK\r\n"
ENTITIES = b'<!DOCTYPE a [<!ENTITY a "ha">%s]><Error><Code>&t;</Code></Error>' % b"".join(
    b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 10) for name in b"bcdefghijklmnopqrst"
)
DEEP = b"<a>" * 200_000 + b"</a>" * 200_000

#: Answers that no store gives, as a function: some of them have no end.
ANSWERS: dict[str, Callable[[], Iterable[bytes]]] = {
    "nothing": list,
    "no HTTP": lambda: [bytes(range(256)) * 40],
    "a status of none": lambda: [b"HTTP/1.1 what ever\r\n\r\n"],
    "a status beyond": lambda: [whole(b"", status="999 More")],
    "no end of headers": lambda: _endless(HEAD, b"X-A: " + b"a" * 1000 + b"\r\n"),
    "a header without end": lambda: _endless(HEAD + b"X-A: ", b"a" * 1000),
    "no end of continuing": lambda: _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "chunks without end": lambda: _endless(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"
    ),
    "a body without end": lambda: _endless(HEAD + b"\r\n", b" " * 65536),
    "an error without end": lambda: _endless(b"HTTP/1.1 400 Bad\r\n\r\n", b" " * 65536),
    "a body as long as it says": lambda: _endless(whole(b"", length=1 << 60), b" " * 65536),
    "a body shorter than it says": lambda: [whole(b"<a/>", length=1000)],
    "an error shorter than it says": lambda: [whole(b"<a/>", status="404 No", length=1000)],
    "a negative length": lambda: [whole(b"<a/>", length=-5)],
    "a length in words": lambda: [whole(b"<a/>", length="many")],
    "entities": lambda: [whole(ENTITIES)],
    "entities in an error": lambda: [whole(ENTITIES, status="403 No")],
    "entities in UTF-16": lambda: [whole(ENTITIES.decode().encode("utf-16"), status="403 No")],
    "XML without a floor": lambda: [whole(DEEP)],
    "an error without a floor": lambda: [whole(DEEP, status="409 No")],
    "packed zeros": lambda: [whole(gzip.compress(bytes(64 << 20)), "Content-Encoding: gzip")],
    "a page for people": lambda: [whole(b"<html><body>Welcome!</body></html>")],
    "a way elsewhere": lambda: [whole(b"", "Location: /elsewhere", status="307 There")],
    "a word made to be shown": lambda: [
        whole(b"<Error><Code>a&#10;b&#x9b;31m</Code></Error>", status="409 No")
    ],
}
LOCK = Lock("governance", datetime.now(UTC) + timedelta(days=1))
ASKED: dict[str, Callable[[ObjectStore], object]] = {
    "put": lambda store: store.put("k", [b"x"]),
    "put under lock": lambda store: store.put("k", [b"x"], lock=LOCK),
    "put in parts": lambda store: store.put("k", [bytes(PART_BYTES + 1)]),
    "get": lambda store: b"".join(store.get("k", V, 2, 5)),
    "stat": lambda store: store.stat("k"),
    "versions": lambda store: list(store.versions()),
    "delete": lambda store: store.delete("k", V),
    "lock": lambda store: store.lock("k", V, LOCK),
    "locked": lambda store: store.locked("k", V),
    "hold": lambda store: store.hold("k", V, True),
    "abort": lambda store: store.abort_unfinished(),
    "create": lambda store: store.create(),
}


def _endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    return itertools.chain([head], itertools.repeat(piece))


def dripping(answer: bytes) -> Iterator[bytes]:
    for at in range(len(answer)):
        yield answer[at : at + 1]
        time.sleep(0.1)


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as running:
        yield running


@pytest.fixture(params=shelves.S3_ALIKE)
def store(
    request: pytest.FixtureRequest, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    """The adapter on the hostile server: two attempts, a second of patience."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return shelves.impatient(
        request.param, server.endpoint, "bucket", monkeypatch, seconds=1, attempts=2
    )


class TestAnswersMadeToHarm:
    @pytest.mark.parametrize("name", ANSWERS)
    def test_each_ends_in_an_error_of_ours_soon_and_without_much_being_read(
        self, store: ObjectStore, server: Hostile, name: str
    ) -> None:
        server.play = lambda _method, _path: ANSWERS[name]()
        for asked, ask in ASKED.items():
            began, sent, said = time.monotonic(), server.sent_bytes, None
            try:
                ask(store)
            except StrongroomError as error:
                said = str(error)
            # Where any answer of 2xx is a plain yes, or an empty one says that there is no lock.
            assert said or asked in ("delete", "create", "locked"), asked
            assert said is None or said.isprintable(), asked
            assert time.monotonic() - began < 20, asked
            assert server.sent_bytes - sent < 80 << 20, asked

    @pytest.mark.parametrize(
        ("asked", "status"),
        [("versions", "200 OK"), ("versions", "403 No"), ("locked", "200 OK"), ("get", "403 No")],
    )
    def test_entities_are_refused_before_they_are_read(
        self, store: ObjectStore, server: Hostile, asked: str, status: str
    ) -> None:
        server.always(whole(b"<!DOCTYPE a><a/>", status=status))
        with pytest.raises(BackendError, match="entities"):
            ASKED[asked](store)

    @pytest.mark.parametrize("asked", ASKED)
    def test_an_answer_that_drips_is_given_up(
        self, store: ObjectStore, server: Hostile, asked: str
    ) -> None:
        answer = whole(b"<a/>" * 100, VERSION, 'ETag: "e"')
        server.play = lambda _method, _path: dripping(answer)  # half a minute each
        began = time.monotonic()
        with pytest.raises(BackendError) as caught:
            ASKED[asked](store)
        assert caught.value.retryable
        assert time.monotonic() - began < 25  # a part in flight and its end, two attempts each


class TestReading:
    def read(self, store: ObjectStore, start: int = 2, stop: int | None = 5) -> bytes:
        return b"".join(store.get("k", V, start, stop))

    @pytest.mark.parametrize(
        ("said", "length"),
        [
            *(("bytes 2-4/10", 4), ("bytes 2-4/10", 2), ("bytes 2-9/10", 8), ("bytes 2-3/10", 2)),
            *(("bytes 0-2/10", 3), ("bytes 2-1/10", 0), ("bytes 2-4/3", 3), ("2-4/10", 3)),
            *(("", 3), ("bytes */10", 3), ("bytes 2-4", 3), (f"bytes 2-{'9' * 5000}/10", 3)),
        ],
    )
    def test_another_range_than_the_one_asked_for_is_refused(
        self, store: ObjectStore, server: Hostile, said: str, length: int
    ) -> None:
        headers = [VERSION, f"Content-Range: {said}"]
        server.always(whole(b"x" * 10, *headers, status="206 Part", length=length))
        with pytest.raises(BackendError, match="nonsense"):
            self.read(store)

    @pytest.mark.parametrize("total", ["10", "*", "5"])
    def test_no_more_is_given_than_was_asked_for(
        self, store: ObjectStore, server: Hostile, total: str
    ) -> None:
        headers = [VERSION, f"Content-Range: bytes 2-4/{total}"]
        server.always(whole(b"234 and more", *headers, status="206 Part", length=3))
        assert self.read(store) == b"234"
        chunked = f"HTTP/1.1 206 Part\r\nTransfer-Encoding: chunked\r\n{VERSION}\r\n"
        head = f"{chunked}Content-Range: bytes 2-4/{total}\r\n\r\n".encode()
        server.play = lambda _method, _path: _endless(head, b"5\r\nabcde\r\n")
        assert self.read(store) == b"abc"

    def test_an_object_without_a_length_is_refused(
        self, store: ObjectStore, server: Hostile
    ) -> None:
        server.play = lambda _method, _path: _endless(
            HEAD + f"{VERSION}\r\n\r\n".encode(), b"x" * 65536
        )
        with pytest.raises(BackendError, match="length"):
            self.read(store, 0, None)
        assert server.sent_bytes < 20 << 20

    def test_another_version_is_not_found(self, store: ObjectStore, server: Hostile) -> None:
        headers = ["x-amz-version-id: v2", "Content-Range: bytes 2-4/10"]
        server.always(whole(b"234", *headers, status="206 Part"))
        with pytest.raises(NotFound):
            self.read(store)

    def test_an_object_that_drips_is_given_up(self, store: ObjectStore, server: Hostile) -> None:
        answer = whole(b"x" * 1000, VERSION)
        server.play = lambda _method, _path: dripping(answer)
        began = time.monotonic()
        with pytest.raises(BackendError) as caught:
            self.read(store, 0, None)
        assert caught.value.retryable
        assert time.monotonic() - began < 10

    def test_a_slow_reader_is_given_its_time(self, store: ObjectStore, server: Hostile) -> None:
        size = 24 << 20  # more than the sockets' buffers hold
        server.play = lambda _method, _path: [whole(bytes(size), VERSION)]
        got = 0
        for number, block in enumerate(store.get("k", V)):
            got += len(block)
            if number < 3:
                time.sleep(0.8)  # the store's patience is a second in all
        assert got == size


class TestListing:
    def listing(self, *entries: str, more: str = "false", marks: str = "") -> bytes:
        inside = "".join(entries)
        return whole(
            f"<ListVersionsResult><Name>bucket</Name><IsTruncated>{more}</IsTruncated>{marks}"
            f"{inside}</ListVersionsResult>".encode()
        )

    def entry(self, key: str = "shelf/k", **said: str) -> str:
        said = {"LastModified": "2026-01-01T00:00:00Z", "Size": "1", "VersionId": V} | said
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in said.items() if value)
        return f"<Version><Key>{key}</Key>{fields}</Version>"

    def test_what_is_no_key_of_ours_is_left_out(self, store: ObjectStore, server: Hostile) -> None:
        foreign = ["shelf/", "shelf/A B", "shelf/../x", "shelf/" + "a" * 300, "shelf/%1B"]
        server.always(self.listing(self.entry(), *map(self.entry, foreign)))
        assert [found.key for found in store.versions()] == ["k"]

    @pytest.mark.parametrize(
        "lie",
        [
            *({"key": "elsewhere/k"}, {"key": ""}, {"Size": "-1"}, {"Size": "much"}, {"Size": ""}),
            *({"LastModified": "today"}, {"LastModified": ""}, {"VersionId": "v" * 2000}),
            *({"VersionId": "a b"}, {"LastModified": "0001-01-01T00:00:00+23:00"}),
        ],
    )
    def test_an_entry_that_cannot_be_is_an_error(
        self, store: ObjectStore, server: Hostile, lie: dict[str, str]
    ) -> None:
        server.always(self.listing(self.entry(**lie)))
        with pytest.raises(BackendError, match="nonsense"):
            list(store.versions())

    @pytest.mark.parametrize("mark", ["", "<NextKeyMarker>shelf/k</NextKeyMarker>"])
    def test_a_listing_that_does_not_go_on_ends(
        self, store: ObjectStore, server: Hostile, mark: str
    ) -> None:
        server.always(self.listing(more="true", marks=mark))
        with pytest.raises(BackendError, match="does not go on"):
            list(store.versions())
        assert len(server.requests) < 5

    @pytest.mark.parametrize("key", ["shelf/k", "elsewhere/k"])
    def test_uploads_that_stay_or_are_not_ours_are_an_error(
        self, store: ObjectStore, server: Hostile, key: str
    ) -> None:
        upload = f"<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>"
        listed = f"<IsTruncated>false</IsTruncated>{upload}"
        body = f"<ListMultipartUploadsResult>{listed}</ListMultipartUploadsResult>".encode()
        gone = whole(b"", status="204 Gone")
        server.play = lambda method, _path: [gone if method == "DELETE" else whole(body)]
        with pytest.raises(BackendError, match="nonsense"):
            store.abort_unfinished()
        aborted = [path for method, path in server.requests if method == "DELETE"]
        assert len(aborted) == (key == "shelf/k")

    def test_uploads_without_end_are_an_error(
        self, store: ObjectStore, server: Hostile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("vault.storage.bucket.PAGES", 5)
        numbers = itertools.count()

        def more(method: str, _path: str) -> list[bytes]:
            if method == "DELETE":
                return [whole(b"", status="204 Gone")]
            upload = f"<Upload><Key>shelf/k</Key><UploadId>{next(numbers)}</UploadId></Upload>"
            listed = f"<IsTruncated>false</IsTruncated>{upload}"
            return [
                whole(f"<ListMultipartUploadsResult>{listed}</ListMultipartUploadsResult>".encode())
            ]

        server.play = more
        with pytest.raises(BackendError, match="without end: 5"):
            store.abort_unfinished()


class TestAnswersToAPut:
    @pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, gzip"])
    def test_nothing_is_unpacked(self, store: ObjectStore, server: Hostile, coding: str) -> None:
        bomb = gzip.compress(bytes(256 << 20))
        server.always(whole(bomb, f"Content-Encoding: {coding}", 'ETag: "e"'))
        tracemalloc.start()
        try:
            with contextlib.suppress(BackendError):
                store.put("k", [b"x"])
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("version", ["v" * 2000, "a b", "\x7f"])
    def test_a_version_that_cannot_be_is_an_error(
        self, store: ObjectStore, server: Hostile, version: str
    ) -> None:
        server.always(whole(b"", f"x-amz-version-id: {version}", 'ETag: "e"'))
        with pytest.raises(BackendError, match="nonsense"):
            store.put("k", [b"x"])

    @pytest.mark.parametrize("asked", ["put", "put under lock", "put in parts"])
    @pytest.mark.parametrize("status", ["404 Not Found", "405 Not Allowed"])
    def test_not_found_is_no_answer(
        self, store: ObjectStore, server: Hostile, asked: str, status: str
    ) -> None:
        server.always(whole(b"", status=status))
        with pytest.raises(BackendError):
            ASKED[asked](store)

    @pytest.mark.parametrize(
        "lock",
        [
            *("<Mode>FOREVER</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>",),
            *("<Mode>COMPLIANCE</Mode>", "<Mode>COMPLIANCE</Mode><RetainUntilDate/>"),
            "<Mode>COMPLIANCE</Mode><RetainUntilDate>soon</RetainUntilDate>",
        ],
    )
    def test_a_lock_that_cannot_be_is_an_error(
        self, store: ObjectStore, server: Hostile, lock: str
    ) -> None:
        server.always(whole(f"<Retention>{lock}</Retention>".encode()))
        with pytest.raises(BackendError, match="nonsense"):
            store.locked("k", V)
