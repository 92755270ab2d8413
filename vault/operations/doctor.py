"""What this installation can and cannot promise, asked of everything it stands on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from vault.errors import BackendError, StrongroomError
from vault.media import mix, wav
from vault.model import new_id
from vault.operations import actors, erasure
from vault.operations.keys import TENANT_BUCKET
from vault.operations.room import Progress, Room, silent
from vault.ports import Finding

#: Without these nothing works; the others are worth a warning.
VITAL = frozenset(
    {
        *("store-reachable", "kms-root-key", "catalogue-reachable", "catalogue-readable"),
        *("owner", "catalogue-age", "ffmpeg"),
    }
)
#: Hosts whose clocks are further apart would take each other's jobs: a lease that lasts 15 seconds
#: is renewed every five. Stores tell whole seconds.
_CLOCK_TOLERANCE_SECONDS = 5.0
_DISK_LEAST_BYTES = 1 << 30
_NAMED_JOBS = 5
_WAITING_MOST = 1000


def examine(room: Room, home: Path, *, progress: Progress = silent) -> Sequence[Finding]:
    """Every check, in the order in which one would look. Never raises for a bad finding.

    What is vital and was not found at all is not well either.
    """
    findings: list[Finding] = []
    for finding in _all(room, home):
        findings.append(finding)
        progress("checked", len(findings), None)
    silent_on = sorted(VITAL - {finding.name for finding in findings})
    return [*findings, *(Finding(n, ok=False, detail="nothing is told of it") for n in silent_on)]


def _all(room: Room, home: Path) -> Iterator[Finding]:
    yield _private(home)
    yield _disk(home)
    yield _clock(room)
    yield from room.catalogue.probe()
    yield from (Finding(_named("kms", f.name), f.ok, f.detail) for f in room.kms.probe())
    yield from (Finding(_named("store", f.name), f.ok, f.detail) for f in room.store.probe())
    yield _owner(room)
    yield _age(room)
    yield from room.ledger.probe()
    yield _evidence(room)
    yield from room.queue.probe() if room.queue else [_no_queue()]
    yield _jobs(room)
    yield _ffmpeg()


def _named(room: str, name: str) -> str:
    name = name.replace(" ", "-")
    return name if name.startswith(room) else f"{room}-{name}"


def _private(home: Path) -> Finding:
    mode = home.stat().st_mode & 0o777
    detail = f"{home}, mode {mode:03o}"
    if mode & 0o077:
        detail += ": others on this machine can look in; chmod 700"
    return Finding("home", not mode & 0o077, detail)


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    return Finding("disk", free > _DISK_LEAST_BYTES, f"{free / 1e9:.1f} GB free beside the home")


def _clock(room: Room) -> Finding:
    """Our time beside the one that the store gives to an object put now.

    A folder on this machine has this machine's clock; only a test clock differs from that.
    """
    key, before = f"probe/{new_id()}/clock", room.clock.now()
    told = before.isoformat(timespec="seconds")
    try:
        version = room.store.put(key, [b"clock"]).version
        after = room.clock.now()
        stored_at = room.store.stat(key, version).stored_at
    except StrongroomError as error:
        return Finding("clock", ok=False, detail=f"{told}, not compared: {error}")
    with suppress(StrongroomError):  # the probe of the store removes what is left of others
        room.store.delete(key, version)
    ahead = max((before - stored_at).total_seconds(), 0.0)
    behind = max((stored_at - after).total_seconds(), 0.0)
    if max(ahead, behind) <= _CLOCK_TOLERANCE_SECONDS:
        return Finding("clock", ok=True, detail=f"{told}, as the store's")
    how = f"{ahead:.0f} s ahead of" if ahead else f"{behind:.0f} s behind"
    advice = "leases, locks and dates go by it; set it, unless this is a test clock"
    return Finding("clock", ok=False, detail=f"{told}, {how} the store's: {advice}")


def _owner(room: Room) -> Finding:
    """Whether this is the archive's own catalogue: one made in its place has nobody in it.

    Looks for the key first, because whoever asks for an actor has it made where there is none.
    """
    try:
        with room.catalogue.transaction() as tx:
            key = tx.active_key(room.tenant, TENANT_BUCKET)
        there = key is not None and actors.exists(room.catalogue, room.keys, "owner")
    except StrongroomError as error:
        return Finding("owner", ok=False, detail=str(error))
    if there:
        return Finding("owner", ok=True, detail="the first key opens; the owner is there")
    lost = "the catalogue is not the one made with this home: restore that from a backup"
    return Finding("owner", ok=False, detail=lost)


def _age(room: Room) -> Finding:
    """Whether the catalogue came from a back-up, and knows less than was destroyed and held."""
    try:
        behind = erasure.behind(room.catalogue, room.erasure)
    except StrongroomError as error:
        return Finding("catalogue-age", ok=False, detail=str(error))
    detail = erasure.BEHIND if behind else "it knows everything that was destroyed and held"
    return Finding("catalogue-age", not behind, detail)


def _evidence(room: Room) -> Finding:
    """Whether the ledger has heard of everything: what waits is told by whoever comes next."""
    try:
        with room.catalogue.transaction() as tx:
            waiting = len(tx.evidence(limit=_WAITING_MOST))
    except StrongroomError as error:
        return Finding("evidence", ok=False, detail=str(error))
    if not waiting:
        return Finding("evidence", ok=True, detail="the ledger has been told everything")
    more = "or more " if waiting == _WAITING_MOST else ""
    detail = f"{waiting} {more}entries wait to be told to the ledger; `ledger checkpoint` tells it"
    return Finding("evidence", ok=False, detail=detail)


def _no_queue() -> Finding:
    return Finding("queue", ok=True, detail="no broker is set; jobs run in the process that asks")


def _jobs(room: Room) -> Finding:
    """How many are in each state, and whose failed first."""
    try:
        with room.catalogue.transaction() as tx:
            counts = tx.count_jobs()
            failed = tx.failed_jobs(limit=_NAMED_JOBS)
    except BackendError as error:
        return Finding("jobs", ok=False, detail=str(error))
    detail = ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "none"
    if failed:
        named = ", ".join(dict.fromkeys(job.session_id for job in failed))
        more = ", …" if counts["failed"] > len(failed) else ""
        detail += f"; `show` says why: {named}{more}; --retry tries them again"
    return Finding("jobs", not failed, detail)


def _ffmpeg() -> Finding:
    """Decode a tenth of a second of silence, as proof that decoding works here."""
    silence = wav.write_header(8000, 1, 16, 800) + bytes(1600)
    try:
        decoded = sum(len(block) for block in mix.decode(iter((silence,)), "wav", 8000))
    except StrongroomError as error:
        return Finding("ffmpeg", ok=False, detail=str(error))
    return Finding("ffmpeg", decoded == 1600, f"decodes; {decoded} bytes of 1600 came back")
