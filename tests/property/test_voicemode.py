"""Whatever a VoiceMode log holds, it is read, nothing of it is lost, and nothing is shared."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from vault.errors import BadInput
from vault.formats import voicemode
from vault.formats.source import Source
from vault.formats.voicemode_rows import TIMINGS
from vault.formats.voicemode_write import dump, left_out, write, write_events
from vault.model import Json, Reading
from vault.replay.conversation import GAP, Exchange, Where, derive_ids, exchanges, select
from vault.replay.conversation_counts import count
from vault.replay.metrics import measure

SLOW_DISK = settings(deadline=None, suppress_health_check=list(HealthCheck))
PLAIN = {
    "timestamp": "2026-01-10T12:00:00+10:00",
    "conversation_id": "b",
    "type": "stt",
    "text": "hello",
}
LOGS = sorted(FIXTURES.glob("voicemode/**/*.jsonl"))
LOGGED = sorted(line for path in LOGS for line in path.open("rb") if line.endswith(b"}\n"))
REAL = [json.dumps(PLAIN).encode() + b"\n", *LOGGED]

IDS = st.sampled_from(["conv_20260110_120000_aaaaaa", "b", ""])
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["stt", "tts", "../x", "audio/x.wav", "\ud800", "2026-01-10T12:00:00+10:00", "ttfa 1.2s, x 9s"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4)
)
METADATA = st.dictionaries(
    st.sampled_from([*TIMINGS, "timing", "error", "voice", "silence_detection"]), VALUES
)
INSTANTS = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | TEXTS
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "version": st.integers(0, 9) | VALUES,
        "timestamp": INSTANTS | VALUES,
        "conversation_id": IDS | VALUES,
        "session_id": IDS,
        "type": st.sampled_from(["stt", "tts"]) | VALUES,
        "event_type": TEXTS,
        "text": TEXTS | VALUES,
        "project_path": VALUES,
        "audio_file": VALUES,
        "duration_ms": st.integers() | st.floats() | VALUES,
        "metadata": METADATA | VALUES,
        "data": VALUES,
        "future": VALUES,
    },
)
ROWS = st.builds(
    lambda line, changes, gone: (
        json.dumps(
            {key: value for key, value in (json.loads(line) | changes).items() if key not in gone}
        ).encode()
        + b"\n"
    ),
    st.sampled_from(REAL),
    CHANGES,
    st.sets(st.sampled_from(["timestamp", "type", "text", "metadata", "data"]), max_size=1),
)
LINES = (
    ROWS
    | st.sampled_from(REAL)
    | st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"") + b"\n")
    | st.sampled_from([b"\n", b" \r\n", b"{}\n", b"\xef\xbb\xbf" + REAL[0]])
)


def read(*logs: bytes) -> list[Reading]:
    """What the logs of some days hold, with the originals read; nothing where they are none."""
    with tempfile.TemporaryDirectory() as folder:
        for day, log in enumerate(logs, 10):
            (Path(folder) / f"exchanges_2026-01-{day}.jsonl").write_bytes(log)
        source = Source(folder)
        try:
            format_ = voicemode.detect(source)
            found = voicemode.read(source, format_ or "voicemode")
        except BadInput:
            return []
        return [
            replace(
                reading,
                originals=[
                    replace(o, kind=o.kind, media_type=o.open().read().hex())
                    for o in reading.originals
                ],
            )
            for reading in found
        ]


def lines_of(readings: list[Reading]) -> Counter[bytes]:
    held = [bytes.fromhex(o.media_type) for reading in readings for o in reading.originals]
    return Counter(line for data in held for line in data.splitlines(keepends=True))


@SLOW_DISK
@given(st.lists(LINES, max_size=12), st.lists(LINES, max_size=6), st.integers(0, 30))
def test_every_line_lands_in_exactly_one_session(
    first: list[bytes], second: list[bytes], cut: int
) -> None:
    logs = b"".join(first), b"".join(second)[: -cut or None]
    readings = read(*logs)
    if readings:
        expected = Counter(line for log in logs for line in log.splitlines(keepends=True))
        assert lines_of(readings) == expected


@SLOW_DISK
@given(st.lists(LINES, min_size=1, max_size=12))
def test_what_is_read_can_be_kept_measured_and_counted(lines: list[bytes]) -> None:
    for reading in read(b"".join([REAL[0], *lines])):
        kept = [asdict(reading.timeline), dict(reading.source), dict(reading.metrics)]
        json.dumps(kept, allow_nan=False).encode()
        assert all(segment.start_ns >= 0 for segment in reading.timeline.segments)
        assert all(segment.end_ns >= segment.start_ns for segment in reading.timeline.segments)
        assert all(event.offset_ns >= 0 for event in reading.timeline.events)
        json.dumps(measure(reading.timeline, reading.duration_ns), allow_nan=False)
        rows = list(exchanges(reading.timeline, reading.started_at))
        json.dumps(count(rows), allow_nan=False)
        list(select(rows, Where(pattern="a", silence=True, longest_ns=1)))
        assert len(derive_ids(rows)) == len(rows)


@SLOW_DISK
@given(st.lists(LINES, min_size=1, max_size=12))
def test_whatever_is_read_is_written_and_read_again_the_same(lines: list[bytes]) -> None:
    for reading in read(b"".join([REAL[0], *lines])):
        if reading.started_at is None:
            continue
        own = str(reading.external_id)
        if reading.format == "voicemode":
            assert {w.code for w in left_out(reading.timeline)} <= {"left-out"}
            again = list(write(reading.timeline, reading.started_at, own))
        else:
            again = list(write_events(reading.timeline, reading.started_at, own, reading.source))
        rows = read(b"".join(again))
        assert [row.external_id for row in rows] == [reading.external_id]
        assert [s.text or "" for s in rows[0].timeline.segments] == [
            s.text or "" for s in reading.timeline.segments
        ]
        events = zip(reading.timeline.events, rows[0].timeline.events, strict=True)
        assert all(was.type in {"", now.type} for was, now in events)
        for was, now in zip(reading.timeline.segments, rows[0].timeline.segments, strict=True):
            kept = {key: value for key, value in was.data.items() if value is not None}
            if kept.keys() & {"timestamp", "type"}:  # else nothing tells it from other sessions
                assert kept == {key: now.data[key] for key in kept}


@given(st.sampled_from(REAL), st.data())
def test_any_damage_to_a_real_row_is_survived(line: bytes, data: Any) -> None:
    at = data.draw(st.integers(0, len(line) - 1))
    new = data.draw(st.binary(max_size=3))
    read(line[:at] + new + line[at + 1 :])


@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(["/p", "/q", None])), max_size=30))
def test_derived_ids_change_exactly_where_the_rule_says(
    steps: list[tuple[int, str | None]],
) -> None:
    at, rows = datetime(2026, 1, 10, 23, 50, tzinfo=UTC), []
    for seconds, project in steps:
        at += timedelta(seconds=seconds)
        rows.append(Exchange("stt", "", at, project_path=project))
    ids = derive_ids(rows)
    last: dict[str | None, tuple[datetime, str]] = {}
    for row, own in zip(rows, ids, strict=True):
        assert row.at is not None
        before = last.get(row.project_path)
        same = before is not None and row.at - before[0] < GAP
        assert same == (before is not None and before[1] == own)
        last[row.project_path] = (row.at, own)
    projects = {own: row.project_path for row, own in zip(rows, ids, strict=True)}
    assert all(projects[own] == row.project_path for row, own in zip(rows, ids, strict=True))


@SLOW_DISK
@given(st.lists(st.sampled_from(REAL[:5]), max_size=8), st.data())
def test_a_log_followed_in_any_pieces_gives_its_rows(lines: list[bytes], data: Any) -> None:
    whole = b"".join(line.rstrip(b"\n") + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exchanges_2026-01-10.jsonl"
        path.touch()
        left = iter(pieces)

        def pause() -> bool:
            piece = next(left, None)
            if piece is not None:
                with path.open("ab") as stream:
                    stream.write(piece)
            return piece is not None

        found = list(voicemode.tail(path, pause))
    expected = [json.loads(line) for line in whole.splitlines() if _is_json(line)]
    assert [row for row in found if isinstance(row, dict)] == expected


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def test_a_row_is_written_as_python_writes_json() -> None:
    row: dict[str, Json] = {"text": "Grüße \U0001f69a", "version": 4}
    assert dump(row) == json.dumps(row).encode() + b"\n"
