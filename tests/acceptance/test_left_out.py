"""Exports that leave something out say so, and what the archive says goes out with what came."""

from __future__ import annotations

import base64
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests import promptkit, recordings
from tests.unit.test_formats_vcon_envelope import UUID, signer
from vault import formats
from vault.errors import BadInput, NotFound, UsageError
from vault.export.output import inside
from vault.export.record import Record
from vault.formats import vcon_envelope
from vault.formats.vcon_envelope import Envelope
from vault.model import Timeline
from vault.operations import records, remarks
from vault.operations.admission import Terms
from vault.operations.delivery import Exported
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room
from vault.rows import SessionFilter

START = "2026-02-03T04:05:06Z"


def put(room: Room, place: Path) -> str:
    (session,) = deposit(room, [place], Terms(), wait=False).sessions
    return str(session.id)


def out(room: Room, session: str, form: str, place: Path, **more: Any) -> Exported:
    return export(room, Choice([session]), Request(form, **more), place)


def codes(made: Exported) -> set[str]:
    return {warning.code for warning in made.warnings}


def written(room: Room, session: str, place: Path, **more: Any) -> dict[str, Any]:
    out(room, session, "vcon", place, **more)
    document: dict[str, Any] = json.loads(place.read_text())
    return document


def call(**more: Any) -> dict[str, Any]:
    """A vCon with a field that nobody knows in every object, and a text each way."""
    said = {"type": "text", "start": START, "mediatype": "text/plain", "encoding": "none"}
    document: dict[str, Any] = {
        "vcon": "0.4.0",
        "uuid": UUID,
        "created_at": START,
        "subject": "First",
        "x-top": 1,
        "parties": [{"name": "Ann", "role": "user"}, {"name": "Bot", "role": "agent", "x-p": 2}],
        "dialog": [{**said, "parties": [0, 1], "body": "hello", "x-d": 3}],
        "analysis": [
            {"type": "summary", "vendor": "v", "dialog": 0, "encoding": "json", "body": {"a": 1}},
            {"type": "mood", "vendor": "v", "dialog": 0, "encoding": "none", "body": "fine"},
        ],
        "attachments": [
            {"purpose": "tags", "start": START, "party": 0, "dialog": 0, "body": ["one"]},
            {"purpose": "note", "start": START, "party": 0, "dialog": 0, "body": "mind it"},
        ],
    }
    return document | more


def saved(folder: Path, document: dict[str, Any], name: str = "call.vcon") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    place.write_text(json.dumps(document))
    return place


# --- sound -------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["timeline", "stereo", "concat", "tracks"])
def test_a_file_of_sound_says_how_many_turns_are_silent_in_it(
    room: Room, fixtures_folder: Path, tmp_path: Path, layout: str
) -> None:
    session = put(room, fixtures_folder / "vcon/mapped/scenario_branded.vcon")
    made = out(room, session, "wav", tmp_path / "out", layout=layout)
    assert [(w.code, w.text.partition(" ")[0]) for w in made.warnings] == [
        ("segments-left-out", "3")
    ]
    whole = put(room, recordings.bundle(tmp_path / "in", ("One", "Two")))
    assert not out(room, whole, "wav", tmp_path / "whole", layout=layout).warnings


def test_a_message_among_spoken_turns_is_said_to_be_silent(room: Room, tmp_path: Path) -> None:
    events = [
        promptkit.audio(1, 0, recordings.noise(0.1)[44:], blob=False),
        promptkit.event(2, 60 * 10**9, "message.created", data={"Role": "user", "Content": "Hi"}),
    ]
    for count in (1, 2):
        place = promptkit.recording(tmp_path / f"{count}.recording.json", events[:count])
        made = out(room, put(room, place), "wav", tmp_path / f"{count}.wav")
        assert codes(made) == ({"segments-left-out"} if count == 2 else set())


# --- the scenario bundle -----------------------------------------------------------------


@pytest.mark.parametrize("bundle", ["gemini_live_interruption", "twilio_inbound", "angry_customer"])
def test_orphans_and_the_rows_of_missing_files_stay_in_a_bundle(
    room: Room, fixtures_folder: Path, tmp_path: Path, bundle: str
) -> None:
    place = fixtures_folder / "scenario/python" / bundle
    made = out(room, put(room, place), "scenario", tmp_path / "out")
    assert (tmp_path / "out/manifest.json").read_bytes() == (place / "manifest.json").read_bytes()
    (before,), (after,) = formats.read(place), formats.read(tmp_path / "out")
    told = {warning.code for warning in before.warnings}
    assert told & {"orphan-file", "missing-file"}
    assert after.warnings == before.warnings
    assert ("segments-left-out" in codes(made)) == ("missing-file" in told)


def test_a_bundle_made_of_another_format_says_what_it_has_no_place_for(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    session = put(room, fixtures_folder / "other/siprec/acme-siprec-offer.txt")
    remarks.set_title(room, session, "A title")
    remarks.annotate(room, session, type="comment", key="k", value="v")
    made = out(room, session, "scenario", tmp_path / "out")
    assert codes(made) == {"no-audio", "no-duration", "left-out"}
    texts = " ".join(warning.text for warning in made.warnings)
    assert "1 annotations" in texts
    assert "1 titles" in texts


# --- PromptKit ---------------------------------------------------------------------------


def test_blobs_and_annotations_lie_beside_a_recording(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    place = fixtures_folder / "promptkit/pk-dev-interruption"
    session = put(room, place / "pk-dev-interruption.recording.json")
    made = out(room, session, "promptkit", tmp_path / "a.recording.json")
    (before,), (after,) = (
        formats.read(one)
        for one in (place / "pk-dev-interruption.recording.json", tmp_path / "a.recording.json")
    )
    assert len(before.originals) > 2
    assert [o.name for o in after.originals][1:] == [o.name for o in before.originals][1:]
    assert "missing-file" not in {warning.code for warning in after.warnings}
    assert after.timeline == before.timeline
    assert {Path(str(file["name"])) for file in made.files} == {
        path for path in tmp_path.rglob("*") if path.is_file() and "home" not in path.parts
    }
    assert made.warnings == ()


def test_a_recording_is_not_written_where_its_blobs_cannot_be(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    place = fixtures_folder / "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
    session = put(room, place)
    (tmp_path / "blobs").write_text("mine")
    with pytest.raises(UsageError, match="blobs is a file"):
        out(room, session, "promptkit", tmp_path / "a.json")
    with pytest.raises(UsageError, match="no folder"):
        out(room, session, "promptkit", tmp_path / "missing/a.json")
    assert not (tmp_path / "missing").exists()
    assert not (tmp_path / "a.json").exists()
    assert (tmp_path / "blobs").read_text() == "mine"
    out(room, session, "promptkit", inside(tmp_path, "good/a.json"))
    for blob in (path for path in tmp_path.glob("good/blobs/**/*") if path.is_file()):
        inside(tmp_path / "bad", f"{blob.relative_to(tmp_path / 'good')}/folder/mine")
    with pytest.raises(UsageError, match="is a folder"):
        out(room, session, "promptkit", tmp_path / "bad/a.json")
    assert [path for path in tmp_path.glob("bad/**/*") if path.is_file()] == []


def test_many_recordings_have_their_blobs_in_folders_of_their_own(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    deposit(room, [fixtures_folder / "promptkit/pk-dev-interruption"], Terms(), wait=False)
    place, everything = tmp_path / "many", Choice(where=SessionFilter(format="promptkit"))
    export(room, everything, Request("promptkit"), place)
    with_blobs = [folder.parent for folder in place.glob("*/blobs")]
    assert with_blobs
    for folder in with_blobs:
        (found,) = formats.read(folder / f"{folder.name}.json")
        assert len(found.originals) > 2
        assert "missing-file" not in {warning.code for warning in found.warnings}
    stale = with_blobs[0] / "blobs/pk/old.pcm"
    stale.parent.mkdir()
    stale.write_bytes(b"of an earlier export")
    export(room, everything, Request("promptkit"), place)
    assert not stale.exists()


def test_what_lies_beside_an_encrypted_recording_is_encrypted(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    place = fixtures_folder / "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
    key = str(pyrage.x25519.Identity.generate().to_public())
    session = put(room, place)
    (tmp_path / "out").mkdir()
    out(room, session, "promptkit", tmp_path / "out/a.json.age", encrypt_to=[key])
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 2
    assert all(path.read_bytes().startswith(b"age-encryption.org/v1") for path in written)
    assert {path.suffix for path in written} == {".age"}


def test_only_what_a_recording_has_no_place_for_is_told(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    place = fixtures_folder / "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
    session = put(room, place)
    remarks.annotate(room, session, type="comment", key="k", value="v")
    assert out(room, session, "promptkit", tmp_path / "a.json").warnings == ()
    remarks.set_title(room, session, "A title")
    made = out(room, session, "promptkit", tmp_path / "a.json")
    assert [w.text for w in made.warnings] == ["1 titles: the format has no place for them."]
    sound = put(room, recordings.bundle(tmp_path / "b", ["one", "two"]))
    assert codes(out(room, sound, "promptkit", tmp_path / "b.json")) == {"sound-left-out"}
    talk = put(room, saved(tmp_path / "c", call()))
    made = out(room, talk, "promptkit", tmp_path / "c.json")
    strange = [w.text for w in made.warnings if "annotations" in w.text]
    assert strange == ["3 annotations: the format has no place for them."]


@pytest.mark.parametrize("named", ["a/b", "a..b", "電" * 100])
def test_an_id_that_its_stores_make_no_file_of_is_written_as_a_custom_field(
    room: Room, tmp_path: Path, named: str
) -> None:
    bundle = recordings.bundle(tmp_path / "b", ["one", "two"])
    (session,) = deposit(room, [bundle], Terms(external_id=named), wait=False).sessions
    out(room, session.id, "promptkit", tmp_path / "a.json")
    metadata = json.loads((tmp_path / "a.json").read_text())["metadata"]
    assert (metadata["session_id"], metadata["custom"]) == (session.id, {"external_id": named})


def test_a_recording_keeps_its_own_id_whatever_it_is_called(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    own = fixtures_folder / "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
    (session,) = deposit(room, [own], Terms(external_id="a/b"), wait=False).sessions
    out(room, session.id, "promptkit", tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == json.loads(own.read_text())


# --- VoiceMode ---------------------------------------------------------------------------


def test_a_session_without_turns_is_refused_as_a_voicemode_log(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    silent = put(room, fixtures_folder / "other/siprec/acme-siprec-offer.txt")
    with pytest.raises(NotFound, match="no turns"):
        out(room, silent, "voicemode", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    put(room, recordings.bundle(tmp_path / "b", ["one", "two"]))
    everything = Choice(where=SessionFilter())
    made = export(room, everything, Request("voicemode"), tmp_path / "many")
    assert (made.records, [w.code for w in made.warnings if w.file == silent]) == (1, ["left-out"])


# --- the vCon ----------------------------------------------------------------------------


def test_what_the_archive_says_goes_out_with_the_vcon_that_came(room: Room, tmp_path: Path) -> None:
    came = call()
    session = put(room, saved(tmp_path, came))
    assert written(room, session, tmp_path / "same.vcon") == call(
        attachments=[
            came["attachments"][0] | {"encoding": "json"},
            came["attachments"][1] | {"encoding": "none"},
        ]
    )
    remarks.set_title(room, session, "Second")
    remarks.tag(room, session, add=("two",))
    remarks.annotate(room, session, type="comment", key="k", value="new")
    remarks.delete(room, session, "analysis-1")
    remarks.delete(room, session, "attachment-1")
    found = written(room, session, tmp_path / "out.vcon")
    assert (found["subject"], found["x-top"], found["dialog"]) == ("Second", 1, came["dialog"])
    assert [each["type"] for each in found["analysis"]] == ["summary"]
    place = {"start": START, "party": 0, "dialog": 0}
    assert found["attachments"][:2] == [place, place]
    rest = {each["purpose"]: each["body"] for each in found["attachments"][2:]}
    assert (set(rest["tags"]), rest["annotations"][0]["value"]) == ({"one", "two"}, "new")
    (again,) = formats.read(tmp_path / "out.vcon")
    assert (again.title, set(again.tags)) == ("Second", {"one", "two"})


def test_what_the_schema_takes_nowhere_is_moved_and_nothing_else(
    room: Room, tmp_path: Path
) -> None:
    came = call(redacted={"uuid": "no uuid"})
    came["dialog"][0] |= {"duration": "long", "start": "Tue, 03 Feb 2026 04:05:06 -0000"}
    came["parties"][0]["tel"] = 5
    sound = base64.b64encode(recordings.noise(0.1)).decode()
    recording = {"type": "recording", "start": "2026-02-03T04:05:07", "parties": 0}
    came["dialog"].append({**recording, "body": sound, "encoding": "base64"})
    session = put(room, saved(tmp_path, came))
    found = written(room, session, tmp_path / "out.vcon")
    assert {each["path"]: each["value"] for each in found["attachments"][-1]["body"]} == {
        "$.redacted.uuid": "no uuid",
        "$.dialog[0].duration": "long",
        "$.parties[0].tel": 5,
    }
    assert found["attachments"][-1]["purpose"] == "unfit"
    assert [each["start"] for each in found["dialog"]] == [START, "2026-02-03T04:05:07Z"]
    body = found["dialog"][1]["body"]
    assert found["dialog"][1]["encoding"] == "base64url"
    assert base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)) == recordings.noise(0.1)


def test_a_vcon_beyond_mending_is_made_anew_and_that_is_told(room: Room, tmp_path: Path) -> None:
    came = call()
    came["dialog"][0]["type"] = "letter"
    made = out(room, put(room, saved(tmp_path, came)), "vcon", tmp_path / "out.vcon")
    assert codes(made) == {"left-out"}
    (again,) = formats.read(tmp_path / "out.vcon")
    assert [event.type for event in again.timeline.events] == ["letter"]


def test_a_signature_that_came_is_said_to_be_gone(room: Room, tmp_path: Path) -> None:
    sealed = json.loads(vcon_envelope.sign(json.dumps(call()).encode(), UUID, *signer()))
    made = out(room, put(room, saved(tmp_path, sealed)), "vcon", tmp_path / "out.vcon")
    assert codes(made) == {"signature-left-out"}
    assert json.loads((tmp_path / "out.vcon").read_text())["x-top"] == 1


def test_a_vcon_that_nobody_could_open_goes_out_as_it_came_or_not_at_all(
    room: Room, tmp_path: Path
) -> None:
    key, certificate = signer()
    data = vcon_envelope.encrypt(json.dumps(call()).encode(), UUID, certificate)
    place = tmp_path / "call.vcon"
    place.write_bytes(data)
    session = put(room, place)
    made = out(room, session, "vcon", tmp_path / "out.vcon")
    assert (tmp_path / "out.vcon").read_bytes() == data
    assert codes(made) == {"still-encrypted"}
    envelope = Envelope(sign_key=key, chain=certificate)
    with pytest.raises(BadInput, match="encrypted"):
        out(room, session, "vcon", tmp_path / "signed.vcon", envelope=envelope)
    assert not (tmp_path / "signed.vcon").exists()


def test_nobody_is_added_and_no_length_is_made_up_by_a_vcon(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(
        ("siprec/acme-siprec-offer.txt", "siprec/cisco-siprec-offer.txt", "genesys/transcript.json")
    ):
        place = tmp_path / f"{number}.vcon"
        (before,) = formats.read(fixtures_folder / "other" / name)
        out(room, put(room, fixtures_folder / "other" / name), "vcon", place)
        (after,) = formats.read(place)
        assert after.duration_ns == before.duration_ns
        assert [(p.role, p.name) for p in after.participants] == [
            (p.role, p.name) for p in before.participants
        ]
    assert after.timeline.segments[1].data["speaker"] == "internal"


@pytest.mark.parametrize(
    "name",
    [
        "pypi_vcon_0.3.10.vcon",
        "vconmcp_01-siprec-billing-dispute.json",
        "vconmcp_06-siprec-cancellation-save.json",
        "mapped/scenario_branded.vcon",
        "ab_call_int_rec.vcon",
    ],
)
def test_a_vcon_is_read_again_as_it_was_with_its_sound_and_without_a_new_warning(
    room: Room, fixtures_folder: Path, tmp_path: Path, name: str
) -> None:
    place = fixtures_folder / "vcon" / name
    (before,) = formats.read(place)
    out(room, put(room, place), "vcon", tmp_path / "out.vcon")
    (after,) = formats.read(tmp_path / "out.vcon")
    assert {w.code for w in after.warnings} <= {w.code for w in before.warnings}
    assert after.participants == before.participants
    assert after.timeline.segments == before.timeline.segments
    assert after.timeline.events == before.timeline.events
    assert [(a.id, a.type, a.value, a.where) for a in after.timeline.annotations] == [
        (a.id, a.type, a.value, a.where) for a in before.timeline.annotations
    ]
    assert [o.open().read() for o in after.recordings()] == [
        o.open().read() for o in before.recordings()
    ]


# --- where somebody is made anonymous -----------------------------------------------------


class Engine:
    """A redaction engine as one is installed: it takes away whatever was said."""

    @staticmethod
    def load() -> Any:
        return lambda record: replace(record, session=Engine.quiet(record))

    @staticmethod
    def quiet(record: Record) -> Any:
        return replace(record.session, timeline=Timeline(), participants=(), source={})


def test_nothing_goes_out_verbatim_where_somebody_is_to_be_anonymous(
    room: Room, fixtures_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "entry_points", lambda **_: [Engine])
    found = written(room, put(room, saved(tmp_path, call())), tmp_path / "a.vcon", anonymise=True)
    assert "hello" not in json.dumps(found)
    bundle = put(room, fixtures_folder / "scenario/python/twilio_inbound")
    out(room, bundle, "scenario", tmp_path / "bundle", anonymise=True)
    assert not [f for f in (tmp_path / "bundle").rglob("*.wav") if f.parent.name == "segments"]
    place = fixtures_folder / "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json"
    made = out(room, put(room, place), "promptkit", tmp_path / "p.json", anonymise=True)
    assert len(made.files) == 1
    assert "originals-left-out" in codes(made)
    out(room, bundle, "zip", tmp_path / "a.zip", anonymise=True, originals=True)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert not [name for name in archive.namelist() if "originals" in name]
