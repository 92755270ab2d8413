"""Legal holds: preview → place (proposed, members, active) → ask for release → approve → grace.

A hold protects from the moment it is proposed until its release was approved by somebody who
neither placed it nor asked for that. A release destroys nothing: after the grace everything that
was held is decided on anew. Holds are a set: what another one has as a member stays held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from vault.errors import NotFound, Refused, UsageError
from vault.model import Json, new_id
from vault.operations import evidence
from vault.operations.actors import may, permit
from vault.operations.facts import holding
from vault.operations.hold_record import Seen, kept, member_pages, opening, sealing
from vault.operations.hold_scope import Reach, Scope
from vault.operations.hold_store import StoreHolds, reconcile
from vault.operations.room import Progress, Room, silent
from vault.ports import Transaction
from vault.rows import EvidenceRow, HoldRow, ScopeRow

GRACE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Matter:
    """The case that a hold is for; all of it is kept sealed."""

    matter: str
    reason: str | None = None
    authority: str | None = None
    counsel: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A hold that stands, on how many sessions; what came too late for it."""

    hold: str
    state: str
    sessions: int
    unpreservable: Sequence[tuple[str, str]]
    store: StoreHolds


def place(
    room: Room,
    matter: Matter,
    scope: Scope,
    *,
    second_person: bool = False,
    preserve_unredacted: bool = False,
    progress: Progress = silent,
) -> Placed:
    """Protect everything in the scope, in one transaction, and then in the store as well.

    With `second_person` it stays proposed, and protects, until another actor approves. Raises
    `NotFound`, and places nothing, where there is no such session and the future is not asked for.
    """
    permit(room, "holds")
    room.keys.expect_current()
    if not matter.matter.strip():
        raise UsageError("--matter is empty.")
    reach = Reach(room, scope)
    hold = HoldRow(
        id=(hold_id := new_id()),
        tenant=room.tenant,
        state="proposed",
        future=scope.future,
        preserve_unredacted=preserve_unredacted,
        proposed_at=room.clock.now(),
        proposed_by=room.actor.id,
        details=sealing(room)(hold_id, {**asdict(matter), "scope": scope.words()}),
    )
    told: dict[str, Json] = {
        "matter": evidence.commitment(room, matter.matter),
        "future": scope.future,
    }
    while (gone := _propose(room, hold, reach, told, progress, alone=not second_person)) is None:
        pass  # there were deposits while transcripts were searched
    evidence.publish(room)
    store = reconcile(room, hold_id, progress=progress)
    with room.catalogue.transaction() as tx:
        return Placed(hold_id, tx.hold(hold_id).state, tx.count_members(hold_id), gone, store)


def _propose(
    room: Room,
    hold: HoldRow,
    reach: Reach,
    told: Mapping[str, Json],
    progress: Progress,
    *,
    alone: bool,
) -> list[tuple[str, str]] | None:
    """The one transaction of a placement; None, and nothing done, where the search was too old.

    `alone`: nobody has to approve. Answers (session, certificate) of what was destroyed before.
    """
    reach.search(progress)
    with room.catalogue.transaction() as tx:
        tx.gate(alone=True)
        if not reach.complete(tx):
            return None
        tx.add_hold(hold, [ScopeRow(hold.id, *one) for one in reach.lookups if hold.future])
        gone = _protect(tx, hold.id, reach, progress)
        count = tx.count_members(hold.id)
        if not count and not hold.future:
            raise NotFound("No session here is in that scope; nothing was placed.")
        tx.add_evidence([_told(room, "hold-proposed", hold.id, sessions=count, **told)])
        if alone:
            _activate(room, tx, hold)
        tx.add_act("hold", hold.id)
        return gone


def _activate(room: Room, tx: Transaction, hold: HoldRow) -> HoldRow:
    row = replace(hold, state="active", placed_at=room.clock.now(), placed_by=room.actor.id)
    tx.set_hold(row)
    count = tx.count_members(hold.id)
    tx.add_evidence([_told(room, "hold-placed", hold.id, sessions=count)])
    return row


def _protect(
    tx: Transaction, hold_id: str, reach: Reach, progress: Progress
) -> list[tuple[str, str]]:
    """Make everything in reach a member; (session, certificate) of what was destroyed before.

    Whoever destroys locks the same rows, so what is looked at after the lock stays as it is.
    """
    gone: list[tuple[str, str]] = []
    count = 0
    for page in reach.pages(lambda: nullcontext(tx)):
        ids = [one.id for one in page]
        tx.add_members(hold_id, ids)
        gone += [(row.session_id, row.id) for row in tx.disposals_among(ids)]
        count += len(ids)
        progress("held", count, None)
    return gone


def release(room: Room, hold_id: str, reason: str) -> HoldRow:
    """Ask for the release of a hold, which goes on protecting until somebody else approves.

    Raises `Refused` where that was asked already, or it is released.
    """
    permit(room, "holds")
    room.keys.expect_current()
    if not reason.strip():
        raise UsageError("--reason is empty.")
    opened, sealed = opening(room), sealing(room)
    said = evidence.commitment(room, reason)
    with room.catalogue.transaction() as tx:
        row = kept(tx, room, hold_id)
        if row.state not in {"proposed", "active"}:
            raise Refused(f"This hold is {row.state} already.")
        row = replace(
            row,
            state="awaiting-approval",
            release_asked_by=room.actor.id,
            details=sealed(hold_id, {**opened(row), "release_reason": reason}),
        )
        tx.set_hold(row)
        tx.add_evidence([_told(room, "hold-release-requested", hold_id, reason=said)])
        tx.add_act("hold", hold_id)
    evidence.publish(room)
    return row


def approve(room: Room, hold_id: str) -> HoldRow:
    """Approve what a hold waits for: its placement, or its release.

    Raises `Refused` for who has had a hand in it already, and where it waits for nobody.
    """
    permit(room, "holds")
    room.keys.expect_current()
    with room.catalogue.transaction() as tx:
        row = kept(tx, room, hold_id)
        if row.state not in {"proposed", "awaiting-approval"}:
            raise Refused(f"This hold is {row.state}: it waits for nobody's approval.")
        if room.actor.id in {row.proposed_by, row.placed_by, row.release_asked_by}:
            raise Refused("Another person has to approve: neither who placed it nor who asked.")
        row = (_activate if row.state == "proposed" else _end)(room, tx, row)
        tx.add_act("hold", hold_id)
    evidence.publish(room)
    return row


def _end(room: Room, tx: Transaction, hold: HoldRow) -> HoldRow:
    """Release it: nothing is destroyed, and after the grace a sweep looks at every member anew."""
    now = room.clock.now()
    row = replace(
        hold,
        state="released",
        released_at=now,
        released_by=room.actor.id,
        grace_until=now + GRACE,
    )
    tx.set_hold(row)
    for page in member_pages(lambda: nullcontext(tx), hold.id):
        tx.bring_forward(page, now + GRACE)
    until = (now + GRACE).isoformat()
    tx.add_evidence([_told(room, "hold-released", hold.id, grace_until=until)])
    return row


def listed(room: Room) -> Iterator[Seen]:
    """Every hold there was, the oldest first."""
    permit(room, "holds")
    opened = opening(room)
    with room.catalogue.transaction() as tx:
        rows = tx.holds(room.tenant)
    for row in rows:
        with room.catalogue.transaction() as tx:
            count = tx.count_members(row.id)
        yield Seen(row, opened(row), count)


def show(room: Room, hold_id: str) -> Seen:
    """One hold. Raises `NotFound`."""
    permit(room, "holds")
    opened = opening(room)
    with room.catalogue.transaction() as tx:
        row = kept(tx, room, hold_id)
        return Seen(row, opened(row), tx.count_members(hold_id))


def members(room: Room, hold_id: str) -> Iterator[str]:
    """The ids of the sessions that a hold protects, or protected, in order."""
    permit(room, "holds")
    for page in member_pages(room.catalogue.transaction, hold_id):
        yield from page


def unpreservable(room: Room, seen: Seen) -> list[tuple[str, str]]:
    """(session, certificate) of members that were destroyed, all or some, before the hold came."""
    permit(room, "holds")
    until = seen.row.released_at
    found: list[tuple[str, str]] = []
    for page in member_pages(room.catalogue.transaction, seen.row.id):
        with room.catalogue.transaction() as tx:
            rows = tx.disposals_among(page)
        found += [(r.session_id, r.id) for r in rows if until is None or r.destroyed_at < until]
    return found


def holds_of(room: Room, session_id: str) -> list[dict[str, Json]]:
    """What protects a session, as `show` lists it; the matter for those who may see holds."""
    with room.catalogue.transaction() as tx:
        rows = tx.holds_on(session_id)
    if not rows:
        return []
    opened, now = opening(room), room.clock.now()
    return [
        {
            "hold": row.id,
            "state": row.state,
            "matter": opened(row)["matter"] if may(room, "holds") else None,
        }
        for row in rows
        if holding([row], now)
    ]


def _told(room: Room, type: str, hold_id: str, **ids: Json) -> EvidenceRow:  # noqa: A002 - the ledger's own word
    return evidence.row(room, type, once=f"{type}/{hold_id}", hold=hold_id, **ids)
