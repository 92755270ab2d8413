"""The contract of KeyManagement, sentence by sentence, on every adapter.

AWS KMS runs against moto, which proves the shapes of the calls and nothing about security.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hvac
import pkcs11
import pytest

from tests import servers
from tests.conformance import root_keys
from tests.conformance.root_keys import PASSPHRASE, WRONG, RootKey, SoftHsm
from vault.errors import BackendError, IntegrityError, NotFound, UsageError
from vault.kms import ADAPTERS, open_kms
from vault.ports import KeyManagement

CONTEXT = {"tenant": "t1", "bucket": "long-2027-03", "generation": "1"}
KEY = bytes(range(32))
EVERY = ["keyring", "keyring-plain", "transit", "aws-kms", "pkcs11"]


def only(*names: str) -> pytest.MarkDecorator:
    """Those adapters where the thing can happen at all."""
    return pytest.mark.parametrize("root_key", names, indirect=True)


@pytest.fixture(scope="session")
def softhsm_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    with root_keys.softhsm(tmp_path_factory.mktemp("softhsm")) as server:
        yield server


@pytest.fixture(params=EVERY)
def root_key(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RootKey:
    match request.param:
        case "keyring":
            return root_keys.keyring(tmp_path, PASSPHRASE)
        case "keyring-plain":
            return root_keys.keyring(tmp_path, None)
        case "transit":
            return root_keys.transit(tmp_path, request.getfixturevalue("openbao_server"))
        case "aws-kms":
            return root_keys.aws(tmp_path, request.getfixturevalue("moto_server"), monkeypatch)
        case _:
            return root_keys.hsm(request.getfixturevalue("softhsm_token"))


class TestKeyManagement:
    def test_a_wrapped_key_comes_back(self, root_key: RootKey) -> None:
        wrapped = root_key.open().wrap(KEY, CONTEXT)
        assert KEY not in wrapped
        assert root_key.open().unwrap(wrapped, dict(reversed(CONTEXT.items()))) == KEY

    def test_no_context_is_a_context_too(self, root_key: RootKey) -> None:
        kms = root_key.open()
        wrapped = kms.wrap(KEY, {})
        assert kms.unwrap(wrapped, {}) == KEY
        with pytest.raises(IntegrityError):
            kms.unwrap(wrapped, CONTEXT)

    @pytest.mark.parametrize(
        "other",
        [
            {**CONTEXT, "generation": "2"},
            {**CONTEXT, "more": "x"},
            {"tenant": "t1", "bucket": "long-2027-03"},
            {"tenant": "long-2027-03", "bucket": "t1", "generation": "1"},
            {"tenant": "t1b", "ucket": "long-2027-03", "generation": "1"},
        ],
    )
    def test_another_context_is_refused(self, root_key: RootKey, other: dict[str, str]) -> None:
        kms = root_key.open()
        wrapped = kms.wrap(KEY, CONTEXT)
        with pytest.raises(IntegrityError):
            kms.unwrap(wrapped, other)

    def test_every_flipped_byte_is_refused(self, root_key: RootKey) -> None:
        kms = root_key.open()
        old = kms.wrap(KEY, CONTEXT)
        kms.rotate()
        for wrapped in (old, kms.wrap(KEY, CONTEXT)):
            for place, mask in itertools.product(range(len(wrapped)), (1, 2, 0x80)):
                damaged = bytearray(wrapped)
                damaged[place] ^= mask
                with pytest.raises(IntegrityError):
                    kms.unwrap(bytes(damaged), CONTEXT)

    def test_a_wrong_length_is_refused(self, root_key: RootKey) -> None:
        kms = root_key.open()
        wrapped = kms.wrap(KEY, CONTEXT)
        for damaged in (b"", wrapped[:1], wrapped[:-1], wrapped + b"\0", wrapped + wrapped):
            with pytest.raises(IntegrityError):
                kms.unwrap(damaged, CONTEXT)
            with pytest.raises(IntegrityError):
                kms.version_of(damaged)

    def test_wrapping_never_gives_the_same_bytes_twice(self, root_key: RootKey) -> None:
        kms = root_key.open()
        assert len({kms.wrap(KEY, CONTEXT) for _ in range(20)}) == 20

    def test_after_a_rotation_new_wraps_name_the_new_version_and_old_ones_open(
        self, root_key: RootKey
    ) -> None:
        kms, other = root_key.open(), root_key.open()
        old = other.wrap(KEY, CONTEXT)
        version = kms.rotate()
        assert version != kms.version_of(old)
        for handle in (kms, other, root_key.open()):
            assert handle.version_of(handle.wrap(KEY, CONTEXT)) == version
            assert handle.unwrap(old, CONTEXT) == KEY
        assert kms.rotate() not in {version, kms.version_of(old)}

    def test_making_a_root_key_again_changes_nothing(self, root_key: RootKey) -> None:
        kms = root_key.open()
        wrapped = kms.wrap(KEY, CONTEXT)
        root_key.open().create()
        assert kms.unwrap(wrapped, CONTEXT) == KEY
        assert kms.version_of(kms.wrap(KEY, CONTEXT)) == kms.version_of(wrapped)

    def test_a_root_key_that_was_never_made_is_not_found(self, root_key: RootKey) -> None:
        wrapped, absent = root_key.open().wrap(KEY, CONTEXT), root_key.absent()
        with pytest.raises(NotFound):
            absent.wrap(KEY, CONTEXT)
        with pytest.raises(NotFound):
            absent.rotate()
        with pytest.raises(NotFound):
            absent.unwrap(wrapped, CONTEXT)

    # moto goes on decrypting with a key that is to be deleted
    @only("keyring", "keyring-plain", "transit", "pkcs11")
    def test_a_lost_root_key_is_not_found_at_once(self, root_key: RootKey) -> None:
        assert root_key.lose is not None
        kms = root_key.open()
        wrapped = kms.wrap(KEY, CONTEXT)
        root_key.lose()
        for handle in (kms, root_key.open()):
            with pytest.raises(NotFound):
                handle.unwrap(wrapped, CONTEXT)
            with pytest.raises(NotFound):
                handle.wrap(KEY, CONTEXT)

    # a file always answers
    @only("transit", "aws-kms", "pkcs11")
    def test_no_answer_may_be_asked_again(self, root_key: RootKey) -> None:
        assert root_key.unreachable is not None
        kms = root_key.unreachable()
        wrapped = root_key.open().wrap(KEY, CONTEXT)
        for ask in _uses(kms, wrapped):
            with pytest.raises(BackendError) as refusal:
                ask()
            assert refusal.value.retryable

    # a process logs in to a token once: its wrong PIN has a test, and a process, of its own
    @only("keyring", "keyring-plain", "transit", "aws-kms")
    def test_a_refusal_says_what_to_do_and_repeats_no_secret(self, root_key: RootKey) -> None:
        assert root_key.unauthorised is not None
        kms = root_key.unauthorised()
        wrapped = root_key.open().wrap(KEY, CONTEXT)
        for ask in _uses(kms, wrapped):
            with pytest.raises(BackendError, match=r"give|set|renew|check") as refusal:
                ask()
            assert not refusal.value.retryable
            assert WRONG not in _all_that_is_said(refusal.value)

    def test_the_probe_answers_whatever_happens(self, root_key: RootKey) -> None:
        assert any(f.name == "root key" and f.ok for f in root_key.open().probe())
        for failing in (root_key.absent, root_key.unreachable, root_key.unauthorised):
            if failing is not None:
                findings = failing().probe()
                assert any(f.name == "root key" and not f.ok for f in findings)
                assert not any(WRONG in finding.detail for finding in findings)

    def test_the_url_is_the_one_that_was_given(self, root_key: RootKey) -> None:
        assert root_key.open().url.partition("://")[0] in ADAPTERS


@pytest.mark.parametrize(
    ("kind", "what"),
    [("keyring", "passphrase file"), ("transit", "token file"), ("pkcs11", "PIN file")],
)
def test_the_probe_warns_of_a_secret_in_a_file_that_others_may_read(
    kind: str, what: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    match kind:
        case "keyring":
            file = tmp_path / "passphrase"
            file.write_text(PASSPHRASE)
            kms = open_kms("keyring://", home=tmp_path, passphrase_file=file)
            kms.create()
        case "transit":
            kms = root_keys.transit(tmp_path, request.getfixturevalue("openbao_server")).open()
            file = tmp_path / "token"
        case _:
            token: SoftHsm = request.getfixturevalue("softhsm_token")
            kms, file = root_keys.hsm(token).open(), token.folder / "pin"
    for mode, well in ((0o600, True), (0o400, True), (0o640, False), (0o604, False)):
        file.chmod(mode)
        found = {finding.name: finding for finding in kms.probe()}
        assert found[what].ok is well
        assert ("chmod 600" in found[what].detail) is not well
        assert found["root key"].ok
    file.unlink()
    assert not {finding.name: finding for finding in kms.probe()}[what].ok
    file.write_text({"keyring": PASSPHRASE, "pkcs11": root_keys.PIN}.get(kind, "gone"))


def test_a_destroyed_transit_version_is_not_found(
    openbao_server: servers.TransitServer, tmp_path: Path
) -> None:
    kms = root_keys.transit(tmp_path, openbao_server).open()
    old = kms.wrap(KEY, CONTEXT)
    kms.rotate()
    new = kms.wrap(KEY, CONTEXT)
    name = kms.url.partition("?")[0].rpartition("/")[2]
    engine = hvac.Client(url=openbao_server.address, token=openbao_server.token).secrets.transit
    engine.update_key_configuration(name, min_decryption_version=2)
    with pytest.raises(NotFound):
        kms.unwrap(old, CONTEXT)
    assert kms.unwrap(new, CONTEXT) == KEY


def test_transit_finds_its_token_in_the_environment(
    openbao_server: servers.TransitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = root_keys.transit(tmp_path, openbao_server).open().url.partition("?")[0]
    for name in ("BAO_TOKEN", "VAULT_TOKEN"):
        with monkeypatch.context() as patch:
            patch.setenv(name, openbao_server.token)
            kms = open_kms(url, home=tmp_path)
            assert kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY


def test_a_transit_key_of_another_kind_is_refused(
    openbao_server: servers.TransitServer, tmp_path: Path
) -> None:
    engine = hvac.Client(url=openbao_server.address, token=openbao_server.token).secrets.transit
    engine.create_key("underived", exportable=True, key_type="aes256-gcm96")
    good = root_keys.transit(tmp_path, openbao_server).open().url
    name = good.partition("?")[0].rpartition("/")[2]
    kms = open_kms(good.replace(name, "underived"), home=tmp_path)
    for ask in (kms.create, lambda: kms.wrap(KEY, CONTEXT)):
        with pytest.raises(BackendError, match="not as a derived"):
            ask()


def test_a_wrong_pin_is_refused_and_not_repeated(softhsm_token: SoftHsm, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from vault.errors import BackendError\n"
        "from vault.kms import open_kms\n"
        "try:\n"
        "    open_kms(sys.argv[1], home=pathlib.Path('.')).wrap(bytes(32), {})\n"
        "except BackendError as error:\n"
        "    print(error.retryable, error)\n"
    )
    url = softhsm_token.url("root", pin="wrong")
    said = subprocess.run(
        [sys.executable, "-c", script, url], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("False The token strongroom-test does not take the PIN")
    assert WRONG not in said.stdout + said.stderr


def test_a_token_can_be_used_on_both_sides_of_a_fork(softhsm_token: SoftHsm) -> None:
    kms = root_keys.hsm(softhsm_token).open()
    wrapped = kms.wrap(KEY, CONTEXT)
    child = os.fork()
    if child == 0:
        opened = False
        try:
            again = open_kms(kms.url, home=Path())
            opened = kms.unwrap(wrapped, CONTEXT) == again.unwrap(wrapped, CONTEXT) == KEY
        finally:
            os._exit(0 if opened else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert kms.unwrap(wrapped, CONTEXT) == KEY


# the library's own search complains when it is collected after its session has ended
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_token_that_was_away_is_logged_in_to_anew(softhsm_token: SoftHsm) -> None:
    kms = root_keys.hsm(softhsm_token).open()
    wrapped = kms.wrap(KEY, CONTEXT)
    pkcs11.lib(str(softhsm_token.module)).reinitialize()  # ends every session
    with pytest.raises(BackendError) as refusal:
        kms.unwrap(wrapped, CONTEXT)
    assert refusal.value.retryable
    assert kms.unwrap(wrapped, CONTEXT) == KEY


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("keyring", ""),
        ("nosuch://x", ""),
        ("keyring://?passphrase=hunter2", "hunter2"),
        ("transit://root:hunter2@127.0.0.1:1/transit/key", "hunter2"),
        ("transit://127.0.0.1:1/key", ""),
        ("transit://127.0.0.1:1/transit/key?token=hunter2", "hunter2"),
        ("aws-kms://", ""),
        ("pkcs11://token/key", ""),
        ("pkcs11://token/key?module=/m.so&pin=hunter2", "hunter2"),
    ],
)
def test_a_url_that_cannot_be_is_a_usage_error(url: str, secret: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        open_kms(url, home=tmp_path)
    assert not secret or secret not in str(refusal.value)


def test_opening_the_room_imports_no_vendor() -> None:
    vendors = "boto3 botocore hvac pkcs11 requests stamina"
    script = f"import sys, vault.kms; print([n for n in '{vendors}'.split() if n in sys.modules])"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"


@pytest.mark.parametrize("scheme", ["transit", "pkcs11"])
def test_a_missing_package_names_what_to_install(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"vault.kms.{scheme}", raising=False)
    monkeypatch.setitem(sys.modules, {"transit": "hvac", "pkcs11": "pkcs11"}[scheme], None)
    with pytest.raises(BackendError, match=rf"strongroom\[{scheme}\]"):
        open_kms(f"{scheme}://a/b/c", home=tmp_path)


def _uses(kms: KeyManagement, wrapped: bytes) -> list[Callable[[], bytes]]:
    return [lambda: kms.wrap(KEY, CONTEXT), lambda: kms.unwrap(wrapped, CONTEXT)]


def _all_that_is_said(error: BaseException) -> str:
    """An error and everything it was raised from."""
    said = str(error)
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
        said += str(error) + repr(error)
    return said
