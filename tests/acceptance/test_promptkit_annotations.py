"""What is said here of a session, beside the PromptKit recording that is made of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests import recordings
from tests.homes import Home
from vault import formats
from vault.model import Annotation
from vault.operations import remarks, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room
from vault.replay.annotations import newest

ZERO = "0001-01-01T00:00:00Z"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def put(room: Room, place: Path) -> str:
    (session,) = deposit(room, [place], Terms(), wait=False).sessions
    return str(session.id)


def lines(room: Room, session: str, folder: Path) -> list[dict[str, Any]]:
    """The lines that an export has beside it."""
    folder.mkdir()
    export(room, Choice([session]), Request("promptkit"), folder / "a.recording.json")
    (path,) = (folder / "annotations").iterdir()
    stated = json.loads((folder / "a.recording.json").read_text())["metadata"]["session_id"]
    assert path.name == f"{stated}.annotations.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def again(folder: Path) -> tuple[Annotation, ...]:
    """Those that hold, as they are read from the export."""
    (reading,) = formats.read(folder / "a.recording.json")
    return newest(reading.timeline.annotations)


def test_all_versions_follow_the_lines_that_came_as_they_were(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    place = fixtures_folder / "promptkit/pk-dev-interruption"
    session = put(room, place / "pk-dev-interruption.recording.json")
    came = next((place / "annotations").iterdir()).read_bytes()
    source = newest(retrieve.Opened(room, retrieve.session(room, session)).timeline().annotations)
    first = remarks.annotate(room, session, type="score", key="tone", value=0.25)
    second = remarks.correct(room, session, first.id, {"score": 0.75})
    third = remarks.correct(room, session, source[0].id, {"label": "refund"})
    remarks.delete(room, session, source[1].id)
    gone = remarks.annotate(room, session, type="comment", key="k", value="no")
    remarks.delete(room, session, gone.id)
    found = lines(room, session, tmp_path / "out")
    whole = next((tmp_path / "out/annotations").iterdir()).read_bytes()
    assert whole.startswith(came)
    new = found[len(came.splitlines()) :]
    assert [(n["annotation"]["id"], n.get("deleted", False)) for n in new] == [
        (first.id, False),
        (second.id, False),
        (third.id, False),
        (source[1].id, True),
        (gone.id, False),
        (gone.id, True),
    ]
    assert [n["annotation"]["value"] for n in new[:3]] == [
        {"score": 0.25},
        {"score": 0.75},
        {"label": "refund"},
    ]
    assert (new[1]["annotation"]["version"], new[1]["annotation"]["previous_id"]) == (2, first.id)
    stated = json.loads(came.splitlines()[1])["annotation"]
    assert new[2]["annotation"]["target"] == stated["target"]
    for line in new:
        said, actor = line["annotation"], room.actor.id
        deleter = actor if line.get("deleted") else None
        assert RFC_3339.fullmatch(said["created_at"])
        assert said["session_id"] == "pk-dev-interruption"
        assert said["created_by"] == actor or said["id"] == source[1].id
        assert ("deleted_at" in line, line.get("deleted_by")) == (deleter is not None, deleter)
    held = {a.id for a in source[2:]} | {second.id, third.id}
    assert {a.id for a in again(tmp_path / "out")} == held


def test_a_session_of_another_format_has_what_was_said_of_it_at_its_place(
    room: Room, tmp_path: Path
) -> None:
    place = recordings.bundle(tmp_path / "call", ["one", "two"])
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["events"] = [{"time": 0.5, "type": "tool_call", "name": "look"}]
    (place / "manifest.json").write_text(json.dumps(manifest))
    session = put(room, place)
    opened = retrieve.Opened(room, retrieve.session(room, session))
    (event,) = opened.timeline().events
    places: list[tuple[str, Any, dict[str, Any]]] = [
        ("session", True, {}),
        ("event", ["a", "b"], {"seq": event.seq}),
        ("turn", "said", {"turn_index": 1}),
        ("time_range", [1], {"start_ns": 250_000_000, "end_ns": 1_000_000_000}),
    ]
    for target, value, where in places:
        remarks.annotate(
            room, session, type="flag", key=target, value=value, target=target, where=where
        )
    found = [line["annotation"] for line in lines(room, session, tmp_path / "out")]
    assert [a["value"] for a in found] == [
        {"flag": True},
        {"labels": ["a", "b"]},
        {"label": "said"},
        {"text": "[1]"},
    ]
    zero = {"start_time": ZERO, "end_time": ZERO}
    assert [a["target"] for a in found[:1] + found[2:3]] == [
        {"type": "session", **zero},
        {"type": "turn", **zero, "turn_index": 1},
    ]
    document = json.loads((tmp_path / "out/a.recording.json").read_text())
    (number,) = (e["seq"] for e in document["events"] if e["type"] == "tool_call")
    assert found[1]["target"] == {"type": "event", **zero, "event_sequence": number}
    for one, (target, _, where) in zip(again(tmp_path / "out"), places, strict=True):
        assert one.target == target
        assert one.where == ({"seq": number} if target == "event" else where)


def test_a_recording_of_a_session_of_which_nothing_was_said_stays_alone(
    room: Room, tmp_path: Path
) -> None:
    session = put(room, recordings.bundle(tmp_path / "call", ["one"]))
    (tmp_path / "out").mkdir()
    export(room, Choice([session]), Request("promptkit"), tmp_path / "out/a.json")
    assert not (tmp_path / "out/annotations").exists()


def test_who_said_something_is_an_id_and_no_name(home: Home, tmp_path: Path) -> None:
    session = home.run("deposit", recordings.bundle(tmp_path / "call", ["one"])).document
    own = session["sessions"][0]["id"]
    (made,) = home.run(
        "annotate", own, "--type", "score", "--key", "quality", "--value", "0.5"
    ).document["annotations"]
    assert set(made["data"]) == {"created_at", "created_by"}
    assert re.fullmatch(r"[0-9a-f-]{36}", made["data"]["created_by"])
    (gone,) = home.run("annotate", own, "--delete", made["id"]).document["annotations"]
    assert set(gone["data"]) == {"created_at", "created_by", "deleted_at", "deleted_by"}
