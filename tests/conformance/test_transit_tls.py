"""OpenBao behind TLS: its own authority is named by VAULT_CACERT, and no other is trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from vault.errors import BackendError
from vault.kms import open_kms
from vault.ports import KeyManagement

KEY, CONTEXT = bytes(range(32)), {"tenant": "t1"}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.TransitServer]:
    with servers.openbao(tmp_path_factory.mktemp("bao"), tls=True) as server:
        yield server


def _opened(behind: servers.TransitServer, folder: Path) -> KeyManagement:
    token = folder / "token"
    token.write_text(behind.token, encoding="utf-8")
    host = behind.address.partition("://")[2]
    return open_kms(f"transit+https://{host}/transit/root?token-file={token}", home=folder)


def test_who_names_its_authority_may_wrap_and_rotate(
    behind: servers.TransitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_CACERT", str(behind.certificate))
    kms = _opened(behind, tmp_path)
    kms.create()
    wrapped = kms.wrap(KEY, CONTEXT)
    kms.rotate()
    assert kms.unwrap(wrapped, CONTEXT) == KEY
    transport = {finding.name: finding for finding in kms.probe()}.get("root key transport")
    assert transport is None or transport.ok


def test_an_unknown_authority_is_not_trusted(
    behind: servers.TransitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_CACERT", raising=False)
    with pytest.raises(BackendError, match="certificate") as caught:
        _opened(behind, tmp_path).create()
    assert not caught.value.retryable
