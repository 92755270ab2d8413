"""VoiceMode's logs go out with their sound, and come back as the sessions that they were."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests import recordings
from vault import formats, samples
from vault.errors import UsageError
from vault.model import Kind, Reading
from vault.operations.admission import Terms
from vault.operations.delivery import Exported
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room

CALL = samples.folder() / "voicemode"
BEGUN = "2026-01-31T23:59:58+10:00"


def put(room: Room, place: Path) -> str:
    (session,) = deposit(room, [place], Terms(), wait=False).sessions
    return session.id


def out(room: Room, path: Path, *sessions: str, **more: Any) -> Exported:
    return export(room, Choice(sessions), Request("voicemode", **more), path)


def sound(reading: Reading) -> dict[str, bytes]:
    """Its recordings as they are, by their names."""
    heard = [original for original in reading.originals if original.kind is Kind.AUDIO]
    return {original.name: original.open().read() for original in heard}


def log(folder: Path, *names: str, **more: Any) -> Path:
    """A log with a row for each recording, at the turn of a month."""
    folder.mkdir(parents=True, exist_ok=True)
    common = {"conversation_id": "conv_20260131_235958_aaaaaa", "type": "stt", "text": "Hello"}
    rows = [
        {"version": 4, "timestamp": BEGUN, **common, "project_path": "/x", "audio_file": name}
        for name in names
    ]
    path = folder / "exchanges_2026-01-31.jsonl"
    path.write_text("".join(json.dumps(row | more) + "\n" for row in rows))
    return path


def test_a_log_goes_out_with_its_sound_and_is_the_same_session_again(
    room: Room, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    path = tmp_path / "out/call.jsonl"
    made = out(room, path, put(room, CALL))
    assert "sound-left-out" not in {warning.code for warning in made.warnings}
    (came,) = formats.read(CALL)
    files = recordings.files(tmp_path / "out")
    assert {n: b for n, b in files.items() if n.startswith("audio/")} == sound(came)
    assert files["call.jsonl"] == came.originals[0].open().read()
    listed = json.loads(files["call.jsonl.strongroom.json"])["files"]
    assert {f["name"]: f["sha256"] for f in listed} == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if not name.endswith(".strongroom.json")
    }
    for place in (path, path.parent):
        (again,) = formats.read(place)
        assert again.timeline == came.timeline
        assert sound(again) == sound(came)
        assert again.external_id == came.external_id
        assert again.warnings == came.warnings
    (same,) = deposit(room, [path.parent], Terms(), wait=False).sessions
    assert same.format == "voicemode"


def test_recordings_lie_where_their_rows_are_read(room: Room, tmp_path: Path) -> None:
    place = tmp_path / "in"
    names = {  # what rows say, where that lies, and where it lies beside what is written
        "a.wav": ("audio/2026/01/a.wav", "audio/2026/01/a.wav"),
        "20251224_b.wav": ("20251224_b.wav", "audio/2025/12/20251224_b.wav"),
        "c.wav": ("audio/c.wav", "audio/2026/01/c.wav"),
        "old/d.wav": ("old/d.wav", "audio/old/d.wav"),
        "audio/2025/05/e.wav": ("audio/2025/05/e.wav", "audio/2025/05/e.wav"),
    }
    for number, (lies, _) in enumerate(names.values()):
        recordings.recording(place / lies, 0.1, seed=number)
    session = put(room, log(place, *names))
    (tmp_path / "out").mkdir()
    out(room, tmp_path / "out/x.jsonl", session)
    files = recordings.files(tmp_path / "out")
    for lies, goes in names.values():
        assert files[goes] == (place / lies).read_bytes()
    (again,) = formats.read(tmp_path / "out/x.jsonl")
    assert [turn.file for turn in again.timeline.segments] == [goes for _, goes in names.values()]


def test_no_name_in_a_row_leads_out_of_the_export(room: Room, tmp_path: Path) -> None:
    place = tmp_path / "in/logs"
    recordings.recording(tmp_path / "in/e.wav")
    recordings.recording(place / ".ssh/keys.wav", 0.1)
    session = put(room, log(place, "../e.wav", "/etc/passwd", ".ssh/keys.wav"))
    (tmp_path / "out").mkdir()
    out(room, tmp_path / "out/x.jsonl", session)
    assert set(recordings.files(tmp_path / "out")) == {
        *("x.jsonl", "x.jsonl.strongroom.json", "audio/.ssh/keys.wav")
    }
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/audio").write_text("a file")
    with pytest.raises(UsageError):
        out(room, tmp_path / "taken/x.jsonl", session)
    assert recordings.files(tmp_path / "taken") == {"audio": b"a file"}


def test_a_recording_whose_place_is_a_folder_of_another_stays_out_alone(
    room: Room, tmp_path: Path
) -> None:
    place = tmp_path / "in"
    inner, outer = "2026/01/a/b.wav", "audio/2026/01/a"
    recordings.recording(place / inner, 0.1, seed=1)
    recordings.recording(place / outer, 0.1, seed=2)
    for number, (names, kept) in enumerate(
        {("a", inner): outer, (inner, "a"): f"audio/{inner}"}.items()
    ):
        path = log(place, *names, conversation_id=f"conv_{number}")
        made = out(room, tmp_path / f"out-{number}", put(room, path), put(room, CALL))
        (told,) = [w for w in made.warnings if w.code == "sound-left-out"]
        assert told.text.startswith("1 recordings stay out")
        session = tmp_path / f"out-{number}" / str(told.file)
        assert set(recordings.files(session)) == {kept, f"{told.file}.jsonl"}


def test_an_event_log_goes_out_with_the_recordings_that_its_events_name(
    room: Room, tmp_path: Path
) -> None:
    row = {"timestamp": BEGUN, "session_id": "s-1"}
    happened = [
        {**row, "event_type": "RECORDING_START", "data": {}},
        {**row, "event_type": "RECORDING_END", "data": {}},
        {**row, "event_type": "RECORDING_SAVED", "data": {"file": "r.wav"}},
    ]
    path = tmp_path / "in/voicemode_events_2026-01-31.jsonl"
    recordings.recording(tmp_path / "in/r.wav")
    path.write_text("".join(json.dumps(one) + "\n" for one in happened))
    (tmp_path / "out").mkdir()
    out(room, tmp_path / "out/x.jsonl", put(room, path))
    (again,) = formats.read(tmp_path / "out")
    assert again.timeline.segments[0].file == "audio/2026/01/r.wav"
    assert list(sound(again).values()) == [(tmp_path / "in/r.wav").read_bytes()]


def test_of_another_format_each_turn_keeps_a_recording_of_its_own(
    room: Room, tmp_path: Path
) -> None:
    bundle = recordings.bundle(tmp_path / "call", ("one", "two"))
    shared = samples.folder() / "voice-agents-platform"
    ids = put(room, bundle), put(room, shared)
    made = out(room, tmp_path / "out", *ids)
    told = [(w.code, w.text[:2], w.file) for w in made.warnings if w.code == "sound-left-out"]
    assert sorted(told) == sorted(("sound-left-out", "1 ", one) for one in ids)
    (again,) = formats.read(tmp_path / "out" / ids[0] / f"{ids[0]}.jsonl")
    assert [Path(turn.file or "").name for turn in again.timeline.segments] == [
        *("00-user-0000ms.wav", "01-agent-0500ms.wav")
    ]
    assert set(sound(again).values()) == {
        content for name, content in recordings.files(bundle).items() if name[:9] == "segments/"
    }
    (alone,) = formats.read(tmp_path / "out" / f"{ids[1]}.jsonl")
    assert [turn.file for turn in alone.timeline.segments if turn.file] == []
    assert "missing-file" not in {warning.code for warning in alone.warnings}
    found = deposit(room, [tmp_path / "out"], Terms(), wait=False)
    assert sorted(one.format for one in found.sessions) == ["voicemode", "voicemode"]


def test_what_is_exported_again_leaves_nothing_of_before_and_may_be_encrypted(
    room: Room, tmp_path: Path
) -> None:
    ids = put(room, CALL), put(room, samples.folder() / "pharmacy-refill")
    out(room, tmp_path / "out", *ids)
    plain = set(recordings.files(tmp_path / "out"))
    assert f"{ids[0]}/{ids[0]}.jsonl" in plain
    orphan = tmp_path / "out" / ids[0] / "audio/2026/03/of-before.wav"
    recordings.recording(orphan, 0.1)
    out(room, tmp_path / "out", *ids)
    assert set(recordings.files(tmp_path / "out")) == plain
    key = str(pyrage.x25519.Identity.generate().to_public())
    (tmp_path / "sealed").mkdir()
    out(room, tmp_path / "sealed/x.jsonl.age", ids[0], encrypt_to=[key])
    files = recordings.files(tmp_path / "sealed")
    assert len(files) == 2 + len(sound(formats.read(CALL)[0]))
    assert all(name.endswith(".age") for name in files)
    assert all(content.startswith(b"age-encryption.org/v1") for content in files.values())
