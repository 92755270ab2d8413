"""What doctor finds where something is not as it should be."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from tests import recordings, servers
from tests.homes import Home, made
from vault.catalogue import open_catalogue
from vault.kms import open_kms
from vault.operations import doctor
from vault.operations.room import Room
from vault.ports import Finding, KeyManagement


@dataclass(frozen=True)
class Off:
    """A clock that is wrong by so many seconds."""

    seconds: float

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


def wrong(home: Home) -> dict[str, str]:
    """What doctor finds wrong, and why; something vital has to be."""
    checks = home.run("doctor", code=6).document["checks"]
    return {check["name"]: check["detail"] for check in checks if not check["ok"]}


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


def test_a_lost_catalogue_is_not_made_anew_and_doctor_says_that_it_is_gone(
    home: Home, tmp_path: Path
) -> None:
    file = home.folder / "catalogue.db"
    file.rename(tmp_path / "away")
    for verb in ("list", "upgrade"):
        assert "restore it from a backup" in home.run(verb, code=6).err
    assert not file.exists()
    assert "catalogue-reachable" in wrong(home)
    (tmp_path / "away").rename(file)
    home.run("upgrade")
    assert home.run("list").document == {"sessions": []}


def test_another_catalogue_in_the_place_of_the_lost_one_is_not_well(home: Home) -> None:
    (home.folder / "catalogue.db").unlink()
    empty = open_catalogue("sqlite://", home=home.folder)
    empty.create()
    assert "from a backup" in wrong(home)["owner"]
    assert "owner: it is empty, or another's" in home.run("list", code=6).err
    assert "from a backup" in wrong(home)["owner"]
    empty.close()
    (home.folder / "keyring.json").unlink()
    open_kms("keyring://", home=home.folder).create()
    assert "another keyring" in wrong(home)["owner"]


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.chmod(0o644)])
def test_a_keyring_that_cannot_be_used_is_vital(home: Home, harm: Callable[[Path], None]) -> None:
    harm(home.folder / "keyring.json")
    assert {"kms-keyring", "kms-root-key", "owner"} <= wrong(home).keys()


class Mute:
    """A root key that has nothing to say of itself."""

    def probe(self) -> list[Finding]:
        return []


def test_what_is_vital_and_not_spoken_of_is_not_well(home: Home) -> None:
    with home.room() as room:
        speechless = replace(room, kms=cast("KeyManagement", Mute()))
        found = {f.name: f.ok for f in doctor.examine(speechless, home.folder)}
    assert found["kms-root-key"] is False
    assert found.keys() >= doctor.VITAL


def test_a_damaged_catalogue_is_not_well(home: Home) -> None:
    file = home.folder / "catalogue.db"
    with file.open("r+b") as database:
        database.seek(2 * 4096)
        database.write(random.Random(3).randbytes(8 * 4096))
    assert "damaged" in home.run("list", code=6).err
    assert "damaged" in wrong(home)["catalogue-readable"]


def test_what_is_not_mounted_is_told_from_what_was_never_there(home: Home, tmp_path: Path) -> None:
    for name, verb in (
        ("objects", ("fixity",)),
        ("keyring.json", ("fixity",)),
        ("keyring.json", ("show", "no-such-session")),
        ("keyring.json", ("deposit", recordings.recording(tmp_path / "a.wav"))),
    ):
        (home.folder / name).rename(tmp_path / "away")
        told = home.run(*verb, code=6).err
        (tmp_path / "away").rename(home.folder / name)
        assert "is its disk mounted? If it is lost, restore it" in told
        assert "init" not in told
    home.run("show", "no-such-session", code=3)


def test_a_passphrase_that_others_may_read_is_warned_of_and_not_vital(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple\n")
    home = made(tmp_path / "home", STRONGROOM_PASSPHRASE_FILE=str(file))
    for mode in (0o644, 0o600):
        file.chmod(mode)
        found = {check["name"]: check for check in home.run("doctor").document["checks"]}
        assert found["kms-passphrase-file"]["ok"] is (mode == 0o600)
