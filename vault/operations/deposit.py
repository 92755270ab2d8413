"""Deposit: sniff → read → consent and privacy → seal → put → record with its jobs → jobs.

Every original is read once, while it is sealed; where a session of just that many bytes is here
already, once more before, to see whether it is the same (`doubles.known`). Nothing of a
session can be seen before the one transaction that makes it complete; what a killed process
leaves in the store has no key anywhere and is removed by `fixity --repair`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vault import formats
from vault.errors import BackendError, IntegrityError, Refused, StrongroomError
from vault.model import Part, Reading, State, Warn
from vault.operations import describe, evidence, jobs
from vault.operations.actors import may_read, permit
from vault.operations.admission import Admitted, Terms, admit
from vault.operations.enrol import enrol
from vault.operations.outcome import Deposited, Outcome
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.operations.sealing import Sealed
from vault.operations.storing import Attempt, storing
from vault.rows import SessionRow

_BATCH_SESSIONS = 64
_LATE = Warn(
    "quarantined",
    "Of a data subject whose data was to be erased: kept apart until it is decided on.",
)


def deposit(
    room: Room,
    paths: Iterable[Path],
    terms: Terms,
    *,
    wait: bool = True,
    progress: Progress = silent,
) -> Outcome:
    """Take every session found under `paths` into the archive.

    One that cannot be taken is listed in `refused` and does not stop the others. With `wait`
    and no broker, the jobs of these sessions run before this returns.
    """
    outcome = Outcome()
    admitted = _admitted(room, paths, terms, outcome)
    return _deposit(room, admitted, terms, outcome, wait=wait, progress=progress)


def deposit_readings(
    room: Room,
    readings: Iterable[Reading],
    terms: Terms,
    *,
    wait: bool = True,
    progress: Progress = silent,
) -> Outcome:
    """The same for sessions that the caller has read or recorded; their `path` is empty."""
    outcome = Outcome()
    admitted = _admitted_readings(room, readings, terms, outcome)
    return _deposit(room, admitted, terms, outcome, wait=wait, progress=progress)


def _deposit(
    room: Room,
    admitted: Iterator[Admitted],
    terms: Terms,
    outcome: Outcome,
    *,
    wait: bool,
    progress: Progress,
) -> Outcome:
    permit(room, "deposit")
    terms.check(room.policies.classes())
    with room.catalogue.writing():
        for batch in _under_way(room, admitted, progress):
            _take(room, batch, outcome, progress)
    with suppress(BackendError):  # it waits in the catalogue, and `doctor` tells of that
        evidence.publish(room)
    taken = [d.id for d in outcome.sessions]
    outcome.note = jobs.wake(room, taken, wait=wait, progress=progress)
    if wait and room.queue is None:
        outcome.sessions = [_as_it_is_now(room, d) for d in outcome.sessions]
    return outcome


def _admitted(
    room: Room, paths: Iterable[Path], terms: Terms, outcome: Outcome
) -> Iterator[Admitted]:
    """Everything readable under `paths`; what is not goes to `outcome.refused`."""
    for given in formats.named(paths, terms.format):
        try:
            for source in formats.walk(given):
                source.decrypt_key, source.signers = terms.decrypt_key, terms.signers
                try:
                    for reading in formats.read(source, terms.format):
                        yield admit(room, source.path, reading, terms)
                except StrongroomError as error:
                    outcome.refused.append((source.path, error))
        except StrongroomError as error:
            outcome.refused.append((given, error))


def _admitted_readings(
    room: Room, readings: Iterable[Reading], terms: Terms, outcome: Outcome
) -> Iterator[Admitted]:
    """The same of sessions that are read already."""
    for reading in readings:
        try:
            yield admit(room, Path(), reading, terms)
        except StrongroomError as error:
            outcome.refused.append((Path(), error))


def _batches(admitted: Iterator[Admitted]) -> Iterator[list[Admitted]]:
    """Runs of sessions that are stored side by side and recorded in one transaction."""
    batch: list[Admitted] = []
    for one in admitted:
        batch.append(one)
        if len(batch) == _BATCH_SESSIONS:
            yield batch
            batch = []
    if batch:
        yield batch


def _under_way(
    room: Room, admitted: Iterator[Admitted], progress: Progress
) -> Iterator[list[Attempt]]:
    """Batches that are being sealed and put.

    Each is given when the next has begun, so that reading and recording wait for no store.
    """
    with storing(room, progress) as store:
        before: list[Attempt] = []
        for batch in _batches(admitted):
            now = store.start(batch)
            if before:
                yield before
            before = now
        yield before


def _take(room: Room, batch: list[Attempt], outcome: Outcome, progress: Progress) -> None:
    """Wait until a batch is stored and record all of it at once."""
    sealed: list[Sealed] = []
    for admitted, future in batch:
        try:
            result = future.result()
        except StrongroomError as error:
            outcome.refused.append((admitted.path, error))
            continue
        if isinstance(result, Sealed):
            sealed.append(result)
        elif result.state is State.ERASED:
            outcome.refused.append((admitted.path, _destroyed(room, result)))
        else:
            outcome.sessions.append(_already(room, admitted.path, result))
    try:
        states = enrol(room, sealed)
    except StrongroomError as error:
        outcome.refused.extend((s.admitted.path, error) for s in sealed)
    else:
        outcome.sessions.extend(_answer(room, s, states.get(s.session.id)) for s in sealed)
    progress("deposited", len(outcome.sessions) + len(outcome.refused), None)


def _answer(room: Room, sealed: Sealed, state: State | None) -> Deposited:
    """What became of a stored session; what turned out a double (no state) is dropped again."""
    path = sealed.admitted.path
    if state is not None:
        session = replace(sealed.session, state=state)
        found = _deposited(path, session, sealed.admitted.metadata, sealed.parts)
        late = state is State.QUARANTINED
        return replace(found, warnings=[*found.warnings, _LATE]) if late else found
    with suppress(BackendError):  # an orphan is left then, and `fixity --repair` finds it
        for row in sealed.stored:
            room.store.delete(row.store_key, row.version)
    with room.catalogue.transaction() as tx:
        known = tx.by_fingerprint(room.tenant, sealed.session.fingerprint)
    if known is None:
        raise IntegrityError("A session was refused as a double of one that is not there.")
    return _already(room, path, known)


def _destroyed(room: Room, session: SessionRow) -> Refused:
    """What was destroyed does not come back because somebody uploads it once more."""
    with room.catalogue.transaction() as tx:
        named = ", ".join(one.id for one in tx.disposals(session_id=session.id))
    return Refused(f"These bytes were here and were destroyed; certificate: {named}.")


def _already(room: Room, path: Path, session: SessionRow) -> Deposited:
    """The answer for a session that is here: what was stored then; nothing changes.

    Who may not read it learns that the bytes are here, which they have, and nothing else.
    """
    opened = Opened(room, session)
    metadata = opened.metadata() if may_read(room, session) else describe.Metadata()
    found = _deposited(path, session, metadata, opened.originals())
    return replace(found, already=True)


def _deposited(
    path: Path, session: SessionRow, metadata: describe.Metadata, parts: Sequence[Part]
) -> Deposited:
    return Deposited(
        path=path,
        id=session.id,
        external_id=metadata.external_id,
        format=session.format,
        state=session.state,
        duration_ns=session.duration_ns,
        warnings=metadata.warnings,
        originals=parts,
        already=False,
    )


def _as_it_is_now(room: Room, deposited: Deposited) -> Deposited:
    """The same after its jobs had a chance to run, with what they noticed."""
    with room.catalogue.transaction() as tx:
        session = tx.session(deposited.id)
    if session.state is deposited.state or not may_read(room, session):
        return deposited
    return replace(deposited, state=session.state, warnings=Opened(room, session).warnings())
