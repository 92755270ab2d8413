"""PromptKit recordings: the real files, and what broken and hostile ones become."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests import promptkit as made
from tests.conftest import FIXTURES
from vault import formats
from vault.errors import BadInput
from vault.formats import promptkit
from vault.formats.source import Source
from vault.model import Kind, Reading
from vault.replay import metrics

REAL = FIXTURES / "promptkit"
SESSIONS = ("pk-dev-inline", "pk-dev-interruption")
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not beside this")


def variants(session: str) -> list[Path]:
    folder = REAL / session
    names = (f"{session}.recording.json", f"{session}.recording.jsonl", f"events/{session}.jsonl")
    return [folder / name for name in names]


def same(reading: Reading) -> Any:
    """What all three variants must agree on; inline bytes by what they are."""
    held = {o.name: o for o in reading.originals}

    def data(value: Any) -> Any:
        inline = value.get("payload", {}).get("inline") if isinstance(value, dict) else None
        if not inline:
            return value
        with held[inline["file"]].open() as stream:
            stream.seek(inline["start"])
            sound = base64.b64decode(stream.read(inline["bytes"]))
        rest = {key: kept for key, kept in value["payload"].items() if key != "inline"}
        return {**value, "payload": {**rest, "sound": sound}}

    timeline = reading.timeline
    events = [(e.seq, e.type, e.offset_ns, data(e.data)) for e in timeline.events]
    known = reading.external_id, reading.started_at, reading.duration_ns
    return known, events, timeline.segments, timeline.annotations


@real
@pytest.mark.parametrize("session", SESSIONS)
def test_three_variants_say_the_same(session: str) -> None:
    first, *others = [same(made.read(path)) for path in variants(session)]
    assert first[0][0] == session
    for other in others:
        assert other == first


@real
@pytest.mark.parametrize("session", SESSIONS)
def test_events_are_the_sources_own_to_the_nanosecond(session: str) -> None:
    path = variants(session)[0]
    stated = json.loads(path.read_text())
    reading = made.read(path)
    assert reading.duration_ns == stated["metadata"]["duration"]
    found = [(e.seq, e.type, e.offset_ns) for e in reading.timeline.events]
    assert found == [(e["seq"], e["type"], e["offset"]) for e in stated["events"]]
    for event, row in zip(reading.timeline.events, stated["events"], strict=True):
        if not event.type.startswith("audio.") or session == "pk-dev-interruption":
            assert event.data == row["data"]
    assert reading.metrics["run_ids"] == {f"run-{session}": len(found)}


@real
def test_an_event_store_keeps_its_execution_and_its_user() -> None:
    reading = made.read(variants("pk-dev-interruption")[2])
    assert reading.source["envelopes"]["shared"] == {  # type: ignore[index,call-overload]  # Json
        "session_id": "pk-dev-interruption",
        "conversation_id": "conv-pk-dev-interruption",
        "run_id": "run-pk-dev-interruption",
        "user_id": "user-42",
    }
    assert reading.subjects == ("user-42",)


@real
def test_turns_are_made_of_chunks_their_text_of_what_was_heard_or_written() -> None:
    turns = made.read(variants("pk-dev-interruption")[0]).timeline.segments
    assert [(t.role, t.start_ns, t.end_ns, t.decoded_ns) for t in turns] == [
        ("user", 1996939832, 4696939832, 2_700_000_000),
        ("agent", 1998601999, 3431601999, 1_433_000_000),
        ("user", 4001898332, 7751898332, 3_750_000_000),
        ("agent", 4699907582, 5696907582, 997_000_000),
        ("user", 5551433291, 10351433291, 4_800_000_000),
        ("agent", 10077544291, 16497544291, 6_420_000_000),
    ]
    assert turns[0].text == "Hello, I'd like to know about your products."
    assert turns[3].text == "We offer a range"
    assert turns[2].data["language"] == "en-US"


@real
@pytest.mark.parametrize("session", SESSIONS)
def test_a_walk_finds_each_variant_and_the_other_session(session: str) -> None:
    found = [r for s in formats.walk(REAL / session) for r in formats.read(s)]
    ids = [r.external_id for r in found if r.format == "promptkit"]
    assert sorted(map(str, ids)) == sorted([session, session, session, f"{session}-other"])
    for reading in found:
        if reading.external_id == session:
            assert [w.code for w in reading.warnings] == ["same-recording", "same-recording"]


@real
def test_blobs_and_annotations_belong_to_the_session() -> None:
    folder = REAL / "pk-dev-interruption"
    for path in variants("pk-dev-interruption"):
        originals = made.read(path).originals
        blobs = [o for o in originals if o.kind is Kind.AUDIO]
        assert len(blobs) == 22
        assert blobs[0].media_type == "audio/pcm;rate=24000;channels=1"
        assert len(originals) == 24
        for original in originals:
            with original.open() as stream:
                assert stream.read() == (folder / original.name).read_bytes()


@real
def test_inline_audio_is_never_copied_and_never_kept_as_text() -> None:
    reading = made.read(variants("pk-dev-inline")[1])
    assert "inline_data" not in repr(reading.timeline)
    assert max(len(repr(e.data)) for e in reading.timeline.events) < 1000
    assert reading.originals[0].kind is Kind.OTHER


@real
def test_a_flipped_byte_in_a_blob_is_refused(tmp_path: Path) -> None:
    shutil.copytree(REAL / "pk-dev-interruption", tmp_path / "s", copy_function=shutil.copyfile)
    for folder in [tmp_path / "s", *(tmp_path / "s").rglob("*")]:
        folder.chmod(0o755 if folder.is_dir() else 0o644)
    path = sorted((tmp_path / "s" / "blobs").rglob("*.pcm"))[7]
    sound = bytearray(path.read_bytes())
    sound[1000] ^= 1
    path.write_bytes(sound)
    with pytest.raises(BadInput, match="checksum"):
        made.read(tmp_path / "s" / "pk-dev-interruption.recording.json")
    path.unlink()
    reading = made.read(tmp_path / "s" / "pk-dev-interruption.recording.json")
    assert made.codes(reading) == ["missing-file"]
    assert len(reading.timeline.events) == 43


@real
def test_a_truncated_last_line_costs_one_event() -> None:
    reading = made.read(REAL / "malformed" / "truncated_last_line.recording.jsonl")
    assert len(reading.timeline.events) == 7
    assert made.codes(reading) == ["truncated-row", "event-count-mismatch"]


@real
def test_an_id_that_climbs_is_not_taken_and_a_wrong_count_is_told() -> None:
    path = REAL / "malformed" / "traversal_and_count_mismatch.recording.json"
    reading = made.read(path)
    assert reading.external_id == "pk-dev-inline"
    assert made.codes(reading) == ["event-count-mismatch", "unsafe-id"]
    assert len(reading.originals) == 1


@real
def test_lines_without_metadata_are_refused() -> None:
    with pytest.raises(BadInput, match="metadata"):
        made.read(REAL / "malformed" / "no_metadata.recording.jsonl")


@pytest.mark.parametrize(
    "ref",
    [
        "file://../../etc/passwd",
        "file:///etc/passwd",
        "../outside.pcm",
        f"file://{made.SESSION}/../../x.pcm",
        "file://a\\b.pcm",
        "file://nul\u0000.pcm",
    ],
)
def test_a_blob_reference_that_leads_outside_is_refused(tmp_path: Path, ref: str) -> None:
    (tmp_path / "outside.pcm").write_bytes(b"secret")
    event = made.audio(1, 0, b"ab", blob=True)
    event["data"]["payload"] = {"storage_ref": ref, "mime_type": "audio/pcm", "size": 6}
    path = made.recording(tmp_path / "in" / "a.recording.json", [event])
    with pytest.raises(BadInput):
        made.read(path)


def test_a_blob_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"sound")
    blob = made.blob(tmp_path / "in", b"sound")
    blob.unlink()
    blob.symlink_to(tmp_path / "secret")
    path = made.recording(tmp_path / "in" / "a.json", [made.audio(1, 0, b"sound", blob=True)])
    with pytest.raises(BadInput, match="link"):
        made.read(path)


def test_a_folder_of_blobs_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = made.recording(tmp_path / "in" / "a.json", [made.audio(1, 0, b"sound", blob=True)])
    made.blob(tmp_path / "elsewhere", b"sound")
    (tmp_path / "in" / "blobs").symlink_to(tmp_path / "elsewhere" / "blobs")
    with pytest.raises(BadInput, match="link"):
        made.read(path)


@pytest.mark.parametrize("stated", ["x", "", "md5:00", None, f"SHA256:{'0' * 64}"])
def test_no_other_checksum_makes_up_for_bytes_that_are_not_what_a_blob_is_named(
    tmp_path: Path, stated: str | None
) -> None:
    blob = made.blob(tmp_path, b"sound")
    blob.write_bytes(b"noise")
    event = made.audio(1, 0, b"sound", blob=True)
    event["data"]["payload"]["checksum"] = stated
    with pytest.raises(BadInput, match="checksum"):
        made.read(made.recording(tmp_path / "a.json", [event]))


def test_every_reference_to_a_blob_has_to_be_true_of_it(tmp_path: Path) -> None:
    made.blob(tmp_path, b"sound")
    first, second = (made.audio(n, 0, b"sound", blob=True) for n in (1, 2))
    second["data"]["payload"]["checksum"] = f"sha256:{'0' * 64}"
    with pytest.raises(BadInput, match="checksum"):
        made.read(made.recording(tmp_path / "a.json", [first, second]))


def test_a_recording_that_changes_after_it_was_told_apart_is_refused(tmp_path: Path) -> None:
    path = made.recording(tmp_path / "a.json", [made.event(1, 0)])
    source = Source(path)
    assert formats.detect(source) is not None
    time.sleep(0.02)  # file systems tell times in steps of some milliseconds
    path.write_bytes(path.read_bytes())
    with pytest.raises(BadInput, match="changed"):
        formats.read(source)


def test_a_remote_blob_is_never_fetched(tmp_path: Path) -> None:
    event = made.audio(1, 0, b"ab", blob=True)
    event["data"]["payload"]["storage_ref"] = "https://localhost:1/x.pcm"
    reading = made.read(made.recording(tmp_path / "a.json", [event]))
    assert made.codes(reading) == ["remote-blob"]


def test_a_wrong_checksum_of_inline_bytes_is_refused(tmp_path: Path) -> None:
    event = made.audio(1, 0, b"sound!", blob=False)
    event["data"]["payload"]["checksum"] = "sha256:" + hashlib.sha256(b"other").hexdigest()
    with pytest.raises(BadInput, match="checksum"):
        made.read(made.lines(tmp_path / "a.jsonl", [event]))


def test_an_orphan_blob_is_kept_and_told_of(tmp_path: Path) -> None:
    made.blob(tmp_path, b"known")
    orphan = made.blob(tmp_path, b"orphan")
    path = made.recording(tmp_path / "a.json", [made.audio(1, 0, b"known", blob=True)])
    reading = made.read(path)
    assert [(w.code, w.file) for w in reading.warnings] == [
        ("orphan-file", f"blobs/{made.SESSION}/{orphan.name}")
    ]
    assert len(reading.originals) == 3


def test_an_orphan_blob_whose_name_cannot_be_written_stays_out(tmp_path: Path) -> None:
    path = made.recording(tmp_path / "a.json", [made.audio(1, 0, b"known", blob=True)])
    made.blob(tmp_path, b"known")
    below = os.fsencode(tmp_path / "blobs" / made.SESSION)
    Path(os.fsdecode(below + b"/a\x98b.pcm")).write_bytes(b"stray")
    reading = made.read(path)
    assert [(w.code, w.file) for w in reading.warnings] == [("orphan-file", None)]
    assert len(reading.originals) == 2


def test_inline_bytes_are_found_again_in_every_variant(tmp_path: Path) -> None:
    sounds = [bytes([n, 255, 62]) * 40 for n in range(4)] + [b"\xff\xff\xff", b"\xff\xff\xff"]
    events = [made.audio(n + 1, n * 10**6, s, blob=False) for n, s in enumerate(sounds)]
    events.insert(2, made.event(99, 1_500_000, data={"text": "wörter 😀"}))
    paths = [
        made.recording(tmp_path / "a.json", events),
        made.lines(tmp_path / "a.jsonl", events),
        made.store(tmp_path / "events" / "b.jsonl", events),
    ]
    escaped = tmp_path / "escaped.json"
    escaped.write_text(paths[0].read_text().replace("/", "\\/"))
    for path in (*paths, escaped):
        reading = made.read(path)
        found = []
        for event in reading.timeline.events:
            inline: Any = event.data.get("payload", {}).get("inline")  # type: ignore[union-attr]  # Json
            if inline:
                with reading.originals[0].open() as stream:
                    stream.seek(inline["start"])
                    text = stream.read(inline["bytes"])
                found.append(base64.b64decode(text.replace(b"\\", b"")))
        assert found == sounds, path


def test_unknown_events_and_fields_are_kept(tmp_path: Path) -> None:
    events = [
        made.event(1, 0, "stage.started", data={"StageName": "x"}, parent_seq=7),
        made.event(2, 5, "of.the.future", novel={"deep": [1]}),
        made.event(3, 9, "no.object", data=[1, 2]),
    ]
    reading = made.read(made.recording(tmp_path / "a.json", events))
    assert [e.data for e in reading.timeline.events] == [
        {"StageName": "x"},
        {"n": 2, "envelope": {"novel": {"deep": [1]}}},
        {"data": [1, 2]},
    ]
    assert made.codes(reading) == []


def test_a_tool_error_is_kept_as_text(tmp_path: Path) -> None:
    failed = made.event(1, 0, "tool.call.failed", data={"Error": "card declined", "CallID": "c"})
    reading = made.read(made.store(tmp_path / "s.jsonl", [failed]))
    assert reading.timeline.events[0].data["Error"] == "card declined"


def test_video_and_images_keep_their_offsets(tmp_path: Path) -> None:
    kinds = ("video.frame", "screenshot", "image.input", "image.output")
    events = [made.event(n, n * 7, kind) for n, kind in enumerate(kinds, 1)]
    found = made.read(made.lines(tmp_path / "a.jsonl", events)).timeline.events
    assert [(e.type, e.offset_ns) for e in found] == [(k, n * 7) for n, k in enumerate(kinds, 1)]


def test_events_come_in_the_order_of_time(tmp_path: Path) -> None:
    events = [made.event(1, 50), made.event(2, 10), made.event(3, 50), made.event(4, 0)]
    for path in (
        made.recording(tmp_path / "a.json", events),
        made.store(tmp_path / "b.jsonl", events),
    ):
        assert [e.seq for e in made.read(path).timeline.events] == [4, 2, 1, 3]


def test_a_long_first_line_does_not_hide_what_it_is(tmp_path: Path) -> None:
    big = made.audio(1, 0, bytes(20_000), blob=False)
    custom = {"notes": "x" * 20_000}
    for path in (
        made.store(tmp_path / "a.jsonl", [big]),
        made.lines(tmp_path / "b.jsonl", [big], custom=custom),
        made.recording(tmp_path / "c.json", [big], custom=custom),
    ):
        assert len(made.read(path).timeline.events) == 1, path


@pytest.mark.parametrize(
    "text",
    [
        '{"metadata": {"session_id": "a"}, "events": [',
        '{"metadata": {"session_id": "a"}, "events": {}',
        '{"metadata": [], "events": []}',
        "{}",
        "",
        "[]",
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BadInput):
        promptkit.read(Source(path), "promptkit")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": 5}, "unknown-event"),
        ({"seq": "x"}, "bad-index"),
        ({"seq": -1}, "bad-index"),
        ({"seq": True}, "bad-index"),
        ({"timestamp": "yesterday"}, "bad-field"),
        ({"timestamp": None, "offset": None}, "no-event-time"),
        ({"offset": -5}, "bad-field"),
        ({"offset": 10**30}, "bad-field"),
        ({"offset": 1.5}, "bad-field"),
        ({"data": {"payload": {"inline_data": "not base64!", "size": 1}}}, "bad-field"),
        ({"data": {"payload": {"inline_data": "QUJD", "size": [2]}}}, "size-mismatch"),
    ],
)
def test_a_wrong_field_is_a_warning(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    events = [made.event(1, 10) | change, made.event(2, 20)]
    text = json.dumps({"metadata": made.metadata([made.event(2, 20)] * 2), "events": events})
    path = tmp_path / "a.json"
    path.write_text(text)
    reading = made.read(path)
    assert code in made.codes(reading)
    assert len(reading.timeline.events) == 2


def test_a_wrong_line_costs_that_line(tmp_path: Path) -> None:
    path = made.lines(tmp_path / "a.jsonl", [made.event(n, n) for n in range(1, 5)])
    rows = path.read_text().splitlines(keepends=True)
    rows[2] = '{"event": [1], "type": "event"}\n'
    rows[3] = "[" * 200 + "\n"
    path.write_text("".join(rows))
    reading = made.read(path)
    assert [e.seq for e in reading.timeline.events] == [1, 4]
    assert made.codes(reading) == ["unreadable-row", "unreadable-row", "event-count-mismatch"]


def test_a_recording_without_a_start_counts_from_its_first_event(tmp_path: Path) -> None:
    rows = [made.event(1, 10), made.event(2, 30)]
    for row in rows:
        del row["offset"]
    stated = made.metadata([made.event(1, 0)], start_time="never", event_count=2)
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"metadata": stated, "events": rows}))
    assert [e.offset_ns for e in made.read(path).timeline.events] == [0, 20]


@real
def test_annotations_are_joined_with_all_their_versions() -> None:
    found = made.read(variants("pk-dev-interruption")[2]).timeline.annotations
    assert {a.type for a in found} == {
        "score", "label", "comment", "flag", "metric", "assertion", "ground_truth",
    }  # fmt: skip
    assert {a.target for a in found} == {"session", "turn", "message", "time_range", "event"}
    by_key = {(a.key, a.version): a for a in found}
    assert by_key["quality", 2].previous_id == by_key["quality", 1].id
    assert by_key["gt", 1].deleted
    assert by_key["intent", 1].where == {"turn_index": 1}
    assert by_key["safety", 1].where == {"seq": 28}
    assert by_key["note", 1].where == {"start_ns": 2_000_000_000, "end_ns": 5_000_000_000}
    assert by_key["quality", 1].data["created_by"] == "qa@example.com"


def test_a_broken_annotation_is_a_warning(tmp_path: Path) -> None:
    path = made.recording(tmp_path / "a.json", [made.event(1, 0)])
    beside = tmp_path / "annotations" / f"{made.SESSION}.annotations.jsonl"
    beside.parent.mkdir()
    good = {"annotation": {"id": "1", "type": "flag", "key": "k", "value": {}, "target": {}}}
    rows = ["{", "[]", '{"annotation": 5}', json.dumps(good), '{"annotation": {"id": 5}}']
    beside.write_text("\n".join(rows))
    reading = made.read(path)
    assert [a.id for a in reading.timeline.annotations] == ["1", "line-5"]
    assert made.codes(reading) == ["unreadable-row"] * 3 + ["bad-field"] * 2


def test_annotations_without_an_id_of_their_own_are_told_of(tmp_path: Path) -> None:
    path = made.recording(tmp_path / "a.json", [made.event(1, 0)])
    said = [{"type": "comment", "value": {"text": text}} for text in "abcd"]
    for annotation in said[2:]:
        annotation["id"] = "same"
    rows = [json.dumps({"annotation": annotation}) for annotation in said]
    (tmp_path / f"{made.SESSION}.annotations.jsonl").write_text("\n".join(rows))
    reading = made.read(path)
    assert [a.value for a in reading.timeline.annotations] == [{"text": t} for t in "abd"]
    assert made.codes(reading) == ["bad-field", "bad-field", "repeated-id"]


@real
def test_the_latency_of_every_answer_is_measured_and_of_nothing_else() -> None:
    timeline = made.read(variants("pk-dev-interruption")[0]).timeline
    assert metrics.latency(timeline.events) == {
        "count": 3,
        "avg_seconds": pytest.approx(0.321),
        "p50_seconds": 0.321,
        "p95_seconds": 0.321,
        "time_to_first_byte_seconds": 0.321,
        "interrupt_response_seconds": None,
    }
