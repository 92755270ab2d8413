"""A hold as it is kept: its row, what is sealed in it, its members page by page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vault.errors import NotFound
from vault.model import Json
from vault.operations.room import Room
from vault.ports import Transaction
from vault.rows import HoldRow

PAGE = 500

#: Gives a transaction: a new one, or one that is open already (`nullcontext`).
Begin = Callable[[], AbstractContextManager[Transaction]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A hold as it is shown: its row, what is sealed in it, how many members."""

    row: HoldRow
    details: Mapping[str, Json]
    sessions: int


def kept(tx: Transaction, room: Room, hold_id: str) -> HoldRow:
    """The row of a hold, which nobody else can change until the commit. Raises `NotFound`."""
    row = tx.hold(hold_id)
    if row.tenant != room.tenant:
        raise NotFound("There is no such hold in this archive.")
    return row


def member_pages(begin: Begin, hold_id: str) -> Iterator[Sequence[str]]:
    """The ids of the members of a hold, in order."""
    after: str | None = None
    while True:
        with begin() as tx:
            page = tx.members(hold_id, limit=PAGE, after=after)
        yield page
        if len(page) < PAGE:
            return
        after = page[-1]


def opening(room: Room) -> Callable[[HoldRow], dict[str, Json]]:
    """What opens the details of holds.

    Made before a transaction begins: a key may have to be read for it.
    """
    key = room.keys.tenant_key()

    def opened(row: HoldRow) -> dict[str, Json]:
        found: dict[str, Json] = json.loads(key.open_value("hold", row.id, row.details))
        return found

    return opened


def sealing(room: Room) -> Callable[[str, Mapping[str, Json]], bytes]:
    """What seals them, made as early."""
    key = room.keys.tenant_key()
    return lambda hold_id, said: key.seal_value("hold", hold_id, json.dumps(said).encode())
