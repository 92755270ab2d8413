"""The vCon reader, on real vCons of every version and on everything that may be wrong."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests import work
from tests.conftest import FIXTURES
from tests.recordings import noise
from vault import formats
from vault.errors import BadInput
from vault.formats import vcon
from vault.model import Json, Kind, Reading

VCONS = FIXTURES / "vcon"
needs_vcons = pytest.mark.skipif(not VCONS.is_dir(), reason="the real vCons are not here")


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def document(**changes: Json) -> dict[str, Json]:
    made: dict[str, Json] = {
        "vcon": "0.4.0",
        "uuid": "019f15a6-a752-826f-b9a2-279e0d16bc46",
        "created_at": "2026-01-01T00:00:00Z",
        "parties": [{"name": "Ann", "type": "person"}, {"name": "Robo", "type": "bot"}],
        "dialog": [
            {
                "type": "text",
                "start": "2026-01-01T00:00:00.5+01:00",
                "parties": 0,
                "encoding": "none",
                "body": "hello",
            }
        ],
    }
    return made | changes


def recording(data: bytes, **changes: Json) -> Json:
    made: dict[str, Json] = {
        "type": "recording",
        "start": "2026-01-01T00:00:00Z",
        "parties": [0, 1],
        "mediatype": "audio/x-wav",
        "encoding": "base64url",
        "body": base64url(data),
    }
    return made | changes


def write(folder: Path, value: Json) -> Path:
    place = folder / "call.json"
    place.write_text(json.dumps(value))
    return place


def read(place: Path) -> Reading:
    (reading,) = formats.read(place)
    assert reading.format == "vcon"
    return reading


def codes(reading: Reading) -> set[str]:
    return {warning.code for warning in reading.warnings}


# --- real vCons ----------------------------------------------------------------------------


READABLE = [
    "ab.vcon",
    "ab_call_ext_rec.vcon",
    "ab_call_ext_rec_analysis.vcon",
    "ab_call_ext_rec_encrypted.vcon",
    "ab_call_ext_rec_signed.vcon",
    "ab_call_int_rec.vcon",
    "ab_email_acct_prob_thread.vcon",
    "conserver_05cec3d4-0561-4010-9fb8-23cc7edef146.vcon.json",
    "invalid/bad_dialog_types.json",
    "invalid/bad_duration.json",
    "invalid/null_parties.json",
    "mapped/scenario_branded.encrypted.vcon",
    "mapped/scenario_branded.signed.vcon",
    "mapped/scenario_branded.vcon",
    "pypi_vcon_0.3.10.vcon",
    "pyvcon_ab_call_ext_rec_0.0.1.vcon",
    "pyvcon_hello.vcon",
    "pyvcon_pre_0.0.1_vcon_trans.vcon",
    "vconmcp_01-siprec-billing-dispute.json",
    "vconmcp_06-siprec-cancellation-save.json",
]


@needs_vcons
@pytest.mark.parametrize("name", READABLE)
def test_every_real_vcon_is_read_and_kept_byte_for_byte(name: str) -> None:
    reading = read(VCONS / name)
    (original,) = reading.originals
    with original.open() as stream:
        assert stream.read() == (VCONS / name).read_bytes()


@needs_vcons
@pytest.mark.parametrize(
    "name", ["simple-vcon.vcon", "vcon_json_schema.json", "invalid/empty_vcon.json"]
)
def test_what_is_no_vcon_or_holds_nothing_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        formats.read(VCONS / name)
    with pytest.raises(BadInput):
        formats.read(VCONS / name, "vcon")


@needs_vcons
def test_a_mapped_bundle_has_its_turns_texts_and_events() -> None:
    reading = read(VCONS / "mapped/scenario_branded.vcon")
    turns = reading.timeline.segments
    assert [turn.role for turn in turns] == ["user", "agent", "user", "agent"]
    assert [turn.start_ns for turn in turns] == [
        1_437_000_000,
        5_334_000_000,
        7_374_000_000,
        11_072_000_000,
    ]
    assert turns[0].text == "Hi there, I have a quick question about my plan"
    assert turns[0].file == "dialog-0001.wav"
    assert turns[0].end_ns == 2_848_018_000
    assert turns[0].decoded_ns == 3_550_000_000
    assert [turn.file for turn in turns[1:]] == [None] * 3
    assert len(reading.timeline.events) == 8
    assert reading.timeline.events[2].data["latency"] == 2.485768582992023
    assert reading.started_at == datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    assert reading.duration_ns == 11_673_752_083
    assert reading.external_id == "11ad4d82-de6f-86a3-a91f-18acd895a58d"
    assert reading.agent == "voice agent"
    assert reading.subjects == ("+15551234567",)
    assert reading.source["consent"] == [
        {"consent_type": "recording", "granted": True, "legal_basis": "consent"}
    ]


@needs_vcons
def test_old_names_mean_what_the_new_ones_do() -> None:
    old = read(VCONS / "pyvcon_ab_call_ext_rec_0.0.1.vcon")
    dialogs = old.source["dialog"]
    assert isinstance(dialogs, list)
    assert isinstance(dialogs[0], dict)
    assert dialogs[0]["mediatype"] == "audio/x-wav"
    assert str(dialogs[0]["content_hash"]).startswith("sha512-Re9R7UWKaD7yN9kx")
    older = read(VCONS / "pyvcon_pre_0.0.1_vcon_trans.vcon")
    assert older.started_at == datetime(2022, 5, 18, 23, 5, 5, tzinfo=UTC)
    assert "unreadable-audio" in codes(older)


@needs_vcons
def test_a_transcript_by_turns_takes_the_place_of_its_dialog() -> None:
    listed = read(VCONS / "conserver_05cec3d4-0561-4010-9fb8-23cc7edef146.vcon.json")
    assert [turn.role for turn in listed.timeline.segments][:3] == ["agent", "user", "agent"]
    assert listed.timeline.segments[1].speaker == "Olivia Flores"
    assert listed.duration_ns == 57_168_000_000
    plain = read(VCONS / "vconmcp_01-siprec-billing-dispute.json")
    assert len(plain.timeline.segments) == 11
    assert plain.timeline.segments[3].text == "It's sarah.johnson@email.com."
    assert [each.type for each in plain.timeline.annotations] == ["sentiment", "topics", "summary"]
    words = read(VCONS / "ab_call_ext_rec_analysis.vcon").timeline.segments[0].data["words"]
    assert isinstance(words, list)
    assert len(words) == 76


@needs_vcons
def test_an_email_is_its_first_plain_part() -> None:
    first, second = read(VCONS / "ab_email_acct_prob_thread.vcon").timeline.segments
    assert first.text is not None
    assert first.text.startswith("Alice:Please find the image attached.")
    assert second.start_ns == 34_000_000_000
    assert "html" not in first.text


@needs_vcons
def test_broken_fields_of_real_vcons_cost_only_themselves() -> None:
    reading = read(VCONS / "invalid/bad_duration.json")
    assert {"bad-field", "no-utc-offset", "outside"} <= codes(reading)
    assert [person.role for person in reading.participants] == ["agent", "user"]
    assert "bad-field" in codes(read(VCONS / "invalid/bad_dialog_types.json"))
    assert read(VCONS / "invalid/null_parties.json").participants == ()


# --- what it understands -------------------------------------------------------------------


def test_a_recording_inside_is_named_measured_and_can_be_had(tmp_path: Path) -> None:
    sound = noise(0.5)
    digest = f"sha512-{base64url(hashlib.sha512(sound).digest())}"
    place = write(tmp_path, document(dialog=[recording(sound, content_hash=digest)]))
    reading = read(place)
    (turn,) = reading.timeline.segments
    assert (turn.file, turn.decoded_ns, turn.end_ns) == (
        "dialog-0000.wav",
        500_000_000,
        500_000_000,
    )
    (inside,) = vcon.recordings(reading.originals[0].open)
    assert inside.name == turn.file
    assert inside.open().read() == sound
    assert inside.size_bytes == len(sound)


def test_what_holds_sound_is_no_transcript_to_a_privacy_level(tmp_path: Path) -> None:
    assert read(write(tmp_path, document())).originals[0].kind is Kind.TRANSCRIPT
    held = write(tmp_path, document(dialog=[recording(noise(0.1))]))
    assert read(held).originals[0].kind is Kind.OTHER


def test_nothing_that_was_said_is_told_outside_of_the_timeline(tmp_path: Path) -> None:
    said: Json = {"type": "transcript", "dialog": 0, "vendor": "x", "body": "a planted phrase"}
    noted: Json = {"type": "summary", "vendor": "x", "body": "a planted phrase"}
    made = document(dialog=[recording(noise(0.1), text="a planted phrase")], analysis=[said, noted])
    reading = read(write(tmp_path, made))
    kept = (reading.source, reading.metrics, reading.participants, reading.warnings)
    assert "planted" not in repr(kept)
    assert reading.timeline.segments[0].text == "a planted phrase"


def test_who_began_is_the_user_where_nothing_tells(tmp_path: Path) -> None:
    both: list[Json] = [{"name": "A"}, {"name": "B"}]
    reading = read(write(tmp_path, document(parties=both)))
    assert [person.role for person in reading.participants] == ["user", "agent"]
    assert "assumed-role" in codes(reading)


def test_dialogs_that_are_no_speech_become_events(tmp_path: Path) -> None:
    history: Json = [{"party": 1, "event": "join", "time": "2026-01-01T00:00:02Z"}]
    made = document(
        dialog=[
            recording(noise(0.1), party_history=history),
            {"type": "transfer", "start": "2026-01-01T00:00:05Z", "transfer-target": 1},
            {"type": "hologram", "start": "2026-01-01T00:00:06Z", "colour": "blue"},
        ]
    )
    events = read(write(tmp_path, made)).timeline.events
    assert [(each.type, each.offset_ns // 10**9) for each in events] == [
        ("join", 2),
        ("transfer", 5),
        ("hologram", 6),
    ]
    assert events[1].data["transfer_target"] == 1
    assert events[2].data["colour"] == "blue"


def test_nanoseconds_survive(tmp_path: Path) -> None:
    starts = ["2026-01-01T00:00:00.000000123Z", "2026-01-01T01:00:00.000000124+01:00"]
    texts: list[Json] = [{"type": "text", "start": each, "body": "x"} for each in starts]
    segments = read(write(tmp_path, document(dialog=texts))).timeline.segments
    assert segments[1].start_ns - segments[0].start_ns == 1


# --- what it refuses -----------------------------------------------------------------------


def test_a_body_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    wrong = f"sha512-{base64url(hashlib.sha512(b'another').digest())}"
    for changes in (
        {"content_hash": wrong},
        {"content_hash": [wrong]},
        {"content_hash": "sha512-"},
        {"alg": "SHA-512", "signature": wrong.removeprefix("sha512-")},
    ):
        place = write(tmp_path, document(dialog=[recording(noise(0.1), **changes)]))
        with pytest.raises(BadInput, match="content_hash"):
            formats.read(place)


def test_a_digest_of_an_unknown_kind_is_a_warning(tmp_path: Path) -> None:
    place = write(tmp_path, document(dialog=[recording(noise(0.1), content_hash="crc-1")]))
    assert "unchecked-digest" in codes(read(place))


@pytest.mark.parametrize("key", ["critical", "must_support"])
@pytest.mark.parametrize("value", [["teleport"], "teleport", [["x"]], {"a": 1}])
def test_a_critical_extension_is_refused(tmp_path: Path, key: str, value: Json) -> None:
    with pytest.raises(BadInput, match="extension"):
        formats.read(write(tmp_path, document(**{key: value})))


def test_an_empty_list_of_critical_extensions_asks_nothing(tmp_path: Path) -> None:
    assert read(write(tmp_path, document(critical=[]))).timeline.segments


def test_a_version_nobody_knows_is_read_with_a_warning(tmp_path: Path) -> None:
    assert "unknown-version" in codes(read(write(tmp_path, document(vcon="9.9"))))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    # No socket may be opened in a test, so a fetch would fail it.
    far: Json = {"type": "recording", "start": "2026-01-01T00:00:00Z", "url": "http://192.0.2.1/x"}
    assert "outside" in codes(read(write(tmp_path, document(dialog=[far]))))


def test_a_folder_is_no_vcon_and_a_promised_file_is_tried(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        formats.read(tmp_path, "vcon")
    (tmp_path / "broken.vcon").write_text('{"vcon": "0.4.0", "parties": [')
    (source,) = formats.walk(tmp_path)
    with pytest.raises(BadInput):
        formats.read(source)


def test_a_transcript_nested_without_end_is_left_unread(tmp_path: Path) -> None:
    body: Json = "x"
    for _ in range(60):
        body = {"transcript": body}
    made = document(analysis=[{"type": "transcript", "dialog": 0, "vendor": "x", "body": body}])
    assert read(write(tmp_path, made)).timeline.segments[0].text == "hello"


def test_turns_are_read_under_every_name_that_their_fields_have(tmp_path: Path) -> None:
    body: Json = [
        {"speaker": "Robo", "message": "one", "start_time": 1, "end_time": 2.5, "mood": "calm"},
        {"role": "user", "start": 3, "content": "two", "end": "x", "data": {"loud": True}},
        {"party": 1, "text": "three", "start": 4, "end": 5, "transcript_truncated": True},
        {"text": 7, "start": 6},
        "nothing",
    ]
    said: Json = {"type": "transcript", "dialog": 0, "vendor": "x", "body": body}
    reading = read(write(tmp_path, document(analysis=[said])))
    assert [
        (one.speaker, one.text, one.start_ns // 10**6, one.end_ns // 10**6, one.truncated)
        for one in reading.timeline.segments
    ] == [
        ("Robo", "one", 1000, 2500, False),
        ("Ann", "two", 3000, 3000, False),
        ("Robo", "three", 4000, 5000, True),
    ]
    assert [one.data for one in reading.timeline.segments] == [
        {"dialog": 0, "mood": "calm"},
        {"dialog": 0, "loud": True},
        {"dialog": 0},
    ]
    assert [w.text.partition(":")[0] for w in reading.warnings if w.code == "bad-field"] == [
        "analysis[0]",
        "segments[1]",
        "segments[3]",
    ]


def test_an_email_of_a_thousand_parts_is_kept_as_text(tmp_path: Path) -> None:
    body = "".join(
        f"--{n}\nContent-Type: multipart/mixed; boundary={n + 1}\n\n" for n in range(999)
    )
    mail: Json = {
        "type": "text",
        "start": "2026-01-01T00:00:00Z",
        "mediatype": "multipart/mixed; boundary=0",
        "body": body,
    }
    assert read(write(tmp_path, document(dialog=[mail]))).timeline.segments[0].text == body


def speakers(count: int) -> dict[str, Json]:
    body: Json = [{"speaker": f"p{n}", "text": "Hello"} for n in range(count)]
    return document(
        parties=[{"name": f"p{n}"} for n in range(count)],
        analysis=[{"type": "transcript", "dialog": 0, "vendor": "x", "body": body}],
    )


def transcripts(count: int) -> dict[str, Json]:
    return document(
        dialog=[{"type": "text", "body": "x"}] * count,
        analysis=[
            {"type": "transcript", "vendor": "x", "dialog": n, "body": "y"} for n in range(count)
        ],
    )


def parties(count: int) -> dict[str, Json]:
    return document(dialog=[{"type": "text", "body": "x", "parties": [[n] for n in range(count)]}])


@pytest.mark.parametrize("made", [speakers, transcripts, parties])
def test_reading_is_work_that_grows_with_what_is_read_and_not_with_its_square(
    tmp_path: Path, made: Callable[[int], dict[str, Json]]
) -> None:
    def reading(count: int) -> Callable[[], object]:
        return partial(read, write(tmp_path, made(count)))

    assert work.growth(reading, 1000, 4000) < 1.5  # both past where numpy is loaded


def test_a_body_is_hashed_once_however_often_its_digest_is_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted(name: str, data: bytes) -> object:
        sizes.append(len(data))
        return real(name, data)

    sound, real = noise(1), hashlib.new
    digest = f"sha512-{base64url(hashlib.sha512(sound).digest())}"
    place = write(tmp_path, document(dialog=[recording(sound, content_hash=[digest] * 100)]))
    monkeypatch.setattr(hashlib, "new", counted)
    assert not read(place).warnings
    assert sizes == [len(sound)]


def test_only_those_who_are_no_agents_are_subjects(tmp_path: Path) -> None:
    both: list[Json] = [
        {"tel": "tel:+15551234567", "mailto": "mailto:a@example.com", "role": "customer"},
        {"tel": "+15559876543", "role": "agent"},
    ]
    reading = read(write(tmp_path, document(parties=both)))
    assert reading.subjects == ("+15551234567", "a@example.com")


def test_a_party_that_is_not_listed_is_told_of(tmp_path: Path) -> None:
    places: list[Json] = [[99], [7, 0], [0]]
    dialogs: list[Json] = [
        {"type": "text", "start": "2026-01-15T09:30:00Z", "parties": place, "body": "Hi"}
        for place in places
    ]
    changed = document(parties=[{"name": "Ann", "role": "customer"}], dialog=dialogs)
    (reading,) = formats.read(write(tmp_path, changed))
    assert [s.role == "system" for s in reading.timeline.segments] == [True, True, False]
    (told,) = (warning for warning in reading.warnings if warning.code == "unlisted-party")
    assert told.text.startswith("2 ")
