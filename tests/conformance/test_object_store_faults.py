"""What the adapters of ObjectStore do when the store underneath fails."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import servers
from tests.conformance import shelves
from tests.conformance.faults import CUT, FORWARD, HANG, Faults, proxy
from tests.conformance.shelves import Shelf, blocks
from vault.errors import BackendError, NotFound
from vault.ports import Lock, ObjectStore
from vault.storage.contract import LockDroppedError
from vault.storage.multipart import PART_BYTES

LARGE = 3 * PART_BYTES


@pytest.fixture(params=shelves.S3_ALIKE)
def shelf(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return shelves.opened(request, tmp_path, monkeypatch)


@pytest.fixture
def faults(s3_server: servers.S3Server) -> Iterator[Faults]:
    with proxy(s3_server) as running:
        yield running


@pytest.fixture
def store(
    shelf: Shelf, faults: Faults, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    """The store behind the proxy, with three attempts."""
    return shelves.impatient(shelf.kind, faults.endpoint, bucket, monkeypatch)


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=10)


class TestFaultyStore:
    @pytest.mark.parametrize("fault", [500, 503, CUT])
    @pytest.mark.parametrize("size", [100, LARGE])
    def test_two_failures_and_then_an_answer_are_a_success(
        self, store: ObjectStore, faults: Faults, shelf: Shelf, fault: int, size: int
    ) -> None:
        warm = store.put("warm", [b"x"])  # so that the very next request is the one that fails
        store.delete(warm.key, warm.version)
        faults.first(2, fault)
        put = store.put("k", blocks(size))
        faults.first(2, fault)
        assert b"".join(store.get("k", put.version)) == b"".join(blocks(size))
        faults.first(2, fault)
        assert store.stat("k").size_bytes == size
        faults.first(2, fault)
        store.delete("k", put.version)
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    @pytest.mark.parametrize("fault", [500, 503, CUT, HANG])
    def test_failures_without_end_are_a_retryable_error(
        self,
        shelf: Shelf,
        faults: Faults,
        bucket: str,
        monkeypatch: pytest.MonkeyPatch,
        fault: int,
    ) -> None:
        store = shelves.impatient(shelf.kind, faults.endpoint, bucket, monkeypatch, seconds=1)
        version = shelf.store.put("there", [b"x"]).version
        faults.always(fault)
        began = time.monotonic()
        for attempt in (
            lambda: store.put("k", [b"x"]),
            lambda: list(store.get("there", version)),
            lambda: store.stat("there"),
        ):
            with pytest.raises(BackendError) as caught:
                attempt()
            assert caught.value.retryable
        assert time.monotonic() - began < 40
        at_once = shelf.kind == "s3"  # a small put is tried the short way first
        assert len(faults.requests) == 9 + at_once  # one layer of retries, three attempts each
        assert len(shelf.whole()) == 1

    @pytest.mark.parametrize("where", ["partNumber=2", "uploadId"])
    def test_an_upload_that_fails_half_way_is_given_up(
        self, store: ObjectStore, faults: Faults, shelf: Shelf, where: str
    ) -> None:
        methods = {"partNumber=2": "PUT", "uploadId": "POST"}  # POST completes the upload
        faults.always(500, of=where, method=methods[where])
        with pytest.raises(BackendError) as caught:
            store.put("k", blocks(LARGE))
        assert caught.value.retryable
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    def test_a_store_that_vanishes_half_way_shows_nothing(
        self, store: ObjectStore, faults: Faults, shelf: Shelf
    ) -> None:
        def vanishing() -> Iterator[bytes]:
            yield from blocks(2 * PART_BYTES)
            while not any("partNumber=1" in path for _, path in faults.requests):
                time.sleep(0.01)
            faults.always(CUT)
            yield from blocks(2 * PART_BYTES)

        with pytest.raises(BackendError) as caught:
            store.put("k", vanishing())
        assert caught.value.retryable
        assert shelf.whole() == []
        faults.choose = lambda _method, _path: FORWARD
        store.abort_unfinished()
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    def test_a_body_that_breaks_off_is_an_error_and_never_a_short_object(
        self, store: ObjectStore, faults: Faults, shelf: Shelf
    ) -> None:
        version = shelf.store.put("k", blocks(LARGE)).version
        faults.breaks_bodies_after = PART_BYTES
        with pytest.raises(BackendError) as caught:
            list(store.get("k", version))
        assert caught.value.retryable

    @pytest.mark.parametrize("size", [100, LARGE])
    def test_a_store_that_fills_up_is_not_asked_again_and_keeps_nothing(
        self, store: ObjectStore, faults: Faults, shelf: Shelf, size: int
    ) -> None:
        faults.always(507, of="partNumber=2" if size == LARGE else "", method="PUT")
        with pytest.raises(BackendError, match="make room") as caught:
            store.put("k", blocks(size))
        assert not caught.value.retryable
        refused = [path for method, path in faults.requests if faults.choose(method, path) == 507]
        at_once = shelf.kind == "s3" and size == 100  # a small put is tried the short way first
        assert len(refused) == 1 + at_once
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    def test_nonsense_is_an_error(self, store: ObjectStore, faults: Faults, shelf: Shelf) -> None:
        version = shelf.store.put("k", [b"0123456789"]).version
        faults.always(200)
        with pytest.raises(BackendError):
            list(store.get("k", version, 2, 5))
        with pytest.raises(BackendError):
            list(store.versions())
        for size in (100, LARGE):
            with pytest.raises(BackendError):
                store.put("large", blocks(size))
        with pytest.raises(BackendError):
            store.stat("k")
        with pytest.raises(BackendError):
            store.abort_unfinished()


class TestKilledServer:
    @pytest.mark.parametrize("kind", shelves.S3_ALIKE)
    @pytest.mark.parametrize("size", [100, LARGE])
    def test_a_server_killed_half_way_is_a_retryable_error(
        self, kind: str, size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            contextlib.suppress(ProcessLookupError),
            servers.seaweedfs(Path(folder)) as server,
        ):
            mortal = shelves.on_bucket(kind, server, "mortal-bucket", monkeypatch)
            mortal.store.create()
            assert mortal.store.put("before", [b"x"]).size_bytes == 1

            def murderous() -> Iterator[bytes]:
                yield from blocks(size)
                os.kill(server.pid, signal.SIGKILL)
                yield from blocks(size)

            with pytest.raises(BackendError) as caught:
                mortal.store.put("k", murderous())
            assert caught.value.retryable
            with pytest.raises(BackendError) as caught:
                mortal.store.stat("before")
            assert caught.value.retryable


class TestLocksThatAreDropped:
    @pytest.mark.parametrize("size", [100, LARGE])
    def test_a_lock_lost_by_a_put_is_set_again(
        self, store: ObjectStore, faults: Faults, shelf: Shelf, size: int
    ) -> None:
        faults.loses_locks = True
        put = store.put("k", blocks(size), lock=Lock("governance", soon()))
        assert shelf.store.locked("k", put.version)

    @pytest.mark.parametrize("size", [100, LARGE])
    def test_a_lock_that_cannot_be_set_at_all_fails_the_put(
        self, store: ObjectStore, faults: Faults, shelf: Shelf, size: int
    ) -> None:
        faults.loses_locks = faults.forgets_locks = True
        with pytest.raises(LockDroppedError) as caught:
            store.put("k", blocks(size), lock=Lock("governance", soon()))
        assert not caught.value.retryable
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    def test_a_lock_or_hold_that_is_forgotten_is_an_error(
        self, store: ObjectStore, faults: Faults
    ) -> None:
        put = store.put("k", [b"x"])
        faults.forgets_locks = True
        with pytest.raises(BackendError, match="silently drops"):
            store.lock("k", put.version, Lock("governance", soon()))
        with pytest.raises(BackendError, match="silently drops"):
            store.hold("k", put.version, True)

    def test_the_probe_tells(self, store: ObjectStore, faults: Faults, shelf: Shelf) -> None:
        faults.loses_locks = faults.forgets_locks = True
        found = {finding.name: finding for finding in store.probe()}
        for name in ("object-lock", "legal-hold"):
            assert not found[name].ok
            assert "ilently drops" in found[name].detail
        assert found["versioning"].ok
        assert shelf.whole() == []


class TestBucketWithoutPromises:
    @pytest.fixture(params=shelves.S3_ALIKE)
    def plain(
        self,
        request: pytest.FixtureRequest,
        s3_server: servers.S3Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Shelf:
        name = f"plain-{os.urandom(6).hex()}"
        servers.s3_client(s3_server).create_bucket(Bucket=name)
        return shelves.on_bucket(request.param, s3_server, name, monkeypatch, prefix="")

    def test_a_bucket_without_versions_still_works(self, plain: Shelf) -> None:
        for size in (100, LARGE):
            put = plain.store.put("k/1", blocks(size))
            assert put.version == "null"
            assert b"".join(plain.store.get("k/1", "null", 5, 50)) == b"".join(blocks(size))[5:50]
            assert [s.version for s in plain.store.versions()] == ["null"]
            assert plain.store.stat("k/1", "null").size_bytes == size
            assert plain.store.locked("k/1", "null") is None
            assert not plain.store.held("k/1", "null")
            plain.store.delete("k/1", "null")
            assert plain.whole() == []

    def test_another_version_than_its_only_one_is_not_found(self, plain: Shelf) -> None:
        plain.store.put("k", [b"x"])
        with pytest.raises(NotFound):
            list(plain.store.get("k", "another"))
        with pytest.raises(NotFound):
            plain.store.stat("k", "another")
        plain.store.delete("k", "another")
        assert plain.whole() == ["k"]

    def test_a_lock_that_the_bucket_cannot_hold_fails_the_put(self, plain: Shelf) -> None:
        for size in (100, LARGE):
            with pytest.raises(BackendError) as caught:
                plain.store.put("k", blocks(size), lock=Lock("governance", soon()))
            assert not caught.value.retryable
        assert (plain.whole(), plain.unfinished()) == ([], [])

    def test_the_probe_says_so_in_plain_words(self, plain: Shelf) -> None:
        found = {finding.name: finding for finding in plain.store.probe()}
        assert found["reachable"].ok
        assert not found["versioning"].ok
        assert "No object locks here" in found["object-lock"].detail
        assert "No legal holds here" in found["legal-hold"].detail
        assert plain.whole() == []
