"""Consent: what data subjects were asked for, granted and withdrew, and what stands of it.

Nothing recorded is ever changed: the newest word on a type and a jurisdiction holds. What was
recorded for no jurisdiction in particular speaks for each, and one for a country for its regions.
Who may be named, and in which notice, is sealed; the catalogue has keyed hashes only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policies.recording import consent_rule
from vault.errors import Refused, UsageError
from vault.model import Json, new_id
from vault.operations import evidence
from vault.operations.actors import permit
from vault.operations.facts import KEEPING
from vault.operations.room import Room
from vault.rows import ConsentRow

_SCHEMA = "ISO/IEC TS 27560:2023"
_PAGE = 500


class Type(StrEnum):
    """What someone may consent to."""

    RECORDING = "recording"
    STORAGE = "storage"
    ANALYSIS = "analysis"
    SHARING = "sharing"


#: The legal bases and where they are written. Source: GDPR Art. 6(1).
BASES = {
    "consent": "GDPR Art. 6(1)(a)",
    "contract": "GDPR Art. 6(1)(b)",
    "legal-obligation": "GDPR Art. 6(1)(c)",
    "vital-interests": "GDPR Art. 6(1)(d)",
    "public-task": "GDPR Art. 6(1)(e)",
    "legitimate-interests": "GDPR Art. 6(1)(f)",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be recorded: of whom, on what, where, on which basis, until when.

    `notice` is what the data subject was told, free text that is kept sealed.
    """

    subject: str
    type: str
    jurisdiction: str | None = None
    basis: str = "consent"
    expires_at: datetime | None = None
    notice: str | None = None

    def check(self) -> None:
        """Raises `UsageError` for a type or basis that there is not."""
        known_type(self.type)
        if self.basis not in BASES:
            raise UsageError(f"No legal basis {self.basis!a}; there are: {', '.join(BASES)}.")


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of one consent: `state` is granted, expired, withdrawn, requested or unknown."""

    state: str
    reason: str
    citation: str
    basis: str | None = None
    expires_at: datetime | None = None

    @property
    def granted(self) -> bool:
        """Never but where a grant is on record that has neither expired nor been withdrawn."""
        return self.state == "granted"


def known_type(name: str) -> Type:
    """The type of that name. Raises `UsageError`."""
    try:
        return Type(name)
    except ValueError:
        raise UsageError(f"No consent of type {name!a}; there are: {', '.join(Type)}.") from None


def request(room: Room, said: Said) -> str:
    """Record that the data subject was asked; the record's id."""
    return _record(room, said, "requested")


def grant(room: Room, said: Said) -> str:
    """Record that the data subject consented; the record's id."""
    return _record(room, said, "granted")


def check(
    room: Room,
    subject: str,
    type: str,  # noqa: A002 - the contract's word
    jurisdiction: str | None = None,
    as_of: datetime | None = None,
) -> Standing:
    """What stands of a consent at `as_of`, by default now. Nothing is granted by itself."""
    permit(room, "consent")
    hashed = room.keys.lookup("subject", subject)
    with room.catalogue.transaction() as tx:
        rows = tx.consents(room.tenant, hashed)
    return standing(rows, known_type(type), jurisdiction, as_of or room.clock.now())


def listed(room: Room, subject: str | None = None) -> Iterator[tuple[ConsentRow, str]]:
    """Everything recorded, of one data subject or of all, oldest first, with who it is of."""
    permit(room, "consent")
    for row in _rows(room, subject):
        yield row, str(_open(room, row)["pii_principal_id"])


def standing(
    rows: Sequence[ConsentRow],
    type: Type,  # noqa: A002 - the contract's word
    jurisdiction: str | None,
    as_of: datetime,
) -> Standing:
    """What stands of `rows`, everything recorded of one data subject, oldest first.

    To be asked again after a grant changes nothing until it is answered.
    """
    about = [r for r in rows if r.type == type and speaks(r.jurisdiction, jurisdiction)]
    answered = [r for r in about if r.state != "requested"]
    law = consent_rule([] if jurisdiction is None else [jurisdiction]).citation
    asked = (law if type is Type.RECORDING else None) or BASES["consent"]
    if not about:
        return Standing("unknown", f"No consent to {type} is on record.", asked)
    if not answered:
        return Standing("requested", f"Consent to {type} was asked for, not given.", asked)
    last = answered[-1]
    on, until = last.at.date().isoformat(), last.expires_at
    if last.state == "withdrawn":
        return Standing("withdrawn", f"Consent to {type} was withdrawn on {on}.", "GDPR Art. 7(3)")
    citation = asked if last.basis == "consent" else BASES.get(last.basis, asked)
    if until is not None and until <= as_of:
        ended = f"Consent to {type} expired on {until.date().isoformat()}."
        return Standing("expired", ended, citation, last.basis, until)
    found = f"Consent to {type} was granted on {on} and stands."
    return Standing("granted", found, citation, last.basis, until)


def demand(
    room: Room, subjects: Sequence[str], also: Sequence[str], jurisdictions: Sequence[str]
) -> None:
    """Let a session in only if all whose data it is have consented to its keeping.

    A grant of recording or of storage will do, in each of the jurisdictions, as long as neither
    was withdrawn, under any of the names that the session has for them (`also`). Raises `Refused`,
    which says what is missing and not of whom.
    """
    if not subjects:
        raise Refused(
            "This archive asks for consent on record, and the session names no data subject."
        )
    hashes = {room.keys.lookup("subject", one) for one in subjects}
    others = {room.keys.lookup("subject", one) for one in also} - hashes
    with room.catalogue.transaction() as tx:
        each = [tx.consents(room.tenant, one) for one in hashes]
        beside = [tx.consents(room.tenant, one) for one in others]
    now = room.clock.now()
    places: list[str | None] = [*jurisdictions] or [None]
    found = {(_keeping(rows, place, now), place) for rows in each for place in places}
    found |= {
        ("withdrawn", place)
        for rows in beside
        for place in places
        if _keeping(rows, place, now) == "withdrawn"
    }
    missing = sorted(
        _MISSING[state] + (f" for {place}" if place else "")
        for state, place in found
        if state != "granted"
    )
    if missing:
        raise Refused(
            "This archive asks for consent to recording or storage of all whose data it is, and "
            f"it is {' and '.join(missing)}. `strongroom consent grant` records it."
        )


def _keeping(rows: Sequence[ConsentRow], place: str | None, as_of: datetime) -> str:
    """What stands of the consent that a session is kept on: the first of these that is found."""
    states = {standing(rows, Type(one), place, as_of).state for one in KEEPING}
    order = ("withdrawn", "granted", "expired", "requested", "unknown")
    return next(state for state in order if state in states)


_MISSING = {
    "withdrawn": "withdrawn",
    "expired": "expired",
    "requested": "not answered",
    "unknown": "not on record",
}


def speaks(recorded: str | None, asked: str | None) -> bool:
    """Whether what was recorded for one jurisdiction is a word on another."""
    if recorded is None or asked is None:
        return True
    return asked == recorded or asked.startswith(f"{recorded}-")


def new_row(room: Room, said: Said, state: str, **more: Json) -> ConsentRow:
    """A record, its details sealed; to be added in a transaction that is not open yet.

    The details have the fields of a consent record. Source: ISO/IEC TS 27560:2023, clause 6.
    """
    said.check()
    row_id, now = new_id(), room.clock.now()
    until = None if said.expires_at is None else said.expires_at.isoformat()
    details: dict[str, Json] = {
        "schema_version": _SCHEMA,
        "record_id": row_id,
        "pii_principal_id": said.subject,
        "privacy_notice": said.notice,
        "purposes": [said.type],
        "lawful_basis": said.basis,
        "jurisdiction": said.jurisdiction,
        "event_time": now.isoformat(),
        "event_type": state,
        "validity_until": until,
        **more,
    }
    return ConsentRow(
        id=row_id,
        tenant=room.tenant,
        subject=room.keys.lookup("subject", said.subject),
        type=said.type,
        jurisdiction=said.jurisdiction,
        state=state,
        basis=said.basis,
        at=now,
        expires_at=said.expires_at,
        recorded_by=room.actor.id,
        details=room.keys.tenant_key().seal_value("consent", row_id, json.dumps(details).encode()),
    )


def _record(room: Room, said: Said, state: str) -> str:
    permit(room, "consent")
    row = new_row(room, said, state)
    told = evidence.row(room, f"consent-{state}", consent=row.id, about=row.type, basis=row.basis)
    with room.catalogue.transaction() as tx:
        tx.add_consent(row)
        tx.add_evidence([told])
    evidence.publish(room)
    return row.id


def _rows(room: Room, subject: str | None) -> Iterator[ConsentRow]:
    if subject is not None:
        hashed = room.keys.lookup("subject", subject)
        with room.catalogue.transaction() as tx:
            own = tx.consents(room.tenant, hashed)
        yield from own
        return
    after = None
    while True:
        with room.catalogue.transaction() as tx:
            page = tx.all_consents(room.tenant, limit=_PAGE, after=after)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _open(room: Room, row: ConsentRow) -> dict[str, Json]:
    text = room.keys.tenant_key().open_value("consent", row.id, row.details)
    found: dict[str, Json] = json.loads(text)
    return found
