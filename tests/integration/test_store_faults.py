"""A store or a disk that fails: tried again where that helps, else a clear error and no loss."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import recordings, servers
from tests.conformance.faults import CUT, HANG, Faults, proxy
from tests.conformance.shelves import impatient
from tests.homes import Home, made
from vault.errors import BackendError
from vault.operations import attempt, fetch, fixity, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.room import Room
from vault.rows import SessionFilter


@pytest.fixture
def faults(s3_server: servers.S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    with proxy(s3_server) as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", faults.endpoint)
        yield faults


@pytest.fixture
def remote(faults: Faults, bucket: str, tmp_path: Path) -> Home:
    """A home that keeps its objects in the bucket behind the proxy."""
    return made(tmp_path / "home", STRONGROOM_STORE_URL=f"s3://{bucket}/shelf")


@pytest.fixture
def room(
    remote: Home, faults: Faults, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Room]:
    """Its room, with a store that waits two seconds for an answer and asks three times."""
    with remote.room() as opened:
        store = impatient("s3", faults.endpoint, bucket, monkeypatch, seconds=2)
        yield replace(opened, store=store)


def nothing_is_half_stored(room: Room, faults: Faults) -> None:
    """The store works again: what is in it and not in the catalogue goes, and nothing else."""
    faults.first(0, 0)
    report = fixity.check(room, all_bytes=True, repair=True)
    assert (report.damaged, report.missing, report.kept) == ([], [], [])
    with room.catalogue.transaction() as tx:
        known = {(o.store_key, o.version) for o in tx.all_objects(limit=1000)}
    assert {(s.key, s.version) for s in room.store.versions(f"{room.archive_id}/")} == known


@pytest.mark.parametrize("fault", [500, 503, CUT, HANG], ids=["500", "503", "cut", "hang"])
def test_a_fault_that_passes_is_not_noticed(
    room: Room, faults: Faults, tmp_path: Path, fault: int
) -> None:
    source = recordings.bundle(tmp_path / "call", ("one", "two"))
    faults.first(1, fault)
    (answer,) = deposit(room, [source], Terms()).sessions
    assert (answer.state, answer.already) == ("ready", False)
    faults.first(1, fault)
    fetch.originals(room, answer.id, tmp_path / "back")
    assert recordings.files(tmp_path / "back") == recordings.files(source)
    nothing_is_half_stored(room, faults)


@pytest.mark.parametrize(
    "fault", [500, 503, 507, CUT, HANG], ids=["500", "503", "full", "cut", "hang"]
)
@pytest.mark.parametrize("seconds", [0.2, 1500], ids=["small", "large"])
def test_a_fault_that_stays_refuses_the_deposit_and_keeps_nothing(
    room: Room, faults: Faults, tmp_path: Path, fault: int, seconds: float
) -> None:
    before = recordings.recording(tmp_path / "before.wav", seed=1)
    deposit(room, [before], Terms(), wait=False)
    file = recordings.recording(tmp_path / "a.wav", seconds)
    # A large one begins to be stored, in parts, and fails on the way.
    faults.always(fault, of="partNumber=2" if seconds > 100 else "", method="PUT")
    outcome = deposit(room, [file], Terms(), wait=False)
    assert outcome.sessions == []
    ((path, error),) = outcome.refused
    assert path == file
    assert isinstance(error, BackendError)
    assert any(method == "PUT" for method, _ in faults.requests)
    assert [r.state for r in retrieve.sessions(room, SessionFilter())] == ["sealed"]
    nothing_is_half_stored(room, faults)
    (answer,) = deposit(room, [file], Terms(), wait=False).sessions
    assert answer.already is False
    assert fetch.part(room, answer.id, "a.wav", tmp_path / "out")["bytes"] == file.stat().st_size


def test_a_store_that_is_away_while_jobs_run_costs_neither_answer_nor_job(
    room: Room, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(attempt, "_PAUSE_SECONDS", 0.3)
    file = recordings.recording(tmp_path / "a.wav")
    faults.always(503, method="GET")
    outcome = deposit(room, [file], Terms())
    (answer,) = outcome.sessions
    assert answer.state == "sealed"
    nothing_is_half_stored(room, faults)
    (again,) = deposit(room, [file], Terms()).sessions
    assert (again.id, again.state, again.already) == (answer.id, "ready", True)
    nothing_is_half_stored(room, faults)


def test_a_read_that_breaks_off_leaves_no_output(
    room: Room, faults: Faults, tmp_path: Path
) -> None:
    file = recordings.recording(tmp_path / "a.wav", 30)
    (answer,) = deposit(room, [file], Terms(), wait=False).sessions
    faults.always(CUT, method="GET")
    with pytest.raises(BackendError):
        fetch.originals(room, answer.id, tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []


def test_the_command_says_what_is_away_and_works_again_later(
    remote: Home, faults: Faults, tmp_path: Path
) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    faults.always(503)
    began = time.monotonic()
    answer = remote.run("deposit", file, code=6)
    assert time.monotonic() - began < 60
    assert answer.document["sessions"] == []
    assert [r["path"] for r in answer.document["refused"]] == [str(file)]
    faults.first(0, 0)
    (session,) = remote.run("deposit", file).document["sessions"]
    assert (session["state"], session["already"]) == ("ready", False)
    faults.always(503)
    remote.run("fetch", session["id"], "--originals", "-o", tmp_path / "out", code=6)
    assert not (tmp_path / "out").exists()


# --- a full disk ---------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let its root mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("filled", [False, True], ids=["too large", "already full"])
def test_a_full_disk_refuses_the_deposit_and_loses_nothing(
    small_disk: Path, tmp_path: Path, filled: bool
) -> None:
    home = made(small_disk / "home")
    small = recordings.recording(tmp_path / "small.wav", 1, seed=1)
    (kept,) = home.run("deposit", small).document["sessions"]
    large = recordings.recording(tmp_path / "large.wav", 500 if not filled else 2, seed=2)
    ballast = small_disk / "ballast"
    if filled:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    home.run("deposit", large, code=6)
    ballast.unlink(missing_ok=True)
    (session,) = home.run("list").document["sessions"]
    assert session["id"] == kept["id"]
    report = home.run("fixity", "--all", "--repair").document
    assert (report["damaged"], report["missing"]) == ([], [])
    home.run("fetch", kept["id"], "--part", "small.wav", "-o", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == small.read_bytes()
    another = recordings.recording(tmp_path / "another.wav", 1, seed=3)
    (again,) = home.run("deposit", another).document["sessions"]
    assert again["state"] == "ready"


def test_a_full_disk_of_the_users_own_leaves_no_half_output(
    small_disk: Path, home: Home, tmp_path: Path
) -> None:
    large = recordings.recording(tmp_path / "large.wav", 500)
    (session,) = home.run("deposit", large, "--no-wait").document["sessions"]
    for how in (("--originals",), ("--part", "large.wav")):
        home.run("fetch", session["id"], *how, "-o", small_disk / "out", code=6)
        assert list(small_disk.iterdir()) == []
