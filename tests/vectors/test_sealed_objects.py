"""Sealed objects that others made, most of them damaged: ours must agree on every one.

Sources: Wycheproof (beside this file) and the package `cryptography-vectors`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256

from vault.errors import IntegrityError
from vault.seal import stream

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Vector:
    """`plain_bytes` and `digest` are of the plaintext that may be read before the damage."""

    name: str
    algorithm: str
    key: bytes
    context: bytes
    sealed: bytes
    valid: bool
    plain_bytes: int | None
    digest: Callable[[bytes], bool]


def _digest(name: str, expected: str | None) -> Callable[[bytes], bool]:
    return lambda plain: hashlib.new(name, plain).hexdigest() == expected


def _wycheproof() -> Iterator[Vector]:
    text = (HERE / "wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json").read_text()
    for group in json.loads(text)["testGroups"]:
        for test in group["tests"]:
            yield Vector(
                name=f"wycheproof {test['tcId']}: {test['comment']}",
                algorithm=group["aead"],
                key=bytes.fromhex(test["key"]),
                context=bytes.fromhex(test["ctx"]),
                sealed=zlib.decompress(bytes.fromhex(test["ct"])),
                valid=test["result"] == "valid",
                plain_bytes=test.get("msgLength"),
                digest=_digest("sha512", test.get("msgSha512")),
            )


def _cryptography() -> Iterator[Vector]:
    with cryptography_vectors.open_vector_file("chunked-encryption/vectors.json", "r") as file:
        vectors = json.load(file)["vectors"]
    for test in vectors:
        sealed = base64.b64decode(test["ciphertext"] or "")
        yield Vector(
            name=test["name"],
            algorithm=test["aead"],
            key=bytes.fromhex(test["key"]),
            context=test["context"].encode(),
            sealed=zlib.decompress(sealed) if test.get("compressed") else sealed,
            valid=test["expect"] == "success",
            plain_bytes=test.get("payload_length"),
            digest=_digest("sha256", test.get("payload_sha256")),
        )


OURS = list(_wycheproof())
VALID = [vector for vector in OURS if vector.valid]
DAMAGED = [vector for vector in OURS if not vector.valid]
#: The same format under SHA-256 instead of SHA-512, with three ciphers.
OTHER_HASH = list(_cryptography())
OTHER_HASH_ONLY = [vector for vector in OTHER_HASH if vector.algorithm == "AEAD_AES_256_GCM"]


def _by_name(vectors: list[Vector]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector.name)


def _reader(vector: Vector, block_bytes: int = 1 << 20) -> stream.RangeReader:
    def fetch(start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, block_bytes):
            yield vector.sealed[at : min(at + block_bytes, stop)]

    return stream.RangeReader(vector.key, vector.context, fetch, len(vector.sealed))


def _by_library(vector: Vector) -> bytes:
    decryptor = Cobblestone256Decryptor(vector.key, vector.context)
    return decryptor.update(vector.sealed) + decryptor.finalize()


def test_the_sets_are_as_large_as_they_were() -> None:
    assert (len(VALID), len(DAMAGED)) == (10, 25)
    assert (len(OTHER_HASH), len(OTHER_HASH_ONLY)) == (102, 34)


@_by_name(VALID)
def test_a_good_object_opens_by_library_and_by_range(vector: Vector) -> None:
    plain = _by_library(vector)
    assert len(plain) == vector.plain_bytes
    assert vector.digest(plain)
    assert stream.open_bytes(vector.key, vector.context, vector.sealed) == plain
    assert _reader(vector).size == vector.plain_bytes
    assert _reader(vector).read(0, len(plain)) == plain
    assert b"".join(_reader(vector, block_bytes=4999).stream()) == plain


@_by_name(VALID)
def test_every_range_around_a_chunk_border_is_that_run_of_the_whole(vector: Vector) -> None:
    plain = _by_library(vector)
    reader = _reader(vector, block_bytes=16385)
    borders = {0, 16383, 16384, 16385, 32768, len(plain) // 2, len(plain) - 1, len(plain)}
    inside = sorted(border for border in borders if 0 <= border <= len(plain))
    for start, stop in [*pairwise(inside), (inside[0], inside[-1]), (inside[-1], inside[0])]:
        assert reader.read(start, stop) == plain[start:stop]


@_by_name(DAMAGED)
def test_a_damaged_object_is_refused_by_the_library(vector: Vector) -> None:
    with pytest.raises((InvalidTag, ValueError)):
        _by_library(vector)


@_by_name(DAMAGED)
def test_a_damaged_object_is_refused_when_opened_whole(vector: Vector) -> None:
    with pytest.raises(IntegrityError):
        stream.open_bytes(vector.key, vector.context, vector.sealed)


@_by_name(DAMAGED)
@pytest.mark.parametrize("block_bytes", [4999, 1 << 20])
def test_a_damaged_object_is_refused_by_range_and_gives_no_wrong_byte(
    vector: Vector, block_bytes: int
) -> None:
    _must_be_refused(vector, block_bytes)


@_by_name(OTHER_HASH)
def test_an_object_of_another_instantiation_is_refused(vector: Vector) -> None:
    with pytest.raises(IntegrityError):
        _reader(vector).read(0, 1)
    with pytest.raises(IntegrityError):
        stream.open_bytes(vector.key, vector.context, vector.sealed)


@_by_name(OTHER_HASH_ONLY)
def test_the_range_reader_holds_for_the_other_hash_too(
    vector: Vector, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All but the hash is as ours, so these too try the reader's handling of chunks.
    monkeypatch.setattr(stream, "SHA512", SHA256)
    if not vector.valid:
        _must_be_refused(vector, block_bytes=4999)
        return
    plain = b"".join(_reader(vector, block_bytes=4999).stream())
    assert len(plain) == vector.plain_bytes
    assert vector.digest(plain)


def _must_be_refused(vector: Vector, block_bytes: int) -> None:
    """Refused, and what was given out before that is the true beginning."""
    given = bytearray()
    with pytest.raises(IntegrityError):
        _read_into(given, vector, block_bytes)
    if given:
        assert len(given) == vector.plain_bytes
        assert vector.digest(bytes(given))


def _read_into(given: bytearray, vector: Vector, block_bytes: int) -> None:
    for block in _reader(vector, block_bytes).stream():
        given += block
