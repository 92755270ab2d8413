"""What holds of every `Reading` that a reader hands over, and of what is made of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, timedelta

from vault.formats.source import relative
from vault.model import Original, Reading, Timeline
from vault.replay.analysis import analyse
from vault.replay.metrics import measure
from vault.replay.player import Player
from vault.replay.transcript import process

_INT64 = 2**63
_ROLES = {"user", "agent", "system"}
#: Past so many segments and events the replay is not tried again on the same ideas.
_REPLAYED_LIMIT = 200


def check(reading: Reading) -> None:
    """Raise `AssertionError`, or whatever arises, where a reading is not what it promises."""
    _plain(reading)
    _times(reading)
    _files(reading)
    timeline = reading.timeline
    if len(timeline.segments) + len(timeline.events) <= _REPLAYED_LIMIT:
        _replayed(timeline, reading.duration_ns)


def written(value: object) -> bytes:
    """The value as the catalogue keeps it: JSON in UTF-8, every number finite."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _plain(reading: Reading) -> None:
    written(asdict(reading.timeline))
    written([asdict(each) for each in reading.participants])
    written([asdict(each) for each in reading.warnings])
    written([dict(reading.metrics), dict(reading.source)])
    written([reading.external_id, reading.title, reading.agent])
    written([*reading.subjects, *reading.tags])


def _times(reading: Reading) -> None:
    segments, events = reading.timeline.segments, reading.timeline.events
    assert {segment.role for segment in segments} <= _ROLES
    assert {one.role for one in reading.participants} <= _ROLES
    indices = [segment.index for segment in segments]
    assert indices == sorted(set(indices)), "indices"
    assert all(0 <= each.index < _INT64 for each in segments)
    assert all(0 <= each.start_ns <= each.end_ns < _INT64 for each in segments), "segment times"
    assert all(0 <= (each.decoded_ns or 0) < _INT64 for each in segments), "decoded"
    assert all(0 <= event.offset_ns < _INT64 for event in events), "event times"
    assert 0 <= (reading.duration_ns or 0) < _INT64, "duration"
    if reading.started_at is not None:
        assert reading.started_at.utcoffset() is not None
        assert reading.started_at.astimezone(UTC).year >= 1970
        # What a deposit works out: when the session ended.
        reading.started_at + timedelta(microseconds=(reading.duration_ns or 0) // 1000)


def _files(reading: Reading) -> None:
    names = [original.name for original in reading.originals]
    assert len(names) == len(set(names)), "one name twice"
    for original in reading.originals:
        assert relative(original.name) == original.name
        assert original.media_type.isascii()
        assert original.media_type.isprintable()
        _opens(original)
    for segment in reading.timeline.segments:
        assert segment.file is None or relative(segment.file) == segment.file


def _opens(original: Original) -> None:
    with original.open() as stream:
        assert len(stream.read()) == original.size_bytes, "size"


def _replayed(timeline: Timeline, duration_ns: int | None) -> None:
    written(measure(timeline, duration_ns))
    written(analyse(timeline, duration_ns))
    processed = process(timeline)
    written(dict(processed.summary))
    written(asdict(replace(processed.timeline(timeline), events=())))
    player = Player(timeline, duration_ns)
    for share in (0, 1, 3):
        player.seek(player.duration_ns * share // 3)
        moment = player.moment()
        written([asdict(each) for each in moment.annotations])
        assert player.position_text
