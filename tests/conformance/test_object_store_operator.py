"""What an operator is told on a bad day: full, read-only, throttled, expired, clocks apart."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conformance import shelves
from tests.conformance.hostile import Hostile, hostile, whole
from tests.conformance.shelves import Shelf, blocks
from vault.errors import BackendError
from vault.model import new_id
from vault.ports import Lock, ObjectStore
from vault.storage import open_store
from vault.storage.multipart import PART_BYTES

ROOT = Path(__file__).resolve().parents[2]
LARGE = 3 * PART_BYTES
TMPFS_BYTES = 24 << 20


@pytest.fixture(params=shelves.S3_ALIKE)
def shelf(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return shelves.opened(request, tmp_path, monkeypatch)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that are somebody's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=10)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("kind", shelves.S3_ALIKE)
class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "advice", "retryable"),
        [
            ("507 Full", "XMinioStorageFull", "it is full; make room", False),
            ("507 Full", "", "it is full; make room", False),
            ("403 No", "QuotaExceeded", "raise its quota", False),
            ("403 No", "RequestTimeTooSkewed", "its clock and this machine's differ", False),
            ("400 Bad", "ExpiredToken", "expired; renew them", False),
            ("403 No", "InvalidAccessKeyId", "check the credentials", False),
            ("403 No", "AccessDenied", "what they permit", False),
            ("403 No", "", "and the clock", False),
            ("405 No", "MethodNotAllowed", "nonsense", False),
            ("400 Bad", "AuthorizationHeaderMalformed", "in this region; check", False),
            ("301 There", "PermanentRedirect", "at this address", False),
            ("404 No", "NoSuchBucket", "no such bucket; check its name", False),
            ("400 Bad", "SomethingElse", "its own log says why", False),
            ("503 Busy", "SlowDown", "try again later", True),
            ("429 Busy", "TooManyRequests", "try again later", True),
            ("400 Bad", "ThrottlingException", "try again later", True),
        ],
    )
    def test_a_refusal_says_what_to_do(
        self,
        kind: str,
        monkeypatch: pytest.MonkeyPatch,
        status: str,
        code: str,
        advice: str,
        retryable: bool,
    ) -> None:
        with hostile() as server:
            store = impatient(kind, server, monkeypatch)
            body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
            server.always(whole(body, "Content-Type: application/xml", status=status))
            attempts: list[Callable[[], object]] = [
                lambda: store.put("k", [b"x"]),
                lambda: store.put("k", blocks(LARGE)),
                lambda: store.put("k", [b"x"], lock=Lock("governance", soon())),
            ]
            for attempt in attempts:
                with pytest.raises(BackendError, match=advice) as caught:
                    attempt()
                assert caught.value.retryable == retryable

    def test_a_certificate_that_nobody_stands_for_is_not_asked_again(
        self, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with hostile(own_certificate(tmp_path)) as server:
            store = impatient(kind, server, monkeypatch)
            with pytest.raises(BackendError, match="certificate") as caught:
                store.put("k", [b"x"])
            assert not caught.value.retryable
            assert server.requests == []

    def test_no_tls_where_it_was_expected_is_told(
        self, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with hostile() as server:
            server.endpoint = server.endpoint.replace("http:", "https:")
            store = impatient(kind, server, monkeypatch)
            with pytest.raises(BackendError, match="http or https"):
                store.put("k", [b"x"])


class TestProfiles:
    @pytest.mark.parametrize("shelf", ["s3"], indirect=True)  # minio-py knows no profiles
    @pytest.mark.parametrize("process", ["", "credential_process = false"])
    def test_a_profile_that_gives_no_credentials_is_an_error(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, process: str
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        (tmp_path / "config").write_text(f"[profile ops]\n{process}\n", encoding="utf-8")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "ops" if process else "nobody-has-it")
        stranger = open_store(shelf.url, home=ROOT)
        attempts: list[Callable[[], object]] = [
            lambda: stranger.put("k", [b"x"]),
            lambda: stranger.stat("k"),
        ]
        for attempt in attempts:
            with pytest.raises(BackendError, match=r"check AWS_\*") as caught:
                attempt()
            assert not caught.value.retryable


def impatient(kind: str, server: Hostile, patch: pytest.MonkeyPatch) -> ObjectStore:
    return shelves.impatient(kind, server.endpoint, "bucket", patch, seconds=2, attempts=2)


def own_certificate(folder: Path) -> ssl.SSLContext:
    """TLS under a certificate that a server gave itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


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
            with pytest.raises(BackendError, match="make room") as caught:
                full.store.put("k", blocks(2 * TMPFS_BYTES))
            assert not caught.value.retryable
            assert (full.whole(), full.unfinished()) == ([], [])
            assert full.store.put("k", [b"fits"]).size_bytes == 4

    def test_a_disk_that_cannot_be_written_to_is_an_error_and_still_read(
        self, tmp_path: Path
    ) -> None:
        with small_disk(tmp_path) as folder:
            shelf = shelves.on_folder(folder / "store")
            put = shelf.store.put("k", [b"x"])
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            for attempt in (
                lambda: shelf.store.put("k", [b"y"]),
                lambda: shelf.store.delete("k", put.version),
                lambda: shelf.store.hold("k", put.version, True),
            ):
                with pytest.raises(BackendError, match="can be written to") as caught:
                    attempt()
                assert not caught.value.retryable
            assert b"".join(shelf.store.get("k", put.version)) == b"x"
            assert not shelf.store.probe()[0].ok

    def test_a_file_size_limit_is_an_error_and_leaves_nothing(self, tmp_path: Path) -> None:
        limited = shelves.on_folder(tmp_path / "store")
        code = f"""
import resource
from pathlib import Path
from vault.errors import BackendError
from vault.model import new_id
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
        assert done.stdout == "False The store's folder cannot be used (File too large).\n"
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

    def test_what_is_not_its_own_is_neither_dropped_nor_in_the_way(self, tmp_path: Path) -> None:
        store = shelves.on_folder(tmp_path / "store").store
        unfinished = tmp_path / "store" / "unfinished"
        (unfinished / "a folder" / "deeper").mkdir(parents=True)
        (unfinished / "somebody's.txt").write_bytes(b"x")
        (unfinished / new_id()).write_bytes(b"half an object")
        (unfinished / new_id()).symlink_to(tmp_path)
        assert store.abort_unfinished() == 1
        assert len(list(unfinished.iterdir())) == 3

    def test_a_folder_that_is_a_link_is_not_followed(self, tmp_path: Path) -> None:
        store = shelves.on_folder(tmp_path / "store").store
        victim = tmp_path / "victim"
        victim.mkdir()
        (victim / new_id()).write_bytes(b"precious")
        (tmp_path / "store" / "unfinished").rmdir()
        (tmp_path / "store" / "unfinished").symlink_to(victim)
        with pytest.raises(BackendError):
            store.abort_unfinished()
        assert len(list(victim.iterdir())) == 1


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
