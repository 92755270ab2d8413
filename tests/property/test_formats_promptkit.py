"""PromptKit recordings from strangers: read, or refused, and never anything else."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests import promptkit as made
from vault.errors import BadInput
from vault.formats import instants, promptkit, promptkit_media
from vault.formats.promptkit_writer import write_json, write_lines
from vault.formats.source import Source
from vault.replay.player import Player
from vault.replay.tracks import tracks

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["../x", "file://a/../b", "2026-01-01T00:00:00Z", "QUJD"]),
)  # fmt: skip
anything = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
KINDS = [
    "audio.input", "audio.output", "audio.transcription", "message.created", "stream.interrupted",
    "tool.call.failed", "video.frame", "x",
]  # fmt: skip
FIELDS = [
    "turn_id", "text", "is_final", "Role", "Content", "Parts", "Index", "metadata", "payload",
    "chunk_index",
]  # fmt: skip
PARTS = [
    "storage_ref",
    "inline_data",
    "checksum",
    "size",
    "mime_type",
    "sample_rate",
    "duration_ms",
]
fields = st.dictionaries(
    st.sampled_from(FIELDS),
    anything | st.dictionaries(st.sampled_from(PARTS), anything, max_size=5),
    max_size=6,
)
events = st.lists(
    st.tuples(
        st.integers(0, 10**10),
        st.sampled_from(KINDS),
        fields,
        st.dictionaries(
            st.sampled_from(["seq", "type", "timestamp", "offset", "session_id", "data", "novel"]),
            anything,
            max_size=3,
        ),
    ).map(lambda e: made.event(1, e[0], e[1], data=e[2]) | e[3]),
    max_size=6,
)
metadata = st.dictionaries(
    st.sampled_from(["session_id", "start_time", "duration", "event_count", "version", "custom"]),
    anything,
    max_size=3,
)


def shown(path: Path) -> None:
    """Do with a file all that is done with one; only `BadInput` may come of it."""
    source = Source(path)
    with contextlib.suppress(BadInput):
        promptkit.detect(source)
        for reading in promptkit.read(source, "promptkit"):
            json.loads(b"".join(write_json(reading)))
            b"".join(write_lines(reading)).decode()
            player = Player(reading.timeline, reading.duration_ns)
            player.advance(player.duration_ns // 2)
            assert player.moment().position_ns == player.position_ns
            tracks(reading.timeline)
            json.dumps([w.text for w in reading.warnings])
            assert all(e.offset_ns >= 0 for e in reading.timeline.events)


@given(events, metadata, st.integers(0, 2))
def test_any_recording_is_read_or_refused(
    rows: list[dict[str, Any]], top: dict[str, Any], which: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        stated = made.metadata([]) | top
        if which == 0:
            path.write_text(json.dumps({"metadata": stated, "events": rows}))
        elif which == 1:
            lines = [{"metadata": stated, "type": "metadata"}]
            lines += [{"event": row, "type": "event"} for row in rows]
            path.write_text("\n".join(map(json.dumps, lines)))
        else:
            made.store(path, [made.event(1, 0), *({"seq": 3} | row for row in rows)])
        shown(path)


SMALL = made.metadata([made.event(1, 0)])
SAMPLES = [
    json.dumps({"metadata": SMALL, "events": [made.audio(1, 0, b"abc", blob=False)]}).encode(),
    b"\n".join(
        json.dumps(row).encode()
        for row in (
            {"metadata": SMALL, "type": "metadata"},
            {"event": made.event(1, 0), "type": "event"},
        )
    ),
    json.dumps({"seq": 1, "event": made.event(1, 0)}).encode() + b"\n",
]


@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_bytes_are_read_or_refused(sample: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(damaged)
        shown(path)


@given(st.binary(max_size=200))
def test_bytes_are_no_recording(junk: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(junk)
        assert promptkit.detect(Source(path)) is None


@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from(KINDS), anything), max_size=8),
    st.booleans(),
)
def test_what_is_read_is_written_again(rows: list[tuple[int, str, Any]], lines: bool) -> None:
    made_events = [
        made.event(n, at, kind, data=data, novel=data)
        for n, (at, kind, data) in enumerate(sorted(rows, key=lambda row: row[0]))
        if not (isinstance(data, dict) and "payload" in data)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = (made.lines if lines else made.recording)(Path(folder) / "a", made_events)
        reading = made.read(path)
        written = json.loads(b"".join(write_json(reading)))
        rows_again = b"".join(write_lines(reading)).splitlines()
    assert written["events"] == json.loads(json.dumps(made_events))
    assert [json.loads(row)["event"] for row in rows_again[1:]] == written["events"]


@given(st.integers(-62_135_596_800 * 10**9, instants.LATE_NS - 1))
def test_an_instant_survives_to_the_nanosecond(at: int) -> None:
    assert instants.parse(instants.write(at)) == at


@given(st.integers(instants.LATE_NS, 253_402_300_799 * 10**9))
def test_no_instant_is_taken_from_the_year_9000_on(at: int) -> None:
    assert instants.parse(instants.write(at)) is None


@given(
    st.binary(max_size=12).map(lambda sound: base64.b64encode(sound).decode())
    | st.text(st.sampled_from("Az09+/=\n\0é- "), max_size=9),
    st.text(st.sampled_from("A=\n-"), max_size=2),
)
def test_inline_sound_is_taken_as_strictly_as_ever(text: str, more: str) -> None:
    try:
        expected = binascii.a2b_base64(text + more, strict_mode=True)
    except ValueError:
        expected = None
    assert promptkit_media._decoded(text + more) == expected
