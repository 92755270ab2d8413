"""What holds of every `Reading` that a reader hands over, and of what is made of it."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import asdict, replace
from datetime import UTC, timedelta

from vault.errors import BadInput
from vault.formats import jsontext, openai_realtime_sound, openai_realtime_wav
from vault.formats.promptkit_inline import inline_sound
from vault.formats.source import relative
from vault.media import wav
from vault.model import Original, Reading, Timeline
from vault.replay.analysis import analyse
from vault.replay.metrics import measure
from vault.replay.player import Player
from vault.replay.transcript import process

_INT64 = 2**63
_ROLES = {"user", "agent", "system"}
#: Past so many segments and events the replay is not tried again on the same ideas.
_REPLAYED_LIMIT = 200
#: In which events OpenAI Realtime sends sound, and in which of their fields.
_SENT = {
    "input_audio_buffer.append": "audio",
    "response.audio.delta": "delta",
    "response.output_audio.delta": "delta",
}


def check(reading: Reading) -> None:
    """Raise `AssertionError`, or whatever arises, where a reading is not what it promises."""
    _plain(reading)
    _times(reading)
    _files(reading)
    _inside(reading)
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


def _opens(original: Original) -> bytes:
    with original.open() as stream:
        data = stream.read()
    assert len(data) == original.size_bytes, "size"
    return data


def _inside(reading: Reading) -> None:
    """What lies inside an original comes out, twice the same, and no other name is its own."""
    found = reading.inside or inline_sound(reading, reading.originals)
    if found is None:
        return
    try:
        sounds = [(each.name, _opens(each)) for each in found()]
        assert sounds == [(each.name, _opens(each)) for each in found()], "not the same again"
    except BadInput as error:
        raise AssertionError("nothing changed while it was read") from error
    names = [name for name, _ in sounds]
    assert len(names) == len(set(names)), "one name twice"
    if reading.inside is not None:
        assert not {each.name for each in reading.originals} & set(names), "a name of an original"
    if reading.format == "openai-realtime":
        _whole(reading, dict(sounds))


def _whole(reading: Reading, sounds: dict[str, bytes]) -> None:
    """All sound of a log is in a turn's recording, or it is said that some is not."""
    heard = 0
    for data in sounds.values():
        header = wav.read_header(io.BytesIO(data), len(data))
        assert not header.warnings
        heard += header.data_bytes
    assert {segment.file for segment in reading.timeline.segments} - {None} == set(sounds)
    if all(warning.code != "inline-audio" for warning in reading.warnings):
        (log,) = reading.originals
        sent = list(map(_sent, _opens(log).split(b"\n")))
        streamed, whole = (sum(sizes) for sizes in zip(*sent, strict=True))
        assert streamed - len(sounds) <= heard <= streamed + whole, "sound is lost"


def _sent(line: bytes) -> tuple[int, int]:
    """How many bytes of sound a line streams, and how many its event has whole at most.

    Told in another way than the reader's.
    """
    event = openai_realtime_wav.event_in(jsontext.object_in(line) or {})
    kind = event.get("type")
    key = openai_realtime_sound.PIECES.get(kind if isinstance(kind, str) else "", ("", ""))[1]
    text = event.get(key)
    if isinstance(text, str):
        return len(base64.b64decode(text, validate=True)), 0
    return 0, len(line)


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
