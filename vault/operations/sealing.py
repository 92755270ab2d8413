"""One session on its way into the store: sealed, put, and described for the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from vault.model import Compartment, Part, new_id
from vault.operations import describe, doubles
from vault.operations.admission import Admitted, blocks, session_row
from vault.operations.keys import DataKey
from vault.operations.retrieve import INSIDE
from vault.operations.room import Progress, Room, silent
from vault.operations.writer import ObjectWriter
from vault.ports import Buffer
from vault.rows import ObjectRow, SessionRow
from vault.seal.pack import Packer


@dataclass(frozen=True, slots=True)
class Sealed:
    """A session whose object is stored and that the catalogue does not know yet."""

    admitted: Admitted
    session: SessionRow
    data_keys: dict[Compartment, DataKey]
    stored: Sequence[ObjectRow]
    parts: Sequence[Part]


class Sealing:
    """Seals the originals of one session into one object and puts it.

    `put` does both in one pass and constant memory. After `ahead` it has nothing left to do
    but to wait for the store.
    """

    def __init__(self, room: Room, admitted: Admitted, progress: Progress = silent) -> None:
        session_id = new_id()
        self._room, self._admitted, self._progress = room, admitted, progress
        self._object_id = new_id()
        self._keys = {c: room.keys.new_data_key(session_id) for c in Compartment}
        self._packer = Packer(Compartment.ORIGINAL)
        original = self._keys[Compartment.ORIGINAL]
        self._blocks: Iterable[bytes] = original.seal("pack", self._object_id, self._plaintext())

    def ahead(self) -> None:
        """Seal and describe it now, in memory."""
        self._blocks = list(self._blocks)
        _ = self._described

    def put(self) -> Sealed:
        """Store it. Once only: the originals pass by a single time."""
        room = self._room
        stored = room.store.put(room.store_key(self._object_id), self._blocks)
        session, parts, manifest = self._described
        row = ObjectRow(
            id=self._object_id,
            session_id=session.id,
            compartment=Compartment.ORIGINAL,
            kind="pack",
            store_key=stored.key,
            version=stored.version,
            size_bytes=stored.size_bytes,
            sha256=stored.digest,
            manifest=manifest,
            created_at=room.clock.now(),
        )
        return Sealed(self._admitted, session, self._keys, [row, *self._put_inside()], parts)

    @cached_property
    def _described(self) -> tuple[SessionRow, list[Part], bytes]:
        """The session, its parts and their sealed manifest, once all bytes have passed."""
        parts = self._packer.parts()
        digests = [p.sha256 for p in parts]
        fingerprint = doubles.fingerprint(self._room, self._admitted, digests)
        session = session_row(self._room, self._admitted, fingerprint, self._keys)
        original = self._keys[Compartment.ORIGINAL]
        return session, parts, describe.seal_manifest(original, self._object_id, parts)

    def _plaintext(self) -> Iterator[Buffer]:
        """The originals one after the other, accounted for as they pass."""
        done = 0
        for original in self._admitted.reading.originals:
            self._packer.begin(original.name, original.kind, original.media_type)
            for block in blocks(original):
                yield self._packer.take(original.name, block)
                done += len(block)
                self._progress("sealing", done, self._admitted.content_bytes)

    def _put_inside(self) -> list[ObjectRow]:
        """Seal what lies inside an original into an object of its own, if there is anything."""
        reading, key = self._admitted.reading, self._keys[Compartment.DERIVED]
        found = iter(reading.inside() if reading.inside else ())
        first = next(found, None)
        if first is None:
            return []
        with ObjectWriter(self._room, key, Compartment.DERIVED, INSIDE) as out:
            for original in chain([first], found):
                out.begin(original.name, original.kind, original.media_type)
                for block in blocks(original):
                    out.write(original.name, block)
        return [out.row]
