"""Compliance: what the catalogue and the ledger say of all that falls under one framework.

Every figure is counted from what is kept here when it is asked for. What is not kept, or cannot be
told apart by framework any more, is None and named in `unknown`; it is never 0 for want of a count.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from policies.model import Pack
from vault.errors import NotFound, UsageError
from vault.model import Json, State
from vault.operations import evidence, facts
from vault.operations.actors import permit_any
from vault.operations.explain import tombstones_too
from vault.operations.processing import binding
from vault.operations.room import Progress, Room, silent
from vault.operations.violations import violations
from vault.ports import Transaction
from vault.rows import ConsentRow, DisposalRow, RequestRow, SessionFilter, SessionRow

FRAMEWORKS = ("gdpr", "ccpa", "hipaa", "pci-dss", "sox", "custom")
#: The regimes that data subjects may ask under.
_ASKED_UNDER = frozenset({"gdpr", "uk-gdpr", "ccpa", "hipaa"})
#: What the ledger may tell of who looked at what; another version may not have told it.
_ACCESSES = ("opened", "exported")
_PAGE = 500
_SUBJECTS = 4096

_TAGGED = (
    "Erased sessions have no tags any more, so those that were found by a tag are not counted."
)
_GONE = "Consent of data subjects of whom every session was erased is not told apart by framework."
_NO_REQUESTS = "No request can be made under this, so none are counted here."
_NOT_TOLD = "The ledger tells of no session that was {}: it may not have been recorded."
_WHOLE = "Violations of holds and of unfinished disposals are those of the whole archive."


@dataclass(frozen=True, slots=True)
class Asked:
    """Which framework, or which regime or tag of a custom one, in [since, until)."""

    framework: str
    regime: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def check(self) -> None:
        """Raises `UsageError` for what does not exist or does not fit together."""
        if self.framework not in FRAMEWORKS:
            raise UsageError(f"A framework is one of: {', '.join(FRAMEWORKS)}.")
        if bool(self.regime or self.tag) != (self.framework == "custom"):
            raise UsageError("A custom report, and no other, says its --regime or --tag.")

    @property
    def policy(self) -> str | None:
        """The pack whose sessions are meant."""
        return self.regime if self.framework == "custom" else self.framework

    @property
    def named_by(self) -> str | None:
        """The tag that is looked for: the one given, and `sox` where no deposit can name it."""
        return self.tag or ("sox" if self.framework == "sox" else None)

    def within(self, instant: datetime | None) -> bool:
        """Whether something happened in the time that is asked about."""
        if instant is None or (self.since is not None and instant < self.since):
            return False
        return self.until is None or instant < self.until


@dataclass(slots=True)
class _Sums:
    """What is added up session by session."""

    sessions: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    consent: Counter[str] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    erased: Counter[str] = field(default_factory=Counter)
    holds: dict[str, tuple[datetime | None, datetime | None, bool]] = field(default_factory=dict)
    held: int = 0


def figures(room: Room, asked: Asked, *, progress: Progress = silent) -> dict[str, Json]:
    """The document of a framework's report. Raises `UsageError` for one that does not exist."""
    permit_any(room, "read", "evidence")
    asked.check()
    wanted = _under(room, asked)
    sums = _Sums()
    for done, row in enumerate(tombstones_too(room), 1):
        if wanted(row):
            with room.catalogue.transaction() as tx:
                _add(sums, tx, row, asked, room.clock.now())
        progress("counting", done, None)
    requests, accesses = _requests(room, asked), _accesses(room, asked, wanted)
    broken = Counter(v.code for v in violations(room, wanted=wanted, regime=asked.policy or ""))
    return {
        "framework": asked.framework,
        "regime": asked.regime,
        "tag": asked.named_by,
        "made_at": room.clock.now().isoformat(),
        "since": None if asked.since is None else asked.since.isoformat(),
        "until": None if asked.until is None else asked.until.isoformat(),
        "sessions": {
            "total": sums.sessions,
            "by_class": _sorted(sums.classes),
            "by_state": _sorted(sums.states),
            "by_jurisdiction": _sorted(sums.places),
            "by_consent": _sorted(sums.consent),
        },
        "consents": _consents(room, asked, wanted),
        "requests": requests,
        "erasures": {
            "certified": sum(sums.causes.values()),
            "by_cause": _sorted(sums.causes),
            "elements": _sorted(sums.erased),
        },
        "holds": {
            "placed": sum(asked.within(placed) for placed, _, _ in sums.holds.values()),
            "released": sum(asked.within(ended) for _, ended, _ in sums.holds.values()),
            "standing": sum(stands for _, _, stands in sums.holds.values()),
            "sessions_held": sums.held,
        },
        "accesses": dict[str, Json](accesses),
        "processing": {"records": sum(sums.applied.values()), "by_policy": _sorted(sums.applied)},
        "violations": _sorted(broken),
        "unknown": list[Json](_unknown(asked, requests, accesses)),
    }


def _add(sums: _Sums, tx: Transaction, row: SessionRow, asked: Asked, now: datetime) -> None:
    """Count one session under the framework, whether it is still here or not."""
    if asked.within(row.started_at):
        sums.sessions += 1
        sums.classes[row.class_name] += 1
        sums.states[row.state.value] += 1
        sums.places.update(row.jurisdictions or ["none named"])
        if row.state is not State.ERASED:
            sums.consent[facts.facts(tx, row, (), now).consent.value] += 1
    for record in tx.applied(row.id):
        if asked.within(record.applied_at):
            sums.applied[f"{record.policy} {record.version}"] += 1
    for disposal in tx.disposals(session_id=row.id):
        if disposal.state == "certified" and asked.within(disposal.destroyed_at):
            sums.causes[disposal.cause_kind] += 1
            sums.erased.update(_elements(disposal))
    stands = False
    for hold in tx.holds_on(row.id):
        protects = bool(facts.holding([hold], now))
        stands = stands or protects
        sums.holds[hold.id] = (hold.placed_at or hold.proposed_at, hold.released_at, protects)
    sums.held += stands


def _elements(disposal: DisposalRow) -> list[str]:
    found: list[str] = json.loads(disposal.document)["elements"]
    return found


def _under(room: Room, asked: Asked) -> Callable[[SessionRow], bool]:
    """Whether a session falls under the framework.

    By the pack that binds it, by a class of that pack, or by its tag; a custom report that names a
    regime and a tag asks for both.
    """
    packs = room.policies.active()
    tag = None if asked.named_by is None else room.keys.lookup("tag", asked.named_by)
    pack = packs.get(asked.policy or "")
    if asked.policy is not None and pack is None:
        raise UsageError(f"No policy {asked.policy!r} is in force; `policy list` names them.")

    def tagged(row: SessionRow) -> bool:
        with room.catalogue.transaction() as tx:
            return any(one.kind == "tag" and one.hash == tag for one in tx.lookups(row.id))

    def wanted(row: SessionRow) -> bool:
        bound = pack is not None and _bound(row, pack, packs)
        if asked.framework == "custom" and tag is not None:
            return tagged(row) and (bound or pack is None)
        return bound or (tag is not None and tagged(row))

    return wanted


def _bound(row: SessionRow, pack: Pack, packs: Mapping[str, Pack]) -> bool:
    return pack in binding(row, packs) or row.class_name in {one.name for one in pack.classes}


def _consents(room: Room, asked: Asked, wanted: Callable[[SessionRow], bool]) -> dict[str, Json]:
    """What was recorded of data subjects with sessions under the framework."""

    @lru_cache(maxsize=_SUBJECTS)
    def meant(subject: bytes) -> bool:
        where = SessionFilter(lookups=(("subject", subject),))
        return any(wanted(row) for row in tombstones_too(room, where))

    found: Counter[str] = Counter(granted=0, withdrawn=0, requested=0, expired=0)
    now = room.clock.now()
    for row in _recorded(room):
        if not meant(row.subject):
            continue
        found[row.state] += asked.within(row.at)
        over = row.expires_at is not None and row.expires_at <= now
        found["expired"] += row.state == "granted" and over and asked.within(row.expires_at)
    return _sorted(found)


def _recorded(room: Room) -> Iterator[ConsentRow]:
    after = None
    while True:
        with room.catalogue.transaction() as tx:
            page = tx.all_consents(room.tenant, limit=_PAGE, after=after)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _requests(room: Room, asked: Asked) -> dict[str, Json] | None:
    """Requests that were received in that time; None where none can be made."""
    if asked.policy not in _ASKED_UNDER:
        return None
    with room.catalogue.transaction() as tx:
        rows = [r for r in tx.requests(room.tenant) if r.regime == asked.policy]
    rows = [row for row in rows if asked.within(row.received_at)]
    return {
        "total": len(rows),
        "by_type": _sorted(Counter(row.type for row in rows)),
        "by_outcome": _sorted(Counter(row.state for row in rows)),
        **_sorted(Counter(_answered(row, room.clock.now()) for row in rows), *_TIMES),
    }


_TIMES = ("on_time", "late", "open", "overdue")


def _answered(row: RequestRow, now: datetime) -> str:
    """Whether a request was answered on time, late, or not yet."""
    due = row.extended_due_at or row.due_at
    if row.ended_at is not None:
        return "on_time" if row.ended_at <= due else "late"
    return "open" if now <= due else "overdue"


def _accesses(
    room: Room, asked: Asked, wanted: Callable[[SessionRow], bool]
) -> dict[str, int | None]:
    """How often sessions were opened and exported; None where the ledger tells of none at all."""
    evidence.publish(room)
    found: dict[str, int | None] = dict.fromkeys(_ACCESSES)
    for line in room.ledger.entries():
        entry = json.loads(line)
        if entry.get("type") in found:
            within = asked.within(datetime.fromisoformat(entry["at"]))
            named = entry.get("sessions") or [entry.get("session")]
            rows = (_session(room, one) for one in named if within)
            count = sum(row is not None and wanted(row) for row in rows)
            found[entry["type"]] = (found[entry["type"]] or 0) + count
    return found


def _session(room: Room, session_id: str | None) -> SessionRow | None:
    try:
        with room.catalogue.transaction() as tx:
            return None if session_id is None else tx.session(session_id)
    except NotFound:
        return None


def _unknown(
    asked: Asked, requests: Mapping[str, Json] | None, accesses: Mapping[str, int | None]
) -> Iterator[str]:
    if asked.named_by is not None:
        yield _TAGGED
    yield _GONE
    if requests is None:
        yield _NO_REQUESTS
    for name, count in accesses.items():
        if count is None:
            yield _NOT_TOLD.format(name)
    yield _WHOLE


def _sorted(counts: Counter[str], *always: str) -> dict[str, Json]:
    return {name: counts[name] for name in sorted({*counts, *always})}
