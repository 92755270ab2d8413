"""Stored sessions as an export sees them: opened one by one, their originals read when wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import entry_points

from vault.errors import BackendError, NotFound, UsageError
from vault.export.record import Record
from vault.formats.fields import Notes
from vault.model import Json, Reading, State, Timeline
from vault.operations import analysis, retrieve
from vault.operations.actors import may_read
from vault.operations.retrieve import Opened
from vault.operations.room import Room
from vault.replay.analysis import analyse
from vault.replay.annotations import newest
from vault.rows import SessionFilter, SessionRow

#: Where a redaction engine is found: a callable that gives a record without what names people.
REDACTION = "strongroom.redaction"

Redact = Callable[[Record], Record]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sessions: those ids, or all that meet `where`; with neither it is none.

    The look-ups in `where` are keyed hashes, made with `room.keys.lookup`.
    """

    ids: Sequence[str] = ()
    where: SessionFilter | None = None

    @property
    def single(self) -> bool:
        """Whether one session was named."""
        return self.where is None and len(set(self.ids)) == 1

    @property
    def scope(self) -> str:
        """Which of the six scopes this is, by the narrowest of its conditions."""
        if self.where is None:
            return "single_session" if self.single else "multiple_sessions"
        kinds = {kind for kind, _ in self.where.lookups}
        if "subject" in kinds:
            return "user_sessions"
        if "agent" in kinds:
            return "agent_sessions"
        if self.where.since or self.where.until:
            return "date_range"
        return "all_sessions" if self.where == SessionFilter() else "multiple_sessions"

    def check(self) -> None:
        """Raises `UsageError` where nothing was chosen, or in two ways."""
        if bool(self.ids) == (self.where is not None):
            raise UsageError("Say which sessions: ids, or filters, or --all.")


def redaction(*, wanted: bool) -> Redact:
    """The installed redaction engine; what changes nothing where none is `wanted`.

    Raises `BackendError` where one is wanted and there is none: text never passes through.
    """
    if not wanted:
        return lambda record: record
    for point in entry_points(group=REDACTION):
        return partial(_redacted, point.load())
    raise BackendError("No redaction engine is installed, so nothing can be anonymised.")


def _redacted(engine: Redact, record: Record) -> Record:
    """The record as the engine gives it; what was found out of its words is found out anew."""
    made = engine(record)
    session = made.session
    return replace(made, analyses=cache(partial(analyse, session.timeline, session.duration_ns)))


def records(room: Room, choice: Choice, notes: Notes, redact: Redact) -> Iterator[Record]:
    """The chosen sessions, each opened when its turn comes.

    Of many, one whose key was destroyed meanwhile, or that is only stored, is left out with a
    note; a session that was named and is not there is `NotFound`.
    """
    for row in rows(room, choice):
        if not may_read(room, row):
            notes.add("left-out", f"This session is {row.state}.", row.id)
            continue
        try:
            found = record(Opened(room, row))
        except NotFound:
            if choice.where is None:
                raise
            notes.add("left-out", "The key of this session was destroyed.", row.id)
            continue
        yield redact(found)


def rows(room: Room, choice: Choice) -> Iterator[SessionRow]:
    """The chosen sessions as the catalogue has them; `NotFound` for a named one that is not.

    Of those that were destroyed only tombstones are left, and no condition chooses them.
    """
    if choice.where is not None:
        found = retrieve.sessions(room, choice.where)
        return (row for row in found if row.state is not State.ERASED)
    return iter([retrieve.session(room, one) for one in dict.fromkeys(choice.ids)])


def count(room: Room, choice: Choice) -> int | None:
    """How many sessions that is, where it is cheap to know."""
    if choice.where is None:
        return len(set(choice.ids))
    with room.catalogue.transaction() as tx:
        return tx.count_sessions(room.tenant, choice.where)


def record(opened: Opened) -> Record:
    """A stored session with everything its source said, and the annotations that hold."""
    row, metadata, timeline = opened.row, opened.metadata(), opened.timeline()
    made = {a.id: a for a in metadata.annotations}
    own = [a for a in timeline.annotations if a.id not in made]
    said = (*own, *made.values())
    timeline = replace(timeline, annotations=newest(said))
    session = Reading(
        format=row.format,
        external_id=metadata.external_id,
        started_at=row.started_at,
        duration_ns=row.duration_ns,
        participants=metadata.participants,
        timeline=timeline,
        originals=[opened.original(p) for p in opened.originals()],
        inside=lambda: map(opened.original, opened.inside()),
        metrics=metadata.stated,
        warnings=metadata.warnings,
        title=metadata.title,
        agent=metadata.agent,
        subjects=metadata.subjects,
        tags=metadata.tags,
        source=metadata.source,
    )
    return Record(
        id=row.id,
        state=row.state.value,
        started_at=row.started_at,
        ended_at=row.ended_at,
        deposited_at=row.deposited_at,
        privacy_level=row.privacy_level.value,
        class_name=row.class_name,
        jurisdictions=row.jurisdictions,
        regimes=row.regimes,
        session=session,
        parts=tuple(opened.parts),
        warnings=tuple(opened.warnings()),
        analyses=cache(partial(_analyses, opened, timeline)),  # a zip tells them twice
        said=said,
    )


def _analyses(opened: Opened, timeline: Timeline) -> Mapping[str, Json]:
    """Those that the job kept; else those of the timeline alone, for listening takes long."""
    return analysis.kept(opened) or analyse(timeline, opened.row.duration_ns)
