"""What a hold is to reach: which sessions, told in words, found page by page."""

from __future__ import annotations

import unicodedata
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from vault.errors import NotFound, UsageError
from vault.model import Json, new_id
from vault.operations import describe
from vault.operations.actors import permit
from vault.operations.facts import ENDED
from vault.operations.hold_record import PAGE, Begin
from vault.operations.room import Progress, Room, silent
from vault.ports import Transaction
from vault.rows import Outline, SessionFilter, SessionRow

#: No deposit makes an id and is recorded with it later than that.
_DAY_MILLISECONDS = 86_400_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The named sessions, and those that belong to any of the subjects, agents or tags, began in
    [`since`, `until`) and have `query` in what was said or in their title.

    Without subjects, agents and tags it is everything in those dates, or with those words. With
    `future` what comes under the subjects, agents and tags is reached too, whenever it began.
    """

    sessions: Sequence[str] = ()
    subjects: Sequence[str] = ()
    agents: Sequence[str] = ()
    tags: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    query: str | None = None
    future: bool = False

    @property
    def belongs(self) -> Sequence[tuple[str, str]]:
        """Subjects, agents and tags, as (kind, value)."""
        kinds = (("subject", self.subjects), ("agent", self.agents), ("tag", self.tags))
        return [(kind, value) for kind, values in kinds for value in values]

    @property
    def filters(self) -> bool:
        """Whether sessions are to be found, beside those that are named."""
        return bool(self.belongs or self.since or self.until or self.query)

    def check(self) -> None:
        """Raises `UsageError` for a scope that names nothing or cannot be."""
        if not (self.sessions or self.filters):
            raise UsageError("Say what to hold: sessions, subjects, agents, tags, dates or words.")
        if self.query is not None and not _plain(self.query):
            raise UsageError("--query is empty.")
        if self.future and not self.belongs:
            raise UsageError("--future catches by subject, agent or tag; none was named.")

    def lookups(self, room: Room) -> Sequence[tuple[str, bytes]]:
        """The keyed hashes of subjects, agents and tags."""
        return [(kind, room.keys.lookup(kind, value)) for kind, value in self.belongs]

    def words(self) -> dict[str, Json]:
        """The scope as it was asked for."""
        return {
            "sessions": list(self.sessions),
            "subjects": list(self.subjects),
            "agents": list(self.agents),
            "tags": list(self.tags),
            "from": None if self.since is None else self.since.isoformat(),
            "to": None if self.until is None else self.until.isoformat(),
            "query": self.query,
            "future": self.future,
        }


@dataclass(slots=True)
class Preview:
    """What a hold would reach; nothing was changed to know it.

    `bytes` are of the originals. `unpreservable` are (session, certificate) of what is destroyed
    already, `in_flight` those of them that are not certified yet. `open_requests` are ids of
    requests, and how many of these sessions each is about.
    """

    sessions: int = 0
    bytes: int = 0
    per_class: Counter[str] = field(default_factory=Counter)
    unpreservable: list[tuple[str, str]] = field(default_factory=list)
    in_flight: list[tuple[str, str]] = field(default_factory=list)
    open_requests: Counter[str] = field(default_factory=Counter)


def preview(room: Room, scope: Scope, *, progress: Progress = silent) -> Preview:
    """What a hold of this scope would reach now."""
    permit(room, "holds")
    reach, seen = Reach(room, scope), Preview()
    reach.search(progress)
    for page in reach.pages(room.catalogue.transaction):
        ids = [one.id for one in page]
        seen.sessions += len(page)
        seen.bytes += sum(one.content_bytes for one in page)
        seen.per_class.update(one.class_name for one in page)
        with room.catalogue.transaction() as tx:
            gone = tx.disposals_among(ids)
            seen.open_requests.update(tx.asked_among(ids))
        seen.unpreservable += [(row.session_id, row.id) for row in gone]
        seen.in_flight += [(row.session_id, row.id) for row in gone if row.state != "certified"]
        progress("counted", seen.sessions, None)
    with room.catalogue.transaction() as tx:
        ended = [row.id for row in tx.requests(room.tenant) if row.state in ENDED]
    for one in ended:
        del seen.open_requests[one]
    return seen


class Reach:
    """The sessions of a scope, as they are found.

    Memory does not grow with how many they are, but for a query: then the ids that it found are
    kept, and those of the last day's deposits that were looked into.
    """

    def __init__(self, room: Room, scope: Scope) -> None:
        scope.check()
        self._room = room
        self._query = None if scope.query is None else _plain(scope.query)
        self._named = list(dict.fromkeys(scope.sessions))
        self._found: list[str] = []
        self._recent: set[str] = set()
        self._floor = ""
        self.lookups = scope.lookups(room)
        began = SessionFilter(since=scope.since, until=scope.until)
        #: Filters of which no session meets two.
        self._wheres = [
            replace(began, lookups=[one], none_of=self.lookups[:number])
            for number, one in enumerate(self.lookups)
        ]
        if scope.filters and not self.lookups:
            self._wheres = [began]

    def search(self, progress: Progress) -> None:
        """Open what was not opened yet and keep what has the words; nothing where none are given.

        May be called again: then only what was deposited meanwhile is opened.
        """
        if self._query is None:
            return
        before, self._floor = self._floor, self._floor or _a_day_ago()
        done = 0
        for page in self._candidates(self._room.catalogue.transaction, before):
            for one in page:
                if one.id not in self._recent and self._says(one.id):
                    self._found.append(one.id)
                if one.id >= self._floor:
                    self._recent.add(one.id)
                done += 1
                progress("searched", done, None)

    def complete(self, tx: Transaction) -> bool:
        """Whether everything that is in the archive now was searched, if anything has to be."""
        if self._query is None:
            return True
        pages = self._candidates(lambda: nullcontext(tx), self._floor)
        return all(self._recent.issuperset(one.id for one in page) for page in pages)

    def pages(self, begin: Begin) -> Iterator[Sequence[Outline]]:
        """The sessions, each once. `begin` gives the transaction for each page.

        Raises `NotFound` for a session that was named and is not there.
        """
        listed = list(dict.fromkeys([*self._named, *self._found]))
        for start in range(0, len(listed), PAGE):
            with begin() as tx:
                page = [_outline(tx.session(one)) for one in listed[start : start + PAGE]]
            yield page
        if self._query is None:
            named = set(self._named)
            for found in self._candidates(begin, ""):
                yield [one for one in found if one.id not in named]

    def _candidates(self, begin: Begin, floor: str) -> Iterator[Sequence[Outline]]:
        """Whatever the dates, subjects, agents and tags let through, with ids from `floor` on."""
        for where in self._wheres:
            after: str | None = None
            while after is None or after >= floor:
                with begin() as tx:
                    page = tx.outlines(self._room.tenant, where, limit=PAGE, after=after)
                yield [one for one in page if one.id >= floor]
                if len(page) < PAGE:
                    break
                after = page[-1].id

    def _says(self, session_id: str) -> bool:
        """Whether the words of the query are in the title or in a turn.

        Whoever may place holds need not be one who may read the session: they learn that it has
        the words. Of what was destroyed nothing is left to say them.
        """
        with self._room.catalogue.transaction() as tx:
            row = tx.session(session_id)
        texts = _texts(self._room, row)
        return any((self._query or "") in _plain(text) for text in texts if text)


def _texts(room: Room, row: SessionRow) -> list[str | None]:
    """The title and the turns of a session; what cannot be opened any more says nothing."""
    found: list[str | None] = []
    with suppress(NotFound):  # its key was destroyed
        found.append(describe.open_metadata(room.keys, row).title)
    with suppress(NotFound):
        found += [segment.text for segment in describe.open_timeline(room.keys, row).segments]
    return found


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _outline(row: SessionRow) -> Outline:
    return Outline(row.id, row.class_name, row.content_bytes)


def _a_day_ago() -> str:
    """The smallest id that could have been made a day ago. Ids go by the machine's own clock."""
    milliseconds = uuid.UUID(new_id()).int >> 80
    return str(uuid.UUID(int=(milliseconds - _DAY_MILLISECONDS) << 80))
