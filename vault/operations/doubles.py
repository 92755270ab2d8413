"""The same again: how a deposit finds out that it holds these bytes, or this external id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from vault.model import Original, Warn
from vault.operations import retrieve
from vault.operations.admission import Admitted, blocks
from vault.operations.room import Room
from vault.rows import SessionFilter, SessionRow
from vault.seal.stream import fields

_ID = "external-id"
#: What readers say of a file that nobody could open.
_CLOSED = "encrypted"


def known(room: Room, admitted: Admitted) -> SessionRow | None:
    """The session that these bytes are already, found by reading them once before.

    Of bytes that nobody could open this time, one in which they are open is preferred.
    """
    digests = [_digest(o) for o in admitted.reading.originals]
    found = [fingerprint(room, admitted, digests)]
    if _is_closed(admitted):
        found.insert(0, fingerprint(room, admitted, digests, opened=True))
    with room.catalogue.transaction() as tx:
        rows = (tx.by_fingerprint(room.tenant, one) for one in found)
        return next(filter(None, rows), None)


def with_warnings(room: Room, batch: Sequence[Admitted]) -> list[Admitted]:
    """The batch, where an external id that is here already is a warning.

    Seen only by whoever may see that session. The very same bytes are found out later and keep
    the warnings they had.
    """
    hashes = {a.external_id: room.keys.lookup(_ID, a.external_id) for a in batch if a.external_id}
    if not hashes:
        return list(batch)
    with room.catalogue.transaction() as tx:
        used = tx.lookups_among(_ID, set(hashes.values()))
    return [
        _warned(a) if _is_used(room, hashes.get(a.external_id or ""), used) else a for a in batch
    ]


def _is_used(room: Room, hashed: bytes | None, used: set[bytes]) -> bool:
    """As far as the actor may know."""
    if hashed is None or hashed not in used:
        return False
    return any(retrieve.sessions(room, SessionFilter(lookups=((_ID, hashed),)), limit=1))


def _warned(admitted: Admitted) -> Admitted:
    text = "Another session of the same external id is here already."
    reading = admitted.reading
    warnings = [*reading.warnings, Warn("same-external-id", text)]
    return replace(admitted, reading=replace(reading, warnings=warnings))


def fingerprint(
    room: Room, admitted: Admitted, digests: Sequence[str], *, opened: bool = False
) -> bytes:
    """A keyed hash of what was given, so that nobody can test the catalogue for known content.

    What a privacy level leaves out counts too, else all that it empties would be the same.
    The name of a lone file is no part of what it is; names inside a bundle are. A file that
    nobody could open is not the same as when its key comes with it, but is taken for it with
    `opened`.
    """
    kept = zip((o.name for o in admitted.reading.originals), digests, strict=True)
    given = sorted([*kept, *((o.name, _digest(o)) for o in admitted.left)])
    if len(given) == 1:
        given = [(_CLOSED if _is_closed(admitted) and not opened else "", given[0][1])]
    return room.keys.keyed_hash("fingerprint", fields(*(v for pair in given for v in pair)))


def _is_closed(admitted: Admitted) -> bool:
    return any(warning.code == _CLOSED for warning in admitted.reading.warnings)


def _digest(original: Original) -> str:
    digest = hashlib.sha256()
    for block in blocks(original):
        digest.update(block)
    return digest.hexdigest()
