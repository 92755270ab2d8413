"""What was said in stored sessions, utterance by utterance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from vault.errors import NotFound, UsageError
from vault.operations.actors import may_read
from vault.operations.records import Choice, rows
from vault.operations.retrieve import Opened
from vault.operations.room import Room
from vault.replay.conversation import Exchange, Where, derive_ids, exchanges, select

#: The exchanges of one session, with its id.
Said = tuple[str, Sequence[Exchange]]
#: How many exchanges are held in memory to find conversations anew; some 3 kB each.
REGROUP_LIMIT = 100_000
_NEVER = datetime.min.replace(tzinfo=UTC)


def said(
    room: Room, choice: Choice, where: Where | None = None, *, regroup: bool = False
) -> Iterator[Said]:
    """The exchanges of the chosen sessions that meet `where`; sessions with none are left out.

    Sessions come as in a list, newest deposit first, and each is opened when its turn comes.
    With `regroup` they come as they began, and an exchange counts to the conversation that the
    rule of continuity finds (a pause of 300 s or another project ends one), whatever its source
    says; then all of them are held in memory, `REGROUP_LIMIT` at most. Raises `UsageError` for a
    bad pattern and for more than that, `NotFound` for a session that was named and is not there.
    """
    where = where or Where()
    select((), where)  # a bad pattern is refused before anything is opened
    every = _opened(room, choice)
    return _meeting(regrouped(every) if regroup else every, where)


def regrouped(every: Iterable[Said], limit: int = REGROUP_LIMIT) -> list[Said]:
    """The same, the earliest session first, with conversations by the rule of continuity.

    Raises `UsageError` for more than `limit` exchanges.
    """
    sessions = sorted(
        _bounded(every, limit), key=lambda said: next(_times(said[1]), None) or _NEVER
    )
    placed = [
        (_NEVER if at is None else at, number, index)
        for number, (_, found) in enumerate(sessions)
        for index, at in enumerate(_times(found))
    ]
    placed.sort(key=lambda place: place[0])
    flat = [sessions[number][1][index] for _, number, index in placed]
    again = [list(found) for _, found in sessions]
    for (_, number, index), one, name in zip(placed, flat, derive_ids(flat), strict=True):
        again[number][index] = replace(one, conversation_id=name)
    return [(session_id, found) for (session_id, _), found in zip(sessions, again, strict=True)]


def _bounded(every: Iterable[Said], limit: int) -> Iterator[Said]:
    for session_id, found in every:
        limit -= len(found)
        if limit < 0:
            raise UsageError("This is too much to regroup at once; choose fewer sessions.")
        yield session_id, found


def _times(found: Sequence[Exchange]) -> Iterator[datetime | None]:
    """When each was; one that does not say stays with the one before it."""
    last: datetime | None = None
    for one in found:
        last = one.at or last
        yield last


def _meeting(every: Iterable[Said], where: Where) -> Iterator[Said]:
    for session_id, found in every:
        if chosen := list(select(found, where)):
            yield session_id, chosen


def _opened(room: Room, choice: Choice) -> Iterator[Said]:
    for row in rows(room, choice):
        if not may_read(room, row):
            continue
        opened = Opened(room, row)
        try:
            timeline, name = opened.timeline(), opened.metadata().external_id
        except NotFound:  # its key was destroyed
            if choice.where is None:
                raise
            continue
        yield row.id, list(exchanges(timeline, row.started_at, name or row.id))
