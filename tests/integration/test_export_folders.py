"""Exports that are more than one file: each says of itself what it holds, with digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests import recordings
from vault.errors import UsageError
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room

CALL = "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
PHRASES = ("Where is my parcel", "On its way to the depot")


def put(room: Room, path: Path) -> str:
    (session,) = deposit(room, [path], Terms(subjects=["ann"]), wait=False).sessions
    return session.id


def held(folder: Path, manifest: Path) -> dict[str, Any]:
    """What a manifest says, if every file it lists is in the folder as it says."""
    said: dict[str, Any] = json.loads(manifest.read_bytes())
    for file in said["files"]:
        content = (folder / file["name"]).read_bytes()
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    return said


@pytest.mark.parametrize("request_", [Request("scenario"), Request("wav", layout="tracks")])
def test_a_folder_of_one_session_lists_its_files_with_digests(
    room: Room, tmp_path: Path, request_: Request
) -> None:
    session = put(room, recordings.bundle(tmp_path / "in", PHRASES))
    out = tmp_path / "out"
    done = export(room, Choice([session]), request_, out)
    said = held(out, out / "strongroom.json")
    listed = {file["name"] for file in said["files"]}
    assert set(recordings.files(out)) == listed | {"strongroom.json"}
    assert [file["name"] for file in done.files] == [*listed_in_order(said), "strongroom.json"]
    assert {file["session"] for file in said["files"]} == {session}
    assert (said["records"], said["scope"]) == (1, "single_session")


def listed_in_order(said: dict[str, Any]) -> list[str]:
    return [file["name"] for file in said["files"]]


def test_a_folder_that_is_deposited_again_is_what_was_there_already(
    room: Room, tmp_path: Path
) -> None:
    first = put(room, recordings.bundle(tmp_path / "in", PHRASES))
    export(room, Choice([first]), Request("scenario"), tmp_path / "out")
    (again,) = deposit(room, [tmp_path / "out"], Terms(subjects=["ann"]), wait=False).sessions
    assert (again.id, again.already, list(again.warnings)) == (first, True, [])
    ours = json.loads((tmp_path / "out" / "strongroom.json").read_text())
    others = (
        {"mine": 1},
        ours | {"mine": 1},
        ours | {"files": [{"mine": 1}]},
        {**ours, "files": 1},
    )
    for other in others:
        (tmp_path / "in" / "strongroom.json").write_text(json.dumps(other))
        assert put(room, tmp_path / "in") != first  # for that is none of ours, and so is kept


def test_a_folder_of_tracks_is_deposited_without_its_manifest(room: Room, tmp_path: Path) -> None:
    session = put(room, recordings.bundle(tmp_path / "in", PHRASES))
    export(room, Choice([session]), Request("wav", layout="tracks"), tmp_path / "out")
    found = deposit(room, [tmp_path / "out"], Terms(subjects=["ann"]), wait=False)
    assert not found.refused
    assert [one.format for one in found.sessions] == ["wav", "wav"]


def test_a_recording_with_blobs_beside_it_has_a_manifest_of_its_own(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    session = put(room, fixtures_folder / CALL)
    out = tmp_path / "out"
    out.mkdir()
    done = export(room, Choice([session]), Request("promptkit"), out / "a.json")
    export(room, Choice([session]), Request("promptkit-jsonl"), out / "b.jsonl")
    said = {n: held(out, out / f"{n}.strongroom.json") for n in ("a.json", "b.jsonl")}
    for name, other in (("a.json", "b.jsonl"), ("b.jsonl", "a.json")):
        listed = listed_in_order(said[name])
        assert len(listed) > 20
        assert listed[0] == name
        assert other not in listed
    assert set(recordings.files(out)) == {
        *(n for one in said.values() for n in listed_in_order(one)),
        *(f"{name}.strongroom.json" for name in said),
    }
    names = [*listed_in_order(said["a.json"]), "a.json.strongroom.json"]
    assert [file["name"] for file in done.files] == [str(out / name) for name in names]
    found = deposit(room, [out], Terms(subjects=["ann"]), wait=False)
    assert not found.refused
    assert {one.format for one in found.sessions} == {"promptkit"}


def test_where_there_is_no_place_for_a_manifest_nothing_is_written(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    session = put(room, fixtures_folder / CALL)
    (tmp_path / "out" / "a.json.strongroom.json").mkdir(parents=True)
    with pytest.raises(UsageError, match="is a folder"):
        export(room, Choice([session]), Request("promptkit"), tmp_path / "out" / "a.json")
    assert recordings.files(tmp_path / "out") == {}


def test_a_manifest_is_encrypted_with_what_it_lists(room: Room, tmp_path: Path) -> None:
    session = put(room, recordings.bundle(tmp_path / "in", PHRASES))
    identity = pyrage.x25519.Identity.generate()
    request = Request("scenario", encrypt_to=[str(identity.to_public())])
    export(room, Choice([session]), request, tmp_path / "out")
    sealed = (tmp_path / "out" / "strongroom.json.age").read_bytes()
    said = json.loads(pyrage.decrypt(sealed, [identity]))
    for file in said["files"]:
        content = (tmp_path / "out" / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
