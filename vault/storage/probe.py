"""Finds out what a store really honours, by trying it on small objects of its own.

A store's word is not proof: some answer success to a lock and keep none, some accept a
wrong checksum. Each line of what is found is a `Finding` that `strongroom doctor` prints.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from vault.errors import BackendError, Refused, StrongroomError
from vault.model import new_id
from vault.ports import Finding, Lock, ObjectStore
from vault.storage.contract import PROBE_PREFIX, LockDroppedError

LOCK_SECONDS = 120
STALE_SECONDS = 3600
#: How many objects of probes one probe looks at: a listing may have no end.
LEFT_AT_MOST = 10_000
_ONE, _TWO = b"one", b"two"


class Probed(ObjectStore, Protocol):
    """What a store offers the probe beyond the port."""

    #: False where the locks are our own bookkeeping, which nobody else must obey.
    locks_bind_others: bool

    def put_declared(self, key: str, body: bytes, sha256: bytes) -> None: ...

    def put_new(self, key: str, body: bytes, sha256: bytes) -> None: ...

    def discard(self, key: str, version: str) -> None: ...


def findings(store: Probed) -> Sequence[Finding]:
    """What `store` can and cannot promise; never raises for what it lacks, and cleans up."""
    folder = f"{PROBE_PREFIX}{new_id()}/"
    try:
        store.stat(folder + "one", store.put(folder + "one", [_ONE]).version)
    except StrongroomError as error:
        return [Finding("reachable", ok=False, detail=str(error))]
    found = [Finding("reachable", ok=True, detail=f"{store.url} takes and shows objects.")]
    try:
        found += [_tried(name, attempt, store, folder) for name, attempt in _ATTEMPTS.items()]
    finally:
        left = _clean_up(store, folder)
    return [*found, left] if left else found


#: Whether the store keeps that promise, and what to say about it.
Verdict = tuple[bool, str]


def _tried(
    name: str, attempt: Callable[[Probed, str], Verdict], store: Probed, folder: str
) -> Finding:
    try:
        return Finding(name, *attempt(store, folder))
    except StrongroomError as error:
        return Finding(name, ok=False, detail=f"Could not be tried: {error}")


def _versioning(store: Probed, folder: str) -> Verdict:
    first = store.put(folder + "twice", [_ONE])
    second = store.put(folder + "twice", [_TWO])
    if first.version == second.version:
        return False, "No versions here: a second put destroys the first."
    kept = b"".join(store.get(first.key, first.version)) == _ONE
    return kept, "A second put leaves the first." if kept else "A second put destroys the first."


def _version_listing(store: Probed, folder: str) -> Verdict:
    puts = [store.put(folder + name, [_ONE]) for name in ("listed", "listed", "listed-too")]
    wanted = {(put.key, put.version) for put in puts}
    listed = {(found.key, found.version) for found in store.versions(folder + "listed")}
    if listed == wanted:
        return True, "Every version of every object is listed."
    return False, "The listing of versions is not complete: orphans cannot be found."


def _checksum(store: Probed, folder: str) -> Verdict:
    try:
        store.put_declared(folder + "digest", _ONE, hashlib.sha256(_TWO).digest())
    except BackendError as error:
        if error.retryable:
            raise
        return True, "A put whose declared SHA-256 is wrong is refused."
    return False, "Takes bytes whose declared SHA-256 is wrong; fixity is the only check."


def _conditional_put(store: Probed, folder: str) -> Verdict:
    digest = hashlib.sha256(_ONE).digest()
    store.put_new(folder + "new", _ONE, digest)
    try:
        store.put_new(folder + "new", _ONE, digest)
    except BackendError as error:
        if error.retryable:
            raise
        return True, "A put that must not overwrite is refused if the key is taken."
    return False, "Overwrites although told not to; the catalogue alone decides who was first."


def _object_lock(store: Probed, folder: str) -> Verdict:
    put = store.put(folder + "locked", [_ONE])
    until = datetime.now(UTC) + timedelta(seconds=LOCK_SECONDS)
    return _bound(
        store,
        "object locks",
        put.key,
        put.version,
        lambda: store.lock(put.key, put.version, Lock("governance", until)),
    )


def _legal_hold(store: Probed, folder: str) -> Verdict:
    put = store.put(folder + "held", [_ONE])
    verdict = _bound(
        store,
        "legal holds",
        put.key,
        put.version,
        lambda: store.hold(put.key, put.version, True),
    )
    if not verdict[0]:
        return verdict
    store.hold(put.key, put.version, False)
    store.delete(put.key, put.version)
    return verdict


def _bound(store: Probed, what: str, key: str, version: str, bind: Callable[[], None]) -> Verdict:
    """Whether, once `bind` has been called, the store itself refuses to delete."""
    try:
        bind()
    except LockDroppedError:
        return False, f"Silently drops {what}: answers success and keeps none. Never rely on them."
    except BackendError as error:
        if error.retryable:
            raise
        return False, f"No {what} here: nothing but strongroom itself keeps an object. ({error})"
    try:
        store.delete(key, version)
    except Refused:
        if store.locks_bind_others:
            return True, f"Keeps {what} and refuses to delete what they cover."
        return False, (
            f"These {what} bind strongroom only: whoever can write to the folder can remove them."
        )
    return False, f"Shows {what} but deletes what they cover. Never rely on them."


def _clean_up(store: Probed, folder: str) -> Finding | None:
    """Removes what was put, and what an earlier probe had to leave; a finding if any stays."""
    stale = datetime.now(UTC) - timedelta(seconds=STALE_SECONDS)
    try:
        for left in list(itertools.islice(store.versions(PROBE_PREFIX), LEFT_AT_MOST)):
            if left.key.startswith(folder) or left.stored_at < stale:
                store.discard(left.key, left.version)
    except StrongroomError as error:
        # Without the permission to pass over a governance lock: until the lock has ended.
        return Finding(
            "clean-up", ok=False, detail=f"The probe left objects under {folder}: {error}"
        )
    return None


_ATTEMPTS: dict[str, Callable[[Probed, str], Verdict]] = {
    "versioning": _versioning,
    "version-listing": _version_listing,
    "checksum": _checksum,
    "conditional-put": _conditional_put,
    "object-lock": _object_lock,
    "legal-hold": _legal_hold,
}
