"""Fixity: is what the store holds what was sealed, all of it and nothing else?

Needs no session's key, for digests are of the sealed bytes; only the root key, to know who asks.
`repair` removes what the catalogue does not know, which is what killed deposits leave behind;
nobody can open it, its keys died with them.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vault.errors import BackendError, IntegrityError, NotFound, Refused
from vault.operations.actors import permit
from vault.operations.retrieve import place
from vault.operations.room import Progress, Room, silent
from vault.ports import Stored
from vault.rows import ObjectRow

_PAGE = 1000
#: Without `all_bytes` every object is looked at and this share of them is re-read.
_SAMPLE_SHARE = 0.02
_SAMPLE_LEAST = 200
_EXCLUSIVE_SECONDS = 30.0


@dataclass(slots=True)
class Report:
    """Object ids by what was found; `orphans` are store keys."""

    checked: int = 0
    reread: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    removed: int = 0
    kept: list[str] = field(default_factory=list)


def check(
    room: Room, *, all_bytes: bool = False, repair: bool = False, progress: Progress = silent
) -> Report:
    """Look at every stored object, re-read a sample (or all), find orphans, on demand remove them.

    Removing is an act of its own, for what an old copy of the catalogue does not know may be a
    session; it waits until nobody deposits. `Refused` if that does not happen in time.
    """
    permit(room, "repair" if repair else "fixity")
    if repair:
        room.keys.expect_current()  # to an older catalogue what is newer looks like leftovers
    report = Report()
    with room.catalogue.transaction() as tx:
        first = tx.all_objects(limit=_SAMPLE_LEAST + 1)
    share = 1.0 if all_bytes or len(first) <= _SAMPLE_LEAST else _SAMPLE_SHARE
    chance = random.SystemRandom()
    for row in _objects(room):
        _check_one(room, row, report, reread=chance.random() < share)
        progress("checked", report.checked, None)
    if repair:
        with room.catalogue.exclusive(timeout_seconds=_EXCLUSIVE_SECONDS):
            report.removed += room.store.abort_unfinished(f"{room.archive_id}/")
            for orphan in list(_orphans(room)):
                _remove(room, orphan, report)
    else:
        report.orphans = [o.key for o in _orphans(room)]
    return report


def _objects(room: Room) -> Iterator[ObjectRow]:
    after = None
    while True:
        with room.catalogue.transaction() as tx:
            page = tx.all_objects(limit=_PAGE, after=after)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _check_one(room: Room, row: ObjectRow, report: Report, *, reread: bool) -> None:
    report.checked += 1
    try:
        key = place(room, row)
        found = room.store.stat(key, row.version)
        if found.size_bytes != row.size_bytes:
            report.damaged.append(row.id)
        elif reread:
            report.reread += 1
            digest = hashlib.sha256()
            for block in room.store.get(key, row.version, 0, row.size_bytes + 1):
                digest.update(block)
            if not hmac.compare_digest(digest.digest(), row.sha256):
                report.damaged.append(row.id)
    except NotFound:
        report.missing.append(row.id)
    except IntegrityError:
        report.damaged.append(row.id)


def _orphans(room: Room) -> Iterator[Stored]:
    """What lies in the store under this archive's prefix and in no row of the catalogue."""
    for page in _pages(room.store.versions(f"{room.archive_id}/")):
        with room.catalogue.transaction() as tx:
            known = tx.known_store_keys([s.key for s in page])
        yield from (s for s in page if (s.key, s.version) not in known)


def _pages(found: Iterator[Stored]) -> Iterator[Sequence[Stored]]:
    page: list[Stored] = []
    for stored in found:
        page.append(stored)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _remove(room: Room, orphan: Stored, report: Report) -> None:
    try:
        room.store.delete(orphan.key, orphan.version)
        report.removed += 1
    except (Refused, BackendError):
        report.kept.append(orphan.key)
