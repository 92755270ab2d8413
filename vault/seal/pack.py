"""Several parts in one sealed object: who lies where.

An object's plaintext is a run of extents. Its manifest, sealed apart from it, lists for each
part the extents that make it up, so parts may be written interleaved as they come into being
and are read by range. One object per compartment makes a small session a single put.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from vault.errors import IntegrityError
from vault.model import Compartment, Kind, Part
from vault.ports import Buffer
from vault.seal.stream import RangeReader


class Packer:
    """Keeps account of the bytes that go into one object, in the order they go in."""

    def __init__(self, compartment: Compartment) -> None:
        self._compartment = compartment
        self._offset = 0
        self._open: dict[str, _OpenPart] = {}

    def begin(self, name: str, kind: Kind, media_type: str) -> None:
        """Announce a part. Parts keep the order of their announcement; names are unique."""
        if name in self._open:
            raise ValueError("a part of that name is there already")
        self._open[name] = _OpenPart(kind, media_type)

    def take(self, name: str, block: Buffer) -> Buffer:
        """Account for the next bytes of a part and hand them back for sealing."""
        part = self._open[name]
        part.digest.update(block)
        self._place(part, len(block), at_front=False)
        return block

    def prepend(self, name: str, block: Buffer) -> Buffer:
        """The same for bytes that belong before all others of their part.

        For containers whose header is known only when the rest is written. The digest of
        such a part cannot be had on the way; `digest_as` has to state it.
        """
        part = self._open[name]
        part.stated = ""
        self._place(part, len(block), at_front=True)
        return block

    def drop(self, name: str) -> None:
        """Forget a part that came to nothing; its bytes stay in the object, part of nothing."""
        self._open.pop(name, None)

    def digest_as(self, name: str, sha256: str) -> None:
        """State the digest, in reading order, of a part that was prepended to."""
        self._open[name].stated = sha256

    def unhashed(self) -> list[Part]:
        """The parts whose digest nobody has stated yet."""
        return [p for p in self.parts() if not p.sha256]

    def parts(self) -> list[Part]:
        """Every part so far."""
        return [
            Part(
                name=name,
                kind=part.kind,
                compartment=self._compartment,
                media_type=part.media_type,
                size_bytes=sum(length for _, length in part.extents),
                sha256=part.digest.hexdigest() if part.stated is None else part.stated,
                extents=tuple(part.extents),
            )
            for name, part in self._open.items()
        ]

    def _place(self, part: _OpenPart, length: int, *, at_front: bool) -> None:
        if not length:
            return
        extent = (self._offset, length)
        self._offset += length
        if at_front:
            part.extents.insert(0, extent)
        elif part.extents and sum(part.extents[-1]) == extent[0]:
            part.extents[-1] = (part.extents[-1][0], part.extents[-1][1] + length)
        else:
            part.extents.append(extent)


class _OpenPart:
    def __init__(self, kind: Kind, media_type: str) -> None:
        self.kind = kind
        self.media_type = media_type
        self.digest = hashlib.sha256()
        self.stated: str | None = None
        self.extents: list[tuple[int, int]] = []


def dump(parts: Sequence[Part]) -> bytes:
    """A manifest as bytes, to be sealed."""
    rows = [
        [p.name, p.kind, p.media_type, p.size_bytes, p.sha256, [list(e) for e in p.extents]]
        for p in parts
    ]
    return json.dumps({"version": 1, "parts": rows}, separators=(",", ":")).encode()


def load(manifest: bytes, compartment: Compartment) -> list[Part]:
    """The parts again; `IntegrityError` for a manifest that is damaged, or of another version."""
    try:
        document = json.loads(manifest)
        if document["version"] == 1:
            return [_part(row, compartment) for row in document["parts"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise IntegrityError("A manifest is damaged.") from error
    raise IntegrityError("A manifest was written by a newer version of strongroom.")


def _part(row: list[Any], compartment: Compartment) -> Part:
    """One row of a manifest. Raises `ValueError` or `TypeError` for what is none."""
    name, kind, media_type, size, sha256, listed = row
    extents = tuple((offset, length) for offset, length in listed)
    numbers = [size, *(number for extent in extents for number in extent)]
    if not all(type(text) is str for text in (name, media_type, sha256)):
        raise TypeError("text")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise TypeError("number")
    if sum(length for _, length in extents) != size:
        raise ValueError("size")
    return Part(name, Kind(kind), compartment, media_type, size, sha256, extents)


def stream(
    reader: RangeReader, part: Part, start: int = 0, stop: int | None = None
) -> Iterator[memoryview]:
    """The bytes [start, stop) of one part, in blocks of at most 1 MiB."""
    stop = part.size_bytes if stop is None else min(stop, part.size_bytes)
    position = 0
    for offset, length in part.extents:
        low, high = max(start - position, 0), min(stop - position, length)
        if low < high:
            yield from reader.stream(offset + low, offset + high)
        position += length
