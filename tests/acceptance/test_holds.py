"""Legal holds as an officer places and releases them, on recordings that another program made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import recordings, servers
from tests.homes import Answer, Home
from vault.operations import hold_scope, hold_store, holds
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.hold_scope import Scope
from vault.rows import SessionFilter

NOW = "2026-12-01T12:00:00+00:00"
#: A class of 7 days has ended then, since the recordings are of 21 November.
IN_GRACE = "2026-12-10T12:00:00+00:00"
AFTER_GRACE = "2026-12-16T12:00:00+00:00"
CALL, IMPORTANT, SOUND = "sess_3a94975eb405", "sess_c0b1bd673c40", "sess_9eb312e34ac4"
WORDS, METADATA = "sess_d20955827a25", "sess_f7533c98a67b"
EVERY = (CALL, SOUND, IMPORTANT, WORDS, METADATA)


@pytest.fixture(scope="session")
def came(fixtures_folder: Path) -> Path:
    """Where the Voice Agents Platform's recordings lie."""
    return fixtures_folder / "voice_agents_platform" / "recordings"


@pytest.fixture(scope="session")
def _empty_office(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("first") / "office", {"STRONGROOM_TEST_NOW": NOW})
    home.run("init", "--test-clock")
    for name, role in (("olga", "officer"), ("dora", "dpo"), ("ada", "agent"), ("abe", "auditor")):
        home.run("actor", "add", name, "--role", role)
    return home


@pytest.fixture
def office(_empty_office: Home, tmp_path: Path) -> Home:
    """An archive whose clock is ours, and who works in it."""
    return _empty_office.copy(tmp_path / "office")


@pytest.fixture(scope="session")
def _full_office(
    _empty_office: Home, came: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, dict[str, str]]:
    home = _empty_office.copy(tmp_path_factory.mktemp("full") / "office")
    return home, put(home, came)


@pytest.fixture
def full(_full_office: tuple[Home, dict[str, str]], tmp_path: Path) -> tuple[Home, dict[str, str]]:
    """The same with every recording in it, and their ids by name."""
    home, ids = _full_office
    return home.copy(tmp_path / "full"), ids


def put(home: Home, came: Path, *names: str, terms: tuple[str, ...] = ()) -> dict[str, str]:
    """Ids by the names of the recordings."""
    paths = [came / name for name in names or EVERY]
    found = home.run("deposit", *paths, "--class", "short", "--no-wait", *terms)
    return {Path(one["path"]).name: one["id"] for one in found.document["sessions"]}


def place(home: Home, *line: str, matter: str = "Doe v. Roe") -> dict[str, Any]:
    return home.run("hold", "place", "--matter", matter, *line).document


def shown(home: Home, hold: str) -> dict[str, Any]:
    return home.run("hold", "show", hold).document


def release(home: Home, hold: str) -> None:
    home.run("hold", "release", hold, "--reason", "settled out of court")
    home.run("hold", "approve", hold, "--actor", "olga")


def swept(home: Home, when: str) -> Answer:
    """A sweep of everything due at `when`, approved by a second person."""
    plan = home.run("sweep", "plan", STRONGROOM_TEST_NOW=when).document["plan"]
    approve(home, plan, when)
    return home.run("sweep", "run", plan, STRONGROOM_TEST_NOW=when)


def approve(home: Home, plan: str, when: str) -> None:
    line = ("sweep", "approve", plan, "--actor", "dora", "--override-breaker", "--reason", "few")
    home.run(*line, STRONGROOM_TEST_NOW=when)


def destroyed(answer: Answer) -> set[str]:
    return {one["session"] for one in answer.document["destroyed"]}


# --- scope ---------------------------------------------------------------------------------


def test_a_preview_counts_what_a_hold_would_reach_and_changes_nothing(
    full: tuple[Home, dict[str, str]],
) -> None:
    office, ids = full
    size = office.run("ledger", "verify").document["size"]
    asked = office.run(
        "requests", "open", "--type", "access", "--subject", "user123", "--regime", "gdpr"
    ).document["request"]
    before = office.run("ledger", "verify").document["size"]
    found = office.run("hold", "preview", "--subject", "user123").document
    stored = [office.run("show", ids[name]).document["parts"] for name in (CALL, IMPORTANT)]
    assert found == {
        "sessions": 2,
        "bytes": sum(p["bytes"] for parts in stored for p in parts),
        "per_class": {"short": 2},
        "unpreservable": [],
        "in_flight": [],
        "open_requests": [{"request": asked, "sessions": 2}],
    }
    assert size < before == office.run("ledger", "verify").document["size"]
    assert office.run("hold", "list").document == {"holds": []}


@pytest.mark.parametrize(
    ("line", "reached"),
    [
        (("--subject", "User123"), {CALL, IMPORTANT}),
        (("--subject", "user123", "--tag", "temporary"), {CALL, IMPORTANT, WORDS}),
        (("--agent", "agent456"), set(EVERY)),
        (("--agent", "agent456", "--to", "2026-11-21T07:53:55.464599+00:00"), {CALL}),
        (("--from", "2026-11-21T07:53:55.464599+00:00"), set(EVERY) - {CALL}),
        (("--from", "2026-11-22T00:00:00+00:00"), set()),
        (("--query", "QUICK question"), {CALL, WORDS}),
        (("--query", "quick question", "--subject", "user456"), {WORDS}),
        (("--query", "nobody ever said this"), set()),
    ],
)
def test_a_scope_adds_up_whose_and_narrows_down_when_and_what(
    full: tuple[Home, dict[str, str]], line: tuple[str, ...], reached: set[str]
) -> None:
    office, ids = full
    assert office.run("hold", "preview", *line).document["sessions"] == len(reached)
    if not reached:
        office.run("hold", "place", "--matter", "M", *line, code=3)
        assert office.run("hold", "list").document["holds"] == []
        return
    answer = place(office, *line)
    assert (answer["state"], answer["sessions"]) == ("active", len(reached))
    assert shown(office, answer["hold"])["sessions"] == sorted(ids[name] for name in reached)


def test_a_named_session_comes_on_top_of_what_is_found(
    full: tuple[Home, dict[str, str]],
) -> None:
    office, ids = full
    hold = place(office, "--session", ids[METADATA], "--subject", "user123")["hold"]
    both = place(office, "--session", ids[IMPORTANT], "--query", "quick question")["hold"]
    assert set(shown(office, hold)["sessions"]) == {ids[n] for n in (METADATA, CALL, IMPORTANT)}
    assert set(shown(office, both)["sessions"]) == {ids[n] for n in (IMPORTANT, CALL, WORDS)}


def test_what_cannot_be_held_is_refused_with_its_code(office: Home, came: Path) -> None:
    ids = put(office, came, CALL)
    for verb in (("preview",), ("place", "--matter", "M")):
        office.run("hold", *verb, code=2)
        office.run("hold", *verb, "--query", " ", code=2)
        office.run("hold", *verb, "--session", ids[CALL], "--future", code=2)
        office.run("hold", *verb, "--from", "yesterday", code=2)
        office.run("hold", *verb, "--session", "no-such-session", code=3)
        for actor in ("ada", "abe"):
            office.run("hold", *verb, "--session", ids[CALL], "--actor", actor, code=4)
    office.run("hold", "place", "--session", ids[CALL], code=2)
    office.run("hold", "place", "--matter", " ", "--session", ids[CALL], code=2)
    for line in (("show",), ("approve",), ("release", "--reason", "R")):
        office.run("hold", *line, "no-such-hold", code=3)
    assert office.run("hold", "list").document["holds"] == []


def test_what_is_deposited_later_under_a_hold_on_the_future_is_held(
    office: Home, came: Path
) -> None:
    first = put(office, came, CALL)
    hold = place(office, "--subject", "user123", "--future")["hold"]
    empty = place(office, "--tag", "temporary", "--future")
    assert empty["sessions"] == 0
    later = put(office, came, IMPORTANT, WORDS, SOUND)
    assert set(shown(office, hold)["sessions"]) == {first[CALL], later[IMPORTANT]}
    assert shown(office, empty["hold"])["sessions"] == [later[WORDS]]
    assert destroyed(swept(office, IN_GRACE)) == {later[SOUND]}


def test_what_is_tagged_later_under_a_hold_on_the_future_is_held(office: Home, came: Path) -> None:
    ids = put(office, came, CALL, SOUND)
    hold = place(office, "--tag", "Project X", "--future")["hold"]
    office.run("tag", ids[CALL], "--add", "project x")
    assert shown(office, hold)["sessions"] == [ids[CALL]]
    office.run("tag", ids[CALL], "--remove", "project x")
    assert destroyed(swept(office, IN_GRACE)) == {ids[SOUND]}


def test_words_are_searched_for_beside_what_was_destroyed_and_in_what_is_only_stored(
    office: Home, came: Path
) -> None:
    gone = put(office, came, SOUND)
    assert destroyed(swept(office, IN_GRACE)) == set(gone.values())
    ids = put(office, came, IMPORTANT)
    request = office.run(
        *("requests", "open", "--type", "restriction", "--subject", "user123", "--regime", "gdpr")
    ).document["request"]
    for verb in ("verify", "decide", "approve", "fulfil"):
        office.run("requests", verb, request)
    office.run("show", ids[IMPORTANT], "--actor", "olga", code=4)
    hold = place(office, "--query", "your products", "--actor", "olga")
    assert (hold["sessions"], hold["unpreservable"]) == (1, [])
    assert shown(office, hold["hold"])["sessions"] == [ids[IMPORTANT]]


def test_what_is_deposited_while_transcripts_are_searched_is_searched_too(
    office: Home, came: Path, tmp_path: Path
) -> None:
    put(office, came, CALL)
    extra = recordings.bundle(tmp_path / "late", ["a quick question", "yes"])
    arrived: list[str] = []
    with office.room() as room, office.room() as agent:

        def meanwhile(what: str, _done: int, _total: int | None) -> None:
            if what == "searched" and not arrived:
                answer = deposit(agent, [extra, came / SOUND], Terms(), wait=False)
                arrived.extend(one.id for one in answer.sessions)

        placed = holds.place(
            room, holds.Matter("M"), Scope(query="quick question"), progress=meanwhile
        )
        assert placed.sessions == 2
        assert arrived[0] in set(holds.members(room, placed.hold))
        assert arrived[1] not in set(holds.members(room, placed.hold))


# --- protection ----------------------------------------------------------------------------


def test_a_hold_outlives_its_process_and_no_sweep_destroys_what_it_protects(
    full: tuple[Home, dict[str, str]], came: Path
) -> None:
    office, ids = full
    answer = json.loads(
        office.script("hold", "place", "--matter", "Doe v. Roe", "--subject", "user123").out
    )
    again = json.loads(office.script("hold", "show", answer["hold"]).out)
    assert (again["state"], again["matter"]) == ("active", "Doe v. Roe")
    assert again["sessions"] == sorted([ids[CALL], ids[IMPORTANT]])
    gone = destroyed(swept(office, IN_GRACE))
    assert gone == {ids[name] for name in (SOUND, WORDS, METADATA)}
    for name in (CALL, IMPORTANT):
        document = office.run("show", ids[name]).document
        assert {e["decision"] for e in document["elements"]} == {"RETAIN"}
        back = office.folder.parent / name
        office.run("fetch", ids[name], "--originals", "-o", back)
        assert recordings.files(back) == recordings.files(came / name)


def test_show_lists_the_holds_of_a_session_and_their_matter_to_whom_it_concerns(
    office: Home, came: Path
) -> None:
    session = put(office, came, CALL, terms=("--actor", "ada"))[CALL]
    assert office.run("show", session).document["holds"] == []
    hold = place(office, "--session", session)["hold"]
    entry = {"hold": hold, "state": "active", "matter": "Doe v. Roe"}
    assert office.run("show", session).document["holds"] == [entry]
    seen = office.run("show", session, "--actor", "ada").document["holds"]
    assert seen == [{**entry, "matter": None}]


def test_of_two_holds_one_released_still_holds(office: Home, came: Path) -> None:
    ids = put(office, came, CALL, IMPORTANT)
    first = place(office, "--subject", "user123")["hold"]
    second = place(office, "--session", ids[CALL], matter="Roe v. Doe")["hold"]
    release(office, first)
    assert destroyed(swept(office, AFTER_GRACE)) == {ids[IMPORTANT]}
    listed = office.run("show", ids[CALL]).document["holds"]
    assert [(h["hold"], h["state"]) for h in listed] == [(first, "released"), (second, "active")]
    office.extra["STRONGROOM_TEST_NOW"] = AFTER_GRACE
    assert [h["hold"] for h in office.run("show", ids[CALL]).document["holds"]] == [second]
    shown(office, first)
    with office.room() as room, room.catalogue.transaction() as tx:
        kept = [(o.store_key, o.version) for o in tx.objects(ids[CALL])]
    assert kept
    assert all(room.store.held(*one) for one in kept)


def test_what_expired_and_was_not_swept_yet_is_saved_by_a_hold(office: Home, came: Path) -> None:
    session = put(office, came, CALL)[CALL]
    office.extra["STRONGROOM_TEST_NOW"] = IN_GRACE
    plan = office.run("sweep", "plan").document
    assert {i["session"] for i in plan["items"]} == {session}
    approve(office, plan["plan"], IN_GRACE)
    place(office, "--session", session)
    answer = office.run("sweep", "run", plan["plan"])
    assert answer.document["destroyed"] == []
    assert session in {one["session"] for one in answer.document["kept"]}
    office.run("show", session)


def test_what_was_destroyed_before_is_listed_as_unpreservable_with_its_certificate(
    office: Home, came: Path, tmp_path: Path
) -> None:
    ids = put(office, came, CALL)
    (certificate,) = swept(office, IN_GRACE).document["certificates"]
    left = put(office, came, WORDS)[WORDS]
    found = [{"session": ids[CALL], "certificate": certificate}]
    scope = ("--session", ids[CALL], "--session", left)
    seen = office.run("hold", "preview", *scope).document
    assert (seen["sessions"], seen["unpreservable"], seen["in_flight"]) == (2, found, [])
    answer = place(office, *scope)
    assert (answer["sessions"], answer["unpreservable"]) == (2, found)
    assert shown(office, answer["hold"])["unpreservable"] == found
    paper = tmp_path / "certificate"
    paper.write_text(office.script("certificate", "show", certificate).out)
    key = (office.folder / "ledger" / "public-key").read_text().strip()
    assert office.run("certificate", "verify", paper, "--public-key", key).document["ok"]


# --- release -------------------------------------------------------------------------------


def test_a_release_takes_a_second_person_a_grace_and_another_decision(
    office: Home, came: Path
) -> None:
    session = put(office, came, CALL)[CALL]
    hold = place(office, "--session", session, "--actor", "olga")["hold"]
    office.run("hold", "release", hold, code=2)
    asked = office.run("hold", "release", hold, "--reason", "settled").document
    assert asked == {"hold": hold, "state": "awaiting-approval"}
    office.run("hold", "release", hold, "--reason", "settled", code=4)
    for had_a_hand in ("owner", "olga", "ada", "abe"):
        office.run("hold", "approve", hold, "--actor", had_a_hand, code=4)
    assert destroyed(swept(office, IN_GRACE)) == set()
    until = "2026-12-15T12:00:00+00:00"
    said = office.run("hold", "approve", hold, "--actor", "dora").document
    assert said == {"hold": hold, "state": "released", "grace_until": until}
    office.run("hold", "approve", hold, "--actor", "dora", code=4)
    assert destroyed(swept(office, IN_GRACE)) == set()
    document = shown(office, hold)
    assert (document["state"], document["sessions"]) == ("released", [session])
    answer = swept(office, AFTER_GRACE)
    assert (destroyed(answer), len(answer.document["certificates"])) == ({session}, 1)
    assert office.objects() == []
    document = shown(office, hold)
    assert (document["state"], document["unpreservable"]) == ("released", [])


def test_a_hold_that_asks_for_a_second_person_protects_before_he_comes(
    office: Home, came: Path
) -> None:
    session = put(office, came, CALL)[CALL]
    answer = place(office, "--session", session, "--second-person")
    assert answer["state"] == "proposed"
    assert destroyed(swept(office, IN_GRACE)) == set()
    office.run("hold", "approve", answer["hold"], code=4)
    said = office.run("hold", "approve", answer["hold"], "--actor", "olga").document
    assert (said["state"], said["grace_until"]) == ("active", None)
    office.run("hold", "approve", answer["hold"], "--actor", "dora", code=4)


def test_the_ledger_tells_every_step_and_neither_it_nor_the_home_says_what_about(
    office: Home, came: Path
) -> None:
    session = put(office, came, CALL)[CALL]
    secret = "The Matter of the Purple Walrus"
    line = ("--session", session, "--reason", "walrus one", "--counsel", "walrus two")
    hold = place(office, *line, matter=secret)["hold"]
    release(office, hold)
    with office.room() as room:
        told = [json.loads(entry) for entry in room.ledger.entries()]
    mine = [entry["type"] for entry in told if entry.get("hold") == hold]
    assert mine == ["hold-proposed", "hold-placed", "hold-release-requested", "hold-released"]
    assert shown(office, hold)["matter"] == secret
    assert shown(office, hold)["counsel"] == "walrus two"
    stored = b"".join(p.read_bytes() for p in office.folder.rglob("*") if p.is_file())
    assert b"walrus" not in stored.lower()
    assert b"out of court" not in stored


# --- the store -----------------------------------------------------------------------------


def test_the_store_holds_as_well_and_lets_go_after_the_grace_alone(
    office: Home, came: Path
) -> None:
    ids = put(office, came, CALL, IMPORTANT)
    with office.room() as room, room.catalogue.transaction() as tx:
        objects = {n: [(o.store_key, o.version) for o in tx.objects(i)] for n, i in ids.items()}
    hold = place(office, "--subject", "user123")
    other = place(office, "--session", ids[IMPORTANT])["hold"]
    everything = [one for some in objects.values() for one in some]
    assert hold["store"] == {
        "objects": len(everything),
        "set": len(everything),
        "lifted": 0,
        "missing": 0,
        "difference": 0,
        "detail": None,
    }
    with office.room() as room:
        room.store.hold(*everything[0], False)
    assert shown(office, hold["hold"])["store"]["set"] == 1
    release(office, hold["hold"])
    assert shown(office, hold["hold"])["store"]["lifted"] == 0
    office.extra["STRONGROOM_TEST_NOW"] = AFTER_GRACE
    with office.room() as room:
        done = hold_store.reconcile_due(room)
        assert done[hold["hold"]].lifted == len(objects[CALL])
        assert set(done) == {hold["hold"], other}
        assert [room.store.held(*one) for one in objects[CALL]] == [False] * len(objects[CALL])
        assert all(room.store.held(*one) for one in objects[IMPORTANT])
        assert hold_store.reconcile_due(room) == {}


def test_a_bucket_without_locks_is_told_of_and_the_hold_stands_all_the_same(
    s3_server: servers.S3Server, tmp_path: Path
) -> None:
    name = f"plain-{tmp_path.name[-8:].lower().replace('_', '-')}"
    servers.s3_client(s3_server).create_bucket(Bucket=name)
    extra = {**s3_server.environment, "STRONGROOM_STORE_URL": f"s3://{name}"}
    home = Home(tmp_path / "home", extra)
    home.run("init")
    path = recordings.recording(tmp_path / "call.wav")
    session = home.run("deposit", path, "--no-wait").document["sessions"][0]["id"]
    answer = place(home, "--session", session)
    assert (answer["state"], answer["store"]["difference"]) == ("active", None)
    assert answer["store"]["detail"]
    assert shown(home, answer["hold"])["state"] == "active"


def test_a_preview_reads_no_transcript_where_no_words_are_asked_for(
    full: tuple[Home, dict[str, str]],
) -> None:
    office, _ = full
    with office.room() as room:
        opened: list[str] = []
        found = hold_scope.preview(
            room, Scope(agents=["agent456"]), progress=lambda what, *_: opened.append(what)
        )
        assert (found.sessions, set(opened)) == (5, {"counted"})
        with room.catalogue.transaction() as tx:
            assert tx.count_sessions(room.tenant, SessionFilter()) == 5
