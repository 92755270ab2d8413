"""Enrol: the one transaction by which stored sessions become part of the archive.

With a session come its key records, its look-ups, its jobs, the policies that were applied, the
holds that waited for it, and the evidence of all that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from policies.model import Pack
from vault.model import Compartment, Kind, State
from vault.operations import elements, evidence, facts, jobs, requests
from vault.operations.admission import lookup_rows
from vault.operations.keys import Keys
from vault.operations.processing import applied_rows
from vault.operations.room import Room
from vault.operations.sealing import Sealed
from vault.ports import NewSession, Transaction
from vault.rows import EvidenceRow


def _work(sealed: Sealed) -> list[str]:
    """The names of the jobs that a session needs."""
    sounds = len(sealed.stored) > 1 or any(p.kind is Kind.AUDIO for p in sealed.parts)
    timeline = sealed.admitted.reading.timeline
    told = bool(timeline.segments or timeline.events)
    return [*(["transcode"] if sounds else []), *(["analyse"] if sounds or told else [])]


def enrol(room: Room, batch: Sequence[Sealed]) -> dict[str, State]:
    """One transaction for the batch, under keys that are still active when it commits.

    Answers how each session stands; one that was here already, under another id, is left out.
    """
    packs = room.policies.active()
    while batch:
        keks = {bucket: room.keys.active(bucket) for bucket in {s.session.bucket for s in batch}}
        new = []
        for s in batch:
            kek = keks[s.session.bucket]
            records = [room.keys.record(kek, key, c) for c, key in s.data_keys.items()]
            lookups = lookup_rows(room, s.session.id, s.admitted)
            work = [jobs.new(name, s.session.id, room.clock.now()) for name in _work(s)]
            state = State.SEALED if work else State.READY
            session = replace(s.session, state=state, due_at=_due_at(room, s, packs))
            applied = applied_rows(session, packs)
            new.append(NewSession(session, s.stored, records, lookups, work, applied))
        with room.catalogue.transaction() as tx:
            if Keys.still_active(tx, keks.values()):
                return _record(room, tx, new)
    return {}


def _record(room: Room, tx: Transaction, new: Sequence[NewSession]) -> dict[str, State]:
    """Add the sessions that are new, under the holds that wait for them, with their evidence."""
    tx.gate(alone=False)
    new = _apart(tx, new)
    twice = tx.add_sessions(new)
    added = [one for one in new if one.session.id not in twice]
    if tx.future_holds([(row.kind, row.hash) for one in added for row in one.lookups]):
        for one in added:
            for hold_id in tx.future_holds([(row.kind, row.hash) for row in one.lookups]):
                tx.add_members(hold_id, [one.session.id])
    tx.add_evidence([_evidence(room, one) for one in added])
    return {one.session.id: one.session.state for one in added}


def _apart(tx: Transaction, new: Sequence[NewSession]) -> Sequence[NewSession]:
    """The same; what came late, of somebody whose data was to be erased, is kept apart."""
    said = {row.hash for one in new for row in one.lookups if row.kind == "subject"}
    late = requests.suppressed(tx, new[0].session.tenant, sorted(said))
    return [
        replace(one, session=replace(one.session, state=State.QUARANTINED), jobs=())
        if late & {row.hash for row in one.lookups}
        else one
        for one in new
    ]


def _evidence(room: Room, new: NewSession) -> EvidenceRow:
    session = new.session
    return evidence.row(
        room,
        "deposited",
        once=f"deposited/{session.id}",
        session=session.id,
        retention_class=session.class_name,
        objects=[{"key": o.store_key, "sha256": o.sha256.hex()} for o in new.objects],
    )


def _due_at(room: Room, sealed: Sealed, packs: Mapping[str, Pack]) -> datetime | None:
    """When any of it may first be due, as the policies stand."""
    lies = elements.carried((p.compartment, p.kind) for p in sealed.parts)
    known = facts.at_deposit(sealed.session, elements.present(lies, list(Compartment)))
    return facts.due_at(known, packs, room.clock.now())[0]
