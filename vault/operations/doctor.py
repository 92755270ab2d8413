"""What this installation can and cannot promise, asked of everything it stands on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from vault.errors import BackendError, StrongroomError
from vault.media import mix, wav
from vault.operations.attempt import LEASE_SECONDS
from vault.operations.room import Progress, Room, silent
from vault.ports import Finding

#: Without these nothing works; the others are worth a warning.
VITAL = frozenset({"store-reachable", "kms-root-key", "catalogue-reachable", "ffmpeg"})
#: The catalogue's setting in which the last probe of the store is kept, as JSON.
STORE_PROMISES = "store-promises"
_DISK_LEAST_BYTES = 1 << 30
_NAMED_JOBS = 5


def examine(room: Room, home: Path, *, progress: Progress = silent) -> Sequence[Finding]:
    """Every check, in the order in which one would look. Never raises for a bad finding.

    What the store honours is recorded in the catalogue, for those who must not ask again.
    """
    findings: list[Finding] = []
    for finding in _all(room, home):
        findings.append(finding)
        progress("checked", len(findings), None)
    with suppress(BackendError), room.catalogue.transaction() as tx:
        tx.set_setting(STORE_PROMISES, _promises(room, findings))
    return findings


def _promises(room: Room, findings: Sequence[Finding]) -> bytes:
    kept = {f.name: f.ok for f in findings if f.name.startswith("store-")}
    at = room.clock.now().isoformat()
    return json.dumps({"store": room.store.url, "at": at, "honours": kept}).encode()


def _all(room: Room, home: Path) -> Iterator[Finding]:
    yield _private(home)
    yield _disk(home)
    yield _clock(room)
    yield from room.catalogue.probe()
    yield from (Finding(_named("kms", f.name), f.ok, f.detail) for f in room.kms.probe())
    yield from (Finding(_named("store", f.name), f.ok, f.detail) for f in room.store.probe())
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
    drift = abs((room.clock.now() - datetime.now(UTC)).total_seconds())
    if drift > LEASE_SECONDS:
        return Finding("clock", ok=False, detail=f"a test clock, {drift:.0f} s off the machine's")
    return Finding("clock", ok=True, detail=f"{room.clock.now().isoformat(timespec='seconds')}")


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
