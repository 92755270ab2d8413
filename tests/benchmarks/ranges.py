"""How much is read from the store to give out a little from the middle of a large part."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import cast

from tests.benchmarks import inputs
from tests.benchmarks.depositing import deposit
from tests.benchmarks.measure import Row, Spread, at_most
from vault import bootstrap
from vault.operations import retrieve
from vault.ports import ObjectStore, Stored
from vault.rows import SessionFilter
from vault.settings import load

PART_BYTES = 1_000_000_000
RANGE_BYTES = 65_536


class Counted:
    """A store that counts what it is asked for and what it gives."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.calls = 0
        self.given_bytes = 0

    def stat(self, key: str, version: str) -> Stored:
        return self._store.stat(key, version)

    def get(
        self, key: str, version: str, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        self.calls += 1
        for block in self._store.get(key, version, start, stop):
            self.given_bytes += len(block)
            yield block


def rows() -> Iterator[Row]:
    """The bytes that `ObjectStore.get` gives for one range, at several places."""
    with inputs.scratch() as folder:
        path = inputs.recording(folder / "one.wav", PART_BYTES)
        home = folder / "home"
        deposit(home, path, {})
        with bootstrap.open_room(load(home)) as room:
            row = next(retrieve.sessions(room, SessionFilter()))
            given, calls = [], 0
            for start in (PART_BYTES // 2, PART_BYTES // 2 + 16_383, PART_BYTES // 3):
                counted = Counted(room.store)
                watched = dataclasses.replace(room, store=cast("ObjectStore", counted))
                opened = retrieve.Opened(watched, row)
                found = b"".join(opened.stream(opened.parts[0], start, start + RANGE_BYTES))
                with path.open("rb") as file:
                    file.seek(start)
                    if found != file.read(RANGE_BYTES):
                        raise AssertionError("the range read back is not what was deposited")
                given.append(counted.given_bytes / 1000)
                calls = counted.calls
    text = f"{calls} requests; {given[0] * 1000 / RANGE_BYTES:.2f} × the range"
    what = "read from the store for 64 kB in the middle of 1 GB"
    yield at_most(what, Spread.of(given), 100, " kB", text, digits=1)
