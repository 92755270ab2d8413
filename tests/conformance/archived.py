"""Rows for catalogues in tests, and processes that share one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection

from vault.catalogue.unit_of_work import SqlCatalogue
from vault.model import Compartment, PrivacyLevel, State, new_id
from vault.ports import Catalogue, NewSession
from vault.rows import (
    ActorRow,
    JobRow,
    KeyRow,
    LookupRow,
    ObjectRow,
    RecordRow,
    SessionFilter,
    SessionRow,
)

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
TENANT = "default"
KEY_ID = b"k" * 16
ROOT = Path(__file__).resolve().parents[2]


def a_key(**changes: Any) -> KeyRow:
    key = KeyRow(KEY_ID, TENANT, "short/2026-06", 1, "active", b"wrapped", NOON)
    return replace(key, **changes)


def an_actor(**changes: Any) -> ActorRow:
    actor = ActorRow(new_id(), os.urandom(32), b"sealed", "agent", os.urandom(32), NOON)
    return replace(actor, **changes)


def a_session(**changes: Any) -> SessionRow:
    row = SessionRow(
        id=new_id(),
        tenant=TENANT,
        format="wav",
        state=State.SEALED,
        started_at=NOON,
        ended_at=NOON + HOUR,
        duration_ns=3_600_000_000_000,
        deposited_at=NOON + 2 * HOUR,
        deposited_by="owner",
        privacy_level=PrivacyLevel.FULL,
        class_name="short",
        bucket="short/2026-06",
        jurisdictions=("DE", "US-CA"),
        regimes=("gdpr",),
        fingerprint=os.urandom(32),
        content_bytes=1000,
        metadata=b"sealed names",
        timeline=b"sealed words",
    )
    return replace(row, **changes)


def an_object(session_id: str, **changes: Any) -> ObjectRow:
    made = new_id()
    row = ObjectRow(
        id=made,
        session_id=session_id,
        compartment=Compartment.ORIGINAL,
        kind="pack",
        store_key=f"o/{made}",
        version="1",
        size_bytes=72,
        sha256=os.urandom(32),
        manifest=b"sealed names of parts",
        created_at=NOON,
    )
    return replace(row, **changes)


def a_job(session_id: str, **changes: Any) -> JobRow:
    row = JobRow(new_id(), "transcode", "media", session_id, 1, "pending", 0, NOON)
    return replace(row, **changes)


def a_deposit(
    *, jobs: int = 1, lookups: Sequence[tuple[str, bytes]] = (), **changes: Any
) -> NewSession:
    """A session with one object, three records, three look-ups or those given, and its jobs."""
    row = a_session(**changes)
    found_by = lookups or [(kind, os.urandom(32)) for kind in ("subject", "agent", "tag")]
    return NewSession(
        session=row,
        objects=[an_object(row.id)],
        records=[
            RecordRow(row.id, compartment, KEY_ID, os.urandom(77))
            for compartment in (Compartment.ORIGINAL, Compartment.TIMELINE, Compartment.METADATA)
        ],
        lookups=[LookupRow(row.id, kind, hashed) for kind, hashed in found_by],
        jobs=[a_job(row.id, version=version) for version in range(1, jobs + 1)],
    )


def stored(catalogue: Catalogue, *deposits: NewSession) -> set[str]:
    """Add deposits (and the key they need) in one transaction; the ids that were left out."""
    with catalogue.transaction() as tx:
        tx.add_key(a_key())
        return tx.add_sessions(deposits)


def jobs_stored(catalogue: Catalogue, count: int) -> list[JobRow]:
    """A session with so many jobs, the oldest first."""
    session = a_deposit(jobs=0)
    jobs = [
        a_job(session.session.id, version=n, created_at=NOON + n * timedelta(seconds=1))
        for n in range(count)
    ]
    stored(catalogue, replace(session, jobs=jobs))
    return jobs


def count_of_sessions(catalogue: Catalogue) -> int:
    with catalogue.transaction() as tx:
        return tx.count_sessions(TENANT, SessionFilter())


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def connected(catalogue: Catalogue) -> Connection:
    """A bare connection, for looking behind the port."""
    return cast("SqlCatalogue", catalogue)._engine.connect()


_OPENING = """
import os, sys, time
from pathlib import Path
from tests.conformance.archived import *
from vault.catalogue import open_catalogue
catalogue = open_catalogue(sys.argv[1], home=Path(sys.argv[1]))
def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""


def another_process(catalogue_url: str, code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run `code` elsewhere, with `catalogue` open and `ready()` to wait for a line from us."""
    return subprocess.Popen(
        [sys.executable, "-c", _OPENING + code, catalogue_url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
