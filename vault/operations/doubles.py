"""The same bytes again: how a deposit finds out that it holds them already."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from vault.model import Original, SessionRow
from vault.operations.admission import Admitted, blocks
from vault.operations.room import Room
from vault.seal.stream import fields


def known(room: Room, admitted: Admitted) -> SessionRow | None:
    """The session that these bytes are already, found by reading them once before."""
    digests = [_digest(o) for o in admitted.reading.originals]
    found = fingerprint(room, admitted, digests)
    with room.catalogue.transaction() as tx:
        return tx.by_fingerprint(room.tenant, found)


def fingerprint(room: Room, admitted: Admitted, digests: Sequence[str]) -> bytes:
    """A keyed hash of what was given, so that nobody can test the catalogue for known content.

    What a privacy level leaves out counts too, else all that it empties would be the same.
    The name of a lone file is no part of what it is; names inside a bundle are.
    """
    kept = zip((o.name for o in admitted.reading.originals), digests, strict=True)
    given = sorted([*kept, *((o.name, _digest(o)) for o in admitted.left)])
    if len(given) == 1:
        given = [("", given[0][1])]
    return room.keys.keyed_hash("fingerprint", fields(*(v for pair in given for v in pair)))


def _digest(original: Original) -> str:
    digest = hashlib.sha256()
    for block in blocks(original):
        digest.update(block)
    return digest.hexdigest()
