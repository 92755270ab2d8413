"""The contract of ObjectStore, sentence by sentence, on every adapter."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import servers
from tests.conformance import shelves
from tests.conformance.shelves import Shelf, blocks
from vault.errors import BackendError, NotFound, Refused, UsageError
from vault.ports import Lock
from vault.storage import open_store
from vault.storage.multipart import PART_BYTES

ROOT = Path(__file__).resolve().parents[2]
SIZES = (0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 3 * PART_BYTES + 17)


def only(*kinds: str) -> pytest.MarkDecorator:
    """Those adapters where the thing can happen at all."""
    return pytest.mark.parametrize("shelf", kinds, indirect=True)


@pytest.fixture(params=shelves.EVERY)
def shelf(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return shelves.opened(request, tmp_path, monkeypatch)


def soon(seconds: float = 60) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


class Broken(Exception):
    """What a source raises half-way."""


def breaking(after: int) -> Iterator[bytes]:
    yield from blocks(after)
    raise Broken


class TestPut:
    @pytest.mark.parametrize("size", SIZES)
    def test_what_is_put_comes_back_with_its_size_and_digest(self, shelf: Shelf, size: int) -> None:
        content = b"".join(blocks(size))
        put = shelf.store.put("a/b-c_d.e", blocks(size))
        assert (put.key, put.size_bytes) == ("a/b-c_d.e", size)
        assert put.sha256 == hashlib.sha256(content).digest()
        assert abs((put.stored_at - datetime.now(UTC)).total_seconds()) < 60
        assert b"".join(shelf.store.get(put.key, put.version)) == content

    def test_the_size_of_the_blocks_does_not_matter(self, shelf: Shelf) -> None:
        content = os.urandom(PART_BYTES + 12345)
        for cut in (777, PART_BYTES + 1, len(content)):
            pieces = (content[at : at + cut] for at in range(0, len(content), cut))
            put = shelf.store.put("pieces", pieces)
            assert b"".join(shelf.store.get("pieces", put.version)) == content

    def test_a_block_may_be_used_again_as_soon_as_the_next_is_asked_for(self, shelf: Shelf) -> None:
        def reused() -> Iterator[memoryview]:
            buffer = bytearray(1 << 20)
            for number in range(20):
                buffer[:] = bytes([number]) * len(buffer)
                yield memoryview(buffer)

        expected = b"".join(bytes([number]) * (1 << 20) for number in range(20))
        put = shelf.store.put("reused", reused())
        assert put.sha256 == hashlib.sha256(expected).digest()
        assert b"".join(shelf.store.get("reused", put.version)) == expected

    @pytest.mark.parametrize("after", [0, 100, PART_BYTES, 5 * PART_BYTES])
    def test_blocks_that_raise_leave_nothing(self, shelf: Shelf, after: int) -> None:
        with pytest.raises(Broken):
            shelf.store.put("broken", breaking(after))
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    def test_an_interrupt_leaves_nothing(self, shelf: Shelf) -> None:
        def interrupted() -> Iterator[bytes]:
            yield from blocks(3 * PART_BYTES)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            shelf.store.put("broken", interrupted())
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    @only("file")
    def test_an_error_of_the_operating_system_in_the_blocks_passes_unchanged(
        self, shelf: Shelf
    ) -> None:
        def unreadable() -> Iterator[bytes]:
            yield b"some"
            raise PermissionError

        with pytest.raises(PermissionError):
            shelf.store.put("broken", unreadable())
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    def test_nothing_is_seen_before_it_is_whole(self, shelf: Shelf) -> None:
        seen: list[list[str]] = []

        def watched() -> Iterator[bytes]:
            for block in blocks(4 * PART_BYTES):
                seen.append(shelf.whole())
                yield block

        shelf.store.put("watched", watched())
        assert not any(seen)
        assert len(shelf.whole()) == 1

    def test_a_second_put_makes_a_second_version(self, shelf: Shelf) -> None:
        first = shelf.store.put("twice", [b"first"])
        second = shelf.store.put("twice", [b"second"])
        assert first.version != second.version
        assert b"".join(shelf.store.get("twice", first.version)) == b"first"
        assert b"".join(shelf.store.get("twice", second.version)) == b"second"
        assert shelf.store.stat("twice").version == second.version

    def test_many_may_put_at_once(self, shelf: Shelf) -> None:
        def one(number: int) -> bool:
            content = os.urandom(PART_BYTES + 9 if number % 20 == 0 else 5000)
            put = shelf.store.put(f"many/{number}", [content])
            return b"".join(shelf.store.get(put.key, put.version)) == content

        with ThreadPoolExecutor(12) as pool:
            assert all(pool.map(one, range(40)))
        assert len(list(shelf.store.versions("many/"))) == 40

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            "a/./b",
            "A",
            "a b",
            "a\0",
            "ä",
            "a" * 201,
            "a+b",
        ],
    )
    def test_a_bad_key_is_a_mistake_of_ours(self, shelf: Shelf, key: str) -> None:
        with pytest.raises(ValueError, match="key"):
            shelf.store.put(key, [b"x"])
        with pytest.raises(ValueError, match="key"):
            shelf.store.get(key, "v")
        with pytest.raises(ValueError, match="key"):
            shelf.store.delete(key, "v")

    def test_the_longest_key_is_kept(self, shelf: Shelf) -> None:
        key = "/".join(["a" * 49] * 4)
        put = shelf.store.put(key, [b"x"], lock=Lock("governance", soon()))
        assert [found.key for found in shelf.store.versions()] == [key]
        assert shelf.store.locked(key, put.version)

    def test_memory_does_not_grow_with_size(self, shelf: Shelf) -> None:
        small, large = (peak_bytes(shelf, size << 20) for size in (1, 200))
        assert large - small < 100 << 20


class TestGet:
    def test_ranges_are_clamped(self, shelf: Shelf) -> None:
        content = bytes(range(200))
        version = shelf.store.put("r", [content]).version
        cases = [(0, 200), (0, 1), (199, 200), (10, 20), (150, 999), (200, 300), (500, 600), (7, 7)]
        for start, stop in cases:
            assert b"".join(shelf.store.get("r", version, start, stop)) == content[start:stop]
        assert b"".join(shelf.store.get("r", version, 190)) == content[190:]
        assert b"".join(shelf.store.get("r", version, 9, 3)) == b""
        with pytest.raises(ValueError, match="range"):
            shelf.store.get("r", version, -1)

    def test_an_empty_object_has_only_empty_ranges(self, shelf: Shelf) -> None:
        version = shelf.store.put("e", []).version
        assert b"".join(shelf.store.get("e", version)) == b""
        assert b"".join(shelf.store.get("e", version, 0, 10)) == b""
        assert b"".join(shelf.store.get("e", version, 3)) == b""

    def test_blocks_are_at_most_a_mebibyte(self, shelf: Shelf) -> None:
        version = shelf.store.put("big", blocks(3 * PART_BYTES)).version
        assert max(map(len, shelf.store.get("big", version))) <= 1 << 20

    def test_a_reader_may_stop_early(self, shelf: Shelf) -> None:
        version = shelf.store.put("big", blocks(3 * PART_BYTES)).version
        for _ in range(40):
            assert next(iter(shelf.store.get("big", version)))

    def test_what_is_missing_is_not_found(self, shelf: Shelf) -> None:
        put = shelf.store.put("there", [b"x"])
        other = shelf.store.put("other", [b"x"])
        missing = [("there", other.version), ("there", "bogus"), ("gone", put.version)]
        if shelf.kind == "file":
            missing.append(("there", "../../x"))
        for key, version in missing:
            with pytest.raises(NotFound):
                b"".join(shelf.store.get(key, version))
            with pytest.raises(NotFound):
                b"".join(shelf.store.get(key, version, 3, 2))
            with pytest.raises(NotFound):
                shelf.store.stat(key, version)
            with pytest.raises(NotFound):
                shelf.store.hold(key, version, True)
            with pytest.raises(NotFound):
                shelf.store.lock(key, version, Lock("governance", soon()))
            with pytest.raises(NotFound):
                shelf.store.held(key, version)
        with pytest.raises(NotFound):
            shelf.store.stat("gone")


class TestVersions:
    def test_every_version_under_a_prefix_is_listed(self, shelf: Shelf) -> None:
        keys = ["x/1", "x/1", "x/2", "x-3", "y/1", "x/deep/er"]
        puts = [shelf.store.put(key, [key.encode()]) for key in keys]
        wanted = {(put.key, put.version, put.size_bytes) for put in puts}
        listed = [(s.key, s.version, s.size_bytes) for s in shelf.store.versions()]
        assert set(listed) == wanted
        assert len(listed) == len(wanted)
        under = {found.key for found in shelf.store.versions("x/")}
        assert under == {"x/1", "x/2", "x/deep/er"}
        assert {found.sha256 for found in shelf.store.versions()} == {None}
        with pytest.raises(ValueError, match="prefix"):
            shelf.store.versions("../A")

    @only("s3", "minio")
    def test_delete_markers_and_other_prefixes_are_left_out(
        self, shelf: Shelf, s3_server: servers.S3Server, bucket: str
    ) -> None:
        client = servers.s3_client(s3_server)
        put = shelf.store.put("marked", [b"x"])
        client.delete_object(Bucket=bucket, Key=f"{shelves.PREFIX}marked")
        client.put_object(Bucket=bucket, Key="elsewhere", Body=b"x")
        assert [(s.key, s.version) for s in shelf.store.versions()] == [("marked", put.version)]
        assert shelf.store.stat("marked", put.version).size_bytes == 1
        with pytest.raises(NotFound):
            shelf.store.stat("marked")

    def test_the_versions_of_one_key_are_its_own_alone(self, shelf: Shelf) -> None:
        puts = [shelf.store.put("one/key", [bytes([n])]) for n in range(3)]
        shelf.store.put("one/key-and-more", [b"other"])
        shelf.store.put("one/ke", [b"other"])
        found = shelf.store.versions_of("one/key")
        assert {(s.key, s.version) for s in found} == {(p.key, p.version) for p in puts}
        assert shelf.store.versions_of("one/nothing") == []
        for put in puts:
            shelf.store.delete(put.key, put.version)
        assert shelf.store.versions_of("one/key") == []
        with pytest.raises(ValueError, match="key"):
            shelf.store.versions_of("../one")

    def test_more_than_a_page_is_listed(self, shelf: Shelf) -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: shelf.store.put(f"p/{n % 600}", [b"x"]), range(1100)))
        listed = {(found.key, found.version) for found in shelf.store.versions("p/")}
        assert len(listed) == 1100


class TestDelete:
    def test_a_version_is_removed_for_good_and_only_that(self, shelf: Shelf) -> None:
        first, second = (shelf.store.put("k", [text]) for text in (b"1", b"2"))
        shelf.store.delete("k", second.version)
        shelf.store.delete("k", second.version)
        shelf.store.delete("k", "bogus")
        shelf.store.delete("gone", first.version)
        assert len(shelf.whole()) == 1
        assert shelf.store.stat("k").version == first.version
        with pytest.raises(NotFound):
            shelf.store.stat("k", second.version)

    def test_is_refused_while_a_lock_stands_and_not_after(self, shelf: Shelf) -> None:
        put = shelf.store.put("k", [b"1"], lock=Lock("compliance", soon(2)))
        with pytest.raises(Refused):
            shelf.store.delete("k", put.version)
        assert b"".join(shelf.store.get("k", put.version)) == b"1"
        time.sleep(3.5)
        shelf.store.delete("k", put.version)
        assert shelf.whole() == []

    def test_is_refused_while_a_hold_stands_and_not_after(self, shelf: Shelf) -> None:
        put = shelf.store.put("k", [b"1"])
        shelf.store.hold("k", put.version, True)
        assert shelf.store.held("k", put.version)
        with pytest.raises(Refused):
            shelf.store.delete("k", put.version)
        shelf.store.hold("k", put.version, False)
        shelf.store.hold("k", put.version, False)
        assert not shelf.store.held("k", put.version)
        shelf.store.delete("k", put.version)
        assert shelf.whole() == []


class TestLock:
    @pytest.mark.parametrize("mode", ["governance", "compliance"])
    @pytest.mark.parametrize("size", [10, 2 * PART_BYTES])
    def test_a_lock_given_with_a_put_stands(self, shelf: Shelf, mode: str, size: int) -> None:
        until = soon(5)
        put = shelf.store.put("k", blocks(size), lock=Lock(mode, until))
        found = shelf.store.locked("k", put.version)
        assert found
        assert found.mode == mode
        assert until <= found.until < until + timedelta(seconds=1)

    def test_a_lock_is_extended_and_never_shortened(self, shelf: Shelf) -> None:
        put = shelf.store.put("k", [b"1"])
        assert shelf.store.locked("k", put.version) is None
        shelf.store.lock("k", put.version, Lock("governance", soon(60)))
        shelf.store.lock("k", put.version, Lock("governance", soon(120)))
        found = shelf.store.locked("k", put.version)
        assert found
        assert found.until > soon(100)
        with pytest.raises(Refused):
            shelf.store.lock("k", put.version, Lock("governance", soon(30)))
        assert shelf.store.locked("k", put.version) == found

    def test_a_hold_and_a_lock_stand_side_by_side(self, shelf: Shelf) -> None:
        put = shelf.store.put("k", [b"1"], lock=Lock("governance", soon()))
        shelf.store.hold("k", put.version, True)
        assert shelf.store.held("k", put.version)
        assert shelf.store.locked("k", put.version)
        shelf.store.hold("k", put.version, False)
        assert shelf.store.locked("k", put.version)

    def test_a_malformed_lock_is_a_mistake_of_ours(self, shelf: Shelf) -> None:
        naive = datetime(2030, 1, 1)  # noqa: DTZ001 - the point
        for lock in (Lock("forever", soon()), Lock("governance", naive)):
            with pytest.raises(ValueError, match="lock"):
                shelf.store.put("k", [b"1"], lock=lock)
        assert shelf.whole() == []


class TestProbe:
    def test_everything_is_tried_and_cleaned_up(self, shelf: Shelf) -> None:
        found = {finding.name: finding for finding in shelf.store.probe()}
        assert {"reachable", "versioning", "version-listing", "checksum", "conditional-put"} <= {
            name for name, finding in found.items() if finding.ok
        }
        enforced = shelf.kind != "file"
        assert found["object-lock"].ok == found["legal-hold"].ok == enforced
        assert enforced or "bind strongroom only" in found["object-lock"].detail
        assert (shelf.whole(), shelf.unfinished()) == ([], [])

    def test_only_what_the_probe_made_may_be_discarded(self, shelf: Shelf) -> None:
        put = shelf.store.put("k", [b"1"])
        with pytest.raises(ValueError, match="probe"):
            shelf.store.discard("k", put.version)  # type: ignore[attr-defined] # behind the port


class TestUnfinished:
    def test_what_a_killed_put_left_is_dropped(self, shelf: Shelf) -> None:
        code = """
            def endless():
                for n in range(10**9):
                    if n == 40: print("going", flush=True)
                    if n > 40: time.sleep(0.05)
                    yield bytes(1 << 20)
            store.put("killed", endless())
        """
        with subprocess.Popen(program(shelf, code), stdout=subprocess.PIPE, cwd=ROOT) as process:
            assert process.stdout
            assert process.stdout.readline() == b"going\n"
            process.send_signal(signal.SIGKILL)
        assert shelf.whole() == []
        assert len(shelf.unfinished()) == 1
        kept = shelf.store.put("kept", [b"x"])
        if not shelf.store.url.startswith("file:"):
            assert shelf.store.abort_unfinished("somebody-elses/") == 0
            assert len(shelf.unfinished()) == 1
        assert shelf.store.abort_unfinished("kil") == 1
        assert shelf.store.abort_unfinished() == 0
        assert shelf.unfinished() == []
        assert b"".join(shelf.store.get("kept", kept.version)) == b"x"


class TestOpen:
    @pytest.mark.parametrize(
        "url",
        [
            *("", "nothing", "ftp://x/y", "s3://", "minio://host:1", "s3://b/UP", "s3://b/../c"),
            *("s3://key:secret@bucket", "minio://k:s@host/bucket", "s3://b?x=1", "minio://[/b"),
        ],
    )
    def test_a_url_that_cannot_be_is_a_usage_error(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            open_store(url, home=tmp_path)
        assert "secret" not in str(caught.value)

    def test_vendors_are_imported_when_asked_for(self) -> None:
        code = "import sys, vault.storage; print({'boto3', 'minio'} & set(sys.modules))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
        )
        assert done.stdout.strip() == "set()"

    @pytest.mark.parametrize(("path", "folder"), [("", "objects"), ("shelf", "shelf")])
    def test_a_folder_is_under_the_home_and_private(
        self, tmp_path: Path, path: str, folder: str
    ) -> None:
        store = open_store(f"file://{path}", home=tmp_path)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(BackendError, match="is its disk mounted"):
            store.put("k", [b"x"])
        with pytest.raises(BackendError, match="is its disk mounted"):
            list(store.versions())
        store.create()
        store.create()
        store.put("k", [b"x"], lock=Lock("governance", soon()))
        modes = {p.stat().st_mode & 0o777 for p in (tmp_path / folder).rglob("*") if p.is_file()}
        assert modes == {0o600}
        assert {p.stat().st_mode & 0o777 for p in (tmp_path / folder).rglob("*/")} == {0o700}

    @pytest.mark.parametrize("kind", shelves.S3_ALIKE)
    def test_create_makes_a_bucket_that_locks(
        self, kind: str, s3_server: servers.S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = f"made-{os.urandom(6).hex()}"
        made = shelves.on_bucket(kind, s3_server, name, monkeypatch)
        made.store.create()
        made.store.create()
        client = servers.s3_client(s3_server)
        assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
        lock = client.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
        assert lock["ObjectLockEnabled"] == "Enabled"


def program(shelf: Shelf, code: str) -> list[str]:
    """A process of its own that has opened the same store."""
    head = "import os, sys, time\nfrom pathlib import Path\nfrom vault.storage import open_store\n"
    opened = f"store = open_store({shelf.url!r}, home=Path('/nowhere'))\n"
    lines = [line[12:] for line in code.splitlines()]
    return [sys.executable, "-c", head + opened + "\n".join(lines)]


def peak_bytes(shelf: Shelf, size: int) -> int:
    """The most memory that a process had which put, and read again, `size` bytes."""
    code = f"""
            block = os.urandom(1 << 20)
            put = store.put("large", (block for _ in range({size >> 20})))
            assert sum(map(len, store.get("large", put.version))) == {size}
            import resource
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    done = subprocess.run(
        program(shelf, code), cwd=ROOT, capture_output=True, check=True, text=True
    )
    return int(done.stdout) * 1024
