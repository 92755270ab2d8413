"""The ledger's rows, and the tree in them: every statement of SQL that the ledger runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from vault.errors import IntegrityError
from vault.ledger import merkle


class Rows:
    """What one connection sees and adds. Transactions are the caller's."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def size(self) -> int:
        """How many entries there are; they are numbered from 0."""
        size: int = self._one("SELECT coalesce(max(id) + 1, 0) FROM entries")
        return size

    def find(self, once: str) -> int | None:
        """The index of the entry of that name."""
        index: int | None = self._one("SELECT id FROM entries WHERE once = ?", once)
        return index

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, str, bytes]]:
        """Index, name and content of the entries [start, stop), in order."""
        return self.database.execute(
            "SELECT id, once, entry FROM entries WHERE id >= ? AND id < ? ORDER BY id",
            (start, stop),
        )

    def node(self, level: int, number: int) -> bytes:
        """A complete node of the tree. Raises `IntegrityError` where it is missing."""
        found: bytes | None = self._one(
            "SELECT hash FROM hashes WHERE level = ? AND number = ?", level, number
        )
        if found is None:
            raise IntegrityError("The ledger's tree has a hole.")
        return found

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        """Number and hash of every complete node of one level, in order."""
        return self.database.execute(
            "SELECT number, hash FROM hashes WHERE level = ? ORDER BY number", (level,)
        )

    def count_nodes(self) -> int:
        """How many complete nodes are kept, of all levels."""
        count: int = self._one("SELECT count(*) FROM hashes")
        return count

    def root(self, size: int) -> bytes:
        """The root of the first `size` entries."""
        return merkle.root(size, self.node)

    def add(self, named: Sequence[tuple[str, bytes]]) -> list[int]:
        """Add entries, each with its name, unless the name is known; their indices."""
        indices: list[int] = []
        nodes: list[tuple[int, int, bytes]] = []
        frontier: merkle.Frontier | None = None
        for once, entry in named:
            if (index := self.find(once)) is None:
                frontier = frontier or merkle.Frontier(self.size(), self.node)
                index = frontier.size
                nodes += frontier.add(merkle.leaf_hash(entry))
                self._run(
                    "INSERT INTO entries (id, once, entry) VALUES (?, ?, ?)", index, once, entry
                )
            indices.append(index)
        self.database.executemany(
            "INSERT INTO hashes (level, number, hash) VALUES (?, ?, ?)", nodes
        )
        return indices

    def certificate(self, certificate_id: str) -> bytes | None:
        """The certificate of that id."""
        document: bytes | None = self._one(
            "SELECT document FROM certificates WHERE id = ?", certificate_id
        )
        return document

    def certificates(self) -> Iterator[tuple[str, bytes]]:
        """Every certificate, in order of id."""
        return self.database.execute("SELECT id, document FROM certificates ORDER BY id")

    def add_certificate(self, certificate_id: str, document: bytes) -> None:
        """Keep one for good."""
        self._run("INSERT INTO certificates (id, document) VALUES (?, ?)", certificate_id, document)

    def checkpoint(self, size: int) -> bytes | None:
        """The checkpoint that was signed at that size, if one was."""
        note: bytes | None = self._one("SELECT note FROM checkpoints WHERE size = ?", size)
        return note

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Size and note of every checkpoint that was signed, in order."""
        return self.database.execute("SELECT size, note FROM checkpoints ORDER BY size")

    def newest_checkpoint(self) -> bytes | None:
        """The one of the largest size."""
        note: bytes | None = self._one("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1")
        return note

    def add_checkpoint(self, size: int, note: bytes) -> None:
        """Remember that this was signed."""
        self._run("INSERT INTO checkpoints (size, note) VALUES (?, ?)", size, note)

    def _run(self, statement: str, *values: object) -> None:
        self.database.execute(statement, values)

    def _one(self, statement: str, *values: object) -> Any:  # noqa: ANN401  a column is what its table says
        row = self.database.execute(statement, values).fetchone()
        return None if row is None else row[0]
