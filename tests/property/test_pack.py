"""Parts written in any order and interleaving are read back whole and by range."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import IntegrityError
from vault.model import Compartment, Kind
from vault.seal import pack
from vault.seal.stream import RangeReader, seal

KEY, CONTEXT = bytes(32), b"pack"
writes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40_000)), max_size=12)


@given(writes=writes, heads=st.sets(st.integers(0, 3)), data=st.data())
def test_interleaved_parts_read_back_as_written(
    writes: list[tuple[int, int]], heads: set[int], data: st.DataObject
) -> None:
    packer, blocks = pack.Packer(Compartment.DERIVED), []
    wanted = {f"part {n}": b"" for n in range(4)}
    for name in wanted:
        packer.begin(name, Kind.AUDIO, "audio/wav")
    for number, size in writes:
        block = os.urandom(size)
        wanted[f"part {number}"] += block
        blocks.append(packer.take(f"part {number}", block))
    for number in heads:
        head = os.urandom(42)
        wanted[f"part {number}"] = head + wanted[f"part {number}"]
        blocks.append(packer.prepend(f"part {number}", head))
        packer.digest_as(f"part {number}", hashlib.sha256(wanted[f"part {number}"]).hexdigest())
    sealed = b"".join(seal(KEY, CONTEXT, blocks))
    reader = RangeReader(KEY, CONTEXT, lambda a, b: [sealed[a:b]], len(sealed))
    for part in pack.load(pack.dump(packer.parts()), Compartment.DERIVED):
        whole = wanted[part.name]
        assert b"".join(pack.stream(reader, part)) == whole
        assert (part.size_bytes, part.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        start = data.draw(st.integers(0, len(whole)))
        stop = data.draw(st.integers(0, len(whole)))
        assert b"".join(pack.stream(reader, part, start, stop)) == whole[start:stop]


def test_a_part_that_was_prepended_to_has_no_digest_until_one_is_stated() -> None:
    packer = pack.Packer(Compartment.DERIVED)
    packer.begin("a.flac", Kind.AUDIO, "audio/flac")
    packer.take("a.flac", b"body")
    packer.prepend("a.flac", b"head")
    assert [p.name for p in packer.unhashed()] == ["a.flac"]
    packer.digest_as("a.flac", "ab" * 32)
    assert packer.unhashed() == []


def test_two_parts_cannot_share_a_name() -> None:
    packer = pack.Packer(Compartment.ORIGINAL)
    packer.begin("full.wav", Kind.AUDIO, "audio/wav")
    with pytest.raises(ValueError, match="already"):
        packer.begin("full.wav", Kind.AUDIO, "audio/wav")


def test_a_manifest_of_a_newer_version_is_refused() -> None:
    with pytest.raises(IntegrityError):
        pack.load(b'{"version": 2, "parts": []}', Compartment.ORIGINAL)


@pytest.mark.parametrize(
    "manifest",
    [
        *(b"", b"\xff", b"[", b"[]", b"{}", b"3", b"[" * 100_000, b'{"version": 1}'),
        *(b'{"version": 1, "parts": [%b]}' % row for row in (b"0", b"[]", b"[1, 2, 3, 4, 5, 6]")),
        b'{"version": 1, "parts": [["a", "audio", "audio/wav", 2, "", [[0, 3]]]]}',
        b'{"version": 1, "parts": [["a", "audio", "audio/wav", -1, "", [[0, -1]]]]}',
        b'{"version": 1, "parts": [["a", "noise", "audio/wav", 0, "", []]]}',
        b'{"version": 1, "parts": [["a", "audio", "audio/wav", 0, "", [[0]]]]}',
    ],
)
def test_a_damaged_manifest_is_refused_in_our_own_words(manifest: bytes) -> None:
    with pytest.raises(IntegrityError):
        pack.load(manifest, Compartment.ORIGINAL)
