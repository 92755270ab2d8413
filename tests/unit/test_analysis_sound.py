"""What is measured in a recording, on signals whose answer is known."""

from __future__ import annotations

import io
import math
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vault.errors import BadInput
from vault.media.measure import Measured, Meter, measure

RATE = 16_000


def tone(seconds: float, dbfs: float, *, rate: int = RATE) -> bytes:
    """A sine whose RMS is `dbfs`."""
    at = np.arange(round(seconds * rate)) / rate
    peak = 32767 * math.sqrt(2) * 10 ** (dbfs / 20)
    return (peak * np.sin(2 * np.pi * 440 * at)).astype("<i2").tobytes()


def silence(seconds: float, *, rate: int = RATE) -> bytes:
    return bytes(round(seconds * rate) * 2)


def heard(samples: bytes, *, channels: int = 1, block: int = 1 << 16) -> Measured:
    meter = Meter(RATE, channels)
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return meter.finish()


def wav(samples: bytes, *, rate: int = RATE, channels: int = 1, width: int = 2) -> io.BytesIO:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples)
    stream.seek(0)
    return stream


def test_the_level_of_a_tone_is_its_rms() -> None:
    found = heard(tone(2, -20))
    assert found.level_dbfs == pytest.approx(-20, abs=0.05)
    assert found.peak_dbfs == pytest.approx(-17, abs=0.05)
    assert found.clipped_samples == 0


def test_speech_and_silence_add_up_to_the_length() -> None:
    found = heard(silence(1) + tone(2, -20) + silence(1.5) + tone(0.7, -25) + silence(0.3))
    assert found.duration_ns == 5_500_000_000
    assert found.speech_ns == pytest.approx(2_700_000_000, abs=40_000_000)
    (first, second) = found.speech
    assert first == pytest.approx((1e9, 3e9), abs=2e7)
    assert second == pytest.approx((4.5e9, 5.2e9), abs=2e7)


def test_a_breath_is_bridged_and_a_click_is_not_speech() -> None:
    breath = heard(silence(1) + tone(1, -20) + silence(0.18) + tone(1, -20) + silence(1))
    assert len(breath.speech) == 1
    click = heard(silence(1) + tone(0.06, -20) + silence(1))
    assert click.speech == ()
    assert click.speech_level_dbfs is None


def test_digital_silence_has_no_level_and_no_noise_floor() -> None:
    found = heard(silence(1))
    assert (found.level_dbfs, found.peak_dbfs, found.noise_floor_dbfs) == (None, None, None)
    assert (found.speech_ns, found.duration_ns) == (0, 1_000_000_000)


def test_the_noise_floor_is_that_of_the_quiet() -> None:
    noise = np.random.default_rng(1).normal(0, 32767 * 10 ** (-50 / 20), RATE * 3)
    voice = np.frombuffer(silence(1) + tone(1, -20) + silence(1), "<i2")
    found = heard(np.clip(voice + noise, -32768, 32767).astype("<i2").tobytes())
    assert found.noise_floor_dbfs == pytest.approx(-50, abs=1)
    (stretch,) = found.speech
    assert stretch == pytest.approx((1e9, 2e9), abs=4e7)


def test_samples_at_full_scale_are_counted() -> None:
    samples = np.zeros(RATE, "<i2")
    samples[100:110], samples[200:205] = 32767, -32768
    found = heard(samples.tobytes())
    assert found.clipped_samples == 15
    assert found.peak_dbfs == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("block", [1, 7, 640, 1 << 20])
def test_the_size_of_the_blocks_changes_nothing(block: int) -> None:
    samples = tone(0.4, -20) + silence(0.3) + tone(0.217, -30)
    assert heard(samples, block=block) == heard(samples)


def test_a_window_is_as_loud_as_its_loudest_channel() -> None:
    left = np.frombuffer(tone(1, -20) + silence(1), "<i2")
    right = np.frombuffer(silence(1) + tone(1, -20), "<i2")
    found = heard(np.stack((left, right), axis=1).astype("<i2").tobytes(), channels=2)
    assert found.speech_ns == found.duration_ns == 2_000_000_000


def test_memory_grows_by_fifty_bytes_a_second() -> None:
    meter = Meter(RATE, 1)
    for _ in range(60):
        meter.add(tone(1, -20))
    assert len(meter._levels) == 60 * 50


def test_a_file_without_a_sample_is_bad_input() -> None:
    with pytest.raises(BadInput, match="empty"):
        measure(wav(b""), "wav")


def test_what_follows_the_samples_of_a_wav_is_not_heard() -> None:
    file = wav(tone(0.5, -20))
    trailed = io.BytesIO(file.getvalue() + b"\x7f\xff" * 5000)
    assert measure(trailed, "wav") == measure(file, "wav")


def test_a_wav_is_heard_alike_from_a_file_a_pipe_and_another_width(tmp_path: Path) -> None:
    samples = silence(0.5) + tone(1, -20) + silence(0.5)
    whole = wav(samples).getvalue()
    path = tmp_path / "a.wav"
    path.write_bytes(whole)
    with path.open("rb") as file:
        from_file = measure(file, "wav")
    from_pipe = measure((whole[i : i + 1000] for i in range(0, len(whole), 1000)), "wav")
    wide = np.frombuffer(samples, "<i2").astype("<i4") << 16
    from_wide = measure(wav(wide.tobytes(), width=4), "wav")
    assert from_file == from_pipe == from_wide == heard(samples)


def test_speech_and_silence_add_up_in_every_outside_recording(fixtures_folder: Path) -> None:
    recordings = sorted((fixtures_folder / "scenario").rglob("*.wav"))
    assert recordings
    spoken = 0
    for path in recordings:
        with wave.open(str(path)) as file:
            length_ns = file.getnframes() * 1_000_000_000 // file.getframerate()
        if not length_ns:
            continue
        with path.open("rb") as stream:
            found = measure(stream, "wav")
        edges = [edge for stretch in found.speech for edge in stretch]
        assert found.duration_ns == length_ns
        assert all(a < b for a, b in pairwise([-1, *edges]))
        assert not edges or edges[-1] <= length_ns
        spoken += found.speech_ns > length_ns // 2
    assert spoken > 20
