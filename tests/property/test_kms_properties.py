"""What must hold of the keyring's formats for every input."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import IntegrityError
from vault.kms.envelope import Envelope, bound, is_root_id, new_root_id

# Few letters, so that names and values often run into one another.
close = st.text(alphabet="ab\0\x01:=,", max_size=5)
contexts = st.dictionaries(close, close, max_size=4) | st.dictionaries(st.text(), st.text())


@given(contexts, contexts)
def test_two_contexts_are_bound_as_the_same_bytes_only_if_they_are_the_same(
    one: dict[str, str], other: dict[str, str]
) -> None:
    assert (bound(one) == bound(other)) == (one == other)


@given(contexts)
def test_the_order_of_a_context_does_not_matter(context: dict[str, str]) -> None:
    assert bound(dict(reversed(context.items()))) == bound(context)


@given(st.binary(min_size=12, max_size=12), st.binary(min_size=48, max_size=48))
def test_an_envelope_comes_back_as_it_was(nonce: bytes, sealed: bytes) -> None:
    envelope = Envelope(new_root_id(), nonce, sealed)
    assert len(envelope.pack()) == 77
    assert Envelope.parse(envelope.pack()) == envelope


@given(st.binary(max_size=160))
def test_bytes_that_are_no_envelope_are_an_integrity_error(made_up: bytes) -> None:
    with pytest.raises(IntegrityError):
        Envelope.parse(made_up)


@given(st.integers(min_value=0, max_value=16 * 8 - 1))
def test_a_damaged_root_id_is_not_one(bit: int) -> None:
    root_id = new_root_id()
    damaged = bytearray(root_id)
    damaged[bit // 8] ^= 1 << (bit % 8)
    assert is_root_id(root_id)
    assert not is_root_id(bytes(damaged))


def test_stock_software_opens_a_wrapped_key_by_the_documented_layout() -> None:
    root, key, context = os.urandom(32), os.urandom(32), {"b": "2", "a": "1"}
    nonce = os.urandom(12)
    wrapped = Envelope(
        new_root_id(), nonce, AESGCM(root).encrypt(nonce, key, bound(context))
    ).pack()
    by_hand = b"\x00\x00\x00\x11strongroom/v1/kms" + b"".join(
        b"\x00\x00\x00\x01" + each for each in (b"a", b"1", b"b", b"2")
    )
    assert AESGCM(root).decrypt(wrapped[17:29], wrapped[29:], by_hand) == key
