"""What the adapters of ObjectStore do when the store underneath fails."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
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
from vault.storage import open_store
from vault.storage.contract import LockDroppedError
from vault.storage.multipart import PART_BYTES

ROOT = Path(__file__).resolve().parents[2]
LARGE = 3 * PART_BYTES
TMPFS_BYTES = 24 << 20


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
    return shelves.impatient(shelf.kind, faults, bucket, monkeypatch)


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
        store = shelves.impatient(shelf.kind, faults, bucket, monkeypatch, seconds=1)
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

    def test_a_full_store_is_not_asked_again(self, store: ObjectStore, faults: Faults) -> None:
        faults.always(507)
        with pytest.raises(BackendError) as caught:
            store.put("k", [b"x"])
        assert not caught.value.retryable

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


class TestCredentials:
    @pytest.mark.parametrize("wrong", ["not-the-secret", ""])
    def test_wrong_or_no_credentials_are_an_error_that_no_retry_mends(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, wrong: str
    ) -> None:
        if wrong:
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong)
        else:
            monkeypatch.delenv("AWS_ACCESS_KEY_ID")
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        stranger = open_store(shelf.url, home=ROOT)
        for attempt in (
            lambda: stranger.put("k", [b"x"]),
            lambda: stranger.put("k", blocks(LARGE)),
            lambda: stranger.stat("k"),
            lambda: list(stranger.versions()),
            lambda: stranger.delete("k", "v"),
        ):
            with pytest.raises(BackendError) as caught:
                attempt()
            assert not caught.value.retryable
            assert "not-the-secret" not in str(caught.value)
        assert not stranger.probe()[0].ok
        assert (shelf.whole(), shelf.unfinished()) == ([], [])


class TestFullDisk:
    def test_a_full_disk_is_an_error_and_leaves_nothing(self, tmp_path: Path) -> None:
        with small_disk(tmp_path) as folder:
            full = shelves.on_folder(folder / "store")
            with pytest.raises(BackendError) as caught:
                full.store.put("k", blocks(2 * TMPFS_BYTES))
            assert not caught.value.retryable
            assert (full.whole(), full.unfinished()) == ([], [])
            assert full.store.put("k", [b"fits"]).size_bytes == 4

    def test_a_file_size_limit_is_an_error_and_leaves_nothing(self, tmp_path: Path) -> None:
        limited = shelves.on_folder(tmp_path / "store")
        code = f"""
import resource
from pathlib import Path
from vault.errors import BackendError
from vault.storage import open_store
resource.setrlimit(resource.RLIMIT_FSIZE, (5 << 20, 5 << 20))
try:
    open_store({limited.url!r}, home=Path("/nowhere")).put("k", [bytes(7 << 20)])
except BackendError as error:
    print(error.retryable, error)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
        )
        assert done.stdout.startswith("False The store's folder cannot be used")
        assert (limited.whole(), limited.unfinished()) == ([], [])

    def test_a_damaged_note_keeps_the_object(self, tmp_path: Path) -> None:
        damaged = shelves.on_folder(tmp_path / "store")
        put = damaged.store.put("k", [b"x"], lock=Lock("governance", soon()))
        (note,) = (tmp_path / "store").rglob("*.note")
        note.write_bytes(b"{")
        with pytest.raises(BackendError):
            damaged.store.delete("k", put.version)
        assert b"".join(damaged.store.get("k", put.version)) == b"x"

    def test_a_note_without_its_object_is_dropped(self, tmp_path: Path) -> None:
        crashed = shelves.on_folder(tmp_path / "store")
        put = crashed.store.put("k", [b"x"], lock=Lock("governance", soon()))
        (whole,) = (p for p in (tmp_path / "store").rglob("k@*") if p.suffix != ".note")
        whole.unlink()  # as a crash between the note and the object would leave it
        assert crashed.store.abort_unfinished() == 1
        assert crashed.whole() == []
        crashed.store.delete("k", put.version)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own with `TMPFS_BYTES`; only root can make one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted on this machine")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
