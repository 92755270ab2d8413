"""Recordings of every container are measured and transcoded, with ffmpeg itself as the judge."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.integration.media_signals import (
    CONTAINERS,
    FIXTURES,
    coded,
    decoded,
    ffmpeg,
    voice,
    wave,
)
from vault.errors import BackendError, BadInput
from vault.media import flac
from vault.media.ffmpeg import run
from vault.media.probe import probe, sniff
from vault.media.process import Limits
from vault.media.transcode import Renditions, renditions


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coded")


def blocks(whole: bytes, size: int = 50_000) -> Iterator[bytes]:
    return (whole[at : at + size] for at in range(0, len(whole), size))


def transcoded(whole: bytes, container: str) -> tuple[Renditions, dict[str, bytes]]:
    made = {"opus": bytearray(), "flac": bytearray()}
    result = renditions(blocks(whole), container, lambda name, block: made[name].extend(block))
    return result, {"opus": bytes(made["opus"]), "flac": result.flac_header + bytes(made["flac"])}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_is_recognised_and_measured(container: str, folder: Path) -> None:
    whole = coded(container, folder, 16000, 3.0, 2)
    path = folder / f"measured.{container}"
    path.write_bytes(whole)
    assert sniff(whole) == container
    for source in (lambda: path.open("rb"), lambda: io.BytesIO(whole)):
        facts = probe(source, len(whole), container)
        assert facts.channels == 2
        assert facts.rate == (48000 if container in {"opus", "webm"} else 16000)
        assert abs(facts.duration_ns - 3_000_000_000) < 60_000_000
        assert facts.warnings == ()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("rate", [8000, 24000, 44100])
def test_every_container_is_transcoded(container: str, rate: int, folder: Path) -> None:
    result, made = transcoded(coded(container, folder, rate), container)
    assert abs(result.duration_ns - 3_000_000_000) < 150_000_000
    assert len(decoded("opus", made["opus"], "s16le", "-ar", "8000")) // 2 == pytest.approx(
        8000 * result.duration_ns / 1e9, abs=80
    )
    assert len(decoded("flac", made["flac"])) == result.frames * 2 * result.channels
    version, flags, told, per_point, points, channels = struct.unpack("<iIiiIi", result.peaks[:24])
    assert (version, flags, told, channels) == (2, 1, result.rate, result.channels)
    assert points == -(-result.frames // per_point)
    assert len(result.peaks) == 24 + 2 * points * channels


@pytest.mark.parametrize(("bits", "form"), [(16, "s16le"), (24, "s24le")])
@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
def test_flac_of_plain_samples_is_bit_exact(bits: int, form: str, channels: int) -> None:
    samples = voice(16000, 1.0, channels, bits)
    result, made = transcoded(wave(samples, 16000, channels, bits), "wav")
    told = flac.read_header(made["flac"])
    assert (told.rate, told.channels, told.bits, told.frames) == (16000, channels, bits, 16000)
    assert (result.frames, result.duration_ns) == (16000, 1_000_000_000)
    coder = ("-c:a", f"pcm_{form}")
    assert decoded("flac", made["flac"], form, *coder) == samples
    assert probe(lambda: io.BytesIO(made["flac"]), len(made["flac"]), "flac").duration_ns == 10**9


def test_a_long_m4a_whose_index_comes_last_is_read_from_a_stream(folder: Path) -> None:
    whole = coded("m4a", folder, 16000, 120.0)
    assert whole.index(b"moov") > whole.index(b"mdat")
    assert abs(transcoded(whole, "m4a")[0].duration_ns - 120_000_000_000) < 100_000_000


def test_flac_of_a_lossy_recording_has_16_bits(folder: Path) -> None:
    _, made = transcoded(coded("mp3", folder), "mp3")
    assert flac.read_header(made["flac"]).bits == 16


def test_more_than_two_channels_are_heard_in_one() -> None:
    only_last = bytearray(voice(16000, 1.0, 6))
    for frame in range(0, len(only_last), 12):
        only_last[frame : frame + 10] = bytes(10)
    _, made = transcoded(wave(bytes(only_last), 16000, 6), "wav")
    heard = decoded("opus", made["opus"])
    assert probe(lambda: io.BytesIO(made["opus"]), len(made["opus"]), "opus").channels == 1
    assert max(heard[1::2]) > 0
    assert heard.count(0) < len(heard) // 2


def test_nine_channels_are_refused() -> None:
    with pytest.raises(BadInput, match="too-many-channels"):
        transcoded(wave(bytes(1800), 8000, 9), "wav")


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_tag_of_the_source_goes_along(container: str, folder: Path) -> None:
    whole = coded(container, folder)
    result, made = transcoded(whole, container)
    assert container == "wav" or b"MARKER-IN-A-TAG" in whole
    for name in made:
        assert b"MARKER" not in made[name]
        assert b"Lovelace" not in made[name]
    assert b"MARKER" not in result.peaks


def test_the_same_recording_gives_the_same_bytes(folder: Path) -> None:
    whole = coded("ogg", folder)
    assert transcoded(whole, "ogg") == transcoded(whole, "ogg")


def test_a_picture_and_a_long_tag_before_an_mp3_are_passed_over(folder: Path) -> None:
    size = 3_000_000
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    whole = b"ID3\x04\0\0" + digits + bytes(size) + coded("mp3", folder)
    assert sniff(whole) == "mp3"
    result, _ = transcoded(whole, "mp3")
    assert abs(result.duration_ns - 3_000_000_000) < 100_000_000
    assert probe(lambda: io.BytesIO(whole), len(whole), "mp3").warnings == ()


@pytest.mark.parametrize("declared", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_streamed_wave_is_transcoded_to_its_end(declared: bytes) -> None:
    whole = wave(voice())
    result, _ = transcoded(whole[:4] + declared + whole[8:40] + declared + whole[44:], "wav")
    assert result.duration_ns == 3_000_000_000


def test_telephone_codings_are_transcoded() -> None:
    for coder in ("pcm_mulaw", "pcm_alaw", "adpcm_ima_wav", "adpcm_ms", "pcm_f32le", "pcm_u8"):
        whole = ffmpeg(
            *("-f", "s16le", "-ar", "8000", "-ac", "1", "-i", "pipe:0"),
            *("-c:a", coder, "-f", "wav", "pipe:1"),
            given=voice(8000),
        )
        assert abs(transcoded(whole, "wav")[0].duration_ns - 3_000_000_000) < 200_000_000
        facts = probe(lambda whole=whole: io.BytesIO(whole), len(whole), "wav")  # type: ignore[misc]
        assert facts.codec == coder
        assert abs(facts.duration_ns - 3_000_000_000) < 200_000_000


def test_blocks_come_interleaved_and_before_the_end() -> None:
    order: list[str] = []
    fed = 0

    def source() -> Iterator[bytes]:
        nonlocal fed
        for block in blocks(wave(voice(16000, 60.0))):
            fed += 1
            order.append("in")
            yield block

    renditions(source(), "wav", lambda name, _: order.append(name))
    first_flac, first_opus = order.index("flac"), order.index("opus")
    assert order[first_flac:].count("in") > fed // 4
    assert order[first_opus:].count("in") > 0


def test_an_error_of_the_source_or_the_sink_passes_through_and_ends_ffmpeg() -> None:
    class LostError(Exception):
        pass

    def source() -> Iterator[bytes]:
        yield wave(voice(16000, 10.0))[:100_000]
        raise LostError

    def sink(name: str, block: bytes) -> None:
        raise LostError

    before = children()
    with pytest.raises(LostError):
        renditions(chain_padding(source()), "wav", lambda name, block: None)
    with pytest.raises(LostError):
        renditions(blocks(wave(voice(16000, 10.0))), "wav", sink)
    assert children() == before


def chain_padding(source: Iterator[bytes]) -> Iterator[bytes]:
    yield next(source)
    for _ in range(30):
        yield bytes(100_000)
    yield from source


def children() -> set[int]:
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def test_no_file_is_made_and_ffmpeg_is_confined_while_it_runs(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "1")
    before = children()
    seen: list[Path] = []

    def look() -> None:
        (pid,) = children() - before
        process = Path(f"/proc/{pid}")
        links = {str(link.readlink()) for link in (process / "fd").iterdir()}
        strange = {
            link for link in links if not link.startswith(("pipe:", "/memfd:", "/dev/null", "anon"))
        }
        assert strange == set()
        assert str((process / "cwd").readlink()) == "/"
        assert b"SECRET" not in (process / "environ").read_bytes()
        assert b"voice" not in (process / "cmdline").read_bytes()
        assert os.getsid(pid) == pid
        limits = (process / "limits").read_text()
        for name in ("Max file size", "Max core file size"):
            line = next(line for line in limits.splitlines() if line.startswith(name))
            assert line.split()[-3] == "0"
        seen.append(process)

    for container in ("wav", "m4a"):
        renditions(
            blocks(coded(container, folder, 16000, 20.0)),
            container,
            lambda name, _: look() if len(seen) < 3 else None,
        )
    assert len(seen) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_stuck_source_is_not_charged_but_a_stuck_ffmpeg_is(folder: Path) -> None:
    def slow() -> Iterator[bytes]:
        for block in blocks(wave(voice()), 12_000):
            time.sleep(0.3)
            yield block

    renditions(slow(), "wav", lambda *_: None, Limits(wait_seconds=1.5))
    with pytest.raises(BadInput, match="timeout"):
        transcode_within(Limits(wait_seconds=0.001), folder)


def transcode_within(limits: Limits, folder: Path) -> None:
    renditions(blocks(coded("wav", folder, 16000, 60.0)), "wav", lambda *_: None, limits)


def test_limits_on_output_and_memory_hold(folder: Path) -> None:
    with pytest.raises(BadInput, match="too-large"):
        transcode_within(Limits(output_bytes=100_000), folder)
    with pytest.raises(BadInput):
        transcode_within(Limits(memory_bytes=64 << 20), folder)
    with pytest.raises(BadInput, match="too-large"):
        renditions(
            blocks(coded("m4a", folder)), "m4a", lambda *_: None, Limits(input_in_memory_bytes=9000)
        )


def test_without_ffmpeg_the_back_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(BackendError, match="imageio-ffmpeg"):
        transcoded(wave(voice()), "wav")
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/nonexistent/ffmpeg")
    with pytest.raises(BackendError, match="started"):
        transcoded(wave(voice()), "wav")


def test_many_runs_at_once_do_not_mix(folder: Path) -> None:
    results: dict[int, int] = {}

    def work(rate: int) -> None:
        results[rate] = transcoded(coded("flac", folder, rate), "flac")[0].frames

    threads = [threading.Thread(target=work, args=(rate,)) for rate in (8000, 16000, 24000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {8000: 24000, 16000: 48000, 24000: 72000}


def test_the_descriptors_are_given_back(folder: Path) -> None:
    transcoded(coded("m4a", folder), "m4a")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        transcoded(coded("m4a", folder), "m4a")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(not (FIXTURES / "scenario").is_dir(), reason="no recorded scenarios here")
def test_recorded_scenarios_are_measured_and_transcoded() -> None:
    recordings = sorted((FIXTURES / "scenario").rglob("*.wav"))
    rates = set()
    for path in recordings:
        facts = probe(lambda path=path: path.open("rb"), path.stat().st_size, "wav")  # type: ignore[misc]
        rates.add(facts.rate)
        assert facts.warnings == () or facts.duration_ns == 0
    assert {8000, 16000, 24000} <= rates
    for path in recordings[:: max(1, len(recordings) // 8)]:
        whole = path.read_bytes()
        facts = probe(lambda path=path: path.open("rb"), len(whole), "wav")  # type: ignore[misc]
        if facts.duration_ns:
            result, made = transcoded(whole, "wav")
            assert result.duration_ns == facts.duration_ns
            assert decoded("flac", made["flac"]) == decoded("wav", whole)


def test_a_run_that_is_never_started_starts_nothing() -> None:
    before = children()
    from vault.media.ffmpeg import Output, media

    run(media(iter([b""]), "wav"), [Output(("-f", "null"))])
    assert children() == before
