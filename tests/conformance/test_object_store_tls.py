"""A store behind TLS: the same contract, and not a byte for whom its certificate does not name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import recordings, servers
from tests.conformance import shelves
from tests.conformance.shelves import blocks
from tests.homes import made
from tests.tls import certificate
from vault.errors import BackendError, Refused
from vault.ports import Lock, ObjectStore
from vault.storage import open_store
from vault.storage.multipart import PART_BYTES

BUCKET = "behind-tls"


@dataclass(frozen=True)
class Behind:
    """A running store, the certificate it shows, and one of the same name that it does not."""

    server: servers.S3Server
    certificate: Path
    another: Path


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("tls")
    tls = certificate(folder, "store", servers.LOOPBACK)
    another, _ = certificate(folder, "another", servers.LOOPBACK)
    with servers.seaweedfs(folder, tls=tls) as server:
        client = servers.s3_client(server)
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        yield Behind(server, tls[0], another)


def _trusting(kind: str, certificate: Path, behind: Behind, patch: pytest.MonkeyPatch) -> str:
    """The store's URL for whoever trusts that certificate."""
    server = behind.server
    for name, value in server.environment.items():
        patch.setenv(name, value)
    patch.setenv("AWS_ENDPOINT_URL_S3", server.tls_endpoint)
    patch.setenv("AWS_CA_BUNDLE", str(certificate))
    patch.setenv("SSL_CERT_FILE", str(certificate))
    host = urlsplit(server.tls_endpoint).netloc
    return f"s3://{BUCKET}/shelf" if kind == "s3" else f"minio+https://{host}/{BUCKET}/shelf"


@pytest.fixture(params=shelves.S3_ALIKE)
def store(
    request: pytest.FixtureRequest, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    url = _trusting(request.param, behind.certificate, behind, monkeypatch)
    return open_store(url, home=Path("/nowhere"))


@pytest.mark.parametrize("size", [1, PART_BYTES, 2 * PART_BYTES + 17])
def test_what_is_put_comes_back_whole_and_by_range(store: ObjectStore, size: int) -> None:
    content = b"".join(blocks(size))
    put = store.put(f"a/{size}", blocks(size))
    assert put.sha256 == hashlib.sha256(content).digest()
    assert b"".join(store.get(put.key, put.version)) == content
    assert b"".join(store.get(put.key, put.version, size // 2, size)) == content[size // 2 :]
    assert store.stat(put.key, put.version).size_bytes == size


def test_a_lock_and_a_hold_stand(store: ObjectStore) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=60)).replace(microsecond=0)
    put = store.put("locked", blocks(100), lock=Lock("governance", until))
    assert store.locked(put.key, put.version) == Lock("governance", until)
    store.hold(put.key, put.version, True)
    with pytest.raises(Refused):
        store.delete(put.key, put.version)


@pytest.mark.parametrize("kind", shelves.S3_ALIKE)
def test_another_certificate_is_not_trusted_and_gets_nothing(
    kind: str, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _trusting(kind, behind.another, behind, monkeypatch)
    store = open_store(url, home=Path("/nowhere"))
    with pytest.raises(BackendError, match="cannot be trusted"):
        store.put("never", blocks(100))
    client = servers.s3_client(behind.server)
    assert not client.list_objects_v2(Bucket=BUCKET, Prefix="shelf/never").get("Contents")


@pytest.mark.parametrize("kind", shelves.S3_ALIKE)
def test_a_certificate_for_another_host_is_not_trusted(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certificate(tmp_path, "elsewhere", "127.0.0.9")
    (tmp_path / "server").mkdir()
    with servers.seaweedfs(tmp_path / "server", tls=tls) as server:
        shown = Behind(server, tls[0], tls[0])
        store = open_store(_trusting(kind, tls[0], shown, monkeypatch), home=Path("/nowhere"))
        with pytest.raises(BackendError, match="cannot be trusted"):
            store.stat("anything")


def test_a_session_is_deposited_checked_and_fetched(
    behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _trusting("s3", behind.certificate, behind, monkeypatch)
    known = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    home = made(tmp_path / "home", STRONGROOM_STORE_URL=url, **known)
    bundle = recordings.bundle(tmp_path / "bundle", ("behind a wall",), seed=3)
    deposited = home.run("deposit", bundle).document["sessions"][0]["id"]
    assert home.run("fixity", "--all").document["damaged"] == []
    home.run("fetch", deposited, "--originals", "-o", tmp_path / "back")
    assert (tmp_path / "back" / "full.wav").read_bytes() == (bundle / "full.wav").read_bytes()
