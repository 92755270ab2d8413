"""What was destroyed stays destroyed, what is held stays held, although a back-up comes back.

Every disposal and every change of a hold is numbered in its own transaction. `keep` writes what has
been committed into the erasure record, which lies outside the catalogue and its back-ups, before
the ledger hears of it, or anybody. A catalogue that does not know the newest act of the record is
older than it: no key of a session is used until the record was replayed (restoring.py).
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from vault.errors import NotFound, Refused
from vault.model import Json, State
from vault.operations.room import Room
from vault.ports import Catalogue, ErasureRecord
from vault.rows import ActRow, DisposalRow, HoldRow, ScopeRow

BEHIND = (
    "The catalogue is older than what was destroyed and held since: it came from a back-up. "
    "Nothing is read or taken in until `strongroom restore` has done that again."
)
_LOOK_AGAIN_SECONDS = 1.0
_PAGE = 500
_SEALED = frozenset({"details", "document"})
_RowT = TypeVar("_RowT", DisposalRow, HoldRow)


class Watch:
    """Sees to it that the catalogue is not older than the record; looks once a second at most."""

    def __init__(self, catalogue: Catalogue, record: ErasureRecord) -> None:
        self._catalogue = catalogue
        self._record = record
        self._good_until = 0.0

    def expect_current(self) -> None:
        """Raises `Refused` while the catalogue is older."""
        now = time.monotonic()
        if now >= self._good_until:
            if behind(self._catalogue, self._record):
                raise Refused(BEHIND)
            self._good_until = now + _LOOK_AGAIN_SECONDS


def behind(catalogue: Catalogue, record: ErasureRecord) -> bool:
    """Whether the record has acts that this catalogue knows nothing of."""
    newest = record.newest()
    if newest is None:
        return False
    with catalogue.transaction() as tx:
        return not tx.has_act(newest)


def keep(room: Room) -> None:
    """The record has every act that was committed by now.

    Whoever dies before leaves it to the next who comes. Raises `BackendError`.
    """
    while True:
        newest = room.erasure.newest()
        with room.catalogue.transaction() as tx:
            if newest is not None and not tx.has_act(newest):
                return  # a catalogue from a back-up has nothing to tell
            acts = tx.acts(after=newest.number if newest else 0, limit=_PAGE)
        for act in acts:
            room.erasure.append(act, _documents(room, act))
        if len(acts) < _PAGE:
            return


def _documents(room: Room, act: ActRow) -> Iterator[Mapping[str, Json]]:
    if act.kind == "disposal":
        with suppress(NotFound):  # of a session that came after a back-up which was put back
            with room.catalogue.transaction() as tx:
                row = tx.disposal(act.of)
                erased = tx.session(row.session_id).state is State.ERASED
            yield {"row": plain(row), "erased": erased}
        return
    with room.catalogue.transaction() as tx:
        hold, lookups = tx.hold(act.of), tx.scopes(act.of)
    yield {"row": plain(hold), "scopes": [[s.kind, s.hash.hex()] for s in lookups]}
    after: str | None = None
    while True:
        with room.catalogue.transaction() as tx:
            members = tx.members(act.of, limit=_PAGE, after=after)
        if not members:
            return
        yield {"members": list(members)}
        after = members[-1]


def plain(row: DisposalRow | HoldRow) -> dict[str, Json]:
    """A row as JSON."""
    return {f.name: _plain(getattr(row, f.name)) for f in fields(row)}


def again(kind: type[_RowT], said: Mapping[str, Any]) -> _RowT:
    """The row that `plain` made this of."""
    return kind(**{name: _again(name, value) for name, value in said.items()})


def scopes(hold_id: str, said: Sequence[tuple[str, str]]) -> Iterator[ScopeRow]:
    """The look-ups that are in the record with a hold."""
    return (ScopeRow(hold_id, kind, bytes.fromhex(digest)) for kind, digest in said)


def _plain(value: object) -> Json:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value  # type: ignore[return-value]  # text, flags and None are left


def _again(name: str, value: Any) -> Any:  # noqa: ANN401  what JSON gives, and a field takes
    if value is None:
        return None
    if name.endswith(("_at", "_until")):
        return datetime.fromisoformat(value)
    return b64decode(value) if name in _SEALED else value
