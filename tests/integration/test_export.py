"""Exports of a real archive: every format, every scope, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import threading
import wave
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests import recordings
from tests.homes import Home
from vault import formats
from vault.errors import BackendError, IntegrityError, NotFound, StrongroomError, UsageError
from vault.export.record import Record
from vault.export.writers import WRITERS
from vault.media.probe import shape_of
from vault.operations import records as opening
from vault.operations import schedules
from vault.operations.admission import Terms
from vault.operations.background import Callbacks, Exports, Stage, Status
from vault.operations.delivery import Exported
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.report import Request as Asked
from vault.operations.report import report
from vault.operations.room import Progress, Room
from vault.rows import SessionFilter

PHRASES = ("Where is my parcel", "On its way to the depot", "Thank you")
ALL = Choice(where=SessionFilter())
MAGIC = {
    "json": b'{"export"',
    "jsonl": b'{"id"',
    "csv": b"\xef\xbb\xbfsession,",
    "xml": b"<?xml",
    "html": b"<!DOCTYPE html>",
    "pdf": b"%PDF-1.",
    "xlsx": b"PK\x03\x04",
    "docx": b"PK\x03\x04",
    "zip": b"PK\x03\x04",
    "txt": b"",
    "srt": b"1\n00:00:00,000 --> ",
    "vtt": b"WEBVTT\n",
    "wav": b"RIFF",
    "mp3": b"ID3",
    "ogg": b"OggS",
    "flac": b"fLaC",
    "vcon": b"{",
    "promptkit": b"{",
    "promptkit-jsonl": b'{"metadata"',
    "voicemode": b"{",
}


def put(room: Room, folder: Path, terms: Terms | None = None, **more: Any) -> str:
    """Deposit a bundle; the session's id."""
    bundle = recordings.bundle(folder, more.pop("phrases", PHRASES), **more)
    (session,) = deposit(room, [bundle], terms or Terms(), wait=False).sessions
    return session.id


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_every_format_is_in_the_table() -> None:
    assert set(WRITERS) == {*MAGIC, "scenario"}


@pytest.mark.parametrize("format", MAGIC)
def test_one_session_is_one_file_that_is_what_it_says(
    room: Room,
    tmp_path: Path,
    format: str,  # noqa: A002  the contract's word
) -> None:
    session = put(room, tmp_path / "in")
    path = tmp_path / "out"
    done = export(room, Choice([session]), Request(format), path)
    content = path.read_bytes()
    file, *blobs = done.files
    assert bool(blobs) == format.startswith(("promptkit", "voicemode"))
    assert content.startswith(MAGIC[format])
    assert file == {
        "name": str(path),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert done.records == 1
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("format", ["vtt", "flac", "vcon", "scenario"])
def test_several_sessions_are_a_folder_with_a_manifest_of_digests(
    room: Room,
    tmp_path: Path,
    format: str,  # noqa: A002  the contract's word
) -> None:
    sessions = {put(room, tmp_path / f"in{n}", seed=10 * n) for n in range(2)}
    folder = tmp_path / "out"
    done = export(room, ALL, Request(format), folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["records"] == done.records == 2
    assert {f["session"] for f in manifest["files"]} == sessions
    assert files(folder) == {*(f["name"] for f in manifest["files"]), "manifest.json"}
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


def test_a_session_without_any_sound_is_left_out_of_a_folder_and_refused_alone(
    room: Room, tmp_path: Path
) -> None:
    spoken = put(room, tmp_path / "in")
    silent = tmp_path / "silent"
    silent.mkdir()
    manifest = {"segments": [], "segment_count": 0, "events": [], "duration": 1}
    (silent / "manifest.json").write_text(json.dumps(manifest))
    (mute,) = deposit(room, [silent], Terms(), wait=False).sessions
    done = export(room, ALL, Request("wav"), tmp_path / "out")
    assert files(tmp_path / "out") == {f"{spoken}.wav", "manifest.json"}
    assert (done.records, [(w.code, w.file) for w in done.warnings]) == (1, [("left-out", mute.id)])
    with pytest.raises(NotFound):
        export(room, Choice([mute.id]), Request("wav"), tmp_path / "none.wav")
    with pytest.raises(NotFound):
        export(room, Choice([mute.id, mute.id.replace("0", "1")]), Request("wav"), tmp_path / "no")
    assert not list(tmp_path.glob("*no*"))


def test_scopes_choose_what_they_say(room: Room, tmp_path: Path) -> None:
    early, late = (datetime(year, 1, 1, tzinfo=UTC) for year in (2025, 2026))
    ann = Terms(subjects=["ann@example.com"], agent="Ada", started_at=early)
    bob = Terms(subjects=["bob@example.com"], agent="Ada", started_at=late)
    first, second = put(room, tmp_path / "a", ann), put(room, tmp_path / "b", bob, seed=50)
    third = put(room, tmp_path / "c", Terms(started_at=late), seed=90)

    def found(choice: Choice) -> tuple[str, set[str]]:
        export(room, choice, Request("json"), tmp_path / "out.json")
        document = json.loads((tmp_path / "out.json").read_bytes())
        return document["export"]["scope"], {s["id"] for s in document["sessions"]}

    def by(kind: str, value: str) -> Choice:
        return Choice(where=SessionFilter(lookups=[(kind, room.keys.lookup(kind, value))]))

    assert found(Choice([third])) == ("single_session", {third})
    assert found(Choice([third, first])) == ("multiple_sessions", {first, third})
    assert found(Choice(where=SessionFilter(until=late))) == ("date_range", {first})
    assert found(by("subject", "ANN@example.com")) == ("user_sessions", {first})
    assert found(by("agent", "ada")) == ("agent_sessions", {first, second})
    assert found(ALL) == ("all_sessions", {first, second, third})


def test_nothing_found_is_no_success_and_leaves_no_file(room: Room, tmp_path: Path) -> None:
    for request in (Request("json"), Request("wav"), Request("scenario")):
        with pytest.raises(NotFound):
            export(room, ALL, request, tmp_path / "out")
    with pytest.raises(NotFound):
        report(room, ALL, Asked("session_summary"), tmp_path / "out")
    with pytest.raises(UsageError):
        export(room, Choice(), Request("json"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


@pytest.mark.parametrize("format", ["json", "wav", "scenario"])
def test_a_damaged_session_ends_the_export_and_what_was_there_stays(
    home: Home,
    tmp_path: Path,
    format: str,  # noqa: A002  the contract's word
) -> None:
    with home.room() as room:
        put(room, tmp_path / "in")
        (stored,) = home.objects()
        stored.chmod(0o600)
        content = bytearray(stored.read_bytes())
        content[len(content) // 2] ^= 1
        stored.write_bytes(content)
        mine = out = tmp_path / "out"
        if format != "json":  # of many sessions these make a folder
            out.mkdir()
            mine = out / "mine"
        mine.write_text("mine")
        request = Request(format if format != "json" else "zip", originals=format == "json")
        with pytest.raises(IntegrityError):
            export(room, ALL, request, out)
    assert mine.read_text() == "mine"
    assert [p for p in out.rglob("*") if p != mine] == []
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_anonymising_is_refused_before_anything_is_opened(room: Room, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(BackendError, match="No redaction engine"):
        export(room, Choice(["nobody"]), Request("json", anonymise=True), out)
    with pytest.raises(BackendError, match="No redaction engine"):
        report(room, ALL, Asked("session_summary", anonymise=True), out)
    assert not out.exists()


class _Point:
    """An entry point that is there."""

    def load(self) -> Callable[[Record], Record]:
        return self._engine

    def _engine(self, record: Record) -> Record:
        timeline = replace(record.session.timeline, segments=())
        return replace(record, session=replace(record.session, title="***", timeline=timeline))


def test_with_an_engine_every_record_passes_through_it(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "entry_points", lambda group: [_Point()])
    put(room, tmp_path / "a")
    put(room, tmp_path / "b", seed=50)
    export(room, ALL, Request("json", anonymise=True), tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_bytes())
    assert [s["title"] for s in document["sessions"]] == ["***", "***"]
    # What was found out of the words that are gone is gone with them.
    for session in document["sessions"]:
        assert session["analyses"]["conversation_flow"]["turns"] == 0


@pytest.mark.parametrize("format", ["txt", "vtt", "zip"])
def test_what_is_encrypted_opens_with_the_key_alone(
    room: Room,
    tmp_path: Path,
    format: str,  # noqa: A002  the contract's word
) -> None:
    session = put(room, tmp_path / "in")
    identity, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    keys = tmp_path / "keys.txt"
    keys.write_text(f"# mine\n{identity.to_public()}\n")
    out = tmp_path / "out"
    request = Request(format, originals=format == "zip", encrypt_to=[str(keys)])
    (file,) = export(room, Choice([session]), request, out).files
    sealed = out.read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert PHRASES[0].encode() not in sealed
    assert file["sha256"] == hashlib.sha256(sealed).hexdigest()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [other])
    assert pyrage.decrypt(sealed, [identity]).startswith(MAGIC[format])
    folder = tmp_path / "many"
    export(room, ALL, replace(request, encrypt_to=[str(identity.to_public())]), folder)
    written = [folder] if folder.is_file() else [p for p in folder.rglob("*") if p.is_file()]
    assert all(p.read_bytes().startswith(b"age-encryption.org/v1\n") for p in written)


def test_encryption_that_cannot_be_is_refused_and_never_plain(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, out = put(room, tmp_path / "in"), tmp_path / "out"
    (tmp_path / "empty").write_text("# nothing\n")
    for key in ("age1nonsense", "ssh-ed25519 AAAA", "/no/such/file", str(tmp_path / "empty")):
        with pytest.raises(UsageError, match="--encrypt-to"):
            export(room, Choice([session]), Request("txt", encrypt_to=[key]), out)
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(BackendError, match="encryption"):
        export(room, Choice([session]), Request("txt", encrypt_to=["age1x"]), out)
    assert not out.exists()


def test_an_error_under_encryption_is_told_as_it_is(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(room, tmp_path / "in")
    key = str(pyrage.x25519.Identity.generate().to_public())
    monkeypatch.setattr(opening, "record", lambda _: (_ for _ in ()).throw(IntegrityError("bad")))
    with pytest.raises(IntegrityError, match="bad"):
        export(room, ALL, Request("json", encrypt_to=[key]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_scenario_bundle_comes_out_as_it_went_in(room: Room, tmp_path: Path) -> None:
    session = put(room, tmp_path / "in")
    export(room, Choice([session]), Request("scenario"), tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "in") | {"strongroom.json"}
    for name in files(tmp_path / "in") - {"manifest.json"}:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
    (before,), (after,) = (formats.read(tmp_path / name) for name in ("in", "out"))
    assert after.timeline == before.timeline
    assert (after.started_at, after.duration_ns) == (before.started_at, before.duration_ns)
    assert after.warnings == before.warnings == ()


def test_saving_fewer_segments_again_leaves_no_orphan(room: Room, tmp_path: Path) -> None:
    more = put(room, tmp_path / "more")
    fewer = put(room, tmp_path / "fewer", phrases=PHRASES[:2], seed=50)
    out = tmp_path / "out"
    export(room, Choice([more]), Request("scenario"), out)
    (out / "notes.txt").write_text("mine")
    (out / "segments" / "mine.wav").write_text("mine")
    export(room, Choice([fewer]), Request("scenario", manifest=False), out)
    own = {"notes.txt", "segments/mine.wav"}
    made = (files(tmp_path / "fewer") - {"manifest.json"}) | {"strongroom.json"}
    assert files(out) == made | own
    for name in own:
        (out / name).unlink()
    export(room, Choice([fewer]), Request("scenario"), out)
    (reading,) = formats.read(out)
    assert [w.code for w in reading.warnings] == []


def test_a_bundle_has_the_originals_byte_for_byte(room: Room, tmp_path: Path) -> None:
    session = put(room, tmp_path / "in")
    export(room, Choice([session]), Request("zip", originals=True), tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as found:
        for name, content in recordings.files(tmp_path / "in").items():
            assert found.read(f"sessions/{session}/originals/{name}") == content


@pytest.mark.parametrize(("layout", "channels"), [("timeline", 1), ("stereo", 2), ("concat", 1)])
def test_layouts_of_sound(room: Room, tmp_path: Path, layout: str, channels: int) -> None:
    session = put(room, tmp_path / "in", seconds=0.5)
    export(room, Choice([session]), Request("wav", layout=layout), tmp_path / "out.wav")
    content = (tmp_path / "out.wav").read_bytes()
    shape = shape_of(iter([content]), "wav")
    assert shape.channels == channels
    assert (len(content) - 44) // (2 * channels * shape.rate) == 1


def frames_of(path: Path) -> tuple[bytes, int]:
    """The samples of a mono file and their rate."""
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 1
        return bytes(file.readframes(file.getnframes())), file.getframerate()


@pytest.mark.parametrize(
    "name", ["scenario/python/gemini_live_interruption", "promptkit/pk-dev-inline"]
)
def test_a_true_timeline_lasts_as_long_as_the_session_and_a_row_as_its_sound(
    room: Room, fixtures_folder: Path, tmp_path: Path, name: str
) -> None:
    place = fixtures_folder / name
    place = place if name[0] == "s" else place / f"{place.name}.recording.json"
    (session,) = deposit(room, [place], Terms(), wait=False).sessions
    for layout in ("timeline", "concat"):
        export(room, Choice([session.id]), Request("wav", layout=layout), tmp_path / layout)
    timeline, rate = frames_of(tmp_path / "timeline")
    in_a_row, _ = frames_of(tmp_path / "concat")
    assert session.duration_ns is not None
    assert len(timeline) // 2 == round(session.duration_ns * rate / 10**9)
    (reading,) = formats.read(place)
    spoken = [turn.decoded_ns or 0 for turn in reading.timeline.segments]
    assert len(in_a_row) / 2 == pytest.approx(sum(spoken) * rate / 10**9, abs=len(spoken))
    assert not any(timeline[-2 * rate * 4 // 10 :])  # as both of them end


def test_a_length_that_cannot_be_is_no_reason_for_silence(room: Room, tmp_path: Path) -> None:
    bundle = recordings.bundle(tmp_path / "in", PHRASES, seconds=0.5)
    manifest = json.loads((bundle / "manifest.json").read_text())
    for stated, length in ((2.0, 2.0), (8 * 86_400, 1.5)):
        (bundle / "manifest.json").write_text(json.dumps(manifest | {"duration": stated}))
        (session,) = deposit(room, [bundle], Terms(), wait=False).sessions
        assert session.duration_ns == stated * 10**9
        export(room, Choice([session.id]), Request("wav"), tmp_path / "out.wav")
        samples, rate = frames_of(tmp_path / "out.wav")
        assert len(samples) / 2 / rate == length


def two_channels(room: Room, path: Path, frame: bytes) -> str:
    """A session that is a second of this frame, over and over."""
    with wave.open(str(path), "wb") as dual:
        dual.setparams((2, 2, 8000, 0, "NONE", ""))
        dual.writeframes(frame * 8000)
    (found,) = deposit(room, [path], Terms(), wait=False).sessions
    return found.id


def test_in_stereo_a_recording_of_two_channels_keeps_them(room: Room, tmp_path: Path) -> None:
    frame = b"\xe8\x03\x30\xf8"
    session = two_channels(room, tmp_path / "dual.wav", frame)
    export(room, Choice([session]), Request("wav", layout="stereo"), tmp_path / "out.wav")
    with wave.open(str(tmp_path / "out.wav")) as out:
        assert out.getnchannels() == 2
        assert out.readframes(8000) == frame * 8000


def test_a_vcon_names_who_is_on_which_of_two_channels(room: Room, tmp_path: Path) -> None:
    session = two_channels(room, tmp_path / "dual.wav", b"\1\0\2\0")
    export(room, Choice([session]), Request("vcon"), tmp_path / "out.json")
    made = json.loads((tmp_path / "out.json").read_bytes())
    (recording,) = (each for each in made["dialog"] if each["type"] == "recording")
    heard = [made["parties"][place]["role"] for place in recording["parties"]]
    assert heard == ["user", "agent"]


def test_tracks_are_a_file_for_each_speaker_and_old_ones_go(room: Room, tmp_path: Path) -> None:
    session, out = put(room, tmp_path / "in"), tmp_path / "out"
    out.mkdir()
    for name in ("02-system.wav", "mine.wav"):
        (out / name).write_text("old")
    export(room, Choice([session]), Request("wav", layout="tracks"), out)
    assert files(out) == {"00-user.wav", "01-agent.wav", "mine.wav", "strongroom.json"}


def test_an_agent_exports_its_own_sessions_alone(home: Home, tmp_path: Path) -> None:
    home.run("actor", "add", "robo", "--role", "agent")
    with home.room() as room:
        put(room, tmp_path / "a")
    with home.room("robo") as room:
        own = put(room, tmp_path / "b", seed=50)
        done = export(room, ALL, Request("jsonl"), tmp_path / "out")
    assert done.records == 1
    assert json.loads((tmp_path / "out").read_bytes())["id"] == own


# --- in the background --------------------------------------------------------------------


def told() -> tuple[list[tuple[str, Status]], Callbacks]:
    heard: list[tuple[str, Status]] = []

    def hear(name: str) -> Callable[[Status], None]:
        return lambda status: heard.append((name, status))

    names = ("on_start", "on_progress", "on_complete", "on_error")
    return heard, Callbacks(**{name: hear(name) for name in names})


def test_a_submitted_export_tells_of_itself_and_ends(room: Room, tmp_path: Path) -> None:
    put(room, tmp_path / "a")
    put(room, tmp_path / "b", seed=50)
    heard, callbacks = told()
    with Exports() as exports:
        work = lambda tell: export(room, ALL, Request("json"), tmp_path / "out", progress=tell)  # noqa: E731  as a caller would
        status = exports.wait(exports.submit(work, callbacks), 60)
    assert (status.stage, status.sessions, status.of, status.error) == (Stage.DONE, 2, 2, None)
    assert status.result is not None
    assert status.result.records == 2
    assert [name for name, _ in heard] == ["on_start", "on_progress", "on_progress", "on_complete"]
    assert not exports.cancel(status.id)


def test_a_failed_export_carries_its_error(room: Room, tmp_path: Path) -> None:
    heard, callbacks = told()
    with Exports() as exports:
        work = lambda tell: export(room, ALL, Request("json"), tmp_path / "out", progress=tell)  # noqa: E731  as a caller would
        status = exports.wait(exports.submit(work, callbacks), 60)
    assert status.stage is Stage.FAILED
    assert isinstance(status.error, NotFound)
    assert [name for name, _ in heard] == ["on_start", "on_error"]
    assert not (tmp_path / "out").exists()


def test_a_cancelled_export_ends_and_leaves_no_file(room: Room, tmp_path: Path) -> None:
    for n in range(3):
        put(room, tmp_path / f"in{n}", seed=20 * n)
    started, go = threading.Event(), threading.Event()

    def pause(_status: Status) -> None:
        started.set()
        assert go.wait(60)

    def work(tell: Progress) -> Exported:
        return export(room, ALL, Request("json"), tmp_path / "out", progress=tell)

    with Exports(at_once=1) as exports:
        running = exports.submit(work, Callbacks(on_progress=pause))
        waiting = exports.submit(work)
        assert started.wait(60)
        assert exports.status(running).stage is Stage.RUNNING
        assert exports.cancel(waiting)
        assert exports.status(waiting).stage is Stage.CANCELLED  # at once: it had not begun
        assert not exports.cancel(waiting)
        assert exports.cancel(running)
        go.set()
        stages = [exports.wait(one, 60).stage for one in (running, waiting)]
    assert stages == [Stage.CANCELLED, Stage.CANCELLED]
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == []


def test_a_listener_that_fails_changes_nothing(room: Room, tmp_path: Path) -> None:
    put(room, tmp_path / "in")

    def fail(_status: Status) -> None:
        raise ValueError

    with Exports() as exports:
        one = exports.submit(
            lambda tell: export(room, ALL, Request("json"), tmp_path / "out", progress=tell),
            Callbacks(fail, fail, fail, fail),
        )
        assert exports.wait(one, 60).stage is Stage.DONE
        with pytest.raises(NotFound):
            exports.status("another")


# --- again and again ----------------------------------------------------------------------


def test_a_schedule_makes_its_report_when_it_is_due_and_not_before(
    home: Home, tmp_path: Path
) -> None:
    with home.room() as room:
        put(room, tmp_path / "in", Terms(subjects=["ann@example.com"]))
        now = room.clock.now()
        due = schedules.Schedule(
            name="weekly",
            type="session_summary",
            format="json",
            folder=str(tmp_path),
            every_seconds=7 * 86_400,
            next_at=now - timedelta(days=15),
            lookups=[("subject", "ann@example.com")],
        )
        schedules.add(room, due)
        schedules.add(room, replace(due, name="later", next_at=now + timedelta(days=1)))
        wrong = replace(due, name="wrong", lookups=[("subject", "nobody@example.com")])
        schedules.add(room, wrong)
        ran = {one.name: one for one in schedules.run_due(room)}
        assert set(ran) == {"weekly", "wrong"}
        assert ran["weekly"].path.read_bytes().startswith(b"{")
        assert isinstance(ran["wrong"].error, NotFound)
        assert schedules.run_due(room) == []
        kept = {one.name: one for one in schedules.listed(room)}
        assert kept["weekly"].next_at == now + timedelta(days=6)
        assert kept["weekly"].last_at is not None
        assert kept["wrong"].error is not None
        assert (kept["wrong"].last_at, kept["wrong"].again_at) == (None, None)
        schedules.remove(room, "wrong")
        with pytest.raises(StrongroomError):
            schedules.remove(room, "wrong")
        with pytest.raises(StrongroomError):
            schedules.add(room, due)
        stored = (home.folder / "catalogue.db").read_bytes()
    stored += b"".join(p.read_bytes() for p in home.folder.glob("catalogue.db*"))
    assert b"ann@example.com" not in stored
    assert b"nobody@example.com" not in stored


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "gossip"},
        {"format": "gif"},
        {"name": "../up"},
        {"every_seconds": 1},
        {"every_seconds": 10**30},
        {"span_seconds": 10**30},  # would stop every other report at each run
        {"span_seconds": -1},
        {"folder": "here"},
        {"folder": "/no/such/folder"},
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    room: Room, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    good = schedules.Schedule(
        "daily", "session_summary", "pdf", str(tmp_path), 86_400, room.clock.now()
    )
    with pytest.raises(UsageError):
        schedules.add(room, replace(good, **wrong))
    assert schedules.listed(room) == []


class _Fixed:
    """A clock that stands still."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


def test_a_report_that_failed_is_tried_again_soon_and_keeps_its_days(
    room: Room, tmp_path: Path
) -> None:
    put(room, tmp_path / "in")
    folder = tmp_path / "reports"
    folder.mkdir()
    first = room.clock.now()
    schedules.add(
        room,
        schedules.Schedule("weekly", "session_summary", "json", str(folder), 7 * 86_400, first),
    )
    folder.rmdir()

    def run(hours: float) -> list[schedules.Ran]:
        return schedules.run_due(replace(room, clock=_Fixed(first + timedelta(hours=hours))))

    (failed,) = run(0)
    assert isinstance(failed.error, UsageError)
    (kept,) = schedules.listed(room)
    assert (kept.last_at, kept.next_at) == (None, first + timedelta(days=7))
    assert kept.error is not None
    assert run(0.5) == []
    (failed,) = run(1)
    assert failed.error is not None
    folder.mkdir()
    (made,) = run(2)
    assert made.path.is_file()
    (kept,) = schedules.listed(room)
    assert (kept.last_at, kept.error) == (first + timedelta(hours=2), None)
    assert kept.next_at == first + timedelta(days=7)
    assert run(7 * 24 - 1) == []
    assert len(run(7 * 24)) == 1


def test_a_part_reads_and_seeks_like_a_file(room: Room, tmp_path: Path) -> None:
    session = put(room, tmp_path / "in", seconds=3.0)
    (record,) = opening.records(room, Choice([session]), _notes(), lambda one: one)
    for original in record.session.originals:
        content = (tmp_path / "in" / original.name).read_bytes()
        with original.open() as file:
            assert file.read() == content
            assert file.seek(-7, os.SEEK_END) == len(content) - 7
            assert file.read() == content[-7:]
            assert file.seek(5) == 5
            assert file.read(11) == content[5:16]
            assert isinstance(file, io.BufferedReader)


def _notes() -> Any:
    from vault.formats.fields import Notes

    return Notes()
