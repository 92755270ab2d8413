"""A data subject's request as it is kept: a row of the catalogue, and what is sealed in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from vault.errors import NotFound, Refused
from vault.operations import evidence
from vault.operations.room import Room
from vault.ports import Transaction
from vault.rows import EvidenceRow, RequestRow

_KIND = "request"


class Outcome(StrEnum):
    """What becomes of one element when a request is answered."""

    ERASE = "erase"
    PROVIDE = "provide"
    REFUSED = "refused"
    DEFERRED = "deferred"
    CONFLICT = "conflict-of-laws"


@dataclass(frozen=True, slots=True)
class Item:
    """The answer for one element of one session, and why.

    `not_before` says until when it is kept at least, `review` that only the DPO can tell whose it
    is, `by` (an actor's id) that the DPO did.
    """

    session: str
    element: str
    outcome: Outcome
    reason: str
    citation: str | None = None
    not_before: str | None = None
    review: bool = False
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What is sealed: who asks (as spelled), how identity was proved, what was decided.

    `items` is None until it was decided; `sessions` are those it was decided about.
    """

    subject: str
    acknowledge_by: str | None = None
    paused_days: int = 0
    proof: str | None = None
    extension: str | None = None
    refusal: str | None = None
    note: str | None = None
    items: tuple[Item, ...] | None = None
    sessions: tuple[str, ...] = ()
    package: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One request, opened."""

    row: RequestRow
    details: Details

    @property
    def id(self) -> str:
        """The request's id."""
        return self.row.id


def find(room: Room, request_id: str) -> Case:
    """The request of that id. Raises `NotFound`."""
    with room.catalogue.transaction() as tx:
        row = tx.request(request_id)
    if row.tenant != room.tenant:
        raise NotFound("There is no such request.")
    return Case(row, opened(room, row))


def sealed(room: Room, request_id: str, details: Details) -> bytes:
    """Details for the catalogue."""
    text = json.dumps(asdict(details)).encode()
    return room.keys.tenant_key().seal_value(_KIND, request_id, text)


def opened(room: Room, row: RequestRow) -> Details:
    """The details of a row."""
    text = room.keys.tenant_key().open_value(_KIND, row.id, row.details)
    found: dict[str, Any] = json.loads(text)
    items = found.pop("items")
    if items is not None:
        items = tuple(Item(**{**i, "outcome": Outcome(i["outcome"])}) for i in items)
    sessions = tuple(found.pop("sessions"))
    return Details(**found, items=items, sessions=sessions)


def keep(
    room: Room,
    case: Case,
    changed: Case,
    entries: Sequence[EvidenceRow],
    also: Callable[[Transaction], object] = lambda _: None,
) -> Case:
    """Put `changed` in place of `case` and tell the ledger, in one transaction with `also`.

    Raises `Refused` where somebody else changed the request meanwhile: nothing is done then.
    """
    row = replace(changed.row, details=sealed(room, changed.id, changed.details))
    with room.catalogue.transaction() as tx:
        if tx.request(row.id) != case.row:
            raise Refused("Somebody else is working on this request; look at it and try again.")
        tx.set_request(row)
        also(tx)
        tx.add_evidence(entries)
    evidence.publish(room)
    return Case(row, changed.details)
