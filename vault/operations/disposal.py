"""Disposal: the one place where keys of sessions are destroyed and their objects deleted.

    intent in the ledger → lock the session, decide again, destroy keys (one transaction)
      → keys told → objects deleted → told → certificate

The transaction is the point of no return. What comes after it is kept in a row of the catalogue
and can be cut off anywhere: whoever comes next goes on (`resume`), and the ledger, which knows each
step by its name, hears of each once. A session that is held, or not due by the clock of this
archive, is kept whatever a plan or a request says: the decision is made anew under the lock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version

from policies.model import Element, Pack
from vault.errors import Refused
from vault.ledger.destruction import Act, Destruction, Medium
from vault.model import Compartment, Json, State, new_id
from vault.operations import erasure, evidence, hold_store
from vault.operations.elements import Carried
from vault.operations.judgement import Judged, carried, judge
from vault.operations.room import Room
from vault.ports import Entry, Transaction
from vault.rows import DisposalRow, ObjectRow

_PAGE = 100
_METHOD = "destruction of the wrapped data key"
_VERIFIED = "the key record is gone from the catalogue and every version from the store"


@dataclass(frozen=True, slots=True)
class Cause:
    """What a session is disposed of for: `kind` is plan or request, `id` the one it is."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Disposed:
    """What became of a session: elements that are gone, those that stay and why.

    `certificate` is its id; None where nothing is gone, or where objects could not be deleted yet
    (`unfinished` says why; their keys are gone).
    """

    session_id: str
    destroyed: tuple[Element, ...] = ()
    kept: tuple[tuple[Element, str], ...] = ()
    certificate: str | None = None
    unfinished: str | None = None


def dispose(
    room: Room, session_id: str, cause: Cause, *, only: Collection[Element] | None = None
) -> Disposed:
    """Destroy what of a session may be destroyed now, for this cause; the same again is no more.

    `only` are the elements that were agreed to, where they were listed one by one.
    Raises `NotFound` for an unknown session, `BackendError` where the ledger cannot be told.
    """
    room.keys.expect_current()
    with room.catalogue.transaction() as tx:
        session = tx.session(session_id)
        before = [d for d in tx.disposals(session_id=session_id) if d.cause == cause.id]
    done = [finish(room, row) for row in before]
    if session.state is State.ERASED:
        return _together(session_id, done)
    lies, packs = carried(room, session), room.policies.active()
    with room.catalogue.transaction() as tx:
        judged = judge(tx, session, lies, packs, room.clock.now(), only=only)
    if not judged.compartments:
        return replace(_together(session_id, done), kept=judged.kept())
    _intend(room, session_id, cause, judged)
    row, judged = _destroy(room, session_id, cause, lies, packs, only=only)
    if row is not None:
        done.append(finish(room, row))
    return replace(_together(session_id, done), kept=judged.kept())


def resume(room: Room) -> list[Disposed]:
    """Go on with every disposal that was cut off after its keys were destroyed."""
    with room.catalogue.transaction() as tx:
        rows = tx.open_disposals(room.tenant, limit=_PAGE)
    return [finish(room, row) for row in rows]


def _intend(room: Room, session_id: str, cause: Cause, judged: Judged) -> None:
    keys: list[Json] = [str(c) for c in judged.compartments]
    ids: dict[str, Json] = {"session": session_id, cause.kind: cause.id, "keys": keys}
    # One cause may take a session in several turns: each is told before it is done.
    once = f"intent/{cause.id}/{session_id}/{'+'.join(map(str, keys))}"
    evidence.before(room, [("key-destroy-intent", once, ids)])


def _destroy(
    room: Room,
    session_id: str,
    cause: Cause,
    lies: Carried,
    packs: Mapping[str, Pack],
    *,
    only: Collection[Element] | None,
) -> tuple[DisposalRow | None, Judged]:
    """The destroying transaction: under the session's lock everything is read and decided anew."""
    now = room.clock.now()
    with room.catalogue.transaction() as tx:
        session = tx.session_locked(session_id)
        judged = judge(tx, session, lies, packs, now, only=only)
        if not judged.compartments:
            if judged.left:  # else somebody else was as quick, and nothing is kept
                told = evidence.row(room, "kept", session=session_id, cause=cause.id)
                tx.add_evidence([told])
            return None, judged
        ending = set(judged.compartments)
        objects = [o for o in tx.objects(session_id) if o.compartment in ending]
        document = {
            "elements": sorted(judged.gone),
            "compartments": sorted(ending),
            "reasons": judged.reasons(),
            "by": room.actor.id,
            "objects": [named(o) for o in objects],
        }
        row = DisposalRow(
            id=new_id(),
            tenant=session.tenant,
            session_id=session_id,
            cause_kind=cause.kind,
            cause=cause.id,
            state="key-destroyed",
            destroyed_at=now,
            document=json.dumps(document).encode(),
        )
        tx.add_disposal(row)
        tx.destroy_records(session_id, judged.compartments)
        tx.forget_objects(session_id, [o.id for o in objects])
        rest = judge(tx, session, lies, packs, now)
        tidy(tx, session_id, ending, erased=not rest.left, due_at=rest.due_at)
        tx.add_act("disposal", row.id)
    return row, judged


def tidy(
    tx: Transaction,
    session_id: str,
    ending: Collection[Compartment],
    *,
    erased: bool,
    due_at: datetime | None,
) -> None:
    """What nobody can open any more is emptied, and no job works on it."""
    tx.forget_session(
        session_id,
        metadata=Compartment.METADATA in ending,
        timeline=Compartment.TIMELINE in ending,
    )
    for job in tx.jobs(session_id):
        tx.end_job(job.id, error=None)
    if erased:
        tx.set_state(session_id, State.ERASED)
    tx.set_terms(session_id, due_at=None if erased else due_at)


def finish(room: Room, row: DisposalRow) -> Disposed:
    """Everything after the point of no return, from wherever it was cut off."""
    erasure.keep(room)  # nobody hears of it before the record has it
    document = json.loads(row.document)
    gone = tuple(Element(e) for e in document["elements"])
    answer = Disposed(row.session_id, gone, certificate=row.id)
    if row.state == "certified":
        return answer
    ids: dict[str, Json] = {"session": row.session_id, row.cause_kind: row.cause}
    told = [
        ("key-destroyed", f"key-destroyed/{row.session_id}/{c}", {**ids, "key": c})
        for c in document["compartments"]
    ]
    entries: dict[str, int] = {"key-destroyed": evidence.before(room, told)[0]}
    hold_store.lift(room, row.session_id, [(o["key"], o["version"]) for o in document["objects"]])
    try:
        for one in document["objects"]:
            delete(room, one["key"])
    except Refused as error:
        return replace(answer, certificate=None, unfinished=str(error))
    if document["objects"]:
        told = [
            ("object-deleted", f"object-deleted/{o['key']}/{o['version']}", {**ids, **_named(o)})
            for o in document["objects"]
        ]
        entries["object-deleted"] = evidence.before(room, told)[0]
    with room.catalogue.transaction() as tx:
        tx.set_disposal(row.id, "objects-deleted")
    _certify(room, row, document, entries)
    with room.catalogue.transaction() as tx:
        tx.set_disposal(row.id, "certified")
    return answer


def named(stored: ObjectRow) -> dict[str, Json]:
    """An object as a disposal's document lists it."""
    return {
        "key": stored.store_key,
        "version": stored.version,
        "bytes": stored.size_bytes,
        "sha256": stored.sha256.hex(),
    }


def delete(room: Room, store_key: str) -> None:
    """Every version of an object; what is gone already is gone."""
    for stored in room.store.versions_of(store_key):
        room.store.delete(stored.key, stored.version)
    if room.store.versions_of(store_key):
        raise Refused("The store still has a version of an object that was deleted.")


def _certify(
    room: Room, row: DisposalRow, document: Mapping[str, Json], entries: Mapping[str, int]
) -> None:
    def statement() -> dict[str, Json]:
        now = room.clock.now()
        return Destruction(
            certificate=row.id,
            archive=room.archive_id,
            session=row.session_id,
            elements=document["elements"],  # type: ignore[arg-type]  # as `_destroy` wrote them
            keys=[f"{row.session_id}/{c}" for c in document["compartments"]],  # type: ignore[union-attr]  # a list
            media=[
                Medium(o["key"], o["version"], o["bytes"], o["sha256"])  # type: ignore[index, call-overload, arg-type]  # as above
                for o in document["objects"]  # type: ignore[union-attr]  # a list
            ],
            sanitization=Act(str(document["by"]), row.destroyed_at, _METHOD),
            verification=Act(room.actor.id, now, _VERIFIED),
            authority={"kind": row.cause_kind, "id": row.cause},
            reasons=document["reasons"],  # type: ignore[arg-type]  # as above
            entries=entries,
            horizon_at=None,
            tool=f"strongroom {version('strongroom')}",
            test_clock=room.test_clock,
        ).statement()

    ids: dict[str, Json] = {"session": row.session_id, row.cause_kind: row.cause}
    at = room.clock.now().isoformat()
    body: dict[str, Json] = {"at": at, **evidence.who(room), **ids}
    entry = Entry("certificate-issued", f"certificate-issued/{row.id}", body)
    room.ledger.certify(row.id, statement, entry)


def _named(stored: Mapping[str, Json]) -> dict[str, Json]:
    return {"object": stored["key"], "version": stored["version"]}


def _together(session_id: str, done: Sequence[Disposed]) -> Disposed:
    """The disposals of one session for one cause as one; its certificate is the newest."""
    return Disposed(
        session_id,
        tuple(dict.fromkeys(e for one in done for e in one.destroyed)),
        certificate=next((d.certificate for d in reversed(done) if d.certificate), None),
        unfinished=next((d.unfinished for d in done if d.unfinished), None),
    )


def certificates(room: Room, session_id: str) -> list[str]:
    """The ids of the certificates of what is gone of a session. Raises `NotFound`."""
    with room.catalogue.transaction() as tx:
        tx.session(session_id)
        return [d.id for d in tx.disposals(session_id=session_id) if d.state == "certified"]
