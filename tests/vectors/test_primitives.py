"""The two primitives that sealing stands on, held to Wycheproof's vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent / "wycheproof"
#: cryptography takes nonces of 8 to 128 bytes; ours always have 12.
NONCE_BYTES = range(8, 129)


def _tests(name: str) -> Iterator[dict[str, Any]]:
    for group in json.loads((HERE / name).read_text())["testGroups"]:
        yield from group["tests"]


def _by_number(tests: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("test", tests, ids=lambda test: f"{test['tcId']}")


def _bytes(test: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(test[name]) for name in names]


def _takes(test: dict[str, Any]) -> bool:
    return len(test["iv"]) // 2 in NONCE_BYTES


GCM = list(_tests("aes_gcm_test.json"))
HKDFS = list(_tests("hkdf_sha512_test.json"))


def test_the_sets_are_as_large_as_they_were() -> None:
    assert (len(GCM), len(HKDFS)) == (316, 83)
    assert sum(_takes(test) and test["result"] == "valid" for test in GCM) == 202


@_by_number([test for test in GCM if test["result"] == "valid" and _takes(test)])
def test_a_good_message_opens_and_seals_to_the_same_bytes(test: dict[str, Any]) -> None:
    key, nonce, data, plain, sealed, tag = _bytes(test, "key", "iv", "aad", "msg", "ct", "tag")
    cipher = AESGCM(key)
    assert cipher.encrypt(nonce, plain, data) == sealed + tag
    assert cipher.decrypt(nonce, sealed + tag, data) == plain
    opened = bytearray(len(plain))
    cipher.decrypt_into(nonce, sealed + tag, data, opened)
    assert opened == plain


@_by_number([test for test in GCM if test["result"] == "invalid"])
def test_a_forged_message_is_refused_and_leaves_nothing_behind(test: dict[str, Any]) -> None:
    key, nonce, data, sealed, tag = _bytes(test, "key", "iv", "aad", "ct", "tag")
    opened = bytearray(len(sealed))
    for refused in (
        lambda: AESGCM(key).decrypt(nonce, sealed + tag, data),
        lambda: AESGCM(key).decrypt_into(nonce, sealed + tag, data, opened),
    ):
        with pytest.raises((InvalidTag, ValueError)):
            refused()


@_by_number([test for test in GCM if not _takes(test)])
def test_a_nonce_of_a_risky_length_is_refused(test: dict[str, Any]) -> None:
    key, nonce, data, plain = _bytes(test, "key", "iv", "aad", "msg")
    with pytest.raises(ValueError, match="Nonce"):
        AESGCM(key).encrypt(nonce, plain, data)


@_by_number([test for test in HKDFS if test["result"] == "valid"])
def test_derivation_gives_the_expected_key(test: dict[str, Any]) -> None:
    secret, salt, purpose, expected = _bytes(test, "ikm", "salt", "info", "okm")
    assert HKDF(SHA512(), test["size"], salt, purpose).derive(secret) == expected


@_by_number([test for test in HKDFS if test["result"] == "invalid"])
def test_derivation_of_too_much_is_refused(test: dict[str, Any]) -> None:
    salt, purpose = _bytes(test, "salt", "info")
    with pytest.raises(ValueError, match="larger"):
        HKDF(SHA512(), test["size"], salt, purpose)
