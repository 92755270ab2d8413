"""The tree over the entries: one root for all of them, and short proofs about it.

The hash of an entry is SHA-256(0x00 ‖ entry), of a node SHA-256(0x01 ‖ left ‖ right); a tree of
n > 1 leaves splits after the largest power of two below n. The node (level, number) is the root
of the 2^level leaves that begin at number · 2^level: once it is complete it never changes. A
`Node` reads it; all that is here is made of few such reads, O(log n).

Source: RFC 6962, section 2.1; verification: RFC 9162, sections 2.1.3.2 and 2.1.4.2
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from vault.errors import IntegrityError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

#: The hash of a complete node, by level and number.
Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """What stands for `entry` in the tree."""
    return hashlib.sha256(b"\x00" + entry).digest()


def parent(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: all that is needed to add to it.

    Holds the roots of the largest complete subtrees, left to right: one for each 1 in the size.
    """

    def __init__(self, size: int = 0, node: Node | None = None) -> None:
        """The edge of a tree that has `size` leaves already, which `node` reads."""
        self.size = size
        self._peaks: list[bytes] = []
        if node is not None:
            for level in reversed(_ones(size)):
                self._peaks.append(node(level, (size >> level) - 1))

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add one leaf hash; the nodes that this completes as (level, number, hash), lowest first.

        Two on average, at most log n + 1.
        """
        level, number = 0, self.size
        completed = [(level, number, leaf)]
        while number & 1:
            leaf = parent(self._peaks.pop(), leaf)
            level, number = level + 1, number >> 1
            completed.append((level, number, leaf))
        self._peaks.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        if not self._peaks:
            return EMPTY_ROOT
        *rest, folded = self._peaks
        for peak in reversed(rest):
            folded = parent(peak, folded)
        return folded


def root(size: int, node: Node) -> bytes:
    """The root of the first `size` leaves."""
    return Frontier(size, node).root()


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The path from leaf `index` to the root of `size` leaves, its sibling first."""
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        split = _split(start, stop)
        if index < split:
            path.append(_span(split, stop, node))
            stop = split
        else:
            path.append(_span(start, split, node))
            start = split
    return path[::-1]


def consistency(first: int, second: int, node: Node) -> list[bytes]:
    """That the tree of `second` leaves begins with the tree of `first`; 0 < first ≤ second."""
    path: list[bytes] = []
    start, stop, known = 0, second, True
    while first < stop:
        split = _split(start, stop)
        if first <= split:
            path.append(_span(split, stop, node))
            stop = split
        else:
            path.append(_span(start, split, node))
            start, known = split, False
    if not known:
        path.append(_span(start, stop, node))
    return path[::-1]


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], expected_root: bytes
) -> None:
    """Raises `IntegrityError` unless `path` leads from the hash `leaf` at `index` to the root."""
    _expect_hashes(leaf, expected_root, *path)
    if not 0 <= index < size:
        raise _unproven()
    folded, at, last = leaf, index, size - 1
    for step in path:
        if last == 0:
            raise _unproven()
        if at & 1 or at == last:
            folded = parent(step, folded)
            at, last = _past_lone_nodes(at, last)
        else:
            folded = parent(folded, step)
        at, last = at >> 1, last >> 1
    if last or folded != expected_root:
        raise _unproven()


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> None:
    """Raises `IntegrityError` unless the second tree is the first with leaves added at its end.

    A tree of no leaves proves nothing about any other: that is refused.
    """
    if first == second and first_root == second_root and not path:
        if first or first_root == EMPTY_ROOT:
            return
        raise _unproven()
    _expect_hashes(first_root, second_root, *path)
    if not 0 < first < second or not path:
        raise _unproven()
    # Where the first tree is a node of the second, the path begins with its sibling.
    steps = [first_root, *path] if first & (first - 1) == 0 else path
    at, last = _past_ones(first - 1, second - 1)
    folded_first = folded_second = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise _unproven()
        if at & 1 or at == last:
            folded_first, folded_second = parent(step, folded_first), parent(step, folded_second)
            at, last = _past_lone_nodes(at, last)
        else:
            folded_second = parent(folded_second, step)
        at, last = at >> 1, last >> 1
    if last or folded_first != first_root or folded_second != second_root:
        raise _unproven()


def _ones(number: int) -> list[int]:
    """The places of the ones in `number`, lowest first."""
    return [place for place in range(number.bit_length()) if number >> place & 1]


def _split(start: int, stop: int) -> int:
    """Where a subtree of more than one leaf has its right half begin."""
    return start + (1 << ((stop - start - 1).bit_length() - 1))


def _span(start: int, stop: int, node: Node) -> bytes:
    """The root of the leaves [start, stop), as one of the splits of a tree has them."""
    folded: bytes | None = None
    for level in _ones(stop - start):
        peak = node(level, (stop >> level) - 1)
        folded = peak if folded is None else parent(peak, folded)
    return EMPTY_ROOT if folded is None else folded


def _past_lone_nodes(at: int, last: int) -> tuple[int, int]:
    """Up to where the node `at` is a right child: a last node without a sibling only moves up."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _past_ones(at: int, last: int) -> tuple[int, int]:
    """Up to the largest subtree that both trees have at their first one's end."""
    while at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _expect_hashes(*given: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in given):
        raise _unproven()


def _unproven() -> IntegrityError:
    return IntegrityError("The proof does not lead to that root.")
