"""Sealing holds for every size, every range, and every way of damaging an object."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.errors import IntegrityError
from vault.seal.stream import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    RangeReader,
    fields,
    open_bytes,
    plain_size,
    seal,
    seal_bytes,
    sealed_size,
)

KEY = bytes(range(32))
CONTEXT = b"a context"
EDGES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]
sizes = st.one_of(st.sampled_from(EDGES), st.integers(0, 4 * CHUNK_BYTES))


def reader(
    sealed: bytes, *, key: bytes = KEY, context: bytes = CONTEXT, step: int = 5000
) -> RangeReader:
    def fetch(start: int, stop: int) -> Iterator[bytes]:
        piece = sealed[start:stop]
        return (piece[i : i + step] for i in range(0, len(piece), step))

    return RangeReader(key, context, fetch, len(sealed))


@given(size=sizes, cut=st.integers(1, 50_000))
def test_what_is_sealed_in_any_blocks_opens_again(size: int, cut: int) -> None:
    plain = os.urandom(size)
    sealed = b"".join(seal(KEY, CONTEXT, (plain[i : i + cut] for i in range(0, size, cut))))
    assert len(sealed) == sealed_size(size)
    assert plain_size(len(sealed)) == size
    assert open_bytes(KEY, CONTEXT, sealed) == plain
    assert reader(sealed, step=cut).read(0, size) == plain


@given(size=sizes)
def test_the_reader_and_the_library_open_each_others_objects(size: int) -> None:
    plain = os.urandom(size)
    encryptor = Cobblestone256Encryptor(KEY, CONTEXT)
    by_library = encryptor.update(plain) + encryptor.finalize()
    assert reader(by_library).read(0, size) == plain
    decryptor = Cobblestone256Decryptor(KEY, CONTEXT)
    assert decryptor.update(seal_bytes(KEY, CONTEXT, plain)) + decryptor.finalize() == plain


@given(size=sizes, data=st.data())
def test_any_range_is_the_slice_of_the_plaintext(size: int, data: st.DataObject) -> None:
    plain = os.urandom(size)
    start, stop = data.draw(st.integers(-5, size + 5)), data.draw(st.integers(-5, size + 5))
    assert (
        reader(seal_bytes(KEY, CONTEXT, plain)).read(start, stop)
        == plain[max(start, 0) : max(stop, 0)]
    )


@settings(max_examples=200)
@given(size=sizes, where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed_before_it_is_read(size: int, where: float, bit: int) -> None:
    sealed = bytearray(seal_bytes(KEY, CONTEXT, os.urandom(size)))
    sealed[int(where * len(sealed))] ^= 1 << bit
    with pytest.raises(IntegrityError):
        reader(bytes(sealed)).read(0, size or 1)
    with pytest.raises(IntegrityError):
        open_bytes(KEY, CONTEXT, bytes(sealed))


@given(size=sizes, keep=st.floats(0, 1, exclude_max=True))
def test_any_truncation_is_refused_before_the_first_byte(size: int, keep: float) -> None:
    sealed = seal_bytes(KEY, CONTEXT, os.urandom(size))
    with pytest.raises(IntegrityError):
        reader(sealed[: int(keep * len(sealed))])


@given(size=sizes, more=st.binary(min_size=1, max_size=SEALED_CHUNK_BYTES + 1))
def test_anything_appended_is_refused_before_the_first_byte(size: int, more: bytes) -> None:
    with pytest.raises(IntegrityError):
        reader(seal_bytes(KEY, CONTEXT, os.urandom(size)) + more)


@given(order=st.permutations(range(3)))
def test_chunks_in_another_order_are_refused(order: list[int]) -> None:
    plain = os.urandom(3 * CHUNK_BYTES + 9)
    sealed = seal_bytes(KEY, CONTEXT, plain)
    body, last = sealed[HEADER_BYTES:-25], sealed[-25:]
    chunks = [body[i * SEALED_CHUNK_BYTES : (i + 1) * SEALED_CHUNK_BYTES] for i in order]
    moved = sealed[:HEADER_BYTES] + b"".join(chunks) + last
    if order == [0, 1, 2]:
        assert reader(moved).read(0, len(plain)) == plain
    else:
        with pytest.raises(IntegrityError):
            reader(moved).read(0, len(plain))


def test_a_chunk_of_another_object_is_refused() -> None:
    one, other = (seal_bytes(KEY, CONTEXT, os.urandom(40_000)) for _ in range(2))
    mixed = one[:HEADER_BYTES] + other[HEADER_BYTES : HEADER_BYTES + SEALED_CHUNK_BYTES]
    mixed += one[len(mixed) :]
    with pytest.raises(IntegrityError):
        reader(mixed).read(0, 40_000)


@pytest.mark.parametrize(("key", "context"), [(bytes(32), CONTEXT), (KEY, b"another")])
def test_another_key_or_context_opens_nothing(key: bytes, context: bytes) -> None:
    sealed = seal_bytes(KEY, CONTEXT, b"words")
    with pytest.raises(IntegrityError):
        reader(sealed, key=key, context=context)
    with pytest.raises(IntegrityError):
        open_bytes(key, context, sealed)


def test_a_store_that_gives_fewer_bytes_than_asked_is_noticed() -> None:
    sealed = seal_bytes(KEY, CONTEXT, os.urandom(100_000))

    def lazy(start: int, stop: int) -> list[bytes]:
        return [sealed[start : stop - (stop - start > SEALED_CHUNK_BYTES)]]

    with pytest.raises(IntegrityError):
        RangeReader(KEY, CONTEXT, lazy, len(sealed)).read(0, 90_000)


def test_a_range_in_the_middle_reads_no_more_than_its_chunks() -> None:
    size = 50_000_000
    sealed = seal_bytes(KEY, CONTEXT, bytes(size))
    asked: list[int] = []

    def fetch(start: int, stop: int) -> list[bytes]:
        asked.append(stop - start)
        return [sealed[start:stop]]

    found = RangeReader(KEY, CONTEXT, fetch, len(sealed)).read(size // 2, size // 2 + 64_000)
    assert len(found) == 64_000
    assert sum(asked) <= 100_000


@given(
    left=st.lists(st.binary(max_size=9), max_size=5),
    right=st.lists(st.binary(max_size=9), max_size=5),
)
def test_no_two_lists_of_fields_are_encoded_alike(left: list[bytes], right: list[bytes]) -> None:
    assert (fields(*left) == fields(*right)) == (left == right)
