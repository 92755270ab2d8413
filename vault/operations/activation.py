"""Change a policy: simulate → propose → a second person → in force → every session decided anew.

Nothing is destroyed here, whatever the new pack says: what it makes due a later sweep finds, and
the breaker of that sweep knows that a policy was changed. A second person is asked for where the
change would let anything end sooner than it would have, holds and requests aside.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from policies import pack as packs_of
from policies.classes import class_named, loosened
from policies.decide import decide
from policies.model import (
    CLASSES,
    ENDINGS,
    Consent,
    Element,
    Facts,
    Pack,
    RequestFact,
    RequestType,
    Step,
)
from policies.simulate import Change, ClassCount
from policies.simulate import simulate as compare
from vault.errors import BadInput, Refused
from vault.model import Json, State, new_id
from vault.operations import elements, evidence, explain, judgement
from vault.operations.actors import permit
from vault.operations.policy import digest
from vault.operations.processing import applied_rows
from vault.operations.requests import REGIMES
from vault.operations.room import Progress, Room, silent
from vault.ports import Transaction
from vault.rows import SessionRow

_PROPOSED, _CURSOR = "policy-proposed", "policy-redeciding"
_PAGE = 100
#: How many times what is decided may change before nobody counts on when it ends.
_TURNS = 32

Packs = Mapping[str, Pack]


@dataclass(frozen=True, slots=True)
class Activated:
    """What became of a pack: `state` is active or awaiting-approval.

    `sessions` were decided anew by this call.
    """

    pack: Pack
    digest: str
    state: str
    sessions: int = 0


def load(raw: bytes) -> Pack:
    """The pack in a file's bytes. Raises `BadInput` with a sentence naming the field."""
    try:
        return packs_of.load(raw)
    except ValueError as error:
        raise BadInput(str(error)) from error


class Simulated:
    """What a pack would change, session by session; its counts are whole once `changes` ended."""

    def __init__(
        self, room: Room, pack: Pack, as_of: datetime | None, progress: Progress = silent
    ) -> None:
        permit(room, "policy")
        self.newly_due = self.no_longer_due = self.sessions = 0
        self.per_class: dict[str, ClassCount] = {}
        self._room, self._progress = room, progress
        self._before = room.policies.active()
        self._after = {**self._before, pack.name: pack}
        self._at = as_of or room.clock.now()

    def changes(self) -> Iterator[Change]:
        """Every element that would be decided otherwise."""
        known = (
            (row.id, explain.known(self._room, row, self._at)) for row in explain.every(self._room)
        )
        while page := list(islice(known, _PAGE)):
            found = compare(page, self._before, self._after, self._at)
            self.sessions += len(page)
            self.newly_due += found.newly_due
            self.no_longer_due += found.no_longer_due
            for name, count in found.per_class.items():
                self.per_class[name] = _sum(self.per_class.get(name, ClassCount()), count)
            self._progress("simulating", self.sessions, None)
            yield from found.changes


def activate(
    room: Room, given: Pack, *, reason: str | None = None, progress: Progress = silent
) -> Activated:
    """Put a pack in force, or keep it as proposed until a second person activates the same.

    The same again changes nothing, and goes on where deciding anew was cut off.
    Raises `Refused` for a pack that loosens a locked class or drops one that is in use.
    """
    permit(room, "policy")
    before, said = room.policies.active(), digest(given)
    wanted = _versioned(given, before, said)
    if before.get(given.name) in (given, wanted):
        return Activated(wanted, said, "active", redecide(room, progress))
    after = {**before, wanted.name: wanted}
    _check(room, before, after)
    told: dict[str, Json] = {"policy": wanted.name, "version": wanted.version, "digest": said}
    if reason is not None:
        told["reason"] = evidence.commitment(room, reason)
    base = digest(before[wanted.name]) if wanted.name in before else None
    if _sooner(room, before, after, progress) and not _seconded(room, said, base, told):
        return Activated(wanted, said, "awaiting-approval")
    room.keys.tenant_key()  # is at hand from now on: none is asked for inside of the transaction
    with room.catalogue.transaction() as tx:
        room.policies.put(tx, wanted, room.clock.now())
        _keep(tx, room, {k: v for k, v in _kept(tx, room).items() if v["policy"] != wanted.name})
        tx.set_setting(_CURSOR, json.dumps({"run": new_id(), "after": None}).encode())
        tx.add_evidence([evidence.row(room, "policy-activated", once=None, **told)])
    evidence.publish(room)
    return Activated(wanted, said, "active", redecide(room, progress))


def proposed(room: Room) -> list[dict[str, Json]]:
    """What waits for a second person: policy, version, digest, who proposed it and when."""
    room.keys.tenant_key()
    with room.catalogue.transaction() as tx:
        return [{"digest": said, **about} for said, about in _kept(tx, room).items()]


def redecide(room: Room, progress: Progress = silent) -> int:
    """Decide anew when each session is due, where that is not done yet; how many that were.

    It may be cut off anywhere: the next call goes on behind the last page.
    """
    packs, done = room.policies.active(), 0
    with room.catalogue.transaction() as tx:
        cursor = json.loads(tx.setting(_CURSOR) or b"{}")
    if not cursor:
        return 0
    rows = explain.every(room, after=cursor["after"])
    while page := list(islice(rows, _PAGE)):
        lies = {row.id: judgement.carried(room, row) for row in page}
        now = room.clock.now()
        with room.catalogue.transaction() as tx:
            if json.loads(tx.setting(_CURSOR) or b"{}").get("run") != cursor["run"]:
                return done  # another activation came: it decides on all of them
            for row in page:
                _decide_anew(tx, tx.session_locked(row.id), lies[row.id], packs, now)
                tx.add_applied(applied_rows(row, packs, at=now, by=room.actor.id))
            cursor["after"] = page[-1].id
            tx.set_setting(_CURSOR, json.dumps(cursor).encode())
        done += len(page)
        progress("deciding", done, None)
    with room.catalogue.transaction() as tx:
        if json.loads(tx.setting(_CURSOR) or b"{}").get("run") == cursor["run"]:
            tx.set_setting(_CURSOR, b"{}")
    return done


def _decide_anew(
    tx: Transaction, row: SessionRow, lies: elements.Carried, packs: Packs, at: datetime
) -> None:
    if row.state is not State.ERASED:
        tx.set_terms(row.id, due_at=judgement.judge(tx, row, lies, packs, at).due_at)


def _versioned(given: Pack, before: Packs, said: str) -> Pack:
    """The pack; of one that says something else under a version in force, under one of its own.

    So that a processing record names what was applied and nothing else.
    """
    there = before.get(given.name)
    if there is None or there == given or there.version.partition("+")[0] != given.version:
        return given
    return replace(given, version=f"{given.version}+{said[:12]}")


def _check(room: Room, before: Packs, after: Packs) -> None:
    if looser := loosened(before, after):
        raise Refused(f"The class {looser[0]} is locked, and this pack would loosen it.")
    for law in REGIMES:
        if lost := _answered(before[law]) - _answered(after[law]):
            named = ", ".join(sorted(lost))
            raise Refused(f"The pack {law} would give no time for answers to: {named}.")
    with room.catalogue.transaction() as tx:
        used = tx.count_classes(room.tenant)
    for name in used:
        if class_named(name, before) is not None and class_named(name, after) is None:
            raise Refused(f"Sessions are kept under class {name}, which this pack drops.")
    for pack in after.values():
        for _, name in pack.tag_classes:
            if name not in CLASSES and class_named(name, after) is None:
                raise BadInput(f"Pack {pack.name}: tag_classes names the class {name}: no such.")


def _answered(pack: Pack) -> set[RequestType]:
    """The requests that a law gives a time for; without it none can be recorded."""
    return {t for rule in pack.deadlines if rule.step is Step.ANSWER for t in rule.requests}


def _sooner(room: Room, before: Packs, after: Packs, progress: Progress) -> bool:
    """Whether anything here would end sooner than it would have.

    What stands in the way today (holds, requests, consent that is missing) may be gone tomorrow,
    and an erasure may be granted that a minimum refuses: it is looked at with that and without.
    """
    at = room.clock.now()
    erasures = [RequestFact("any", RequestType.ERASURE, law, granted=True) for law in REGIMES]
    for done, row in enumerate(explain.every(room), 1):
        stands = replace(explain.known(room, row, at), holds=(), requests=())
        others = (replace(stands, requests=(one,)) for one in erasures)
        for known in (stands, replace(stands, consent=Consent.GRANTED), *others):
            if any(_is_sooner(e, known, before, after, at) for e in known.elements):
                return True
        progress("comparing", done, None)
    return False


def _is_sooner(element: Element, known: Facts, before: Packs, after: Packs, at: datetime) -> bool:
    then, sure = _ends_at(element, known, after, at)
    if then is None:
        return False
    was, was_sure = _ends_at(element, known, before, at)
    return not (sure and was_sure) or was is None or then < was


def _ends_at(
    element: Element, known: Facts, packs: Packs, at: datetime
) -> tuple[datetime | None, bool]:
    """When an element ends of itself; None where a person has to act first, or never.

    And whether that is sure: after too many turns it may end at any time from then on.
    """
    for _ in range(_TURNS):
        found = decide(element, known, packs, at)
        if found.action in ENDINGS:
            return at, True
        if found.changes_at is None:
            return None, True
        at = found.changes_at
    return at, False


def _seconded(room: Room, said: str, base: str | None, told: dict[str, Json]) -> bool:
    """Whether somebody else has proposed just this, over what is in force now; else propose it."""
    at = room.clock.now().isoformat()
    room.keys.tenant_key()
    with room.catalogue.transaction() as tx:
        kept = _kept(tx, room)
        there = kept.get(said)
        if there is not None and there["base"] == base:
            return bool(there["by"] != room.actor.id)
        named = {"policy": told["policy"], "version": told["version"]}
        _keep(tx, room, {**kept, said: {**named, "base": base, "by": room.actor.id, "at": at}})
        tx.add_evidence([evidence.row(room, "policy-proposed", once=None, **told)])
    evidence.publish(room)
    return False


def _kept(tx: Transaction, room: Room) -> dict[str, dict[str, Any]]:
    sealed = tx.setting(_PROPOSED)
    if sealed is None:
        return {}
    text = room.keys.tenant_key().open_value("settings", _PROPOSED, sealed)
    found: dict[str, dict[str, Any]] = json.loads(text)
    return found


def _keep(tx: Transaction, room: Room, proposals: Mapping[str, Mapping[str, Json]]) -> None:
    text = json.dumps(proposals).encode()
    tx.set_setting(_PROPOSED, room.keys.tenant_key().seal_value("settings", _PROPOSED, text))


def _sum(one: ClassCount, other: ClassCount) -> ClassCount:
    return ClassCount(*(a + b for a, b in zip(astuple(one), astuple(other), strict=True)))
