"""Policies as officers read and change them, on recordings that another program made."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.homes import Home
from vault.operations import activation
from vault.operations.activation import activate, load

NOW = "2026-11-22T12:00:00+00:00"
#: The recordings are of 21 November; a class of three days has ended then, one of a month not.
LATER = "2026-12-01T12:00:00+00:00"
CALL, IMPORTANT, SOUND = "sess_3a94975eb405", "sess_c0b1bd673c40", "sess_9eb312e34ac4"
WORDS, METADATA = "sess_d20955827a25", "sess_f7533c98a67b"
EVERY = (CALL, IMPORTANT, SOUND, WORDS, METADATA)
HOUSE: dict[str, Any] = {
    "name": "house",
    "version": "1",
    "title": "What this house keeps for how long",
    "zone": "UTC",
    "jurisdictions": ["*"],
    "classes": [
        {"name": "brief", "period": "P3D"},
        {"name": "quarter", "period": "P3M", "locked": True},
    ],
    "tag_classes": {"billing": "brief", "important": "long", "temporary": "short"},
}


@pytest.fixture(scope="session")
def came(fixtures_folder: Path) -> Path:
    """Where the Voice Agents Platform's recordings lie."""
    return fixtures_folder / "voice_agents_platform" / "recordings"


@pytest.fixture
def office(tmp_path: Path) -> Home:
    """An archive whose clock is ours, and who works in it."""
    home = Home(tmp_path / "office", {"STRONGROOM_TEST_NOW": NOW})
    home.run("init", "--test-clock")
    for name, role in (("olga", "officer"), ("dora", "dpo"), ("ada", "agent"), ("abe", "auditor")):
        home.run("actor", "add", name, "--role", role)
    return home


def put(home: Home, came: Path, *names: str, terms: tuple[str, ...] = ()) -> dict[str, str]:
    """Ids by the names of the recordings."""
    paths = [came / name for name in names or EVERY]
    found = home.run("deposit", *paths, "--no-wait", *terms).document["sessions"]
    return {Path(one["path"]).name: one["id"] for one in found}


def pack(folder: Path, document: dict[str, Any] | None = None, **changed: Any) -> Path:
    path = folder / "pack.json"
    path.write_text(json.dumps({**(document or HOUSE), **changed}))
    return path


def shortened(home: Home, folder: Path, period: str = "P1D") -> Path:
    """The house's own classes with a shorter `long`, as they came out of `policy show`."""
    shown = home.run("policy", "show", "default").document
    (kept,) = [one for one in shown["classes"] if one["name"] == "long"]
    kept["period"] = period
    return pack(folder, shown)


def told(home: Home, kind: str) -> list[dict[str, Any]]:
    with home.room() as room:
        entries = [json.loads(line) for line in room.ledger.entries()]
    return [one for one in entries if one["type"] == kind]


def decided(elements: list[dict[str, Any]]) -> set[str]:
    return {one["decision"] for one in elements}


def swept(home: Home, when: str) -> dict[str, Any]:
    now: Any = {"STRONGROOM_TEST_NOW": when}
    plan = home.run("sweep", "plan", **now).document["plan"]
    approval = ("sweep", "approve", plan, "--override-breaker", "--reason", "few")
    home.run("--actor", "dora", *approval, **now)
    return home.run("sweep", "run", plan, **now).document


# --- explain -------------------------------------------------------------------------------


def test_a_real_recording_is_explained_as_it_is_shown_and_ends_with_its_class(
    office: Home, came: Path
) -> None:
    one = put(office, came, CALL, terms=("--class", "short"))[CALL]
    now = office.run("policy", "explain", one).document
    assert now["elements"] == office.run("show", one).document["elements"]
    assert {e["element"] for e in now["elements"]} >= {"original_audio", "transcript", "metadata"}
    assert decided(now["elements"]) == {"RETAIN"}
    assert {e["not_before"][:10] for e in now["elements"]} == {"2026-11-28"}
    then = office.run("policy", "explain", one, "--as-of", LATER).document
    assert decided(then["elements"]) == {"DISPOSE"}
    assert all("short" in e["reasons"][0]["text"] for e in then["elements"])


def test_plain_facts_are_decided_with_citations_and_nonsense_is_refused(
    office: Home, tmp_path: Path
) -> None:
    facts = tmp_path / "facts.json"
    erasure = {"id": "r", "type": "erasure", "regime": "gdpr", "granted": True}
    said = {"started_at": "2026-03-10T10:00:00Z", "regimes": ["mifid"], "class": "long"}
    said |= {"elements": ["original_audio"], "jurisdictions": ["IE"], "consent": "granted"}
    facts.write_text(json.dumps({**said, "requests": [erasure]}))
    at = ("--as-of", "2027-12-01T00:00:00Z")
    (audio,) = office.run("policy", "explain", "--facts", facts, *at).document["elements"]
    assert (audio["decision"], audio["restricted"]) == ("RETAIN", True)
    assert audio["not_before"].startswith("2031-03")
    assert "mifid-calls" in {r["rule"] for r in audio["reasons"]}
    assert "17(3)" in json.dumps(audio["reasons"])
    facts.write_text('{"started_at": "yesterday"}')
    assert "started_at" in office.run("policy", "explain", "--facts", facts, code=7).err
    office.run("policy", "explain", code=2)


# --- change --------------------------------------------------------------------------------


def test_a_shorter_class_is_simulated_approved_by_a_second_person_and_destroys_nothing(
    office: Home, came: Path, tmp_path: Path
) -> None:
    ids = put(office, came)
    file = shortened(office, tmp_path)
    found = office.run("policy", "simulate", file, "--as-of", LATER).document
    assert {c["id"] for c in found["changes"]} == set(ids.values())
    assert {(c["before"]["decision"], c["after"]["decision"]) for c in found["changes"]} == {
        ("RETAIN", "DISPOSE")
    }
    assert (found["newly_due"], found["no_longer_due"]) == (len(found["changes"]), 0)
    assert found["per_class"]["long"]["sessions"] == 5
    assert (
        office.run("policy", "explain", ids[CALL], "--as-of", LATER).document["elements"][0][
            "decision"
        ]
        == "RETAIN"
    )
    # Whoever proposed it may say so twice, and it is one proposal.
    for _ in range(2):
        asked = office.run("--actor", "olga", "policy", "activate", file, "--reason", "tidy")
        assert asked.document["state"] == "awaiting-approval"
    (waiting,) = office.run("policy", "list").document["proposed"]
    assert waiting["digest"] == asked.document["digest"]
    done = office.run("--actor", "dora", "policy", "activate", file).document
    assert (done["state"], done["digest"], done["sessions"]) == ("active", waiting["digest"], 5)
    again = office.run("--actor", "dora", "policy", "activate", file).document
    assert (again["state"], again["sessions"]) == ("active", 0)
    assert [len(told(office, f"policy-{did}")) for did in ("proposed", "activated")] == [1, 1]
    assert "tidy" not in json.dumps(told(office, "policy-proposed"))
    assert office.run("policy", "list").document["proposed"] == []
    assert all(office.run("show", one).document["state"] != "erased" for one in ids.values())
    plan = office.run("sweep", "plan", STRONGROOM_TEST_NOW="2026-11-23T12:00:00Z").document
    assert {i["session"] for i in plan["items"]} == set(ids.values())
    assert any("policy was changed" in why for why in plan["breaker"]["why"])


def test_what_keeps_longer_is_in_force_at_once_and_under_a_version_of_its_own(
    office: Home, came: Path, tmp_path: Path
) -> None:
    one = put(office, came, CALL, terms=("--class", "long"))[CALL]
    file = shortened(office, tmp_path, "P900D")
    done = office.run("--actor", "olga", "policy", "activate", file).document
    assert done["state"] == "active"
    shown = office.run("show", one).document
    assert {e["not_before"][:7] for e in shown["elements"]} == {"2029-05"}
    versions = [p["version"] for p in shown["processing"] if p["policy"] == "default"]
    assert versions == ["1", f"1+{done['digest'][:12]}"]


def test_nobody_makes_a_law_a_rule_of_the_house_alone(
    office: Home, came: Path, tmp_path: Path
) -> None:
    """For what the law asks to be kept no erasure ends, and a rule of the house gives way to it."""
    put(office, came, CALL, terms=("--regime", "mifid", "--class", "permanent"))
    shown = office.run("policy", "show", "mifid").document
    for one in (shown, *shown["rules"]):
        one["ground_jurisdiction"] = None
    mine = pack(tmp_path, shown)
    line = ("policy", "activate", mine, "--actor")
    assert office.run(*line, "dora").document["state"] == "awaiting-approval"
    assert office.run(*line, "dora").document["state"] == "awaiting-approval"
    assert office.run(*line, "olga").document["state"] == "active"


def test_a_law_that_data_subjects_ask_under_keeps_its_deadlines(
    office: Home, tmp_path: Path
) -> None:
    mine = pack(tmp_path, office.run("policy", "show", "gdpr").document, rules=[])
    office.run("policy", "activate", mine, code=4)
    asked = ("--type", "erasure", "--subject", "jane@example.com", "--regime", "gdpr")
    office.run("requests", "open", *asked)


def test_nobody_hides_an_early_end_behind_many_turns_alone(
    office: Home, came: Path, tmp_path: Path
) -> None:
    put(office, came, CALL, terms=("--class", "permanent"))
    first = date.fromisoformat(NOW[:10]) + timedelta(days=1)

    def rule(name: str, kind: str, period: str, since: int, until: int | None) -> dict[str, Any]:
        days = (None if n is None else str(first + timedelta(days=n)) for n in (since, until))
        begins, ends = days
        return {
            "id": name,
            "kind": kind,
            "text": name,
            "citation": "any",
            "status": "verified",
            "reviewed_at": NOW[:10],
            "effective_from": begins,
            "effective_to": ends,
            "period": period,
            "elements": ["original_audio"],
            "ground_jurisdiction": "EU",
        }

    rules = [rule(f"off-and-on-{n}", "max", "PT0S", 2 * n, 2 * n + 1) for n in range(20)]
    rules += [rule("kept", "min", "P99Y", -2, 50), rule("gone", "max", "PT0S", 50, None)]
    mine = pack(tmp_path, rules=rules)
    line = ("policy", "activate", mine, "--actor", "olga")
    assert office.run(*line).document["state"] == "awaiting-approval"


def test_a_locked_class_is_not_loosened_and_one_in_use_not_dropped(
    office: Home, came: Path, tmp_path: Path
) -> None:
    office.run("policy", "activate", pack(tmp_path))
    looser = [{"name": "quarter", "period": "P1M"}, HOUSE["classes"][0]]
    said = office.run("policy", "activate", pack(tmp_path, classes=looser, version="2"), code=4)
    assert "quarter" in said.err
    put(office, came, CALL, terms=("--class", "brief"))
    dropped = pack(tmp_path, classes=HOUSE["classes"][1:], tag_classes={}, version="2")
    assert "brief" in office.run("policy", "activate", dropped, code=4).err
    office.run("policy", "activate", pack(tmp_path, tag_classes={"a": "nothing"}), code=7)
    office.run("policy", "activate", pack(tmp_path, title=None), code=7)


def test_deciding_anew_goes_on_where_it_was_cut_off(
    office: Home, came: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = put(office, came)
    office.run("hold", "place", "--matter", "Doe", "--session", ids[CALL])
    given = load(shortened(office, tmp_path, "P900D").read_bytes())
    monkeypatch.setattr(activation, "_PAGE", 1)
    monkeypatch.setenv("STRONGROOM_TEST_NOW", NOW)

    def dies(what: str, done: int, _total: int | None) -> None:
        if (what, done) == ("deciding", 2):
            raise KeyboardInterrupt

    with office.room() as room:
        with pytest.raises(KeyboardInterrupt):
            activate(room, given, progress=dies)
        assert activate(room, given).sessions == 3
        assert activate(room, given).sessions == 0
        with room.catalogue.transaction() as tx:
            due = {tx.session(one).due_at for one in ids.values()}
    # What is held too: it is to be found again when the hold has ended.
    assert {one and f"{one:%Y-%m}" for one in due} == {"2029-05"}


def test_everyone_who_reads_or_audits_may_see_policies_and_few_may_change_them(
    office: Home, tmp_path: Path
) -> None:
    file = pack(tmp_path)
    for actor, sees, changes in (("abe", 0, 4), ("ada", 4, 4), ("olga", 0, 0)):
        office.run("--actor", actor, "policy", "list", code=sees)
        office.run("--actor", actor, "policy", "show", "gdpr", code=sees)
        office.run("--actor", actor, "policy", "simulate", file, code=changes)
        office.run("--actor", actor, "policy", "activate", file, code=changes)
    office.run("policy", "show", "magna-carta", code=3)


# --- classes -------------------------------------------------------------------------------


def test_a_class_of_the_house_keeps_real_recordings_by_tag_from_deposit_to_sweep(
    office: Home, came: Path, tmp_path: Path
) -> None:
    office.run("policy", "activate", pack(tmp_path))
    ids = put(office, came, terms=("--tag", "sale"))
    classes = {name: office.run("show", one).document["class"] for name, one in ids.items()}
    # By the tags in their own metadata: `billing` and `temporary`; `long` is also the default.
    assert classes == {**dict.fromkeys(EVERY, "long"), CALL: "brief", WORDS: "short"}
    with office.room() as room, room.catalogue.transaction() as tx:
        assert tx.session(ids[CALL]).bucket == "brief/2026-11"
    done = swept(office, LATER)
    assert {d["session"] for d in done["destroyed"]} == {ids[CALL], ids[WORDS]}
    gone = office.run("show", ids[CALL]).document
    assert gone["state"] == "erased"
    (certificate,) = gone["certificates"]
    assert certificate in done["certificates"]
    assert (gone["elements"], gone["subjects"], gone["segments"]) == ([], [], [])
    assert {p["policy"] for p in gone["processing"]} >= {"default", "house"}


@pytest.mark.parametrize(
    ("said", "kept"), [(("--class", "medium"), "medium"), ((), "quarter"), (("--tag", "x"), "long")]
)
def test_a_class_is_the_one_named_else_the_longest_of_the_tags_else_the_archives(
    office: Home, came: Path, tmp_path: Path, said: tuple[str, ...], kept: str
) -> None:
    rules = {"VIP": "quarter", "billing": "brief"} if kept != "long" else {}
    office.run("policy", "activate", pack(tmp_path, tag_classes=rules))
    one = put(office, came, CALL, terms=("--tag", "vip", *said))[CALL]
    assert office.run("show", one).document["class"] == kept


def test_a_class_of_the_house_may_be_the_default_and_one_that_is_not_there_stores_nothing(
    office: Home, came: Path, tmp_path: Path
) -> None:
    run: Callable[..., Any] = office.run
    run("deposit", came / CALL, "--class", "quarter", code=2)
    run("policy", "activate", pack(tmp_path, tag_classes={}))
    office.extra["STRONGROOM_DEFAULT_CLASS"] = "quarter"
    assert run("show", put(office, came, CALL)[CALL]).document["class"] == "quarter"
    assert len(run("list", "--class", "quarter").document["sessions"]) == 1
