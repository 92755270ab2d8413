"""Doing what was approved: a copy handed over, or keys destroyed, session by session.

Each step can be cut off and taken up again by the same call: what is destroyed stays so, under the
certificate it had. A request is done only when nothing was passed over.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from policies.model import RequestType
from vault.errors import BackendError, Refused
from vault.export.output import whole_file, write_all
from vault.model import Json, State, new_id
from vault.operations import disposal, evidence
from vault.operations.actors import permit
from vault.operations.facts import GRANTED
from vault.operations.request_items import items, sessions_of
from vault.operations.request_package import package
from vault.operations.request_record import Case, Item, Outcome, find, keep
from vault.operations.room import Progress, Room, silent

_GIVING = frozenset({RequestType.ACCESS, RequestType.PORTABILITY})
_FINAL = frozenset({Outcome.PROVIDE, Outcome.REFUSED})
#: How many sessions one entry of the evidence names.
_TOLD = 500


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """What came of it: `state` is done, partial or deferred; `package` is a path.

    `certificates` are ids, of every destruction in the request's sessions, the oldest first;
    `kept` is what of an erasure could not be done yet.
    """

    case: Case
    package: str | None = None
    certificates: tuple[str, ...] = ()
    kept: tuple[Item, ...] = ()
    unfinished: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Where the request stands now."""
        return self.case.row.state


def fulfil(
    room: Room,
    request_id: str,
    *,
    output: Path | None = None,
    note: str | None = None,
    progress: Progress = silent,
) -> Fulfilled:
    """Do what was approved, or what is left of it.

    A copy is written to `output`, by default `request-ID.zip` here, whole or not at all. What is
    done already stays done: its certificates are answered again. Raises `Refused` before approval.
    """
    permit(room, "requests")
    case = find(room, request_id)
    if case.row.state not in GRANTED | {"done"}:
        raise Refused("Nothing is done before the request was verified, decided and approved.")
    if case.row.state == "done" and output is None:
        return Fulfilled(case, case.details.package, _certificates(room, case))
    if case.row.type in _GIVING:
        output = (output or Path(f"request-{request_id}.zip")).expanduser().absolute()
        return _give(room, case, output, progress)
    if case.row.state == "done":
        return Fulfilled(case, certificates=_certificates(room, case))
    if case.row.type == RequestType.ERASURE:
        return _erase(room, case, progress)
    return _note(room, case, note)


def _erase(room: Room, case: Case, progress: Progress) -> Fulfilled:
    """Destroy in order what may be destroyed now; the rest waits, restricted."""
    ids, unfinished = sessions_of(room, case), []
    for number, session_id in enumerate(ids):
        progress("erasing", number, len(ids))
        one = disposal.dispose(room, session_id, disposal.Cause("request", case.id))
        unfinished += [one.unfinished] if one.unfinished else []
    kept = items(room, case, ids, room.clock.now())
    certificates = _certificates(room, case)
    waits = bool(kept or unfinished)
    state = "done" if not waits else "partial" if certificates or unfinished else "deferred"
    _restrict(room, {item.session for item in kept})
    found = _with(case.details.items, kept)
    details = replace(case.details, items=found, sessions=tuple(ids))
    case = _ended(room, case, Case(replace(case.row, state=state), details), certificates)
    return Fulfilled(case, None, certificates, tuple(kept), tuple(unfinished))


def _with(before: tuple[Item, ...] | None, kept: list[Item]) -> tuple[Item, ...]:
    """The items as they turned out: what is not kept any more was erased."""
    still = {(i.session, i.element): i for i in kept}
    gone = [
        replace(i, outcome=Outcome.ERASE, reason="It was erased.", not_before=None, review=False)
        if i.outcome is not Outcome.ERASE
        else i
        for i in before or ()
        if (i.session, i.element) not in still
    ]
    return tuple(sorted([*gone, *kept], key=lambda i: (i.session, i.element)))


def _give(room: Room, case: Case, output: Path, progress: Progress) -> Fulfilled:
    _tell(room, case)
    with whole_file(output) as stream:
        write_all(stream, package(room, case, progress))
    items_ = case.details.items or ()
    state = "done" if all(i.outcome in _FINAL for i in items_) else "partial"
    if case.row.state != "done":
        details = replace(case.details, package=str(output))
        case = _ended(room, case, Case(replace(case.row, state=state), details), ())
    return Fulfilled(case, str(output))


def _tell(room: Room, case: Case) -> None:
    """Keep which sessions are about to leave, for every copy that is made."""
    found = {i.session for i in case.details.items or () if i.outcome is Outcome.PROVIDE}
    given: list[Json] = [*sorted(found)]
    ids: dict[str, Json] = {
        "export": new_id(),
        "request": case.id,
        "format": "zip",
        "anonymised": False,
    }
    entries = [
        evidence.row(room, "exported", once=None, **ids, sessions=given[at : at + _TOLD])
        for at in range(0, len(given), _TOLD)
    ]
    with room.catalogue.transaction() as tx:
        tx.add_evidence(entries)
    with suppress(BackendError):  # it waits in the catalogue
        evidence.publish(room)


def _note(room: Room, case: Case, note: str | None) -> Fulfilled:
    """Restrict the sessions, or note that the DPO has put right what was wrong."""
    if case.row.type == RequestType.RESTRICTION:
        _restrict(room, set(sessions_of(room, case)))
    details = replace(case.details, note=note)
    case = _ended(room, case, Case(replace(case.row, state="done"), details), ())
    return Fulfilled(case)


def _restrict(room: Room, session_ids: set[str]) -> None:
    """From now on these are only stored."""
    with room.catalogue.transaction() as tx:
        for session_id in sorted(session_ids):
            if tx.session_locked(session_id).state in {State.SEALED, State.READY}:
                tx.set_state(session_id, State.RESTRICTED)


def _ended(room: Room, case: Case, changed: Case, certificates: tuple[str, ...]) -> Case:
    """Keep how far it has come; the same again is nothing new."""
    done = changed.row.state == "done"
    if done:
        changed = replace(changed, row=replace(changed.row, ended_at=room.clock.now()))
    if changed == case:
        return case
    entry = evidence.row(
        room,
        "request-fulfilled",
        request=case.id,
        state=changed.row.state,
        certificates=list(certificates),
    )
    return keep(room, case, changed, [entry])


def _certificates(room: Room, case: Case) -> tuple[str, ...]:
    """Of everything that was destroyed in the request's sessions, for whatever cause."""
    with room.catalogue.transaction() as tx:
        rows = [d for one in case.details.sessions for d in tx.disposals(session_id=one)]
        rows += tx.disposals(cause=case.id)
    return tuple(sorted({d.id for d in rows if d.state == "certified"}))
