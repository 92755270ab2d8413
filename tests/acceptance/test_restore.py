"""A back-up of the archive comes back, on recordings that another program made."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.homes import Home

NOW = "2026-12-10T12:00:00+00:00"
ENDED, HELD, KEPT = "sess_3a94975eb405", "sess_c0b1bd673c40", "sess_9eb312e34ac4"


@pytest.fixture
def office(tmp_path: Path) -> Home:
    home = Home(tmp_path / "office", {"STRONGROOM_TEST_NOW": NOW})
    home.run("init", "--test-clock")
    home.run("actor", "add", "dora", "--role", "dpo")
    return home


@pytest.fixture
def ids(office: Home, fixtures_folder: Path) -> dict[str, str]:
    """Sessions by the names of their recordings; those of class `short` are due."""
    came = fixtures_folder / "voice_agents_platform" / "recordings"
    found: dict[str, str] = {}
    for name, class_name in ((ENDED, "short"), (HELD, "short"), (KEPT, "long")):
        answer = office.run("deposit", came / name, "--class", class_name, "--no-wait")
        found[name] = answer.document["sessions"][0]["id"]
    return found


def back_up(home: Home, folder: Path) -> Path:
    """The catalogue and home.json, as the runbook says."""
    folder.mkdir()
    with closing(sqlite3.connect(home.folder / "catalogue.db")) as database:
        database.execute("VACUUM INTO ?", [str(folder / "catalogue.db")])
    shutil.copy(home.folder / "home.json", folder)
    return folder


def swept(home: Home) -> list[str]:
    """The ids of the certificates of a sweep of all that is due."""
    plan = home.run("sweep", "plan").document["plan"]
    few = ("--override-breaker", "--reason", "few")
    home.run("sweep", "approve", plan, "--actor", "dora", *few)
    certificates: list[str] = home.run("sweep", "run", plan).document["certificates"]
    return certificates


def test_what_was_swept_stays_so_and_what_was_held_stays_held(
    office: Home, ids: dict[str, str], tmp_path: Path
) -> None:
    backup = back_up(office, tmp_path / "backup")
    hold = office.run("hold", "place", "--matter", "Doe", "--session", ids[HELD]).document["hold"]
    (certificate,) = swept(office)
    # By hand, and nothing more.
    shutil.copy(backup / "catalogue.db", office.folder / "catalogue.db")
    for file in office.folder.glob("catalogue.db-*"):
        file.unlink()

    out = tmp_path / "out"
    for verb in (
        ("fetch", ids[ENDED], "--originals", "-o", out),
        ("fetch", ids[KEPT], "--originals", "-o", out),
        ("show", ids[KEPT]),
        ("transcript", ids[KEPT]),
        ("replay", ids[KEPT]),
        ("analyse", ids[KEPT]),
        ("export", ids[KEPT], "--format", "json", "-o", tmp_path / "one.json"),
        ("hold", "place", "--matter", "Roe", "--session", ids[KEPT]),
        ("up",),
    ):
        assert "strongroom restore" in office.run(*verb, code=4).err
    checks = {c["name"]: c for c in office.run("doctor", code=6).document["checks"]}
    assert not checks["catalogue-age"]["ok"]

    done = office.run("restore").document
    assert done == {"restored": False, "replayed": 1, "holds": 1, "absent": 0, "unfinished": []}
    assert certificate in office.run("show", ids[ENDED]).out
    assert certificate in office.run("fetch", ids[ENDED], "--originals", "-o", out, code=3).err
    for name in (HELD, KEPT):
        office.run("fetch", ids[name], "--originals", "-o", tmp_path / name)
    assert office.run("hold", "show", hold).document["sessions"] == [ids[HELD]]
    assert swept(office) == []
    office.run("fetch", ids[HELD], "--originals", "-o", tmp_path / "again")
    assert office.run("doctor").document["checks"]


def test_a_folder_is_put_back_and_again_and_the_ledger_tells_of_it(
    office: Home, ids: dict[str, str], tmp_path: Path
) -> None:
    backup = back_up(office, tmp_path / "backup")
    hold = office.run("hold", "place", "--matter", "Doe", "--session", ids[HELD]).document["hold"]
    swept(office)
    for _ in range(2):
        done = office.run("restore", backup).document
        assert (done["restored"], done["replayed"], done["holds"]) == (True, 1, 1)
        office.run("fetch", ids[ENDED], "--originals", "-o", tmp_path / "out", code=3)
    assert office.run("hold", "show", hold).document["sessions"] == [ids[HELD]]
    assert office.run("restore").document["replayed"] == 0
    with office.room() as room:
        told = [json.loads(entry)["type"] for entry in room.ledger.entries()]
    assert (told.count("restored"), told.count("certificate-issued")) == (2, 1)
    office.run("ledger", "verify")


def test_a_catalogue_that_was_lost_comes_back(
    office: Home, ids: dict[str, str], tmp_path: Path
) -> None:
    backup = back_up(office, tmp_path / "backup")
    office.run("hold", "place", "--matter", "Doe", "--session", ids[HELD])
    swept(office)
    for file in office.folder.glob("catalogue.db*"):
        file.unlink()
    assert office.run("restore", backup).document["replayed"] == 1
    office.run("fetch", ids[ENDED], "--originals", "-o", tmp_path / "out", code=3)
    office.run("fetch", ids[KEPT], "--originals", "-o", tmp_path / "kept")


def test_who_may_not_restore_and_what_is_no_back_up_changes_nothing(
    office: Home, ids: dict[str, str], tmp_path: Path
) -> None:
    backup = back_up(office, tmp_path / "backup")
    office.run("actor", "add", "came-later", "--role", "agent")
    office.run("restore", backup, "--actor", "dora", code=4)
    other = Home(tmp_path / "other")
    other.run("init")
    office.run("restore", back_up(other, tmp_path / "others"), code=4)
    office.run("restore", tmp_path, code=4)
    office.run("restore", backup, code=6, STRONGROOM_KMS_URL="keyring:///nowhere/keyring.json")
    (backup / "catalogue.db").write_bytes(b"nonsense")
    office.run("restore", backup, code=7)
    office.run("fetch", ids[KEPT], "--originals", "-o", tmp_path / "out")
    office.run("list", "--actor", "came-later")
