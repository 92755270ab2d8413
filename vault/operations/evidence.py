"""Evidence: what is done is told to the ledger, and nothing that was done can stay untold.

A fact and its entry are kept in one transaction of the catalogue; the entry is then told to the
ledger, which knows it by its `once` and takes it a single time. Whoever dies in between leaves it
to the next who comes. Only what must be told before it is done (`before`) goes there directly.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress

from vault.errors import BackendError
from vault.model import Json
from vault.operations import erasure
from vault.operations.room import Room
from vault.ports import Entry
from vault.rows import EvidenceRow

_PAGE = 500
_numbers = itertools.count()


def row(room: Room, type: str, *, once: str | None = None, **ids: Json) -> EvidenceRow:  # noqa: A002 - the ledger's own word
    """An entry that waits; to be kept in the transaction of the fact itself.

    `ids` are ids, numbers and names of our own, never anything that names a person. `once` names
    the fact where it may be told twice.
    """
    # As many as one moment has are told in the order in which they happened.
    row_id = f"{time.time_ns():020d}-{next(_numbers):09d}-{os.urandom(8).hex()}"
    body = {"at": room.clock.now().isoformat(), **who(room), **ids}
    return EvidenceRow(row_id, type, once or row_id, json.dumps(body).encode())


def publish(room: Room) -> int:
    """Tell the ledger everything that waits; how much that was.

    Two that do so at once tell the same twice, and the ledger keeps it once.
    Raises `BackendError` where the ledger cannot be written; what waits goes on waiting.
    """
    told = 0
    while True:
        with room.catalogue.transaction() as tx:
            some = tx.evidence(limit=_PAGE)
        if some:
            erasure.keep(room)
            room.ledger.append([Entry(r.type, r.once, json.loads(r.body)) for r in some])
            with room.catalogue.transaction() as tx:
                tx.drop_evidence([r.id for r in some])
        told += len(some)
        if len(some) < _PAGE:
            return told


def before(room: Room, entries: Sequence[tuple[str, str, dict[str, Json]]]) -> Sequence[int]:
    """Tell the ledger now of (type, once, ids) that are about to happen, or have just happened.

    Raises `BackendError` where that cannot be: then they must not happen.
    """
    at = room.clock.now().isoformat()
    return room.ledger.append(
        [Entry(kind, once, {"at": at, **who(room), **ids}) for kind, once, ids in entries]
    )


def opened(room: Room, session_id: str, what: str, reason: str | None) -> None:
    """Keep that somebody is about to be given something of a session in clear; `what` is no name.

    It is told to the ledger if that is there, and waits in the catalogue if not.
    """
    why = None if reason is None else commitment(room, reason)
    entry = row(room, "opened", session=session_id, what=what, reason=why)
    with room.catalogue.transaction() as tx:
        tx.add_evidence([entry])
    with suppress(BackendError):
        publish(room)


def commitment(room: Room, text: str) -> str:
    """A keyed hash of free text, which binds us to it and tells nobody what it says. Hex."""
    return room.keys.keyed_hash("commitment", text.encode()).hex()


def who(room: Room) -> dict[str, Json]:
    """Who acts, as every entry says it: an id, never a name."""
    test: dict[str, Json] = {"test_clock": True} if room.test_clock else {}
    return {"actor": room.actor.id, "auth": "local", **test}
