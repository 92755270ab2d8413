"""After a back-up came back: destroy again what was destroyed, hold again what was held.

The erasure record is gone through in its own order from the first act that the catalogue does not
know. Each act is done again in one transaction that ends with the act itself, so that whoever is
cut off goes on where that was, and reads stay refused until the last one. Nothing is certified
anew: a disposal keeps its id, and its certificate stands. What the ledger certified and the record
does not have, because that was lost or put back as well, goes again as the certificate says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from vault.errors import BackendError, NotFound, Refused, StrongroomError
from vault.ledger import certificate
from vault.model import Compartment
from vault.operations import disposal, erasure, evidence, hold_store
from vault.operations.actors import permit
from vault.operations.room import Progress, Room, silent
from vault.ports import Transaction
from vault.rows import ActRow, DisposalRow, HoldRow

_Documents = Iterator[Mapping[str, Any]]


@dataclass(slots=True)
class Replayed:
    """How many disposals and changes of holds were done again.

    `absent` sessions of them are not in this catalogue: they came after the back-up. `unfinished`
    says what could not be done: the store would not delete yet, or a hold stands.
    """

    disposals: int = 0
    holds: int = 0
    absent: int = 0
    unfinished: tuple[str, ...] = ()


def prepare(room: Room) -> None:
    """Before the catalogue is replaced: what it alone knows is told. Raises `Refused`."""
    permit(room, "restore")
    erasure.keep(room)
    with suppress(BackendError):
        evidence.publish(room)


def replay(room: Room, *, back_up: bool = False, progress: Progress = silent) -> Replayed:
    """Do again every act that the catalogue does not know; the same again does no more.

    `back_up`: a catalogue was put back just now, which is told though there may be nothing to do.
    Raises `Refused` where the catalogue has acts of its own that the record knows otherwise.
    """
    permit(room, "restore")
    erasure.keep(room)
    done, held = Replayed(), dict[str, None]()
    known, last = _position(room)
    if known < last or back_up:
        entry = evidence.row(room, "restored", back_up=back_up, known=known, acts=last)
        with room.catalogue.transaction() as tx:
            tx.add_evidence([entry])
    for act, documents in room.erasure.acts(after=known):
        if act.kind == "hold":
            _hold(room, act, documents, done)
            held[act.of] = None
        else:
            _dispose(room, act, documents, done)
        progress("replayed", act.number - known, last - known)
    _by_certificates(room, done)
    for finished in disposal.resume(room):
        _unfinished(done, finished.unfinished)
    for hold_id in held:
        with suppress(StrongroomError):  # a second layer, which `up` brings about a day later
            hold_store.reconcile(room, hold_id)
    evidence.publish(room)
    return done


def _position(room: Room) -> tuple[int, int]:
    """The numbers of the newest act that the catalogue knows, and of the record's newest."""
    with room.catalogue.transaction() as tx:
        own = tx.newest_act()
    newest = room.erasure.newest()
    known, last = own.number if own else 0, newest.number if newest else 0
    same, _ = next(room.erasure.acts(after=known - 1), (None, None))
    if known > last or (own and same != own):
        raise Refused(
            "This catalogue has destroyed or held what the erasure record knows nothing of: it is "
            "no back-up of this archive's own. Nothing was changed."
        )
    return known, last


def _dispose(room: Room, act: ActRow, documents: _Documents, done: Replayed) -> None:
    said = next(documents, None)
    if said is None:
        with room.catalogue.transaction() as tx:
            _numbered(tx, act)
        return
    row = erasure.again(DisposalRow, said["row"])
    with room.catalogue.transaction() as tx:
        there = _is_there(tx, row.session_id)
        if there:
            row = _destroy(room, tx, row, erased=bool(said["erased"]))
            _numbered(tx, act)
    if there:
        _unfinished(done, disposal.finish(room, row).unfinished)
    else:
        _delete(room, row, done)
        with room.catalogue.transaction() as tx:
            _numbered(tx, act)
        done.absent += 1
    done.disposals += 1


def _destroy(room: Room, tx: Transaction, row: DisposalRow, *, erased: bool) -> DisposalRow:
    """What the disposal took, in this catalogue; all that is left where the session ended by it."""
    tx.session_locked(row.session_id)
    left = {record.compartment for record in tx.records(row.session_id)}
    document = json.loads(row.document)
    ending = left if erased else left & {Compartment(c) for c in document["compartments"]}
    erased = ending == left
    objects = [o for o in tx.objects(row.session_id) if erased or o.compartment in ending]
    listed = {one["key"] for one in document["objects"]}
    document["objects"] += [disposal.named(o) for o in objects if o.store_key not in listed]
    again = replace(row, state="key-destroyed", document=json.dumps(document).encode())
    tx.add_disposal(again)
    tx.destroy_records(row.session_id, sorted(ending))
    tx.forget_objects(row.session_id, [o.id for o in objects])
    disposal.tidy(tx, row.session_id, ending, erased=erased, due_at=room.clock.now())
    return again


def _by_certificates(room: Room, done: Replayed) -> None:
    for line in room.ledger.entries():
        told = json.loads(line)
        if told["type"] != certificate.ENTRY_TYPE:
            continue
        try:
            with room.catalogue.transaction() as tx:
                if _knows(tx, told["certificate"]) or not _is_there(tx, told["session"]):
                    continue
                row = _destroy(room, tx, _certified(room, told["certificate"]), erased=False)
                tx.add_act("disposal", row.id)
        except Refused:
            _unfinished(done, f"The session {told['session']} was destroyed and is under a hold.")
            continue
        _unfinished(done, disposal.finish(room, row).unfinished)
        done.disposals += 1


def _certified(room: Room, certificate_id: str) -> DisposalRow:
    """The disposal that a certificate states."""
    stated: dict[str, Any] = json.loads(room.ledger.certificate(certificate_id).splitlines()[0])
    document = {
        "elements": stated["source"]["elements"],
        "compartments": [key.rpartition("/")[2] for key in stated["serials"]],
        "reasons": stated["reasons"],
        "by": stated["sanitization"]["by"],
        "objects": stated["media"],
    }
    return DisposalRow(
        id=certificate_id,
        tenant=room.tenant,
        session_id=stated["source"]["session"],
        cause_kind=stated["authority"]["kind"],
        cause=stated["authority"]["id"],
        state="key-destroyed",
        destroyed_at=datetime.fromisoformat(stated["sanitization"]["at"]),
        document=json.dumps(document).encode(),
    )


def _delete(room: Room, row: DisposalRow, done: Replayed) -> None:
    """The objects of a session that this catalogue does not know."""
    try:
        for one in json.loads(row.document)["objects"]:
            disposal.delete(room, one["key"])
    except Refused as error:
        _unfinished(done, str(error))


def _hold(room: Room, act: ActRow, documents: _Documents, done: Replayed) -> None:
    said = next(documents)
    row = erasure.again(HoldRow, said["row"])
    with room.catalogue.transaction() as tx:
        tx.gate(alone=True)
        if row.id in {one.id for one in tx.holds(row.tenant)}:
            tx.set_hold(row)
        else:
            tx.add_hold(row, list(erasure.scopes(row.id, said["scopes"])))
        for page in documents:
            here = [one for one in page["members"] if _is_there(tx, one)]
            tx.add_members(row.id, here)
            if row.grace_until is not None:
                tx.bring_forward(here, row.grace_until)
            done.absent += len(page["members"]) - len(here)
        _numbered(tx, act)
    done.holds += 1


def _numbered(tx: Transaction, act: ActRow) -> None:
    if tx.add_act(act.kind, act.of) != act:
        raise Refused("Somebody destroys or holds at the same time. Run this again alone.")


def _is_there(tx: Transaction, session_id: str) -> bool:
    try:
        tx.session(session_id)
    except NotFound:
        return False
    return True


def _knows(tx: Transaction, disposal_id: str) -> bool:
    try:
        tx.disposal(disposal_id)
    except NotFound:
        return False
    return True


def _unfinished(done: Replayed, why: str | None) -> None:
    if why is not None and why not in done.unfinished:
        done.unfinished = (*done.unfinished, why)
