"""A record opens only where it belongs, under the key that wrapped it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import IntegrityError
from vault.seal.keys import RECORD_BYTES, Place, new_key, object_key, unwrap, wrap

words = st.text(max_size=20)
places = st.builds(Place, words, words, st.integers(0, 9999), words, words)


@given(place=places)
def test_a_record_is_77_bytes_and_opens_in_its_place(place: Place) -> None:
    kek, dek, key_id = new_key(), new_key(), os.urandom(16)
    record = wrap(kek, key_id, dek, place)
    assert len(record) == RECORD_BYTES
    assert record[1:17] == key_id
    assert unwrap(kek, record, place) == dek


@given(place=places, other=places)
def test_a_record_opens_in_no_other_place(place: Place, other: Place) -> None:
    kek, dek = new_key(), new_key()
    record = wrap(kek, os.urandom(16), dek, place)
    if other != place:
        with pytest.raises(IntegrityError):
            unwrap(kek, record, other)


@given(byte=st.integers(0, RECORD_BYTES - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_record_is_noticed(byte: int, bit: int) -> None:
    place = Place("t", "b", 1, "s", "c")
    kek = new_key()
    record = bytearray(wrap(kek, os.urandom(16), new_key(), place))
    record[byte] ^= 1 << bit
    with pytest.raises(IntegrityError):
        unwrap(kek, bytes(record), place)


@pytest.mark.parametrize("length", [0, 1, 76, 78, 200])
def test_a_record_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(IntegrityError):
        unwrap(new_key(), bytes(length), Place("t", "b", 1, "s", "c"))


def test_another_key_does_not_open_a_record() -> None:
    place = Place("t", "b", 1, "s", "c")
    record = wrap(new_key(), os.urandom(16), new_key(), place)
    with pytest.raises(IntegrityError):
        unwrap(new_key(), record, place)
    with pytest.raises(IntegrityError):
        unwrap(new_key(), record, replace(place, generation=2))


@given(a=st.tuples(words, words), b=st.tuples(words, words))
def test_every_object_has_a_key_of_its_own(a: tuple[str, str], b: tuple[str, str]) -> None:
    dek = bytes(32)
    assert (object_key(dek, *a) == object_key(dek, *b)) == (a == b)
