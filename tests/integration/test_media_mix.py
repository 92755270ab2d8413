"""Audio on its way out: what is mixed, where it lies, and how long a player says it is."""

from __future__ import annotations

import io
import re
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from tests.integration.media_signals import CONTAINERS, coded, decoded, voice, wave
from vault.errors import BadInput, UsageError
from vault.media.mix import CONTAINERS as WRITTEN
from vault.media.mix import Placed, decode, encode, mix, mixed_frames

RATE = 8000


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coded")


def steady(value: int, frames: int, block: int = 777) -> Callable[[], Iterator[bytes]]:
    whole = np.full(frames, value, "<i2").tobytes()
    return lambda: (whole[at : at + block] for at in range(0, len(whole), block))


def mixed(tracks: list[Placed], channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    whole = b"".join(mix(tracks, RATE, channels))
    return np.frombuffer(whole, "<i2").reshape(-1, channels)


def shown_seconds(path: Path) -> float:
    """The duration as ffmpeg, and so a player, reads it from the file's headers."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    told = subprocess.run([program, "-i", str(path)], capture_output=True, check=False).stderr
    found = re.search(rb"Duration: (\d+):(\d+):([\d.]+)", told)
    assert found is not None
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def test_tracks_lie_where_they_belong_and_silence_between() -> None:
    tracks = [
        Placed(2_500_000_000, steady(-300, 12_000), 1, 12_000),
        Placed(0, steady(100, 8000), 0, 8000),
    ]
    whole = mixed(tracks, 2)
    assert len(whole) == mixed_frames(tracks, RATE) == 32_000
    assert (whole[:8000] == [100, 0]).all()
    assert (whole[8000:20_000] == 0).all()
    assert (whole[20_000:] == [0, -300]).all()


def test_silence_follows_the_last_sound_where_more_frames_are_asked_for() -> None:
    tracks = [Placed(0, steady(100, 8000), 0, 8000)]
    for frames, length in ((20_000, 20_000), (100, 8000)):
        whole = np.frombuffer(b"".join(mix(tracks, RATE, 1, frames=frames)), "<i2")
        assert len(whole) == length
        assert (whole[:8000] == 100).all()
        assert (whole[8000:] == 0).all()


def test_overlaps_add_up_and_saturate() -> None:
    tracks = [
        Placed(0, steady(20_000, 8000), 0, 8000),
        Placed(500_000_000, steady(20_000, 8000), 1, 8000),
        Placed(0, steady(-5, 8000), None, 8000),
    ]
    whole = mixed(tracks, 1)[:, 0]
    assert (whole[:4000] == 19_995).all()
    assert (whole[4000:8000] == 32_767).all()
    assert (whole[8000:] == 20_000).all()
    stereo = mixed(tracks, 2)
    assert (stereo[4000:8000] == [19_995, 19_995]).all()


@pytest.mark.parametrize("block", [1, 3, 4096, 100_000])
def test_blocks_may_break_anywhere(block: int) -> None:
    track = Placed(125_000, steady(7, 9001, block), 0, 9001)
    assert (mixed([track], 1)[1:, 0] == 7).all()
    assert len(mixed([track], 1)) == 9002


def test_missing_sound_is_silence_and_surplus_is_left_out() -> None:
    short = mixed([Placed(0, steady(9, 100), None, 1000)], 1)[:, 0]
    assert (len(short), int(short[:100].min()), int(short[100:].max())) == (1000, 9, 0)
    assert len(mixed([Placed(0, steady(9, 1000), None, 100)], 1)) == 100


def test_nothing_mixes_to_nothing_and_lies_are_refused() -> None:
    assert len(mixed([], 2)) == 0
    assert len(mixed([Placed(0, steady(1, 0), 0, 0)], 2)) == 0
    with pytest.raises(BadInput):
        mixed([Placed(-1, steady(1, 1), 0, 1)], 2)
    with pytest.raises(BadInput):
        mixed([Placed(10**18, steady(1, 1), 0, 1)], 2)
    with pytest.raises(UsageError):
        mixed([], 3)


def test_tracks_are_open_only_while_they_sound() -> None:
    opened, closed, most = 0, 0, 0

    def source() -> Iterator[bytes]:
        nonlocal opened, closed, most
        opened += 1
        most = max(most, opened - closed)
        try:
            yield bytes(16_000)
        finally:
            closed += 1

    tracks = [Placed(n * 2_000_000_000, source, 0, 8000) for n in range(50)]
    for _ in mix(tracks, RATE, 1):
        pass
    assert (opened, closed, most) == (50, 50, 1)
    left_early = mix([Placed(0, source, 0, 80_000)], RATE, 1)
    next(left_early)
    left_early.close()  # type: ignore[attr-defined]  # it is a generator
    assert opened == closed == 51


def test_an_hour_mixes_in_constant_memory() -> None:
    def hour() -> Iterator[bytes]:
        block = bytes(64_000)
        for _ in range(900):
            yield block

    tracemalloc.start()
    size = sum(len(block) for block in mix([Placed(0, hour, 0, RATE * 3600)], RATE, 2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == RATE * 3600 * 4
    assert peak < 3_000_000


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_decodes_to_the_rate_and_channels_asked_for(
    container: str, folder: Path
) -> None:
    whole = coded(container, folder, 24000, 3.0, 2)
    for channels in (1, 2):
        made = b"".join(decode(iter([whole]), container, 16000, channels))
        assert len(made) / (2 * channels * 16000) == pytest.approx(3.0, abs=0.08)
    assert np.abs(np.frombuffer(made, "<i2")).max() > 1000


@pytest.mark.parametrize("container", WRITTEN)
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_export_plays_for_as_long_as_it_is(
    container: str, rate: int, channels: int, tmp_path: Path
) -> None:
    samples = voice(rate, 2.345, channels)
    frames = len(samples) // (2 * channels)
    blocks = (samples[at : at + 9001] for at in range(0, len(samples), 9001))
    whole = b"".join(encode(blocks, rate, channels, container, frames=frames))
    path = tmp_path / f"export.{container}"
    path.write_bytes(whole)
    assert shown_seconds(path) == pytest.approx(frames / rate, abs=0.1)
    played = len(decoded(container, whole, "s16le", "-ac", "1", "-ar", "8000")) / 16000
    assert played == pytest.approx(frames / rate, abs=0.1)
    if container in {"wav", "flac"}:
        assert decoded(container, whole) == samples


@pytest.mark.parametrize("container", WRITTEN)
def test_an_export_of_nothing_is_a_file_or_bad_input(container: str) -> None:
    try:
        whole = b"".join(encode(iter([]), RATE, 1, container, frames=0))
    except BadInput:
        assert container != "wav"
    else:
        assert whole


@pytest.mark.parametrize("name", ["aac", "m4a", "WAV", "", "../wav", "wav -y /tmp/x"])
def test_any_other_container_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError):
        encode(iter([]), RATE, 1, name, frames=0)


@pytest.mark.parametrize("container", WRITTEN)
@pytest.mark.parametrize("frames", [999, 1001])
def test_a_wrong_count_ends_in_an_error_not_in_a_wrong_file(container: str, frames: int) -> None:
    with pytest.raises(BadInput):
        b"".join(encode(iter([bytes(2000)]), RATE, 1, container, frames=frames))


def test_a_decoded_and_mixed_session_streams_into_a_file(folder: Path) -> None:
    def opened(container: str) -> Callable[[], Iterator[bytes]]:
        whole = coded(container, folder, 24000)
        return lambda: decode(iter([whole]), container, 16000)

    tracks = [
        Placed(0, opened("wav"), 0, 48_000),
        Placed(1_500_000_000, opened("ogg"), 1, 48_000),
        Placed(4_000_000_000, opened("m4a"), 0, 48_000),
    ]
    frames = mixed_frames(tracks, 16000)
    whole = b"".join(encode(mix(tracks, 16000, 2), 16000, 2, "flac", frames=frames))
    stereo = np.frombuffer(decoded("flac", whole), "<i2").reshape(-1, 2)
    assert len(stereo) == frames == 112_000
    assert stereo[:24_000, 1].any() == np.False_
    assert np.abs(stereo[24_000:72_000, 1]).max() > 1000
    assert (stereo[:48_000, 0].tobytes()) == b"".join(opened("wav")())


def test_an_exported_wave_is_the_plain_file() -> None:
    samples = voice(RATE, 1.0)
    made = b"".join(encode(iter([samples]), RATE, 1, "wav", frames=RATE))
    assert made == wave(samples, RATE)
    assert io.BytesIO(made).read(4) == b"RIFF"
