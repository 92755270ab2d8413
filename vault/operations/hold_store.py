"""Holds in the store itself: a second layer, brought to what the catalogue says.

The catalogue protects keys, and with them everything. A hold on the stored objects beside that
stops whoever deletes in the store past us. It is set after the hold is placed and lifted after its
grace, each time as far as the store can; where it cannot, that is told and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from vault.errors import BackendError, NotFound
from vault.model import Json
from vault.operations import retrieve
from vault.operations.actors import permit
from vault.operations.facts import holding
from vault.operations.hold_record import kept, member_pages, opening, sealing
from vault.operations.room import Progress, Room, silent
from vault.rows import HoldRow

#: How often what was settled is looked at again: members and their objects become more.
_AGAIN = timedelta(days=1)
#: How many of the store's answers are waited for at once.
_THREADS = 8

#: A stored object (key, version), and whether a hold is to stand on it.
_Wanted = tuple[str, str, bool]


@dataclass(slots=True)
class StoreHolds:
    """How far the store's own holds agree with the catalogue, object by object.

    `set` and `lifted` are what was changed for it, `missing` is not in the store. `difference` is
    how many are still not as they should be; None, with `detail`, where the store gave no answer.
    """

    objects: int = 0
    set: int = 0
    lifted: int = 0
    missing: int = 0
    difference: int | None = 0
    detail: str | None = None

    def count(self, found: str) -> None:
        """One more object, and what had to be done with it."""
        self.objects += 1
        if found != "nothing":
            setattr(self, found, getattr(self, found) + 1)


def reconcile(room: Room, hold_id: str, *, progress: Progress = silent) -> StoreHolds:
    """Bring the store's own holds on every member to what all holds together ask for.

    They are lifted only after the grace, and only where no other hold stands. Tells how far that
    went, and keeps it with the hold. Raises `NotFound`, but nothing of the store's.
    """
    permit(room, "holds")
    now, opened, sealed = room.clock.now(), opening(room), sealing(room)
    with room.catalogue.transaction() as tx:
        total = tx.count_members(kept(tx, room, hold_id).id)
    done = _settle(room, hold_id, total, progress)
    with room.catalogue.transaction() as tx:
        row = kept(tx, room, hold_id)
        store: dict[str, Json] = {"at": now.isoformat(), **asdict(done)}
        tx.set_hold(replace(row, details=sealed(hold_id, {**opened(row), "store": store})))
    return done


def reconcile_due(room: Room) -> dict[str, StoreHolds]:
    """The same for each hold that was not looked at for a day, by its id.

    Not for one that was looked at when its grace was over: its store holds are lifted for good.
    """
    permit(room, "holds")
    now, opened = room.clock.now(), opening(room)
    with room.catalogue.transaction() as tx:
        rows = tx.holds(room.tenant)
    due = [row.id for row in rows if _is_due(row, opened(row).get("store"), now)]
    return {one: reconcile(room, one) for one in due}


def _is_due(row: HoldRow, store: Json, now: datetime) -> bool:
    if not isinstance(store, dict):
        return True
    at = datetime.fromisoformat(str(store["at"]))
    lifted = not holding([row], at) and store["difference"] == 0
    return not lifted and now - at >= _AGAIN


def _settle(room: Room, hold_id: str, total: int, progress: Progress) -> StoreHolds:
    """Stops at the first object for which the store gives no answer."""
    done, seen = StoreHolds(), 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="strongroom-holds") as pool:
        for page in member_pages(room.catalogue.transaction, hold_id):
            try:
                for found in pool.map(partial(_settled, room), _wanted(room, page)):
                    done.count(found)
            except BackendError as error:
                done.difference, done.detail = None, str(error)
                return done
            seen += len(page)
            progress("held in the store", seen, total)
    return done


def lift(room: Room, session_id: str, objects: Sequence[tuple[str, str]]) -> None:
    """Lift what old holds left on (key, version) of a session, before these are deleted.

    Does nothing while any hold or its grace lasts. Raises `BackendError` where the store does not
    answer; in one that keeps no holds none is in the way.
    """
    with room.catalogue.transaction() as tx:
        if holding(tx.holds_on(session_id), room.clock.now()):
            return
    for key, version in objects:
        try:
            _settled(room, (key, version, False))
        except BackendError as error:
            if error.retryable:
                raise


def _wanted(room: Room, session_ids: Sequence[str]) -> list[_Wanted]:
    """Every object of these sessions, held as long as any hold or its grace lasts."""
    now = room.clock.now()
    found: list[_Wanted] = []
    with room.catalogue.transaction() as tx:
        for one in session_ids:
            held = bool(holding(tx.holds_on(one), now))
            found += [(retrieve.place(room, o), o.version, held) for o in tx.objects(one)]
    return found


def _settled(room: Room, wanted: _Wanted) -> str:
    """What had to be done with one object: nothing, `set`, `lifted`, or it is `missing`."""
    key, version, on = wanted
    try:
        if room.store.held(key, version) is on:
            return "nothing"
        room.store.hold(key, version, on)
    except NotFound:
        return "missing"
    return "set" if on else "lifted"
