"""Everything again: reads all that the ledger holds and compares it with all that it signed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from vault.errors import IntegrityError
from vault.ledger import certificate, checkpoint, merkle
from vault.storage.evidence.rows import Rows


def audit(rows: Rows, vkey: str) -> tuple[int, bytes]:
    """Size and root, once every entry, node, checkpoint and certificate is found to be good.

    One pass, in memory that does not grow with the size; `rows` sees one state throughout.
    Raises `IntegrityError` that names the first thing that is wrong.
    """
    size, frontier, tree = rows.size(), merkle.Frontier(), _Tree(rows)
    signed = _Signed(rows, vkey)
    signed.compare(frontier)
    for expected, (index, once, entry) in enumerate(rows.entries(0, size)):
        if index != expected:
            raise IntegrityError(f"The ledger has no entry {expected}.")
        if _name_in(entry) != once:
            raise IntegrityError(f"Entry {index} of the ledger is kept under another name.")
        for level, number, digest in frontier.add(merkle.leaf_hash(entry)):
            if tree.next(level) != (number, digest):
                raise IntegrityError(f"Entry {index} of the ledger is not the one that was added.")
        signed.compare(frontier)
    signed.end()
    if rows.count_nodes() != sum(size >> level for level in range(size.bit_length())):
        raise IntegrityError("The ledger's tree has nodes that no entry accounts for.")
    _check_certificates(rows, vkey)
    return size, frontier.root()


class _Tree:
    """The kept nodes, level by level, each level read once from left to right."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._levels: list[Iterator[tuple[int, bytes]]] = []

    def next(self, level: int) -> tuple[int, bytes] | None:
        while len(self._levels) <= level:
            self._levels.append(self._rows.nodes(len(self._levels)))
        return next(self._levels[level], None)


class _Signed:
    """The signed checkpoints, each compared with the tree when it has grown to that size."""

    def __init__(self, rows: Rows, vkey: str) -> None:
        self._vkey = vkey
        self._notes = rows.checkpoints()
        self._next = next(self._notes, None)

    def compare(self, frontier: merkle.Frontier) -> None:
        if self._next is None or self._next[0] != frontier.size:
            return
        head = checkpoint.read(self._next[1], self._vkey)
        if (head.size, head.root) != (frontier.size, frontier.root()):
            raise IntegrityError(
                f"The first {frontier.size} entries of the ledger are not what was signed."
            )
        self._next = next(self._notes, None)

    def end(self) -> None:
        if self._next is not None:
            raise IntegrityError("The ledger has fewer entries than were signed: it was cut.")


def _name_in(entry: bytes) -> object:
    try:
        document = json.loads(entry)
    except (ValueError, RecursionError):
        return None
    return document.get("once") if isinstance(document, dict) else None


def _check_certificates(rows: Rows, vkey: str) -> None:
    for certificate_id, document in rows.certificates():
        try:
            certificate.verify(document, vkey)
        except IntegrityError as error:
            raise IntegrityError(f"Certificate {certificate_id} is damaged: {error}") from error
