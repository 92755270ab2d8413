"""Reports that come again: what, of which sessions, how often, where to.

The list is one sealed setting of the archive, because a condition may name a person. Whoever
keeps time calls `run_due`; `strongroom up` and a cron line are such. Of two that call it at
the same moment, on SQLite one finds nothing left to do; on PostgreSQL both may write the same
report, which is a file that is replaced whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vault.errors import BadInput, NotFound, StrongroomError, UsageError
from vault.export import reports
from vault.model import Json
from vault.operations import actors, report
from vault.operations.delivery import Exported
from vault.operations.keys import DataKey
from vault.operations.records import Choice
from vault.operations.room import Room
from vault.ports import Transaction
from vault.rows import SessionFilter

_SETTING = "report-schedules"
_INSTANTS = ("next_at", "last_at", "again_at")
#: How long after a report failed, or whoever made it died, it is tried again.
_AGAIN = timedelta(hours=1)
_SHORTEST_SECONDS = 60
_LONGEST_SECONDS = 366 * 86_400
#: As long ago as that nothing was recorded; a time out of the calendar would stop every report.
_SPAN_SECONDS = 50 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class Schedule:
    """A report that is due every `every_seconds`, first at `next_at`.

    `lookups` are (kind, value) pairs as in `list`: subject, agent, tag, external-id. With
    `span_seconds` it is of the sessions that began within so long before it is made. Files are
    `NAME-YYYYMMDDTHHMMSSZ.FORMAT` in `folder`. `last_at` is when one was made, `error` why the last
    run failed, and `again_at` when that is tried again, which moves no later time.
    """

    name: str
    type: str
    format: str
    folder: str
    every_seconds: int
    next_at: datetime
    lookups: Sequence[tuple[str, str]] = ()
    span_seconds: int | None = None
    sections: Sequence[str] = ()
    encrypt_to: Sequence[str] = ()
    last_at: datetime | None = None
    error: str | None = None
    again_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be made now, for the first time or again."""
        return min(self.next_at, self.again_at or self.next_at) <= now

    def check(self) -> None:
        """Raises `UsageError` for what cannot be."""
        reports.chosen(self.type, self.sections)
        reports.renderer(self.format)
        if not self.name.replace("-", "").isalnum() or len(self.name) > 60:
            raise UsageError("A schedule's name has letters, digits and hyphens, at most 60.")
        if not _SHORTEST_SECONDS <= self.every_seconds <= _LONGEST_SECONDS:
            raise UsageError("A schedule repeats every minute at most, every year at least.")
        if self.span_seconds is not None and not 0 < self.span_seconds <= _SPAN_SECONDS:
            raise UsageError("A schedule looks back more than no time, and 50 years at most.")
        if not Path(self.folder).is_absolute():
            raise UsageError("A schedule writes to an absolute folder.")


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one that was due."""

    name: str
    path: Path
    done: Exported | None = None
    error: StrongroomError | None = field(default=None)


def add(room: Room, schedule: Schedule) -> None:
    """Keep a schedule.

    Raises `BadInput` if there is one of that name, `UsageError` where its folder is not there.
    """
    actors.permit(room, "schedules")
    schedule.check()
    if not Path(schedule.folder).is_dir():
        raise UsageError(f"There is no folder {schedule.folder}; make it first.")
    key = room.keys.tenant_key()
    with room.catalogue.transaction() as tx:
        kept = _load(key, tx)
        if schedule.name in kept:
            raise BadInput("There is a schedule of that name; remove it first.")
        _save(key, tx, {**kept, schedule.name: schedule})


def listed(room: Room) -> list[Schedule]:
    """Every schedule, by name."""
    actors.permit(room, "schedules")
    key = room.keys.tenant_key()
    with room.catalogue.transaction() as tx:
        return [schedule for _, schedule in sorted(_load(key, tx).items())]


def remove(room: Room, name: str) -> None:
    """Forget a schedule; its reports stay where they are. Raises `NotFound`."""
    actors.permit(room, "schedules")
    key = room.keys.tenant_key()
    with room.catalogue.transaction() as tx:
        kept = _load(key, tx)
        if name not in kept:
            raise NotFound("There is no schedule of that name.")
        _save(key, tx, {k: v for k, v in kept.items() if k != name})


def run_due(room: Room) -> list[Ran]:
    """Make every report that is due, and say when it is due again.

    A time that was missed is made up for once, however often it was missed. One that fails
    keeps its error and is tried again in an hour, or at its next time if that is sooner or there
    was no session to report on; the others are made all the same.
    """
    actors.permit(room, "schedules")
    ran = []
    for schedule in _claim(room):
        outcome = _run(room, schedule)
        ran.append(outcome)
        _note(room, schedule.name, outcome.error)
    return ran


def _claim(room: Room) -> list[Schedule]:
    """Those that are due; from now on they are so at their next time, or when tried again."""
    now = room.clock.now()
    key = room.keys.tenant_key()
    with room.catalogue.transaction() as tx:
        kept = _load(key, tx)
        due = [s for s in kept.values() if s.is_due(now)]
        for schedule in due:
            every = timedelta(seconds=schedule.every_seconds)
            missed = max(0, (now - schedule.next_at) // every + 1)
            next_at = schedule.next_at + missed * every
            kept[schedule.name] = replace(schedule, next_at=next_at, again_at=now + _AGAIN)
        if due:
            _save(key, tx, kept)
    return due


def _run(room: Room, schedule: Schedule) -> Ran:
    now = room.clock.now()
    path = Path(schedule.folder) / f"{schedule.name}-{now:%Y%m%dT%H%M%SZ}.{schedule.format}"
    if schedule.encrypt_to:
        path = path.with_name(path.name + ".age")
    span = schedule.span_seconds
    where = SessionFilter(
        lookups=tuple((kind, room.keys.lookup(kind, value)) for kind, value in schedule.lookups),
        since=None if span is None else now - timedelta(seconds=span),
    )
    request = report.Request(
        schedule.type, schedule.format, schedule.sections, encrypt_to=schedule.encrypt_to
    )
    try:
        return Ran(schedule.name, path, report.report(room, Choice(where=where), request, path))
    except StrongroomError as error:
        return Ran(schedule.name, path, error=error)


def _note(room: Room, name: str, error: StrongroomError | None) -> None:
    """Keep what became of a run; where nothing was found there is nothing to try again."""
    key = room.keys.tenant_key()
    with room.catalogue.transaction() as tx:
        kept = _load(key, tx)
        if name not in kept:
            return
        found = replace(kept[name], error=None if error is None else str(error))
        if error is None:
            found = replace(found, last_at=room.clock.now(), again_at=None)
        elif isinstance(error, NotFound):
            found = replace(found, again_at=None)
        _save(key, tx, {**kept, name: found})


def _load(key: DataKey, tx: Transaction) -> dict[str, Schedule]:
    sealed = tx.setting(_SETTING)
    if sealed is None:
        return {}
    document = json.loads(key.open_value("settings", _SETTING, sealed))
    return {one["name"]: _schedule(one) for one in document}


def _schedule(written: Mapping[str, Json]) -> Schedule:
    fields = dict(written)
    for name in _INSTANTS:
        instant = fields.get(name)  # one that was kept before there was `again_at` has none
        fields[name] = None if instant is None else datetime.fromisoformat(str(instant))  # type: ignore[assignment]  # no Json any more
    fields["lookups"] = tuple(tuple(pair) for pair in fields["lookups"])  # type: ignore[assignment, union-attr, arg-type]  # pairs
    return Schedule(**fields)  # type: ignore[arg-type]  # as `_save` wrote them


def _save(key: DataKey, tx: Transaction, schedules: Mapping[str, Schedule]) -> None:
    document = [
        {**asdict(s), **{name: _text(getattr(s, name)) for name in _INSTANTS}}
        for s in schedules.values()
    ]
    sealed = key.seal_value("settings", _SETTING, json.dumps(document).encode())
    tx.set_setting(_SETTING, sealed)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()
