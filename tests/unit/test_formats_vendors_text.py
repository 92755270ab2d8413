"""Realtime logs, SIPREC bodies and captions: the formats that are no one JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests import work
from tests.conftest import FIXTURES
from tests.unit.test_formats_scenario import codes, read, wav
from vault import formats
from vault.errors import BadInput
from vault.formats import xmltext
from vault.model import Json, Kind, Reading

REAL = FIXTURES / "other"
needs_files = pytest.mark.skipif(not REAL.is_dir(), reason="the files are not here")
TURNS = [
    ("user", 1_997, 1_998),
    ("agent", 1_999, 2_599),
    ("user", 4_002, 4_003),
    ("agent", 4_700, 5_301),
    ("user", 5_551, 5_557),
    ("agent", 10_078, 11_159),
]


def turns(reading: Reading) -> list[tuple[str, int, int]]:
    """Role, start and end in milliseconds of every segment."""
    return [
        (s.role, s.start_ns // 1_000_000, s.end_ns // 1_000_000) for s in reading.timeline.segments
    ]


# --- captions ----------------------------------------------------------------------------


def captions(place: Path, text: str | bytes, name: str = "call.vtt") -> Path:
    data = text.encode() if isinstance(text, str) else text
    (place / name).write_bytes(data)
    return place / name


@needs_files
@pytest.mark.parametrize("name", ["webvtt", "srt"])
def test_real_captions_tell_who_said_what_and_when(name: str) -> None:
    reading = read(REAL / f"webvtt/transcript.{'srt' if name == 'srt' else 'vtt'}")
    assert (reading.format, turns(reading), codes(reading)) == (name, TURNS, [])
    assert reading.timeline.segments[1].text == "Hello, how can I help you today?"
    assert reading.duration_ns == 11_159_000_000
    assert reading.title == ("elevenlabs_interruption" if name == "webvtt" else None)


@pytest.mark.skipif(not (FIXTURES / "voice_agents_platform").is_dir(), reason="not here")
@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_captions_counted_from_1970_are_made_relative(kind: str) -> None:
    reading = read(FIXTURES / f"voice_agents_platform/exports/transcript.{kind}")
    assert reading.started_at == datetime(2025, 7, 8, 18, 40, 1, 437000, tzinfo=UTC)
    assert [start for _, start, _ in turns(reading)] == [0, 3897, 5937, 9635]
    assert codes(reading) == [("epoch-times", None)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("point", [".", ","])
@pytest.mark.parametrize("hours", ["", "00:", "000:"])
def test_every_way_to_write_a_cue_is_read(
    tmp_path: Path, newline: str, mark: str, point: str, hours: str
) -> None:
    cue = f"{hours}00:01{point}500 --> {hours}00:02{point}000"
    vtt = newline.join([f"{mark}WEBVTT", "", f"{cue} line:0 align:start", "<v Agent>Hi", ""])
    srt = newline.join([f"{mark}1", cue, "Agent: Hi", ""])
    for text, name in ((vtt, "webvtt"), (srt, "srt")):
        reading = read(captions(tmp_path, text, "call.txt"))
        assert reading.format == name
        assert turns(reading) == [("agent", 1500, 2000)]
        assert reading.timeline.segments[0].text == "Hi"


def test_voices_tags_notes_and_entities_are_understood(tmp_path: Path) -> None:
    text = """WEBVTT

STYLE
::cue { color: red }

NOTE nobody
hears this

first
00:00.000 --> 00:01.000
<v.loud Mary Ann>Well &amp; <b>good</b> <00:00.500><c.x>day</c></v> <v Agent>Yes</v>

00:02.000 --> 00:01.000
no one
"""
    reading = read(captions(tmp_path, text))
    said = [(s.role, s.speaker, s.text) for s in reading.timeline.segments]
    assert said == [
        ("system", "Mary Ann", "Well & good day"),
        ("agent", "Agent", "Yes"),
        ("system", None, "no one"),
    ]
    assert reading.timeline.segments[0].data["id"] == "first"
    assert turns(reading)[2] == ("system", 2000, 2000)
    assert {"bad-interval", "unknown-role", "no-speaker"} == {c for c, _ in codes(reading)}


def test_a_colon_is_a_speaker_only_where_the_whole_file_says_so(tmp_path: Path) -> None:
    one = "1\n00:00:01,000 --> 00:00:02,000\nMary: yes\n\n"
    two = "2\n00:00:03,000 --> 00:00:04,000\n{}\n"
    named = read(captions(tmp_path, one + two.format("Joe: no"), "a.srt"))
    plain = read(captions(tmp_path, one + two.format("and then"), "b.srt"))
    assert [(s.speaker, s.text) for s in named.timeline.segments] == [
        ("Mary", "yes"),
        ("Joe", "no"),
    ]
    assert [(s.speaker, s.text) for s in plain.timeline.segments] == [
        (None, "Mary: yes"),
        (None, "and then"),
    ]


def test_cues_that_cannot_be_read_are_left_out_with_a_warning(tmp_path: Path) -> None:
    text = """WEBVTT

00:01.000 --> soon
lost

00:01.000 --> 00:02.000
kept

99999999:00:00.000 --> 99999999:00:01.000
lost
"""
    reading = read(captions(tmp_path, text))
    assert [s.text for s in reading.timeline.segments] == ["kept"]
    assert [code for code, _ in codes(reading)] == ["bad-cue", "bad-cue", "no-speaker"]


def test_bytes_that_are_no_utf8_are_noted(tmp_path: Path) -> None:
    place = captions(tmp_path, b"1\n00:00:01,000 --> 00:00:02,000\nUser: caf\xe9\n", "a.srt")
    assert codes(read(place)) == [("bad-encoding", "a.srt")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("call.vtt", "WEBVTTX\n\n00:01.000 --> 00:02.000\nhi\n"),
        ("call.vtt", "hello"),
        ("call.srt", ""),
        ("call.srt", "1\n\n2\n"),
        ("call.srt", "1\n00:00:01,000 --> never\nhi\n"),
    ],
)
def test_captions_that_are_none_are_refused_aloud_in_a_folder(
    tmp_path: Path, name: str, text: str
) -> None:
    captions(tmp_path, text, name)
    (place,) = formats.walk(tmp_path)
    with pytest.raises(BadInput):
        formats.read(place)


@pytest.mark.parametrize(
    "text",
    [
        "<v " * 200_000,
        "<v" + " " * 500_000,
        "A:" + " " * 500_000,
        "<" * 500_000,
        "&" * 500_000,
        "&#" + "9" * 500_000 + ";",
        "00:00:01,000 --> " + " " * 500_000,
    ],
    ids=["voices", "spaces", "prefix", "tags", "entities", "number", "timing"],
)
def test_what_only_begins_like_a_mark_is_kept_however_long(tmp_path: Path, text: str) -> None:
    made = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n\n{text}\n"
    (segment,) = read(captions(tmp_path, made)).timeline.segments
    assert (segment.speaker, segment.text) == (None, text.strip())


@pytest.mark.parametrize("between", ["", "\n\n00:01.000 --> 00:02.000\n"], ids=["cue", "cues"])
def test_reading_voices_is_work_that_grows_with_their_number(tmp_path: Path, between: str) -> None:
    def voices(count: int) -> Callable[[], object]:
        said = between.join(f"<v Voice {n}>Hello {n}.</v>" for n in range(count))
        made = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{said}\n"
        return partial(formats.read, captions(tmp_path, made, f"{count}.vtt"))

    assert work.growth(voices, 250, 2000) < 1.5


# --- SIPREC ------------------------------------------------------------------------------

SESSION = """<recording xmlns="urn:ietf:params:xml:ns:recording:1">
<session session_id="s1"><start-time>2026-01-15T09:30:00Z</start-time></session>
<participant participant_id="p1"><nameID aor="sip:1@example.invalid"/></participant>
<stream stream_id="x" session_id="s1"><label>1</label></stream>
</recording>"""


def body(xml: str, newline: str = "\r\n", end: str = "\r\n--b--") -> bytes:
    sdp = ["v=0", "m=audio 4000 RTP/AVP 0", "a=crypto:1 inline:SECRET", "a=label:1"]
    lines = ["--b", "Content-Type: application/sdp", "", *sdp, "--b"]
    lines += ["content-type: Application/RS-Metadata+xml; charset=utf-8", "", xml]
    return (newline.join(lines) + end).encode()


@needs_files
@pytest.mark.parametrize(
    ("name", "external_id", "started_at", "roles", "labels"),
    [
        (
            "acme",
            "AavRXwIIQj1Q39eJulTipQ==",
            datetime(2019, 3, 9, 16, 50, 20, tzinfo=UTC),
            ["user", "agent"],
            ["16777227", "16777228"],
        ),
        (
            "cisco",
            "kQNhKFdEEeeJ9tD/VsPGWA==",
            datetime(2017, 6, 23, 12, 16, 6, 40000, tzinfo=UTC),
            ["system", "system"],
            ["1", "2"],
        ),
    ],
)
def test_real_bodies_tell_who_takes_part_and_which_streams(
    name: str, external_id: str, started_at: datetime, roles: list[str], labels: list[str]
) -> None:
    reading = read(REAL / f"siprec/{name}-siprec-offer.txt")
    assert (reading.format, reading.external_id) == ("siprec", external_id)
    assert (reading.started_at, reading.duration_ns) == (started_at, None)
    assert [p.role for p in reading.participants] == roles
    media = reading.source["media"]
    assert isinstance(media, list)
    assert [one["label"] for one in media if isinstance(one, dict)] == labels
    assert [o.kind for o in reading.originals] == [Kind.METADATA]
    assert list(reading.subjects) == (["sip:9000@192.168.50.102"] if name == "acme" else [])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["\r\n--b--", ""])
@pytest.mark.parametrize("sip", [False, True])
def test_every_way_to_send_a_body_is_read(
    tmp_path: Path, newline: str, end: str, sip: bool
) -> None:
    data = body(SESSION, newline, end)
    if sip:
        head = ["INVITE sip:rec SIP/2.0", 'Content-Type: multipart/mixed;boundary="b"', "", ""]
        data = newline.join(head).encode() + data
    (tmp_path / "invite").write_bytes(data)
    reading = read(tmp_path / "invite")
    assert reading.external_id == "s1"
    assert "SECRET" not in repr(reading)


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE r [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + SESSION,
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + SESSION,
        '<!DOCTYPE r SYSTEM "http://example.invalid/r.dtd">' + SESSION,
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://example.invalid/p">%p;]>' + SESSION,
        "<recording>&x;</recording>",
        "<recording>" * 200_000,
        SESSION.replace("<stream", "<a>" * 60 + "</a>" * 60 + "<stream"),
        SESSION.replace("<stream", "<a/>" * 100_001 + "<stream"),
        "<recording/>",
        "<recording",
        "",
        "<other><session/></other>",
        '<?xml version="1.0" encoding="no-such"?><recording/>',
    ],
    ids=lambda xml: f"{xml[:25]}… {len(xml)}",
)
def test_hostile_metadata_is_refused(tmp_path: Path, xml: str) -> None:
    (tmp_path / "invite").write_bytes(body(xml))
    with pytest.raises(BadInput):
        formats.read(tmp_path / "invite")


@pytest.mark.parametrize("inside", ["<a/>", "x" * 30 + "<a/>"], ids=["children", "texts"])
def test_metadata_up_to_the_limit_is_read_whole(tmp_path: Path, inside: str) -> None:
    (tmp_path / "invite").write_bytes(crowded(inside, 90_000))
    said = read(tmp_path / "invite").participants[0].data["a"]
    assert isinstance(said, list)
    assert len(said) == 90_000


@pytest.mark.parametrize("inside", ["<a/>", "x" * 30 + "<a/>"], ids=["children", "texts"])
def test_reading_metadata_is_work_that_grows_with_its_elements(tmp_path: Path, inside: str) -> None:
    def invite(count: int) -> Callable[[], object]:
        (tmp_path / f"{count}").write_bytes(crowded(inside, count))
        return partial(formats.read, tmp_path / f"{count}")

    assert work.growth(invite, 250, 2000) < 1.5


def crowded(inside: str, count: int) -> bytes:
    return body(SESSION.replace("<nameID", inside * count + "<nameID"))


def test_a_document_type_is_refused_before_anything_is_declared() -> None:
    with pytest.raises(BadInput, match="document type"):
        xmltext.parse(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a.xml")
    with pytest.raises(BadInput, match="too deep"):
        xmltext.parse(b"<a>" * 60 + b"</a>" * 60, "a.xml")
    with pytest.raises(BadInput, match="MiB"):
        xmltext.parse(b"<a>" + bytes(xmltext.BYTES_LIMIT), "a.xml")


# --- OpenAI Realtime ---------------------------------------------------------------------


def log(place: Path, *rows: Json, end: str = "\n") -> Path:
    (place / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + end)
    return place / "log.jsonl"


def bare(generation: str = "output_audio") -> list[Json]:
    """One question, and an answer that is cut off; no times."""
    heard = "conversation.item.input_audio_transcription.completed"
    events: list[tuple[str, dict[str, Json]]] = [
        ("session.created", {"session": {"id": "sess_1", "x": 1}}),
        ("input_audio_buffer.speech_started", {"item_id": "u", "audio_start_ms": 500}),
        ("input_audio_buffer.append", {"audio": "AAAA"}),
        ("input_audio_buffer.speech_stopped", {"item_id": "u", "audio_end_ms": 1500}),
        (heard, {"item_id": "u", "transcript": "Hello"}),
        (f"response.{generation}.delta", {"item_id": "a", "delta": "AAAAAAAA"}),
        (f"response.{generation}_transcript.done", {"item_id": "a", "transcript": "Hi"}),
        ("conversation.item.truncated", {"item_id": "a", "audio_end_ms": 1700}),
        ("response.dreamt", {"dream": 1}),
    ]
    return [{"event_id": f"e{n}", "type": kind, **more} for n, (kind, more) in enumerate(events)]


@needs_files
def test_a_real_log_tells_turns_and_events_without_their_sound() -> None:
    reading = read(REAL / "openai_realtime/events.jsonl")
    assert [(role, start) for role, start, _ in turns(reading)] == [
        ("user", 1996),
        ("agent", 1998),
        ("user", 4001),
        ("agent", 4699),
        ("user", 5551),
        ("agent", 10077),
    ]
    assert reading.timeline.segments[1].text == "Hello, how can I help you today?"
    assert (reading.external_id, reading.duration_ns) == ("sess_00000000", 11_158_000_000)
    assert len(reading.timeline.events) == 25
    sounds = [e.data for e in reading.timeline.events if "omitted_bytes" in e.data]
    assert len(sounds) == 6
    assert all(9000 < int(str(data["omitted_bytes"])) < 10_000 for data in sounds)
    assert not any({"audio", "delta"} & data.keys() for data in sounds)
    assert [o.kind for o in reading.originals] == [Kind.OTHER]
    assert codes(reading) == []


@pytest.mark.parametrize("generation", ["output_audio", "audio"])
def test_without_times_the_order_is_kept_and_said(tmp_path: Path, generation: str) -> None:
    reading = read(log(tmp_path, *bare(generation)))
    assert turns(reading) == [("user", 500, 1500), ("agent", 1500, 1500)]
    assert [s.text for s in reading.timeline.segments] == ["Hello", "Hi"]
    assert reading.timeline.segments[1].truncated
    last = reading.timeline.events[-1]
    assert (last.type, last.offset_ns) == ("response.dreamt", 1_500_000_000)
    assert reading.started_at is None
    assert {code for code, _ in codes(reading)} == {"no-timestamps", "no-end-time"}


@pytest.mark.parametrize(
    "stamp",
    [
        lambda n: {"ts": f"2026-01-15T09:30:0{n}.000Z"},
        lambda n: {"timestamp": 1_768_469_400 + n},
        lambda n: {"time": 1_768_469_400_000 + 1000 * n},
    ],
    ids=["ISO 8601", "seconds", "milliseconds"],
)
def test_the_writers_own_times_are_used(tmp_path: Path, stamp: object) -> None:
    rows: list[Json] = [
        {**stamp(n), "direction": "server", "event": row}  # type: ignore[operator]  # a function
        for n, row in enumerate(bare())
    ]
    reading = read(log(tmp_path, *rows))
    assert reading.started_at == datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    assert turns(reading) == [("user", 1000, 3000), ("agent", 5000, 6000)]
    assert reading.timeline.events[3].data["direction"] == "server"


def test_lines_that_cannot_be_read_lose_themselves_only(tmp_path: Path) -> None:
    place = log(tmp_path, *bare(), end='\n"text"\n\n{"event_id": "e10", "type": "respo')
    reading = read(place)
    assert len(reading.timeline.events) == 9
    assert [code for code, _ in codes(reading)].count("unreadable-row") == 2


@pytest.mark.parametrize(
    "row",
    [
        {"type": "response.created", "sequence_number": 1},
        {"event": {"type": "message.created", "event_id": "e"}, "type": "event"},
        {"event_id": "e", "type": "response." + "x" * 100_000 + "!"},
        {"event_id": 7, "type": "session.created"},
    ],
)
def test_other_logs_are_left_to_others(tmp_path: Path, row: Json) -> None:
    with pytest.raises(BadInput):
        formats.read(log(tmp_path, row))


def test_a_recording_beside_a_log_joins_it(tmp_path: Path) -> None:
    log(tmp_path, *bare())
    (tmp_path / "log.wav").write_bytes(wav(2))
    (place,) = formats.walk(tmp_path)
    (reading,) = formats.read(place)
    assert [o.kind for o in reading.originals] == [Kind.OTHER, Kind.AUDIO]
