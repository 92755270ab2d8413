"""A broker behind TLS: jobs run through it, and no certificate is trusted that nobody named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.tls import certificate, in_front
from vault.errors import UsageError
from workers.app import CeleryQueue


@pytest.fixture
def named(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path, "broker")


@pytest.fixture
def port(valkey_server: servers.ValkeyServer, named: tuple[Path, Path]) -> Iterator[int]:
    """Where the broker is reached through TLS."""
    with in_front(urlsplit(valkey_server.url).port or 0, named) as port:
        yield port


def _answers(url: str) -> bool:
    (finding,) = CeleryQueue(url).probe()
    return finding.ok


def test_a_broker_is_reached_through_tls(
    port: int, named: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _answers(f"rediss://{servers.LOOPBACK}:{port}/0?ssl_ca_certs={named[0]}")
    monkeypatch.setenv("SSL_CERT_FILE", str(named[0]))
    assert _answers(f"rediss://{servers.LOOPBACK}:{port}/0")


def test_no_certificate_is_trusted_that_nobody_named(port: int, tmp_path: Path) -> None:
    another, _ = certificate(tmp_path, "another")
    for said in ("", f"?ssl_ca_certs={another}"):
        assert not _answers(f"rediss://{servers.LOOPBACK}:{port}/0{said}")


def test_nobody_can_have_any_certificate_trusted() -> None:
    for said in ("none", "optional", "CERT_NONE"):
        with pytest.raises(UsageError):
            CeleryQueue(f"rediss://{servers.LOOPBACK}:1/0?ssl_cert_reqs={said}")


def test_a_certificate_of_another_host_is_not_trusted(
    valkey_server: servers.ValkeyServer, tmp_path: Path
) -> None:
    elsewhere = certificate(tmp_path, "elsewhere", "127.0.0.9")
    with in_front(urlsplit(valkey_server.url).port or 0, elsewhere) as port:
        url = f"rediss://{servers.LOOPBACK}:{port}/0?ssl_ca_certs={elsewhere[0]}"
        assert not _answers(url)
