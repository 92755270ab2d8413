"""Sweeps as officers run them, on recordings that another program made."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.homes import Home
from vault.operations import upkeep

NOW = "2026-11-22T12:00:00+00:00"
#: The recordings are of 21 November: a week is over then, and 30 days.
WEEK, MONTH = "2026-11-29T12:00:00+00:00", "2026-12-22T12:00:00+00:00"
EVERY = ("sess_3a94975eb405", "sess_c0b1bd673c40", "sess_9eb312e34ac4")


@pytest.fixture(scope="session")
def came(fixtures_folder: Path) -> Path:
    """Where the Voice Agents Platform's recordings lie."""
    return fixtures_folder / "voice_agents_platform" / "recordings"


@pytest.fixture
def office(tmp_path: Path) -> Home:
    """An archive whose clock is ours, where what names no class is kept for 30 days."""
    extra = {"STRONGROOM_TEST_NOW": NOW, "STRONGROOM_DEFAULT_CLASS": "medium"}
    home = Home(tmp_path / "office", extra)
    home.run("init", "--test-clock")
    home.run("actor", "add", "olga", "--role", "officer")
    return home


def put(home: Home, came: Path, *names: str, terms: tuple[str, ...] = ()) -> list[str]:
    paths = [came / name for name in names or EVERY]
    found = home.run("deposit", *paths, "--no-wait", *terms).document["sessions"]
    return [one["id"] for one in found]


def planned(home: Home, when: str, *line: str) -> dict[str, Any]:
    return home.run("sweep", "plan", *line, STRONGROOM_TEST_NOW=when).document


def approve(home: Home, plan: str, when: str, code: int = 0) -> None:
    line = ("sweep", "approve", plan, "--actor", "olga", "--override-breaker", "--reason", "few")
    home.run(*line, code=code, STRONGROOM_TEST_NOW=when)


def stood(home: Home) -> tuple[list[bytes], list[Any]]:
    """Every stored byte, and every session as the catalogue has it."""
    with home.room() as room, room.catalogue.transaction() as tx:
        ids = [o.session_id for o in tx.all_objects(limit=1000)]
        rows = [(tx.session(one), tx.records(one)) for one in ids]
    return [path.read_bytes() for path in home.objects()], rows


def test_a_dry_run_changes_nothing_of_real_recordings(office: Home, came: Path) -> None:
    ids = put(office, came)
    before = stood(office)
    found = planned(office, NOW, "--as-of", MONTH)
    assert {item["session"] for item in found["items"]} == set(ids)
    assert {item["action"] for item in found["items"]} == {"DISPOSE"}
    assert all(item["reasons"] for item in found["items"])
    assert stood(office) == before
    # Approved and run before its time it destroys nothing either.
    approve(office, found["plan"], NOW)
    ran = office.run("sweep", "run", found["plan"]).document
    assert (ran["destroyed"], ran["certificates"]) == ([], [])
    assert {kept["session"] for kept in ran["kept"]} == set(ids)
    assert stood(office) == before


def test_the_archives_default_and_a_named_class_end_real_recordings_each_in_its_time(
    office: Home, came: Path
) -> None:
    (brief,) = put(office, came, EVERY[0], terms=("--class", "short"))
    others = set(put(office, came, *EVERY[1:]))
    week = planned(office, WEEK)
    assert {item["session"] for item in week["items"]} == {brief}
    assert week["breaker"]["tripped"]
    office.run("sweep", "run", week["plan"], code=4, STRONGROOM_TEST_NOW=WEEK)
    line = ("sweep", "approve", week["plan"])
    office.run(*line, code=4, STRONGROOM_TEST_NOW=WEEK)  # who planned it
    office.run(*line, "--actor", "olga", code=4, STRONGROOM_TEST_NOW=WEEK)  # the breaker
    approve(office, week["plan"], WEEK)
    ran = office.run("sweep", "run", week["plan"], STRONGROOM_TEST_NOW=WEEK).document
    assert {d["session"] for d in ran["destroyed"]} == {brief}
    again = office.run("sweep", "run", week["plan"], STRONGROOM_TEST_NOW=MONTH).document
    assert again["certificates"] == ran["certificates"]
    month = planned(office, MONTH)
    assert {item["session"] for item in month["items"]} == others
    listed = office.run("sweep", "list").document["plans"]
    assert [(p["plan"], p["state"]) for p in listed] == [
        (month["plan"], "planned"),
        (week["plan"], "done"),
    ]


def test_a_plan_is_of_what_was_frozen_and_an_altered_one_is_refused(
    office: Home, came: Path
) -> None:
    put(office, came, EVERY[0], terms=("--class", "short"))
    plan = planned(office, WEEK)["plan"]
    put(office, came, EVERY[1], terms=("--class", "short"))
    assert len({i["session"] for i in office.run("sweep", "show", plan).document["items"]}) == 1
    with office.room() as room, room.catalogue.transaction() as tx:
        row = tx.plan(plan)
        document = json.loads(row.document)
        document["items"] = []
        tx.set_plan(replace(row, document=json.dumps(document).encode()))
    office.run("sweep", "show", plan, code=5)
    approve(office, plan, WEEK, code=5)
    office.run("sweep", "run", plan, code=5, STRONGROOM_TEST_NOW=WEEK)
    office.run("sweep", "show", "01a201b8-0000-7000-8000-000000000000", code=3)


def test_an_approval_that_the_ledger_was_not_told_of_is_none(office: Home, came: Path) -> None:
    put(office, came, EVERY[0], terms=("--class", "short"))
    plan = planned(office, WEEK)["plan"]
    with office.room() as room, room.catalogue.transaction() as tx:
        row = tx.plan(plan)
        tx.set_plan(replace(row, state="approved", approved_by="somebody", overridden=True))
    office.run("sweep", "run", plan, code=5, STRONGROOM_TEST_NOW=WEEK)
    assert len(office.objects()) == 1


def test_a_plan_that_ended_destroys_nothing_more_when_it_is_run_again(
    office: Home, came: Path
) -> None:
    (held, gone) = put(office, came, *EVERY[:2], terms=("--class", "short"))
    line = ("hold", "place", "--matter", "Doe v. Roe", "--session", held)
    plan = planned(office, WEEK)["plan"]
    hold = office.run(*line).document["hold"]
    approve(office, plan, WEEK)
    ran = office.run("sweep", "run", plan, STRONGROOM_TEST_NOW=WEEK).document
    assert {d["session"] for d in ran["destroyed"]} == {gone}
    office.run("hold", "release", hold, "--reason", "settled")
    office.run("hold", "approve", hold, "--actor", "olga")
    again = office.run("sweep", "run", plan, STRONGROOM_TEST_NOW=MONTH).document
    assert again["certificates"] == ran["certificates"]
    assert {d["session"] for d in again["destroyed"]} == {gone}
    assert {i["session"] for i in planned(office, MONTH)["items"]} == {held}


def test_whoever_keeps_time_plans_what_has_come_due_once_a_day_and_destroys_nothing(
    office: Home, came: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(office, came, EVERY[0], terms=("--class", "short"))
    for instant, plans in (
        (NOW, 0),
        (WEEK, 1),
        ("2026-11-30T11:59:00+00:00", 1),
        ("2026-11-30T12:01:00+00:00", 2),
    ):
        later = Home(office.folder, {**office.extra, "STRONGROOM_TEST_NOW": instant})
        with later.room() as room:
            list(upkeep.run(room))
        assert len(later.run("sweep", "list").document["plans"]) == plans, instant
    assert len(office.objects()) == 1


def test_up_plans_what_has_come_due(office: Home, came: Path) -> None:
    put(office, came, EVERY[0], terms=("--class", "short"))
    up = office.start("up", STRONGROOM_TEST_NOW=WEEK)
    try:
        for _ in range(150):
            if found := office.run("sweep", "list").document["plans"]:
                break
            time.sleep(0.2)
        assert [plan["state"] for plan in found] == ["planned"]
    finally:
        up.send_signal(signal.SIGTERM)
        _, said = up.communicate(timeout=60)
    assert "waits for approval" in said


def test_what_came_due_after_a_plan_was_approved_is_not_destroyed_by_it(
    office: Home, came: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "house.json"
    rule = {
        "id": "house-findings",
        "kind": "max",
        "text": "What was found out goes after a day.",
        "citation": "House rule 1",
        "status": "verified",
        "effective_from": "2020-01-01",
        "reviewed_at": "2026-11-01",
        "period": "P1D",
        "elements": ["analysis"],
    }
    house = {"name": "house", "version": "1", "title": "House", "zone": "UTC"}
    pack.write_text(json.dumps({**house, "jurisdictions": ["*"], "rules": [rule]}))
    (session,) = put(office, came, EVERY[0], terms=("--class", "short"))
    for who in ("owner", "olga"):
        office.run("policy", "activate", pack, "--actor", who)
    plan = planned(office, NOW)
    assert {item["element"] for item in plan["items"]} == {"analysis"}
    approve(office, plan["plan"], NOW)
    ran = office.run("sweep", "run", plan["plan"], STRONGROOM_TEST_NOW=MONTH).document
    assert ran["destroyed"] == [{"session": session, "element": "analysis"}]
    assert {one["why"] for one in ran["kept"]} == {"It is due, and was not in what was agreed to."}
    office.run("fetch", session, "--originals", "-o", tmp_path / "back", STRONGROOM_TEST_NOW=MONTH)
    rest = planned(office, MONTH)
    assert {item["element"] for item in rest["items"]} >= {"original_audio", "transcript"}
    approve(office, rest["plan"], MONTH)
    office.run("sweep", "run", rest["plan"], STRONGROOM_TEST_NOW=MONTH)
    office.run("fetch", session, "--originals", "-o", tmp_path / "again", code=3)
