"""The sound in a log of OpenAI Realtime events: which turns it is, where it belongs, its bytes."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recordings import noise
from tests.unit.test_formats_scenario import codes, read
from tests.unit.test_formats_vendors_text import REAL, log, needs_files
from vault.errors import BadInput
from vault.formats.sound import RECORDING_NS, beginnings, sound
from vault.model import Json, Kind, Reading

RATE = 24_000
SECOND = 1_000_000_000
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def samples(seconds: float, seed: int = 0) -> bytes:
    return noise(seconds, seed=seed, rate=RATE)[44:]


def sent(data: bytes) -> dict[str, Json]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}


def said(data: bytes, item: str, generation: str = "output_audio") -> dict[str, Json]:
    delta = base64.b64encode(data).decode()
    return {"type": f"response.{generation}.delta", "item_id": item, "delta": delta}


def user(kind: str, item: str, **more: Json) -> dict[str, Json]:
    return {"type": f"input_audio_buffer.{kind}", "item_id": item, **more}


def made(place: Path, *events: tuple[float | None, dict[str, Json]]) -> Reading:
    """The reading of a log of these events, each with the second it was logged in, if any."""
    rows: list[Json] = []
    for number, (second, event) in enumerate(events):
        stamp = {} if second is None else {"ts": 1_768_469_400 + second}
        rows.append({**stamp, "event": {"event_id": f"e{number}", **event}})
    return read(log(place, *rows))


def held(reading: Reading) -> dict[str, bytes]:
    """Every recording inside, as a file."""
    assert reading.inside is not None
    return {o.name: o.open().read() for o in reading.inside()}


def pcm(file: bytes) -> bytes:
    with wave.open(io.BytesIO(file)) as opened:
        assert opened.getparams()[:3] == (1, 2, RATE)
        frames: bytes = opened.readframes(opened.getnframes())
    return frames


def placed(reading: Reading) -> dict[str, float]:
    """Where each recording begins, in seconds."""
    return {name: ns / SECOND for name, ns in beginnings(reading.timeline.segments).items()}


@needs_files
def test_a_real_log_gives_up_every_byte_of_its_sound_turn_by_turn() -> None:
    place = REAL / "openai_realtime/events.jsonl"
    reading = read(place)
    events = [json.loads(line)["event"] for line in place.read_text().splitlines()]
    given = [
        base64.b64decode(event.get("audio") or event["delta"])
        for event in events
        if event["type"] in {"input_audio_buffer.append", "response.output_audio.delta"}
    ]
    assert [pcm(file) for file in held(reading).values()] == given
    assert list(held(reading)) == [s.file for s in reading.timeline.segments]
    assert {s.decoded_ns for s in reading.timeline.segments} == {SECOND // 5}
    assert [s.data.get(RECORDING_NS) for s in reading.timeline.segments] == [None] * 6
    assert reading.inside is not None
    for original in reading.inside():
        assert (original.kind, sound(original).container) == (Kind.AUDIO, "wav")
        assert original.size_bytes == len(original.open().read())


def test_a_stream_is_one_recording_and_its_turns_say_where_it_begins(tmp_path: Path) -> None:
    pieces = [samples(0.5, seed) for seed in range(8)]
    events = [(n / 2 + 0.03 * (n % 2), sent(piece)) for n, piece in enumerate(pieces)]
    events.insert(3, (1.2, user("speech_started", "one")))
    events.insert(5, (1.8, user("speech_stopped", "one")))
    events.insert(7, (2.2, user("speech_started", "two")))
    events.insert(9, (2.8, user("committed", "two")))
    events += [(2.9, {"type": TRANSCRIBED, "item_id": "two", "transcript": "Hi"})]
    late = samples(0.25, 9)
    events += [(9.0, user("speech_started", "three")), (9.0, sent(late))]
    events += [(9.3, user("speech_stopped", "three"))]
    reading = made(tmp_path, *events)
    one, two, three = reading.timeline.segments
    assert (one.file, two.file, three.file) == (
        "sound-0000-user.wav",
        "sound-0000-user.wav",
        "sound-0001-user.wav",
    )
    assert (one.decoded_ns, two.decoded_ns, three.decoded_ns) == (None, None, SECOND // 4)
    assert placed(reading) == {"sound-0000-user.wav": 0.0, "sound-0001-user.wav": 9.0}
    assert [pcm(file) for file in held(reading).values()] == [b"".join(pieces), late]


def test_sound_that_nobody_took_for_a_turn_is_heard_all_the_same(tmp_path: Path) -> None:
    reading = made(tmp_path, (0, sent(samples(0.5))), (4, said(samples(0.25), "a")))
    first, second = reading.timeline.segments
    assert (first.role, first.text, first.end_ns) == ("user", None, SECOND // 2)
    assert (second.role, second.start_ns, second.decoded_ns) == ("agent", 4 * SECOND, SECOND // 4)
    assert set(held(reading)) == {first.file, second.file}


@pytest.mark.parametrize(
    ("between", "begins"),
    [
        ([], 3.0),
        ([(2.0, user("speech_started", "u"))], 2.2),
        (
            [(2.0, {"type": "conversation.item.truncated", "item_id": "a", "audio_end_ms": 1500})],
            2.5,
        ),
    ],
    ids=["runs on", "the user speaks", "truncated"],
)
def test_what_is_sent_ahead_sounds_after_what_is_heard_of_the_item_before(
    tmp_path: Path, between: list[tuple[float, dict[str, Json]]], begins: float
) -> None:
    first = [(1.0, said(samples(1.0, 1), "a")), (1.1, said(samples(1.0, 2), "a"))]
    reading = made(tmp_path, (0, {"type": "x"}), *first, *between, (2.2, said(samples(0.5), "b")))
    assert placed(reading) == {"sound-0000-agent.wav": 1.0, "sound-0001-agent.wav": begins}
    assert pcm(held(reading)["sound-0000-agent.wav"]) == samples(1.0, 1) + samples(1.0, 2)


@pytest.mark.parametrize(
    "session",
    [
        {"input_audio_format": "g711_ulaw", "output_audio_format": "pcm16"},
        {
            "audio": {
                "input": {"format": {"type": "audio/pcmu"}},
                "output": {"format": {"type": "audio/pcm", "rate": RATE}},
            }
        },
    ],
    ids=["older", "newer"],
)
def test_each_side_is_coded_as_the_session_says(tmp_path: Path, session: dict[str, Json]) -> None:
    told: dict[str, Json] = {"type": "session.updated", "session": session}
    agent = said(samples(0.1), "a", "audio")
    reading = made(tmp_path, (0, told), (1, sent(bytes(range(251)))), (2, agent))
    heard, spoken = held(reading).values()
    assert heard[20:28] == b"\x07\0\x01\0\x40\x1f\0\0"  # mu-law, mono, 8000 Hz
    assert heard[-252:] == bytes(range(251)) + b"\0"
    assert reading.timeline.segments[0].decoded_ns == 251 * SECOND // 8000
    assert pcm(spoken) == samples(0.1)


def test_sound_in_no_known_form_stays_in_the_log_and_is_told_of(tmp_path: Path) -> None:
    told: dict[str, Json] = {"type": "session.created", "session": {"input_audio_format": "opus"}}
    deltas = ("no base64", "AAA", "A===", "====", "AA=A", "=AAA", "AAAA\n", "AA-_", "AAA\u00e4")
    broken: list[dict[str, Json]] = [
        {"type": "response.audio.delta", "item_id": "a", "delta": each} for each in deltas
    ]
    reading = made(tmp_path, (0, told), (1, sent(b"abcd")), *((2, each) for each in broken))
    assert reading.inside is None
    assert [w.text[:2] for w in reading.warnings if w.code == "inline-audio"] == ["10"]
    assert [o.kind for o in reading.originals] == [Kind.OTHER]


def message(kind: str, *audio: bytes, **item: Json) -> dict[str, Json]:
    """An event that describes a message of the user with sound in its parts."""
    parts: list[Json] = [
        {"type": "input_audio", "audio": base64.b64encode(each).decode()} for each in audio
    ]
    parts = parts or [{"type": "input_audio"}]
    told: dict[str, Json] = {"type": "message", "role": "user", "content": parts, **item}
    return {"type": f"conversation.item.{kind}", "item": told}


@pytest.mark.parametrize("named", [True, False])
def test_a_message_that_is_sent_whole_is_a_turn_that_ends_then(tmp_path: Path, named: bool) -> None:
    whole = samples(1.0, 1)
    reading = made(
        tmp_path,
        (0, {"type": "session.created", "session": {}}),
        (5, message("create", whole, **({"id": "u"} if named else {}))),
        (5.1, message("created", id="u")),
        (6, {"type": TRANSCRIBED, "item_id": "u", "transcript": "Hi"}),
        (7, message("retrieved", whole, id="u")),
    )
    (turn,) = reading.timeline.segments
    assert (turn.role, turn.text, turn.file) == ("user", "Hi", "sound-0000-user.wav")
    assert (turn.start_ns, turn.end_ns, turn.decoded_ns) == (4 * SECOND, 5 * SECOND, SECOND)
    assert {name: pcm(file) for name, file in held(reading).items()} == {turn.file: whole}
    assert codes(reading) == []
    assert base64.b64encode(whole).decode()[:40] not in repr(reading.timeline)


def test_what_repeats_the_sound_of_deltas_is_no_second_recording(tmp_path: Path) -> None:
    heard = samples(0.5, 1)
    part: Json = {"type": "audio", "audio": base64.b64encode(heard).decode()}
    item: Json = {"type": "message", "role": "assistant", "id": "a", "content": [part]}
    reading = made(
        tmp_path,
        (1, said(heard, "a")),
        (2, {"type": "response.content_part.done", "item_id": "a", "part": part}),
        (3, {"type": "response.output_item.done", "item": item}),
        (4, {"type": "response.done", "response": {"output": [item]}}),
    )
    assert [pcm(file) for file in held(reading).values()] == [heard]
    assert "inline-audio" not in {warning.code for warning in reading.warnings}
    told = [json.dumps(event.data) for event in reading.timeline.events]
    assert [each.count('"omitted_bytes": 24000') for each in told] == [1, 1, 1, 1]


def test_what_repeats_many_items_at_once_is_no_loss(tmp_path: Path) -> None:
    names, heard = [f"a{n}" for n in range(20)], base64.b64encode(b"abcd").decode()
    parts: list[Json] = [{"type": "output_audio", "audio": heard}]
    output: list[Json] = [{"type": "message", "id": name, "content": parts} for name in names]
    done: dict[str, Json] = {"type": "response.done", "response": {"output": output}}
    reading = made(tmp_path, *((1, said(b"abcd", name)) for name in names), (2, done))
    assert len(held(reading)) == 20
    assert "inline-audio" not in {warning.code for warning in reading.warnings}


def test_whole_messages_come_one_after_the_other_and_part_no_stream(tmp_path: Path) -> None:
    parts = [samples(1.0, n) for n in range(5)]
    reading = made(
        tmp_path,
        (0, sent(parts[0])),
        (1, message("create", parts[1], parts[2], id="u")),
        (1.2, sent(parts[3])),
        (
            9,
            {
                "type": "response.output_item.done",
                "item": {
                    "type": "message",
                    "role": "assistant",
                    "id": "a",
                    "content": [
                        {"type": "output_audio", "audio": base64.b64encode(parts[4]).decode()}
                    ],
                },
            },
        ),
    )
    heard = [pcm(file) for file in held(reading).values()]
    assert heard == [parts[0] + parts[3], parts[1], parts[2], parts[4]]
    assert sorted(placed(reading).values()) == [0.0, 1.0, 2.0, 9.0]


def test_of_many_parts_in_one_event_those_past_the_16th_stay_in_the_log(
    tmp_path: Path,
) -> None:
    reading = made(tmp_path, (0, message("create", *[b"abcd"] * 4_000, id="u")))
    assert [pcm(file) for file in held(reading).values()] == [b"abcd"] * 16
    assert [w.text[:5] for w in reading.warnings if w.code == "inline-audio"] == ["3984 "]


@pytest.mark.parametrize("audio", ["no base64", "AAA", "\u00e4"])
def test_whole_sound_in_no_known_form_stays_in_the_log(tmp_path: Path, audio: str) -> None:
    event = message("create", b"abcd", id="u")
    item = event["item"]
    assert isinstance(item, dict)
    item["content"] = [{"type": "input_audio", "audio": audio}, {"type": "input_audio", "audio": 5}]
    reading = made(tmp_path, (0, event))
    assert reading.inside is None
    assert [w.text[:2] for w in reading.warnings if w.code == "inline-audio"] == ["1 "]


def test_without_times_the_milliseconds_of_the_service_place_the_sound(tmp_path: Path) -> None:
    reading = made(
        tmp_path,
        (None, sent(samples(1.0, 1))),
        (None, user("speech_started", "u", audio_start_ms=400)),
        (None, sent(samples(1.0, 2))),
        (None, user("speech_stopped", "u", audio_end_ms=1900)),
        (None, said(samples(0.5, 3), "a")),
    )
    assert placed(reading) == {"sound-0000-user.wav": 0.0, "sound-0001-agent.wav": 1.9}
    (text,) = [w.text for w in reading.warnings if w.code == "no-timestamps"]
    assert "Sound is placed" in text


def test_half_a_sample_at_the_end_is_left_out(tmp_path: Path) -> None:
    reading = made(tmp_path, (0, sent(b"abc")), (0, sent(b"de")))
    assert pcm(held(reading)["sound-0000-user.wav"]) == b"abcd"


def test_a_log_whose_messages_have_changed_gives_no_sound(tmp_path: Path) -> None:
    reading = made(tmp_path, (0, message("create", samples(0.1), id="u")))
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"input_audio", b"input_\x61ud10"))
    with pytest.raises(BadInput, match="changed"):
        held(reading)


def test_a_log_that_has_changed_gives_no_sound(tmp_path: Path) -> None:
    reading = made(tmp_path, (0, sent(samples(0.5))))
    place = tmp_path / "log.jsonl"
    text = place.read_text()
    place.write_text(text.replace('"audio": "', '"audio": "AAAA', 1))
    with pytest.raises(BadInput, match="changed"):
        held(reading)


def test_long_sound_is_read_in_the_memory_of_a_line(tmp_path: Path) -> None:
    piece = samples(1.0)
    reading = made(tmp_path, *((n, sent(piece)) for n in range(100)))
    assert reading.inside is not None
    (original,) = reading.inside()
    assert original.size_bytes == 44 + 100 * len(piece)
    tracemalloc.start()
    with original.open() as stream:
        blocks: Iterator[bytes] = iter(lambda: stream.read(1 << 16), b"")
        assert sum(map(len, blocks)) == original.size_bytes
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < original.size_bytes // 2
