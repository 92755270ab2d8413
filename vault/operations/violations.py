"""Violations: what is not as the policies in force ask for, found anew each time it is asked.

Every session is looked at once, a page at a time; nothing of it is opened but what its parts are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from policies.decide import decide_all
from policies.model import Action, Consent, Decision, Facts, Pack, RequestType, Status, Step
from policies.recording import strictest
from vault.model import Json
from vault.operations import explain
from vault.operations.actors import permit_any
from vault.operations.facts import holding
from vault.operations.hold_record import opening
from vault.operations.room import Progress, Room, silent
from vault.rows import RequestRow, SessionRow

#: The states of a request that nobody has been answered in.
_UNANSWERED = frozenset({"received", "verified", "decided", "approved"})
_PAGE = 500

Wanted = Callable[[SessionRow], bool]


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is not as it should be: `about` is session, request, hold, rule or disposal.

    `code` is stable: overdue, consent-missing, request-overdue, hold-not-in-store,
    rule-unverified, rule-overdue, disposal-unfinished.
    """

    code: str
    about: str
    id: str
    text: str
    citation: str | None = None

    def entry(self) -> dict[str, Json]:
        """Its entry in `violations[]`."""
        return {
            "code": self.code,
            self.about: self.id,
            "text": self.text,
            "citation": self.citation,
        }


def violations(
    room: Room,
    as_of: datetime | None = None,
    *,
    wanted: Wanted | None = None,
    regime: str | None = None,
    progress: Progress = silent,
) -> Iterator[Violation]:
    """Everything that is not as it should be at `as_of`, of the `wanted` sessions or of all.

    Requests are those made under `regime`, or all. Holds and disposals are those of the archive.
    """
    permit_any(room, "read", "evidence")
    packs, at = room.policies.active(), as_of or room.clock.now()
    relied: Counter[tuple[str, str | None, Status]] = Counter()
    for done, row in enumerate(explain.every(room), 1):
        progress("looking", done, None)
        if wanted is not None and not wanted(row):
            continue
        known = explain.known(room, row, at)
        decisions = decide_all(known, packs, at)
        yield from _overdue(row, decisions, at)
        yield from _unagreed(row, known, packs)
        relied.update(_doubtful(decisions))
    yield from _unanswered(room, packs, at, regime)
    yield from _not_held(room, at)
    yield from _unfinished(room)
    for (rule, citation, status), count in sorted(relied.items()):
        text = f"The rule is {status} and {count} sessions are decided on by it."
        yield Violation(f"rule-{status}", "rule", rule, text, citation)


def _overdue(row: SessionRow, decisions: tuple[Decision, ...], at: datetime) -> Iterator[Violation]:
    """What should be gone, by a maximum or a granted request, and is not."""
    for found in decisions:
        if found.action is Action.DESTROY and found.due_by is not None and found.due_by <= at:
            reason = found.reasons[0]
            text = f"{found.element} was to be destroyed by {found.due_by:%Y-%m-%d}: {reason.text}"
            yield Violation("overdue", "session", row.id, text, reason.citation)


def _unagreed(row: SessionRow, known: Facts, packs: Mapping[str, Pack]) -> Iterator[Violation]:
    """A recording of a place where everyone has to agree, and nobody is known to have."""
    if known.consent is Consent.GRANTED or known.other_basis is not None:
        return
    voices = [rule for pack in packs.values() for rule in pack.rules if rule.parties]
    law = strictest(voices, known.jurisdictions)
    if law.rule is not None and law.parties == "all":
        text = f"Consent is {known.consent}. {law.rule.text}"
        yield Violation("consent-missing", "session", row.id, text, law.citation)


def _doubtful(decisions: tuple[Decision, ...]) -> set[tuple[str, str | None, Status]]:
    """The rules that decisions rest on and that nobody has verified, or not lately."""
    return {
        (reason.rule, reason.citation, reason.status)
        for found in decisions
        for reason in found.reasons
        if reason.rule is not None and reason.status not in {None, Status.VERIFIED}
        if reason.status is not None
    }


def _unanswered(
    room: Room, packs: Mapping[str, Pack], at: datetime, regime: str | None
) -> Iterator[Violation]:
    with room.catalogue.transaction() as tx:
        rows = tx.requests(room.tenant)
    for row in rows:
        due = row.extended_due_at or row.due_at
        asked = regime is None or row.regime == regime
        if asked and row.state in _UNANSWERED and due < at:
            text = f"The answer to this request ({row.type}) was due on {due:%Y-%m-%d}."
            yield Violation("request-overdue", "request", row.id, text, _answer(row, packs))


def _answer(row: RequestRow, packs: Mapping[str, Pack]) -> str | None:
    """The citation of the deadline for an answer."""
    rules = packs[row.regime].deadlines if row.regime in packs else ()
    asked = RequestType(row.type)
    named = (r.citation for r in rules if r.step is Step.ANSWER and asked in r.requests)
    return next(named, None)


def _not_held(room: Room, at: datetime) -> Iterator[Violation]:
    """Holds whose second layer in the store was not whole when it was last looked at."""
    opened = opening(room)
    with room.catalogue.transaction() as tx:
        rows = [row for row in tx.holds(room.tenant) if holding([row], at)]
    for row in rows:
        store = opened(row).get("store")
        if not isinstance(store, dict):
            text = "Nobody has looked yet whether the store holds its objects as well."
        elif store["difference"] is None:
            text = f"The store gave no answer: {store['detail']}"
        elif store["difference"] or store["missing"]:
            text = (
                f"{store['difference']} objects not held in the store, {store['missing']} missing."
            )
        else:
            continue
        yield Violation("hold-not-in-store", "hold", row.id, text)


def _unfinished(room: Room) -> Iterator[Violation]:
    with room.catalogue.transaction() as tx:
        rows = tx.open_disposals(room.tenant, limit=_PAGE)
    for row in rows:
        text = (
            f"Keys were destroyed on {row.destroyed_at:%Y-%m-%d}, and there is no certificate yet."
        )
        yield Violation("disposal-unfinished", "disposal", row.id, text)
