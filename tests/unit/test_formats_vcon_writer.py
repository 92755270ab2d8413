"""Sessions written as vCons: valid by the schema, and the same when they are read again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from jsonschema import Draft7Validator, FormatChecker

from tests.conftest import FIXTURES
from tests.recordings import bundle, noise
from tests.unit.test_formats_vcon import VCONS, document, needs_vcons
from vault import formats
from vault.errors import BadInput
from vault.formats import vcon
from vault.formats.fields import Notes
from vault.formats.vcon_schema import validate
from vault.formats.vcon_speech import Sound
from vault.formats.vcon_writer import SOUND_LIMIT_BYTES, rewrite, write
from vault.model import (
    Annotation,
    Event,
    Json,
    Kind,
    Original,
    Participant,
    Reading,
    Segment,
    Timeline,
)

UUID = "019f15a6-a752-826f-b9a2-279e0d16bc46"
CREATED = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
NOTHING = Reading("scenario", None, None, None, (), Timeline(), (), {})


def opener(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


def sounds(reading: Reading) -> list[Sound]:
    """Every original that a segment names."""
    named = {segment.file: segment.decoded_ns for segment in reading.timeline.segments}
    return [
        Sound(each.name, each.media_type, each.size_bytes, each.open, decoded_ns=named[each.name])
        for each in reading.originals
        if each.name in named
    ]


def made(reading: Reading, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write(reading, uuid=UUID, created_at=CREATED, **more))
    return found


def again(folder: Path, reading: Reading, **more: Any) -> Reading:
    place = folder / "again.vcon"
    place.write_bytes(write(reading, uuid=UUID, created_at=CREATED, **more))
    (found,) = formats.read(place)
    return found


def turns(reading: Reading) -> list[tuple[object, ...]]:
    return [
        (one.role, one.speaker, one.start_ns, one.end_ns, one.decoded_ns, one.text, one.truncated)
        for one in reading.timeline.segments
    ]


BUNDLES = sorted((FIXTURES / "scenario").glob("*/*/expected.json"))


@pytest.mark.skipif(not BUNDLES, reason="the recordings are not here")
@pytest.mark.parametrize("answers", BUNDLES, ids=lambda p: f"{p.parts[-3]}/{p.parts[-2]}")
def test_every_bundle_becomes_a_valid_vcon_and_comes_back(answers: Path, tmp_path: Path) -> None:
    (reading,) = formats.read(answers.parent)
    found = again(tmp_path, reading, sounds=sounds(reading))
    assert turns(found) == turns(reading)
    assert [(e.type, e.offset_ns, e.data) for e in found.timeline.events] == [
        (e.type, e.offset_ns, e.data) for e in reading.timeline.events
    ]
    assert found.started_at == (reading.started_at or CREATED)
    inside = [each.open().read() for each in vcon.recordings(found.originals[0].open)]
    assert inside == [sound.open().read() for sound in sounds(reading)]


@needs_vcons
def test_every_real_vcon_can_be_written_again_validly(tmp_path: Path) -> None:
    for place in sorted(VCONS.rglob("*")):
        try:
            (reading,) = formats.read(place, "vcon")
        except BadInput:
            continue
        found = again(tmp_path, reading)
        texts = [one.text for one in reading.timeline.segments]
        assert [one.text for one in found.timeline.segments] == texts
        assert {a.type for a in reading.timeline.annotations} <= {
            a.type for a in found.timeline.annotations
        }
        assert found.tags == reading.tags
        assert found.source.get("consent") == reading.source.get("consent")
        assert [(p.role, p.name) for p in found.participants][: len(reading.participants)] == [
            (p.role, p.name) for p in reading.participants
        ]


def test_the_vcon_says_what_the_mapping_asks(tmp_path: Path) -> None:
    (reading,) = formats.read(bundle(tmp_path / "b", ["one", "two"]))
    document = made(replace(reading, title="A call"), sounds=sounds(reading))
    assert (document["vcon"], document["uuid"], document["subject"]) == ("0.4.0", UUID, "A call")
    assert document["created_at"] == "2026-02-03T04:05:06Z"
    assert [party["type"] for party in document["parties"]] == ["person", "bot"]
    whole, first, second = document["dialog"]
    assert (whole["type"], whole["recordings"], whole["parties"]) == (
        "recording-set",
        [1, 2],
        [0, 1],
    )
    assert whole["duration"] == 1.0
    assert (first["type"], first["recording_set"], first["mediatype"]) == (
        "recording",
        0,
        "audio/x-wav",
    )
    assert (first["parties"], second["parties"]) == (0, 1)
    assert first["content_hash"].startswith("sha512-")
    assert "=" not in first["body"] + first["content_hash"]
    assert [(each["type"], each["dialog"]) for each in document["analysis"]] == [
        ("transcript", 1),
        ("transcript", 2),
    ]
    assert {each["purpose"] for each in document["attachments"]} == {"timeline", "source-manifest"}


def test_every_date_is_one_of_rfc_3339(tmp_path: Path) -> None:
    checker = FormatChecker(("date-time", "uuid"))
    assert "date-time" in checker.checkers  # rfc3339-validator, from the lock of the tests
    (reading,) = formats.read(bundle(tmp_path / "b", ["one", "two"]))
    reading = replace(reading, started_at=datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC))
    schema = json.loads((Path(vcon.__file__).parent / "vcon.schema.json").read_text())
    Draft7Validator(schema, format_checker=checker).validate(made(reading))


@needs_vcons
def test_the_packaged_schema_is_the_published_one() -> None:
    packaged = json.loads((Path(vcon.__file__).parent / "vcon.schema.json").read_text())
    assert "Revised BSD" in packaged.pop("$comment")
    assert packaged == json.loads((VCONS / "vcon_json_schema.json").read_text())


def test_what_is_said_in_one_recording_of_two_channels_comes_back(tmp_path: Path) -> None:
    said = (
        Segment(0, "user", "Ann", 10**9, 2 * 10**9, None, "hi", truncated=True, file="call.wav"),
        Segment(
            1, "agent", None, 3 * 10**9 + 1, 4 * 10**9, None, "yes", truncated=False, file=None
        ),
    )
    people = (Participant("user", "Ann", {"tel": "+15551234567", "did": 7}), Participant("agent"))
    events = (Event(0, "tool_call", 5, {"time": 1, "type": "x", "args": {"a": [1]}}),)
    reading = replace(
        NOTHING,
        started_at=CREATED,
        duration_ns=5 * 10**9,
        participants=people,
        timeline=Timeline(said, events),
    )
    sound = noise(0.5)
    call = Sound("whole.wav", "audio/wav", len(sound), opener(sound), channels=("user", "agent"))
    document = made(reading, sounds=[call])
    assert document["dialog"][1]["parties"] == [0, 1]
    assert document["parties"][0] == {
        "type": "person",
        "tel": "+15551234567",
        "name": "Ann",
        "role": "user",
    }
    found = again(tmp_path, reading, sounds=[call])
    assert turns(found) == turns(reading)
    assert found.timeline.events == events
    assert found.duration_ns == reading.duration_ns
    assert found.timeline.segments[0].file == "dialog-0001.wav"


def test_two_without_names_in_one_recording_stay_apart(tmp_path: Path) -> None:
    data: dict[str, Json] = {"confidence": 0.5}
    said = tuple(
        Segment(n, "user", name, n * 10**9, n * 10**9, None, "hi", False, "a.wav", data)
        for n, name in enumerate(["Ann", None, "Bob"])
    )
    people = (Participant("user"), Participant("user", "Ann"), Participant("user", "Bob"))
    reading = replace(NOTHING, participants=people, timeline=Timeline(said))
    sound = noise(0.1)
    found = again(
        tmp_path, reading, sounds=[Sound("a.wav", "audio/wav", len(sound), opener(sound))]
    )
    assert turns(found) == turns(reading)
    assert found.timeline.segments[0].data == {"dialog": 1, "recording_ns": 0, **data}


def test_words_annotations_tags_and_attachments_come_back(tmp_path: Path) -> None:
    words: Json = [{"word": "hi", "start": 0.5}]
    data: dict[str, Json] = {"words": words, "segments": [1], "confidence": 0.5}
    said = Segment(0, "user", None, 0, 10**9, None, "hi", truncated=False, file=None, data=data)
    note = Annotation("a1", "score", "quality", 4, 2, "a0", "time_range", {"from": 1}, deleted=True)
    reading = replace(
        NOTHING,
        timeline=Timeline((said,), (), (note,)),
        tags=("spring",),
        title="Title",
        metrics={"latency": 1.5},
    )
    found = again(tmp_path, reading, attachments={"consent": {"granted": True}, "hold": ["m-1"]})
    assert found.timeline.segments[0].data == {"dialog": 0, **data}
    assert note in found.timeline.annotations
    assert (found.tags, found.title) == (("spring",), "Title")
    assert found.source["consent"] == [{"granted": True}]
    assert {"report", "hold"} <= {each.type for each in found.timeline.annotations}


def rewritten(folder: Path, came: dict[str, Json]) -> tuple[Reading, Reading, dict[str, Any]]:
    """What was read of a vCon, what is read of it written again, and its attachment `unfit`."""
    place = folder / "call.vcon"
    place.write_text(json.dumps(came))
    (before,) = formats.read(place)
    document = vcon.contents(before.originals[0].open).document
    assert document is not None
    place.write_bytes(rewrite(document, before, before, uuid=UUID, created_at=CREATED))
    (after,) = formats.read(place)
    (unfit,) = [a.value for a in after.timeline.annotations if a.type == "unfit"]
    assert isinstance(unfit, list)
    return before, after, {each["path"]: each["value"] for each in unfit}  # type: ignore[call-overload, index, misc]  # JSON that is known


def test_wrong_fields_of_a_transcript_cost_none_of_what_was_said(tmp_path: Path) -> None:
    wrong: dict[str, Json] = {"vendor": 5, "product": [], "filename": {}, "encoding": "utf-8"}
    said: Json = {"type": "transcript", "dialog": [0, "x"], "body": "spoken", **wrong}
    before, after, unfit = rewritten(tmp_path, document(analysis=[said]))
    assert [one.text for one in before.timeline.segments] == ["spoken"]
    assert after.timeline.segments == before.timeline.segments
    assert unfit == {f"$.analysis[0].{key}": value for key, value in wrong.items()} | {
        "$.analysis[0].dialog": [0, "x"]
    }


def test_what_is_said_of_no_dialog_is_not_taken_for_the_first_when_it_is_written_again(
    tmp_path: Path,
) -> None:
    said: Json = {"type": "transcript", "dialog": "0", "vendor": "x", "body": "of nothing"}
    _, after, unfit = rewritten(tmp_path, document(analysis=[said]))
    assert [one.text for one in after.timeline.segments] == ["hello"]
    assert unfit == {"$.analysis[0].dialog": "0"}


def test_wrong_fields_of_dialogs_and_attachments_cost_only_themselves(tmp_path: Path) -> None:
    text: dict[str, Json] = {"type": "text", "body": "hello"}
    dialogs: Json = [
        {**text, "parties": 0, "start": "2026-01-01T00:00:00Z"},
        {**text, "parties": [1, "x"], "start": 7, "duration": True},
    ]
    noted: Json = {"purpose": "note", "start": 0, "party": "x", "dialog": None, "body": "mind it"}
    far: Json = {"type": "full", "uuid": UUID, "url": "https://192.0.2.1/x"}
    came = document(dialog=dialogs, attachments=[noted], redacted=far)
    before, after, unfit = rewritten(tmp_path, came)
    assert after.timeline.segments == before.timeline.segments
    assert [a.value for a in after.timeline.annotations if a.type == "note"] == ["mind it"]
    assert after.source["redacted"] == {"type": "full", "uuid": UUID}
    assert unfit == {
        "$.redacted.url": "https://192.0.2.1/x",
        "$.dialog[1].parties": [1, "x"],
        "$.dialog[1].start": 7,
        "$.dialog[1].duration": True,
        "$.attachments[0].start": 0,
        "$.attachments[0].party": "x",
    }


def test_what_is_read_of_a_vcon_leaves_it_as_it_was() -> None:
    events: Json = [{"time": 0.5, "type": "ring", "far": True}, 7]
    body: Json = {"duration": 1.5, "events": events}
    came = document(attachments=[{"purpose": "timeline", "body": body, "party": 0, "dialog": 0}])
    text = json.dumps(came)
    file = Original("call.vcon", Kind.TRANSCRIPT, "application/json", 0, opener(b""))
    reading = vcon.understood("vcon", came, file.name, file, Notes())
    assert [event.data for event in reading.timeline.events] == [{"far": True}]
    assert json.dumps(came) == text


def test_an_analysis_that_came_with_a_wrong_field_is_made_anew_without_it(tmp_path: Path) -> None:
    said: Json = {"type": "mood", "dialog": 0, "vendor": 5, "body": "fine"}
    place = tmp_path / "call.vcon"
    place.write_text(json.dumps(document(analysis=[said])))
    (reading,) = formats.read(place)
    (mood,) = made(reading)["analysis"]
    assert (mood["body"], mood["vendor"]) == ("fine", "unknown")
    (unfit,) = [each for each in made(reading)["attachments"] if each["purpose"] == "unfit"]
    assert unfit["body"] == [{"path": "$.analysis[0].vendor", "value": 5}]


def test_a_redacted_vcon_says_what_it_was_made_from() -> None:
    redacted = {"uuid": UUID, "type": "personal-data"}
    assert made(NOTHING, redacted=redacted)["redacted"] == redacted


def test_a_session_of_nobody_is_a_valid_vcon_without_parties(tmp_path: Path) -> None:
    document = made(NOTHING)
    (whole,) = document["dialog"]
    assert (whole["type"], whole["parties"], document["parties"]) == ("recording-set", [], [])
    found = again(tmp_path, NOTHING)
    assert (found.participants, found.timeline.segments, found.warnings) == ((), (), ())


def test_sound_of_nobody_known_is_given_to_nobody(tmp_path: Path) -> None:
    sound = noise(0.5)
    call = Sound("call.wav", "audio/wav", len(sound), opener(sound))
    assert made(NOTHING, sounds=[call])["parties"] == []
    found = again(tmp_path, NOTHING, sounds=[call])
    (turn,) = found.timeline.segments
    assert (found.participants, turn.file) == ((), "dialog-0001.wav")


def test_too_much_sound_is_refused_before_it_is_read() -> None:
    def never() -> BinaryIO:
        raise AssertionError

    with pytest.raises(BadInput, match="24 MiB"):
        made(NOTHING, sounds=[Sound("a.wav", "audio/wav", SOUND_LIMIT_BYTES + 1, never)])


def test_sound_that_changed_is_refused() -> None:
    for size in (3, 5):
        with pytest.raises(BadInput, match="changed"):
            made(NOTHING, sounds=[Sound("a.wav", "audio/wav", size, opener(b"four"))])


def test_what_breaks_the_schema_is_refused_and_its_place_named() -> None:
    with pytest.raises(BadInput, match=r"\$.uuid \(format\)"):
        write(NOTHING, uuid="sess_1", created_at=CREATED)
    document = made(NOTHING)
    document["dialog"][0]["type"] = "secret words"
    with pytest.raises(BadInput, match=r"\$.dialog\[0\].type") as caught:
        validate(document)
    assert "secret" not in str(caught.value)
