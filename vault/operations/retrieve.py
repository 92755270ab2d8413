"""Find sessions, show them, open their parts."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vault.errors import IntegrityError, NotFound, UsageError
from vault.model import Annotation, Compartment, Kind, Original, Part, State, Timeline, Warn
from vault.operations import describe
from vault.operations.actors import may, permit_reading
from vault.operations.room import Room
from vault.ports import Buffer
from vault.rows import JobRow, ObjectRow, SessionFilter, SessionRow
from vault.seal import pack
from vault.seal.stream import RangeReader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: The kind of object that holds recordings which lay inside an original.
INSIDE = "inside"
_BUFFER_BYTES = 1 << 18
_PAGE = 500


def session(room: Room, session_id: str, *, erased: bool = False) -> SessionRow:
    """The session of that id, if the actor may read it.

    Raises `NotFound` for one that was destroyed, unless its tombstone is wanted (`erased`).
    """
    with room.catalogue.transaction() as tx:
        row = tx.session(session_id)
        gone = tx.disposals(session_id=session_id) if row.state is State.ERASED else ()
    permit_reading(room, row)
    if gone and not erased:
        named = ", ".join(disposal.id for disposal in gone)
        raise NotFound(f"This session was destroyed; its certificate: {named}.")
    return row


def sessions(room: Room, where: SessionFilter, *, limit: int | None = None) -> Iterator[SessionRow]:
    """The sessions that meet `where`, newest first, page by page; an agent sees its own."""
    if not may(room, "read"):
        if not may(room, "read-own"):
            return
        where = replace(where, deposited_by=room.actor.id)
    after, left = None, limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        with room.catalogue.transaction() as tx:
            page = tx.sessions(room.tenant, where, limit=size, after=after)
        yield from page
        if len(page) < size:
            return
        after = page[-1].id
        left = None if left is None else left - len(page)


class Opened:
    """A session whose sealed objects can be read: what `session` found, with its parts.

    A compartment whose key was destroyed has no parts any more; the others are there.
    """

    def __init__(self, room: Room, row: SessionRow) -> None:
        self.row = row
        self.parts: list[Part] = []
        self.object_warnings: list[Warn] = []
        self.room = room
        self._homes: dict[tuple[Compartment, str], ObjectRow] = {}
        self._readers: dict[str, RangeReader] = {}
        self._metadata: describe.Metadata | None = None
        with room.catalogue.transaction() as tx:
            self._objects: Sequence[ObjectRow] = tx.objects(row.id)
            self.jobs: Sequence[JobRow] = tx.jobs(row.id)
        for found in self._objects:
            self._read_manifest(found)

    def _read_manifest(self, found: ObjectRow) -> None:
        try:
            key = self.room.keys.data_key(self.row, found.compartment)
        except NotFound:
            return
        parts, warnings = describe.open_manifest(key, found.id, found.manifest, found.compartment)
        self.parts.extend(parts)
        self.object_warnings.extend(warnings)
        self._homes.update(((p.compartment, p.name), found) for p in parts)

    def has_key(self, compartment: Compartment) -> bool:
        """Whether there is a key to seal or open that compartment with."""
        try:
            self.room.keys.data_key(self.row, compartment)
        except NotFound:
            return False
        return True

    def metadata(self) -> describe.Metadata:
        """Names, tags and warnings."""
        if self._metadata is None:
            self._metadata = describe.open_metadata(self.room.keys, self.row)
        return self._metadata

    def timeline(self) -> Timeline:
        """Transcript, segments and events."""
        return describe.open_timeline(self.room.keys, self.row)

    def annotations(self) -> list[Annotation]:
        """Every version of every annotation: the source's own, and those made here."""
        made = {a.id: a for a in self.metadata().annotations}
        own = [a for a in self.timeline().annotations if a.id not in made]
        return [*own, *made.values()]

    def warnings(self) -> list[Warn]:
        """Everything that was noticed: on deposit, by jobs, and jobs that failed."""
        failed = [
            Warn("job-failed", f"The job {job.name} failed: {job.error}")
            for job in self.jobs
            if job.state == "failed"
        ]
        return [*self.metadata().warnings, *self.object_warnings, *failed]

    def originals(self) -> list[Part]:
        """The files as they came."""
        return [p for p in self.parts if p.compartment is Compartment.ORIGINAL]

    def inside(self) -> list[Part]:
        """The recordings that lay inside an original, as the deposit took them out."""
        return [
            p
            for p in self.parts
            if p.kind is Kind.AUDIO and self._homes[p.compartment, p.name].kind == INSIDE
        ]

    def recordings(self) -> list[Part]:
        """All the sound that came with the session."""
        return [*(p for p in self.originals() if p.kind is Kind.AUDIO), *self.inside()]

    def part(self, name: str) -> Part:
        """The part of that name, or of `compartment:name` where two share one."""
        compartment, _, rest = name.partition(":")
        found = [p for p in self.parts if p.name == name] or [
            p for p in self.parts if (p.compartment, p.name) == (compartment, rest)
        ]
        if not found:
            raise NotFound("This session has no part of that name; `show` lists them.")
        if len(found) > 1:
            both = " or ".join(f"{p.compartment}:NAME" for p in found)
            raise UsageError(f"Two parts have that name; say {both}.")
        return found[0]

    def stream(self, part: Part, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """The bytes [start, stop) of a part, each verified before it is given out.

        Raises `IntegrityError` if the stored object is missing, cut, exchanged or altered.
        """
        home = self._homes[part.compartment, part.name]
        try:
            if home.id not in self._readers:
                self._readers[home.id] = self._reader(home)
            yield from pack.stream(self._readers[home.id], part, start, stop)
        except NotFound as error:
            raise IntegrityError("A sealed object is missing from the store.") from error

    def original(self, part: Part) -> Original:
        """A part as what it was before: a file that can be opened and sought in."""

        def opened() -> io.BufferedReader:
            return io.BufferedReader(_File(self, part), _BUFFER_BYTES)

        return Original(part.name, part.kind, part.media_type, part.size_bytes, opened)

    def _reader(self, home: ObjectRow) -> RangeReader:
        # Ranges alone would never show that something was appended.
        stored = self.room.store.stat(place(self.room, home), home.version)
        if stored.size_bytes != home.size_bytes:
            raise IntegrityError("A sealed object is not as long as it was.")
        key = self.room.keys.data_key(self.row, home.compartment)
        fetch = partial(_fetch, self.room, home)
        return key.reader("pack", home.id, fetch, home.size_bytes)


def _fetch(room: Room, home: ObjectRow, start: int, stop: int) -> Iterable[Buffer]:
    return room.store.get(place(room, home), home.version, start, stop)


class _File(io.RawIOBase):
    """A part as a file that can be read and sought in; every byte is verified first."""

    def __init__(self, opened: Opened, found: Part) -> None:
        self._opened, self._part = opened, found
        self._at = 0
        self._blocks: Iterator[memoryview] | None = None
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._part.size_bytes}[whence]
        if start + offset != self._at:
            self._at, self._blocks, self._left = max(0, start + offset), None, memoryview(b"")
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._blocks is None:
            self._blocks = self._opened.stream(self._part, self._at)
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = block
        with memoryview(buffer).cast("B") as into:
            size = min(len(into), len(self._left))
            into[:size] = self._left[:size]
        self._left = self._left[size:]
        self._at += size
        return size


def place(room: Room, row: ObjectRow) -> str:
    """Where an object lies. `IntegrityError` if the catalogue says elsewhere than it can."""
    if row.store_key != room.store_key(row.id):
        raise IntegrityError("The catalogue says that an object lies elsewhere: it was altered.")
    return row.store_key
