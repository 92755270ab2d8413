"""Sound that comes in pieces: where each piece goes, and where its bytes are."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from typing import BinaryIO

import pytest

from vault.errors import NotFound
from vault.formats.pieces import Pieces
from vault.model import Event, Kind, Original, Timeline
from vault.replay.tracks import Track, frames, kept, tracks, turns, wav

MS = 1_000_000
BYTES = bytes(range(256)) * 4


class Unseekable(io.BytesIO):
    """A stream as a store gives it: forward only."""

    def seekable(self) -> bool:
        return False


def original(name: str, data: bytes, opened: list[str], *, seek: bool) -> Original:
    def again() -> BinaryIO:
        opened.append(name)
        return io.BytesIO(data) if seek else Unseekable(data)

    return Original(name, Kind.AUDIO, "audio/pcm", len(data), again)


def track(pieces: Sequence[tuple[int, int, str | None]], file: str = "blobs/s/a") -> Track:
    """Pieces of 8 kHz sound: (offset in ms, length in ms, turn), each 16 bytes a millisecond."""
    events = [
        Event(
            seq,
            "audio.input",
            offset * MS,
            {
                "turn_id": turn,
                "payload": {"storage_ref": f"file://{file.removeprefix('blobs/')}"},
                "metadata": {"sample_rate": 8000, "channels": 1, "duration_ms": length},
            },
        )
        for seq, (offset, length, turn) in enumerate(pieces)
    ]
    return tracks(Timeline(events=events))["audio_input"]


def samples(found: Track, sound: bytes, *, gaps: bool) -> bytes:
    data = b"".join(wav(found, lambda *_: sound, {"blobs/s/a": len(sound)}, gaps=gaps))
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        count = frames(found, {"blobs/s/a": len(sound)}, gaps=gaps)
        assert file.getnframes() == count
        assert len(data) == 44 + count * 2
        return bytes(file.readframes(count))


def test_pieces_follow_one_another_or_wait_for_their_time() -> None:
    sound = b"\x01\x02" * 800  # 100 ms
    found = track([(500, 100, "t"), (600, 100, "t"), (1700, 100, "t")])
    assert samples(found, sound, gaps=False) == sound * 3
    silence = bytes(1000 * 16)
    assert samples(found, sound, gaps=True) == sound * 2 + silence + sound


@pytest.mark.parametrize("skip_ms", [0, 99, 100, 150, 200, 900, 1200, 1250, 1300, 2000])
def test_what_is_skipped_is_not_fetched(skip_ms: int) -> None:
    sound = bytes(range(160)) * 10  # 100 ms
    found = track([(500, 100, "t"), (600, 100, "t"), (1700, 100, "t")])
    fetched = 0

    def fetch(*_: object) -> bytes:
        nonlocal fetched
        fetched += 1
        return sound

    sizes = {"blobs/s/a": len(sound)}
    data = b"".join(wav(found, fetch, sizes, gaps=True, skip=skip_ms * 8))
    assert data[44:] == samples(found, sound, gaps=True)[skip_ms * 16 :]
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() * 2 == len(data) - 44
    assert fetched == sum(skip_ms < end for end in (100, 200, 1300))


def test_jitter_leaves_no_hole_and_a_burst_is_played_out() -> None:
    sound = b"\x01\x02" * 800
    found = track([(0, 100, "t"), (130, 100, "t"), (131, 100, "t"), (132, 100, "t")])
    assert samples(found, sound, gaps=True) == sound * 4


def test_a_track_is_split_into_its_turns_though_they_overlap() -> None:
    found = track([(0, 1, "a"), (1, 1, "a"), (5, 1, "b"), (6, 1, "a"), (7, 1, None), (8, 1, "b")])
    split = [[c.offset_ns // MS for c in turn.chunks] for turn in turns(found)]
    assert split == [[0, 1, 6], [5, 8], [7]]
    unnamed = track([(0, 1, None), (1, 1, None), (2, 1, "a"), (3, 1, None)])
    split = [[c.offset_ns // MS for c in turn.chunks] for turn in turns(unnamed)]
    assert split == [[0, 1], [2], [3]]


def test_pieces_that_are_not_kept_are_left_out() -> None:
    found = track([(0, 1, "a")])
    assert kept(found, {"blobs/s/a": 1}).chunks == found.chunks
    assert kept(found, {"events/blobs/s/a": 1}).chunks == found.chunks
    assert kept(found, {"blobs/s/b": 1}).chunks == ()


@pytest.mark.parametrize("seek", [True, False])
def test_pieces_are_read_on_from_where_the_last_ended(seek: bool) -> None:
    opened: list[str] = []
    held = [original("a", BYTES, opened, seek=seek)]
    held.append(original("b", BYTES[::-1], opened, seek=seek))
    with Pieces(held) as pieces:
        assert pieces.fetch("a", 10, 20) == BYTES[10:30]
        assert pieces.fetch("a", 30, 5) == BYTES[30:35]
        assert pieces.fetch("a", 500, 5) == BYTES[500:505]
        assert opened == ["a"]
        assert pieces.fetch("b", 3, 2) == BYTES[::-1][3:5]
        assert pieces.fetch("a", 0, 4) == BYTES[:4]
        assert pieces.fetch("a", 1000, 5000) == BYTES[1000:]
        assert opened == ["a", "b", "a"]
        with pytest.raises(NotFound):
            pieces.fetch("c", 0, 1)
