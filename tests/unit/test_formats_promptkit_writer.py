"""PromptKit recordings written again: what came from PromptKit exactly, the rest understood."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import promptkit as made
from tests import records
from tests.unit.test_formats_promptkit import REAL, SESSIONS, real, variants
from vault.export import promptkit
from vault.formats import instants, promptkit_annotations
from vault.formats.promptkit_retold import Blob
from vault.formats.promptkit_writer import Options, write_json, write_lines
from vault.model import Annotation, Event, Json, Reading, Segment, Timeline


def document(reading: Reading, options: Options | None = None) -> dict[str, Any]:
    """The session as one JSON document, parsed."""
    value: dict[str, Any] = json.loads(b"".join(write_json(reading, options)))
    return value


def rows(reading: Reading, options: Options | None = None) -> list[dict[str, Any]]:
    """The session as JSON lines, parsed."""
    return [json.loads(line) for line in b"".join(write_lines(reading, options)).splitlines()]


@real
@pytest.mark.parametrize("session", SESSIONS)
def test_a_real_recording_comes_out_as_it_went_in(session: str) -> None:
    whole, lines, _ = variants(session)
    assert document(made.read(whole)) == json.loads(whole.read_text())
    assert rows(made.read(lines)) == [json.loads(row) for row in lines.read_text().splitlines()]
    assert rows(made.read(whole)) == rows(made.read(lines))


@real
@pytest.mark.parametrize("session", SESSIONS)
def test_an_event_store_comes_out_as_its_recording(session: str) -> None:
    whole, _, store = variants(session)
    stated = json.loads(whole.read_text())
    found = document(made.read(store))
    assert [e.pop("user_id") for e in found["events"]] == ["user-42"] * len(stated["events"])
    assert found["events"] == stated["events"]
    derived = {"provider_name", "model", "custom", "created_at"}
    known = {key: value for key, value in stated["metadata"].items() if key not in derived}
    assert {key: found["metadata"][key] for key in known} == known
    assert found["metadata"]["version"] == "1.0"


def test_options_go_before_what_the_source_says(tmp_path: Path) -> None:
    custom = {"a": 1}
    path = made.recording(tmp_path / "a.json", [made.event(1, 0)], model="old", custom=custom)
    reading = made.read(path)
    at = datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC)
    options = Options(provider_name="p", model="m", custom={"b": [2]}, created_at=at)
    for metadata in (document(reading, options)["metadata"], rows(reading, options)[0]["metadata"]):
        assert (metadata["provider_name"], metadata["model"]) == ("p", "m")
        assert metadata["custom"] == {"b": [2]}
        assert metadata["created_at"] == "2026-03-01T09:00:00.25Z"
    assert document(reading)["metadata"]["model"] == "old"
    assert document(reading)["metadata"]["custom"] == custom


def test_odd_events_come_out_as_they_went_in(tmp_path: Path) -> None:
    events = [
        made.event(1, 0, "a", parent_seq=4, user_id="u", data_type="*x"),
        made.event(2, 1, "a", data_type="*y", run_id="r", timestamp="2026-03-01T10:00:00.1+01:00"),
        made.event(2, 2, "b", data={}, envelope="x"),
        made.event(3, 3, "b", data=None),
        made.event(4, 4, "b", data={"envelope": 1}, novel=2, session_id="another"),
        made.event(5, 5, "b", data="text", conversation_id="c"),
        made.event(6, 6, "", timestamp="2026-03-01T09:00:00.000000007Z"),
        made.event(7, 7, "c", timestamp="2026-03-01T10:00:00.0000000080+01:00"),
    ]
    del events[3]["data"]
    path = made.recording(tmp_path / "a.json", events)
    assert document(made.read(path))["events"] == events
    same = [made.event(n, n, conversation_id="c") for n in range(2)]  # of which it says nothing
    path = made.recording(tmp_path / "b.json", same)
    assert document(made.read(path)) == {"metadata": made.metadata(same), "events": same}


def test_inline_bytes_are_written_from_the_original_or_left_out(tmp_path: Path) -> None:
    events = [made.audio(n, n, bytes([n]) * 99, blob=False) for n in range(1, 6)]
    reading = made.read(made.lines(tmp_path / "a.jsonl", events))
    assert document(reading)["events"] == events
    escaped = tmp_path / "escaped.json"
    slashes = [made.audio(1, 0, b"\xff" * 99, blob=False)]
    escaped.write_text(made.recording(tmp_path / "b", slashes).read_text().replace("/", "\\/"))
    assert document(made.read(escaped))["events"] == slashes
    bare = document(replace(reading, originals=()))["events"]
    assert all(set(e["data"]["payload"]) == {"mime_type", "size", "storage_ref"} for e in bare)


def test_a_wrong_count_and_an_id_that_climbs_are_not_written_again(tmp_path: Path) -> None:
    event = made.event(1, 0)
    path = made.recording(tmp_path / "a.json", [event], session_id="../x", event_count=9)
    metadata = document(made.read(path))["metadata"]
    assert (metadata["session_id"], metadata["event_count"]) == (made.SESSION, 1)


def test_a_session_of_another_format_becomes_messages_and_times() -> None:
    segments = (
        Segment(0, "user", None, 0, 1_000_000_000, 900_000_000, "Hi", truncated=False, file="a"),
        Segment(1, "agent", None, 2_000_000_000, 2_000_000_000, None, "Yes", False, None),
        Segment(2, "system", None, 3_000_000_000, 4_000_000_000, None, None, False, None),
    )
    events = (Event(0, "tool_call", 1_500_000_000, {"name": "x"}),)
    started_at = datetime(2026, 1, 1, tzinfo=UTC)
    timeline = Timeline(segments, events)
    reading = Reading("scenario", "s1", started_at, 5_000_000_000, (), timeline, (), {})
    found = document(reading)
    assert [(e["seq"], e["type"], e["offset"]) for e in found["events"]] == [
        (1, "conversation.started", 0),
        (2, "audio.input", 0),
        (3, "message.created", 0),
        (4, "tool_call", 1_500_000_000),
        (5, "message.created", 2_000_000_000),
    ]
    assert found["events"][4]["data"]["Role"] == "assistant"
    assert found["events"][3]["timestamp"] == "2026-01-01T00:00:01.5Z"
    assert found["metadata"]["end_time"] == "2026-01-01T00:00:05Z"


def told(segments: tuple[Segment, ...], length_ns: int) -> Reading:
    started_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Reading("vapi", "s1", started_at, length_ns, (), Timeline(segments), (), {})


def test_a_session_that_says_it_is_shorter_than_it_is_ends_with_its_last_event() -> None:
    late = Segment(0, "user", None, 9 * 10**9, 10**10, None, "Hi", False, None)
    metadata = document(told((late,), 20_000_000))["metadata"]
    assert metadata["duration"] == 9 * 10**9  # PromptKit's player never goes on from there
    assert metadata["end_time"] == "2026-01-01T00:00:09Z"
    assert document(told((late,), 12 * 10**9))["metadata"]["duration"] == 12 * 10**9


def test_a_piece_without_sound_has_the_shape_of_its_track() -> None:
    first, second, other = (
        Segment(n, role, None, n * 10**9, (n + 1) * 10**9, None, None, False, file)
        for n, (role, file) in enumerate([("user", None), ("user", "b.wav"), ("agent", None)])
    )
    blobs = {"b.wav": Blob("0" * 64, 16_000, 8000, 1)}
    whole = b"".join(write_json(told((first, second, other), 3 * 10**9), None, blobs))
    pieces = [e["data"] for e in json.loads(whole)["events"] if e["type"].startswith("audio.")]
    shapes = [(p["metadata"]["sample_rate"], p["metadata"]["channels"]) for p in pieces]
    assert shapes == [(8000, 1), (8000, 1), (0, 0)]  # the first is that of the whole track
    assert [p["payload"]["size"] for p in pieces] == [0, 16_000, 0]


@pytest.mark.parametrize("version", ["", None, 1])
def test_a_recording_of_no_version_gets_one_for_it_is_not_loaded_without(
    tmp_path: Path, version: object
) -> None:
    path = made.recording(tmp_path / "a.json", [made.event(1, 0)], version=version)
    reading = made.read(path)
    assert document(reading)["metadata"]["version"] == "1.0"
    assert rows(reading)[0]["metadata"]["version"] == "1.0"


def test_an_annotation_has_only_values_that_its_store_can_read() -> None:
    odd: list[tuple[Json, Json]] = [
        ({"score": 1, "note": [1]}, {"score": 1, "note": [1]}),
        ({"Score": "high"}, {"text": '{"Score": "high"}'}),
        ({"labels": ["a", 1]}, {"text": '{"labels": ["a", 1]}'}),
        ({"flag": 0}, {"text": '{"flag": 0}'}),
        ({"passed": None}, {"passed": None}),
    ]
    when = "2026-01-01T00:00:00+00:00"
    data: list[dict[str, Json]] = [
        {"created_at": when, "created_by": "p", "metadata": {"a": 1}},
        {"created_at": "yesterday", "created_by": 1, "metadata": "a"},
    ]
    said = [Annotation("a", "score", "k", value, data=data[0]) for value, _ in odd]
    said.append(Annotation("b", "score", "k", 1, data=data[1]))
    found = [
        json.loads(line)["annotation"]
        for line in promptkit_annotations.write(said, "s1", str, {}, {})
    ]
    assert [each["value"] for each in found[:-1]] == [value for _, value in odd]
    assert data[0].items() <= found[0].items()
    assert found[-1]["created_at"] == promptkit_annotations.UNUSED
    assert not {"created_by", "metadata"} & found[-1].keys()


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    segments = (Segment(0, "user", None, 7, 1_000_000_007, None, "Hi", False, None),)
    started_at = datetime(2026, 1, 1, tzinfo=UTC)
    reading = Reading("vapi", "s1", started_at, 2 * 10**9, (), Timeline(segments), (), {})
    path = tmp_path / "s1.recording.jsonl"
    path.write_bytes(b"".join(write_lines(reading)))
    again = made.read(path)
    (turn,) = again.timeline.segments
    assert (turn.role, turn.start_ns, turn.end_ns, turn.text) == ("user", 7, 10**9 + 7, "Hi")
    assert (again.external_id, again.started_at) == ("s1", started_at)
    assert again.duration_ns == 2 * 10**9


def test_a_blob_that_has_the_name_of_annotations_goes_where_blobs_go() -> None:
    line = b'{"annotation":{"id":"a1"}}\n'
    came = {
        "annotations/s.annotations.jsonl": line,
        "blobs/s/x.annotations.jsonl": b"no annotation",
    }
    plain = records.record()
    originals = [records.original(name, content) for name, content in came.items()]
    session = replace(plain.session, format="promptkit", external_id="s", originals=originals)
    beside = promptkit.media(replace(plain, session=session), records.order())
    assert {name: b"".join(blocks) for name, blocks in beside} == came


@real
def test_a_cut_recording_is_written_whole() -> None:
    reading = made.read(REAL / "malformed" / "truncated_last_line.recording.jsonl")
    found = rows(reading)
    assert len(found) == 8
    assert found[0]["metadata"]["event_count"] == 7


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2026-01-15T09:30:00.123456789Z", True),
        ("2026-02-01T23:59:58.5-05:00", True),
        ("2026-02-28T23:59:59Z", True),
        ("0001-01-01T00:00:00Z", True),
        ("2026-01-15T09:30:00.10Z", False),
        ("2026-01-15t09:30:00z", False),
        ("2026-01-15T09:30:00.1234567891Z", False),
        ("2026-01-15T09:30:00+00:00", False),
    ],
)
def test_instants_keep_every_nanosecond_and_their_offset(text: str, *, plain: bool) -> None:
    at = instants.parse(text)
    assert at is not None
    assert (instants.write(at, instants.zone(text)) == text) is plain


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-01-15", "2026-02-30T00:00:00Z", "2026-01-15T09:30:00"),
        *("9000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),  # a session would not end in time
    ],
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert instants.parse(text) is None
