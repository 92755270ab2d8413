"""Many sessions in one command, and the same bytes again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests import recordings
from tests.homes import Home
from vault.rows import SessionFilter

PHRASES = ("I would like to cancel", "That is done", "Thank you")


def facts(home: Home) -> dict[str, Any]:
    """Everything the catalogue keeps, and what lies in the store."""
    with home.room() as room, room.catalogue.transaction() as tx:
        sessions = tx.sessions(room.tenant, SessionFilter(), limit=1000)
        return {
            "sessions": sessions,
            "objects": tx.all_objects(limit=1000),
            "jobs": [tx.jobs(s.id) for s in sessions],
            "records": tx.count_records(),
            "keys": tx.keys(),
            "store": sorted((s.key, s.version, s.size_bytes) for s in room.store.versions()),
        }


def test_one_bad_session_does_not_stop_the_others_of_its_folder(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    recordings.bundle(folder / "a", PHRASES, seed=1)
    recordings.bundle(folder / "deep" / "b", PHRASES, seed=2)
    recordings.recording(folder / "c.wav", seed=3)
    (folder / "bad.wav").write_bytes(b"RIFF, said the dog")
    recordings.bundle(folder / "outside", PHRASES, seed=4)
    manifest = json.loads((folder / "outside" / "manifest.json").read_text())
    manifest["segments"][1]["file"] = "../../c.wav"
    (folder / "outside" / "manifest.json").write_text(json.dumps(manifest))
    (folder / "README").write_text("not a session")

    answer = home.run("deposit", folder, code=7)
    assert {(s["path"], s["state"]) for s in answer.document["sessions"]} == {
        (str(folder / name), "ready") for name in ("a", "deep/b", "c.wav")
    }
    refused = {r["path"]: r["error"] for r in answer.document["refused"]}
    assert refused.keys() == {str(folder / "bad.wav"), str(folder / "outside")}
    assert all(refused.values())
    assert len(home.run("list").document["sessions"]) == 3
    # What went in stays in, and what was bad is asked for again.
    (folder / "bad.wav").write_bytes(recordings.noise(0.2, seed=5))
    shutil.rmtree(folder / "outside")
    again = home.run("deposit", folder).document
    assert sorted(s["already"] for s in again["sessions"]) == [False, True, True, True]


def test_the_worst_code_wins(home: Home, tmp_path: Path) -> None:
    good = recordings.recording(tmp_path / "good.wav")
    home.run("deposit", good, tmp_path / "nowhere", code=7)
    home.run("deposit", good, tmp_path / "nowhere", "--privacy-level", "disabled", code=7)
    home.run("deposit", good, "--privacy-level", "disabled", code=4)


def test_a_folder_without_any_session_is_bad_input(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = home.run("deposit", tmp_path / "empty", code=7)
    assert [r["path"] for r in answer.document["refused"]] == [str(tmp_path / "empty")]


def test_the_same_bytes_again_change_nothing(home: Home, tmp_path: Path) -> None:
    source = recordings.bundle(tmp_path / "call", PHRASES)
    (first,) = home.run("deposit", source, "--subject", "a@example.com").document["sessions"]
    before = facts(home)
    (again,) = home.run("deposit", source, "--subject", "b@example.com").document["sessions"]
    assert again == first | {"already": True}
    assert facts(home) == before


def test_the_same_file_twice_in_one_call_is_one_session(home: Home, tmp_path: Path) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    twin = tmp_path / "b.wav"
    twin.write_bytes(file.read_bytes())
    sessions = home.run("deposit", file, file, twin).document["sessions"]
    assert len({s["id"] for s in sessions}) == 1
    assert sorted(s["already"] for s in sessions) == [False, True, True]
    assert [s["state"] for s in sessions] == ["ready"] * 3
    assert len(home.objects()) == 3  # the original, what was made from it, what was heard in it


def test_all_files_of_a_folder_by_name_are_what_the_folder_is(home: Home, tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        recordings.recording(tmp_path / "calls" / f"{name}.wav", seed=seed)
        (tmp_path / "calls" / f"{name}.json").write_text(json.dumps({"external_id": name}))
    answer = home.run("deposit", *sorted((tmp_path / "calls").iterdir())).document
    assert answer["refused"] == []
    assert [(s["external_id"], len(s["originals"])) for s in answer["sessions"]] == [
        ("a", 2),
        ("b", 2),
    ]
    again = home.run("deposit", tmp_path / "calls").document
    assert [s["already"] for s in again["sessions"]] == [True, True]


def test_a_lone_file_of_another_name_is_the_same_session(home: Home, tmp_path: Path) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    (first,) = home.run("deposit", file, "--no-wait").document["sessions"]
    other = file.rename(tmp_path / "other.wav")
    (again,) = home.run("deposit", other, "--no-wait").document["sessions"]
    assert (again["id"], again["already"]) == (first["id"], True)
    assert [o["name"] for o in again["originals"]] == ["a.wav"]


def test_a_bundle_with_a_file_renamed_is_another_session(home: Home, tmp_path: Path) -> None:
    source = recordings.bundle(tmp_path / "call", PHRASES)
    (first,) = home.run("deposit", source, "--no-wait").document["sessions"]
    (source / "full.wav").rename(source / "whole.wav")
    (second,) = home.run("deposit", source, "--no-wait").document["sessions"]
    assert second["already"] is False
    assert second["id"] != first["id"]


def test_what_was_left_to_do_is_done_by_the_next_who_waits(home: Home, tmp_path: Path) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    (first,) = home.run("deposit", file, "--no-wait").document["sessions"]
    (again,) = home.run("deposit", file).document["sessions"]
    assert (first["state"], again["state"]) == ("sealed", "ready")
    assert again["already"] is True
