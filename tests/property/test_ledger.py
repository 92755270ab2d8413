"""What holds for every log: its proofs verify, and nothing that was altered does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.errors import BadInput, IntegrityError
from vault.ledger import canonical, certificate, checkpoint, merkle, proof, tiles
from vault.ledger.note import SigningKey
from vault.model import Json
from vault.ports.ledger import Entry, Proof

KEY = SigningKey("example.com/log", bytes(range(32)))
VKEY = KEY.verifier_key

logs = st.lists(st.binary(max_size=40), min_size=1, max_size=300)
places = st.integers(0, 10_000)


class Log:
    """A log in memory, grown entry by entry."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries, self.nodes = list(entries), dict[tuple[int, int], bytes]()
        self.roots = [merkle.EMPTY_ROOT]
        frontier = merkle.Frontier()
        for entry in entries:
            for level, number, digest in frontier.add(merkle.leaf_hash(entry)):
                self.nodes[level, number] = digest
            self.roots.append(frontier.root())

    def node(self, level: int, number: int) -> bytes:
        return self.nodes[level, number]

    @property
    def size(self) -> int:
        return len(self.entries)


def by_the_book(entries: Sequence[bytes]) -> bytes:
    """The tree's hash in the words of RFC 6962, section 2.1."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    half = 1
    while half * 2 < len(entries):
        half *= 2
    left, right = by_the_book(entries[:half]), by_the_book(entries[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def flipped(digest: bytes, bit: int) -> bytes:
    whole = bytearray(digest)
    whole[bit // 8 % len(whole)] ^= 1 << bit % 8
    return bytes(whole)


def refused(check: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError):
        check()


@given(logs)
def test_the_root_is_that_of_the_rfc(entries: list[bytes]) -> None:
    log = Log(entries)
    assert log.roots[-1] == by_the_book(entries)
    assert merkle.root(log.size, log.node) == log.roots[-1]


@given(logs, places)
def test_a_tree_that_is_taken_up_again_grows_as_if_never_left(
    entries: list[bytes], place: int
) -> None:
    log, at = Log(entries), place % len(entries)
    frontier = merkle.Frontier(at, log.node)
    for entry in entries[at:]:
        frontier.add(merkle.leaf_hash(entry))
    assert frontier.root() == log.roots[-1]


@given(logs, places, places)
def test_any_entry_is_proven_in_any_tree_that_has_it_and_nothing_altered_is(
    entries: list[bytes], first: int, second: int
) -> None:
    log = Log(entries)
    size = first % log.size + 1
    index = second % size
    path = merkle.inclusion(index, size, log.node)
    root, leaf = log.roots[size], merkle.leaf_hash(entries[index])

    def check(
        index: int = index,
        size: int = size,
        leaf: bytes = leaf,
        path: Sequence[bytes] = path,
        root: bytes = root,
    ) -> None:
        merkle.verify_inclusion(index, size, leaf, path, root)

    check()
    refused(lambda: check(leaf=flipped(leaf, first)))
    refused(lambda: check(root=flipped(root, second)))
    refused(lambda: check(path=[*path, root]))
    refused(lambda: check(index=size))
    refused(lambda: check(index=-1))
    if path:
        at = first % len(path)
        refused(lambda: check(path=[*path[:at], flipped(path[at], second), *path[at + 1 :]]))
        refused(lambda: check(path=[*path[:at], *path[at + 1 :]]))
        refused(lambda: check(path=[*path[:at], path[at][:-1], *path[at + 1 :]]))
    if entries.count(entries[index]) == 1 and size > 1:
        refused(lambda: check(index=(index + 1) % size))


@given(logs, places, places)
def test_any_tree_begins_with_any_smaller_one_and_with_nothing_else(
    entries: list[bytes], one: int, other: int
) -> None:
    log = Log(entries)
    first, second = sorted([one % log.size + 1, other % log.size + 1])
    path = merkle.consistency(first, second, log.node)
    roots = log.roots[first], log.roots[second]
    merkle.verify_consistency(first, second, *roots, path)
    refused(
        lambda: merkle.verify_consistency(first, second, flipped(roots[0], one), roots[1], path)
    )
    refused(
        lambda: merkle.verify_consistency(first, second, roots[0], flipped(roots[1], one), path)
    )
    refused(lambda: merkle.verify_consistency(first, second, *roots, [*path, roots[0]]))
    if path:
        at = one % len(path)
        altered = [*path[:at], flipped(path[at], other), *path[at + 1 :]]
        refused(lambda: merkle.verify_consistency(first, second, *roots, altered))
        shorter = [*path[:at], *path[at + 1 :]]
        refused(lambda: merkle.verify_consistency(first, second, *roots, shorter))


@given(logs, places, places)
def test_no_rewritten_entry_is_a_consistent_history(
    entries: list[bytes], place: int, size: int
) -> None:
    old, at = Log(entries), place % len(entries)
    rewritten = [*entries[:at], entries[at] + b".", *entries[at + 1 :], b"more"]
    new, first = Log(rewritten), at + 1 + size % (len(entries) - at)
    path = merkle.consistency(first, new.size, new.node)
    refused(
        lambda: merkle.verify_consistency(first, new.size, old.roots[first], new.roots[-1], path)
    )


@given(logs, places)
def test_a_proof_comes_back_from_its_file_and_is_good_for_that_entry_alone(
    entries: list[bytes], place: int
) -> None:
    log, index = Log(entries), place % len(entries)
    signed = checkpoint.sign(log.size, log.roots[-1], KEY)
    proven = Proof(index, merkle.inclusion(index, log.size, log.node), signed)
    assert proof.read(proof.write(proven)) == proven
    assert proof.verify(proven, entries[index], VKEY).size == log.size
    refused(lambda: proof.verify(proven, entries[index] + b".", VKEY))
    refused(lambda: proof.verify(replace(proven, index=log.size), entries[index], VKEY))
    other = checkpoint.sign(log.size, log.roots[-1], SigningKey("example.com/other", bytes(32)))
    refused(lambda: proof.verify(replace(proven, checkpoint=other), entries[index], VKEY))


STATEMENT: dict[str, Json] = {"session": "s1", "keys": ["k1"], "é": "ü\n"}
TOLD = certificate.announced(
    Entry(certificate.ENTRY_TYPE, "certificate-issued:c1", {"actor": "a1"}), "c1", STATEMENT
)


def issued(told: Entry = TOLD, statement: dict[str, Json] = STATEMENT) -> bytes:
    """A certificate in a log of three entries, of which `told` is the middle one."""
    leaf = canonical.leaf(told)
    log = Log([b"one", leaf, b"three"])
    signed = checkpoint.sign(3, log.roots[3], KEY)
    proven = Proof(1, merkle.inclusion(1, 3, log.node), signed)
    return certificate.written(statement, leaf, KEY, proven)


ISSUED = issued()


def test_a_certificate_says_what_was_stated() -> None:
    assert certificate.verify(ISSUED, VKEY) == STATEMENT


def test_a_signed_statement_of_which_the_ledger_tells_otherwise_is_refused() -> None:
    refused(lambda: certificate.verify(issued(statement={**STATEMENT, "session": "s2"}), VKEY))


def test_an_entry_of_another_type_announces_no_certificate() -> None:
    refused(lambda: certificate.verify(issued(replace(TOLD, type="opened")), VKEY))
    with pytest.raises(ValueError, match="certificate-issued"):
        certificate.announced(replace(TOLD, type="opened"), "c1", STATEMENT)


def test_a_statement_that_is_not_canonical_json_is_refused() -> None:
    stated = json.dumps(STATEMENT).encode()
    body = {**TOLD.body, "sha256": hashlib.sha256(stated).hexdigest()}
    good = issued(replace(TOLD, body=body))
    text = b"%b\n%b\n" % (stated, good.split(b"\n")[1])
    forged = KEY.sign(text.decode()) + good[good.index(b"\n" + proof.HEADER.encode()) :]
    with pytest.raises(IntegrityError, match="canonical"):
        certificate.verify(forged, VKEY)


def test_a_proof_longer_than_any_can_be_is_not_read() -> None:
    signed = checkpoint.sign(1, bytes(32), KEY)
    assert len(proof.read(proof.write(Proof(0, [bytes(32)] * 63, signed))).path) == 63
    refused(lambda: proof.read(proof.write(Proof(0, [bytes(32)] * 64, signed))))


@given(st.integers(0, len(ISSUED) - 1), st.integers(1, 255))
@settings(max_examples=500)
def test_a_certificate_with_any_byte_altered_is_refused(at: int, change: int) -> None:
    altered = bytearray(ISSUED)
    altered[at] ^= change
    refused(lambda: certificate.verify(bytes(altered), VKEY))


def test_a_certificate_that_is_cut_anywhere_is_refused() -> None:
    for stop in range(len(ISSUED)):
        refused(lambda stop=stop: certificate.verify(ISSUED[:stop], VKEY))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def test_a_certificate_of_another_key_is_refused() -> None:
    refused(lambda: certificate.verify(ISSUED, SigningKey(KEY.name, bytes(32)).verifier_key))
    with pytest.raises(BadInput):
        certificate.verify(ISSUED, VKEY[:-1])


@given(st.lists(st.binary(max_size=60), max_size=600))
def test_bundles_give_back_every_entry(entries: list[bytes]) -> None:
    files = dict(tiles.bundles(entries))
    assert [e for content in files.values() for e in tiles.unbundled(content)] == entries
    assert all(path.startswith("tile/entries/") for path in files)
    if entries and entries[-1]:
        refused(lambda: tiles.unbundled([*files.values()][-1][:-1]))


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (1_234_067, 256, "tile/0/x001/x234/067"),
        (1000, 3, "tile/0/x001/000.p/3"),
    ],
)
def test_a_tile_lies_where_the_specification_says(number: int, width: int, path: str) -> None:
    assert tiles.path(0, number, width) == path


@pytest.mark.parametrize(
    "text",
    [
        "example.com/log\n01\n{root}\n",
        "example.com/log\n-1\n{root}\n",
        "example.com/log\n1\n{root}=\n",
        "example.com/log\n1\n",
        "example.com/log\n1\nAAAA\n",
        "example.com/other\n1\n{root}\n",
        "example.com/log\n1\n{root}\n\nmore\n",
    ],
)
def test_a_checkpoint_that_is_written_otherwise_is_refused(text: str) -> None:
    root = checkpoint.Checkpoint("", 0, bytes(32)).text.split("\n")[2]
    refused(lambda: checkpoint.read(KEY.sign(text.format(root=root)), VKEY))


def test_a_checkpoint_may_have_lines_that_we_do_not_read() -> None:
    text = checkpoint.Checkpoint(KEY.name, 7, bytes(32)).text + "more\n"
    assert checkpoint.read(KEY.sign(text), VKEY).size == 7
