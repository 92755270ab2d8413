"""Exports that leave a part out: nothing of it is anywhere in what is written, and it is said."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from vault.errors import UsageError
from vault.operations import leaving
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room

CALLS = (
    "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json",
    "voice_agents_platform/recordings/sess_3a94975eb405",
)
SAID = {
    "transcript": (b"store hours", b"business hours", b"talks over", b"quick question"),
    "metadata": (b"campaign", b"customer_support", b"user123", b"agent456", b"user-42"),
    "metrics": (b"transcript_accuracy_score", b"p50_seconds", b"median", b"321.0"),
    "analysis": (b"keyword_analysis", b"keyword analysis", b"interruption_analysis"),
}
OPEN = [name for name in leaving.FORMATS if name != "pdf"]


@pytest.fixture
def calls(room: Room, fixtures_folder: Path) -> Choice:
    places = [fixtures_folder / call for call in CALLS]
    return Choice([one.id for one in deposit(room, places, Terms(), wait=True).sessions])


def words(path: Path) -> bytes:
    """Every byte of a file, and of the files in it."""
    content = path.read_bytes()
    if not zipfile.is_zipfile(path):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def written(room: Room, calls: Choice, folder: Path, format: str, *without: str) -> bytes:  # noqa: A002  the contract's word
    path = folder / "out"
    request = Request(format, originals=format == "zip" and bool(without), without=without)
    said = [w.code for w in export(room, calls, request, path).warnings]
    found = [code for code in said if code.removesuffix("-left-out") in leaving.KINDS]
    assert sorted(found) == sorted(f"{kind}-left-out" for kind in without)
    return words(path)


@pytest.mark.parametrize("kind", ["transcript", "metadata"])
def test_nothing_of_what_is_left_out_is_anywhere(
    room: Room, calls: Choice, tmp_path: Path, kind: str
) -> None:
    for format in OPEN:  # noqa: A001  the contract's word
        content = written(room, calls, tmp_path, format, kind)
        assert [said for said in SAID[kind] if said in content] == [], format
        whole = written(room, calls, tmp_path, format)
        assert [said for said in SAID[kind] if said in whole] != [], format


def test_figures_and_analyses_are_left_out_of_documents(
    room: Room, calls: Choice, tmp_path: Path
) -> None:
    for kind in ("metrics", "analysis"):
        other = {"metrics": "analysis", "analysis": "metrics"}[kind]
        content = written(room, calls, tmp_path, "json", kind)
        document: dict[str, Any] = json.loads(content)
        names = {"metrics": "metrics", "analysis": "analyses"}
        assert [session[names[kind]] for session in document["sessions"]] == [{}, {}]
        assert all(session[names[other]] for session in document["sessions"])
    for format in ("html", "docx", "xlsx"):  # noqa: A001  the contract's word
        content = written(room, calls, tmp_path, format, "metrics", "analysis")
        gone = (*SAID["metrics"], *SAID["analysis"], b"Talk time")
        found = [said for said in gone if said in content and said != b"p50_seconds"]
        assert found == [], format
    assert written(room, calls, tmp_path, "pdf", "metrics").startswith(b"%PDF")


def test_files_that_came_stay_out_of_a_bundle_where_they_may_hold_what_is_left_out(
    room: Room, calls: Choice, tmp_path: Path
) -> None:
    def bundled(*without: str) -> tuple[set[str], dict[str, str]]:
        """The suffixes of the originals in a zip, and what its manifest warns of."""
        path = tmp_path / "out.zip"
        export(room, calls, Request("zip", originals=True, without=without), path)
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
        came = {Path(file["original"]).suffix for file in manifest["files"] if "original" in file}
        return came, {warning["code"]: warning["text"] for warning in manifest["warnings"]}

    came, _ = bundled()
    assert came == {".json", ".jsonl", ".txt", ".wav", ".pcm"}
    for kind in ("metrics", "analysis"):
        came, told = bundled(kind)
        assert came == {".wav", ".pcm"}
        assert "Of the files as they came only sound is here" in told[f"{kind}-left-out"]


def test_without_sound_a_bundle_has_none(room: Room, calls: Choice, tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    export(room, calls, Request("zip", originals=True, without=["audio"]), path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
    assert not [name for name in names if name.endswith((".wav", ".pcm", ".opus"))]
    assert [name for name in names if name.endswith("_transcript.json")]
    assert "audio-left-out" in {warning["code"] for warning in manifest["warnings"]}


@pytest.mark.parametrize(
    ("format", "kind"), [("wav", "audio"), ("txt", "transcript"), ("vcon", "audio"), ("json", "x")]
)
def test_what_cannot_be_left_out_is_refused(
    room: Room,
    tmp_path: Path,
    format: str,  # noqa: A002  the contract's word
    kind: str,
) -> None:
    with pytest.raises(UsageError, match="left out"):
        export(room, Choice(["any"]), Request(format, without=[kind]), tmp_path / "out")
