"""What doctor finds where something is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import servers
from tests.homes import Home, made
from vault.operations import doctor
from vault.operations.room import Room
from vault.ports import Finding


@dataclass(frozen=True)
class Off:
    """A clock that is wrong by so many seconds."""

    seconds: float

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


def clock(room: Room, home: Home) -> Finding:
    found = {finding.name: finding for finding in doctor.examine(room, home.folder)}
    return found["clock"]


@pytest.fixture(params=["file", "s3"])
def anywhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Home:
    """A home whose store is a folder, and one whose store is a server with a clock of its own."""
    if request.param == "file":
        return made(tmp_path / "home")
    server: servers.S3Server = request.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = request.getfixturevalue("bucket")
    return made(tmp_path / "home", STRONGROOM_STORE_URL=f"s3://{bucket}")


def test_a_clock_is_compared_with_the_time_that_the_store_gives(anywhere: Home) -> None:
    with anywhere.room() as room:
        right = clock(room, anywhere)
        ahead = clock(replace(room, clock=Off(30)), anywhere)
        behind = clock(replace(room, clock=Off(-3600)), anywhere)
        assert list(room.store.versions("probe/")) == []
    assert (right.ok, ahead.ok, behind.ok) == (True, False, False)
    assert "s ahead of the store's" in ahead.detail
    assert "s behind the store's" in behind.detail


def test_a_clock_is_not_said_to_be_right_where_there_is_nothing_to_compare_it_with(
    home: Home, tmp_path: Path
) -> None:
    (home.folder / "objects").rename(tmp_path / "unmounted")
    with home.room() as room:
        found = clock(room, home)
    assert not found.ok
    assert "not compared" in found.detail
