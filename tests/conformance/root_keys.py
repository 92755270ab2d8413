"""One root key of every kind, each on the real thing, for the conformance suite to ask.

AWS KMS is moto: it shows that the calls have the right shape and nothing about security, as it
checks no signatures and still decrypts with keys that are pending deletion.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hvac
import pkcs11
import pytest

from tests import servers
from vault.kms import open_kms
from vault.ports import KeyManagement

PASSPHRASE = "correct horse battery staple"
WRONG = "hunter2-hunter2-hunter2"
PIN = "314159"
SOFTHSM = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
    Path("/usr/lib/pkcs11/libsofthsm2.so"),
)

Open = Callable[[], KeyManagement]


@dataclass(frozen=True)
class RootKey:
    """A root key that exists, and its neighbours that fail. None: cannot happen there."""

    open: Open  # another handle on it, with nothing remembered
    absent: Open  # one that was never made
    lose: Callable[[], None] | None  # this one is gone from here on
    unreachable: Open | None  # its back end does not answer
    unauthorised: Open | None  # its back end does not let us; WRONG is what we show it


def keyring(folder: Path, passphrase: str | None) -> RootKey:
    """A file."""

    def at(url: str, given: str | None) -> Open:
        return lambda: open_kms(url, home=folder, passphrase=given)

    at("keyring://", passphrase)().create()
    return RootKey(
        open=at("keyring://", passphrase),
        absent=at("keyring://absent.json", passphrase),
        lose=(folder / "keyring.json").unlink,
        unreachable=None,
        unauthorised=at("keyring://", WRONG),
    )


def transit(folder: Path, server: servers.TransitServer) -> RootKey:
    """OpenBao."""
    name = f"root-{uuid.uuid4().hex}"
    for file, token in (("token", server.token), ("wrong", WRONG)):
        (folder / file).write_text(token + "\n", encoding="utf-8")

    def at(address: str, key: str = name, shown: str = "token") -> Open:
        host = address.partition("://")[2]
        url = f"transit://{host}/transit/{key}?token-file={folder / shown}"
        return lambda: open_kms(url, home=folder)

    def lose() -> None:
        engine = hvac.Client(url=server.address, token=server.token).secrets.transit
        engine.update_key_configuration(name, deletion_allowed=True)
        engine.delete_key(name)

    at(server.address)().create()
    closed = f"http://{servers.LOOPBACK}:{servers.free_ports(1)[0]}"
    return RootKey(
        open=at(server.address),
        absent=at(server.address, key="absent"),
        lose=lose,
        unreachable=at(closed),
        unauthorised=at(server.address, shown="wrong"),
    )


def aws(folder: Path, server: servers.KmsServer, patch: pytest.MonkeyPatch) -> RootKey:
    """moto: call shapes only."""
    patch.setenv("AWS_REGION", "eu-central-1")
    patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", WRONG)
    name = f"alias/root-{uuid.uuid4().hex}"

    def at(endpoint: str, key: str = name, *, known: bool = True) -> Open:
        def open_() -> KeyManagement:
            with pytest.MonkeyPatch.context() as briefly:
                briefly.setenv("AWS_ENDPOINT_URL_KMS", endpoint)
                if not known:
                    briefly.delenv("AWS_ACCESS_KEY_ID")
                    briefly.delenv("AWS_SECRET_ACCESS_KEY")
                return open_kms(f"aws-kms://{key}", home=folder)

        return open_

    at(server.endpoint)().create()
    return RootKey(
        open=at(server.endpoint),
        absent=at(server.endpoint, key="alias/absent"),
        lose=None,  # it goes on decrypting with a key that is to be deleted
        unreachable=at(f"http://{servers.LOOPBACK}:{servers.free_ports(1)[0]}"),
        unauthorised=at(server.endpoint, known=False),
    )


@dataclass(frozen=True)
class SoftHsm:
    """A token in a folder of its own; a process can have one configuration only."""

    module: Path
    token: str
    folder: Path

    def url(self, label: str, *, token: str | None = None, pin: str = "pin") -> str:
        """A PKCS#11 URL as a user writes it."""
        options = f"module={self.module}&pin-file={self.folder / pin}"
        return f"pkcs11://{token or self.token}/{label}?{options}"


@contextmanager
def softhsm(folder: Path) -> Iterator[SoftHsm]:
    """SoftHSM2 with one token; skips where its library is not installed."""
    module = next((path for path in SOFTHSM if path.exists()), None)
    if module is None:
        pytest.skip("SoftHSM2 is not installed (Debian: softhsm2)")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n", encoding="utf-8"
    )
    (folder / "pin").write_text(PIN + "\n", encoding="utf-8")
    (folder / "wrong").write_text(WRONG + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        made = ["softhsm2-util", "--init-token", "--free", "--label", "strongroom-test"]
        subprocess.run([*made, "--pin", PIN, "--so-pin", "271828"], check=True, capture_output=True)
        yield SoftHsm(module, "strongroom-test", folder)
        pkcs11.unload(str(module))


def hsm(server: SoftHsm) -> RootKey:
    """SoftHSM2."""
    label = f"root-{uuid.uuid4().hex}"

    def at(url: str) -> Open:
        return lambda: open_kms(url, home=server.folder)

    def lose() -> None:
        session = pkcs11.lib(str(server.module)).get_token(token_label=server.token).open(rw=True)
        for key in list(session.get_objects({pkcs11.Attribute.LABEL: f"{label}/v1"})):
            key.destroy()

    at(server.url(label))().create()
    return RootKey(
        open=at(server.url(label)),
        absent=at(server.url("absent")),
        lose=lose,
        unreachable=at(server.url(label, token="unplugged")),
        unauthorised=None,  # a process logs in once: see the test that has one of its own
    )
