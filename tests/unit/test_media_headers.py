"""WAVE, FLAC and Ogg headers, peaks, and telling containers apart: no process is started."""

from __future__ import annotations

import io
import struct
import tracemalloc

import numpy as np
import pytest

from vault.errors import BadInput
from vault.media import flac, wav
from vault.media.ends import mp3_end
from vault.media.peaks import Peaks
from vault.media.probe import sniff


def riff(
    *,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
    tag: int = 1,
    align: int | None = None,
    data: bytes = bytes(1600),
    declared: int | None = None,
    riff_bytes: int | None = None,
    before: bytes = b"",
) -> bytes:
    align = channels * bits // 8 if align is None else align
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits
    )
    size = len(data) if declared is None else declared
    body = b"WAVE" + form + before + struct.pack("<4sI", b"data", size) + data
    return b"RIFF" + struct.pack("<I", len(body) if riff_bytes is None else riff_bytes) + body


def header(whole: bytes) -> wav.WavHeader:
    return wav.read_header(io.BytesIO(whole), len(whole))


def test_a_plain_header_is_read_as_it_is() -> None:
    read = header(riff())
    assert (read.rate, read.channels, read.bits, read.data_offset) == (8000, 1, 16, 44)
    assert (read.frames, read.duration_ns, read.codec) == (800, 100_000_000, "pcm_s16le")
    assert read.warnings == ()


def test_a_file_cut_short_counts_what_is_there() -> None:
    read = header(riff()[:-601])
    assert (read.data_bytes, read.declared_bytes, read.frames) == (999, 1600, 499)
    assert read.warnings == ("truncated",)


@pytest.mark.parametrize("declared", [0x7FFFFFFF, 0xFFFFFFF0, 5000])
def test_a_size_nobody_could_have_written_is_over_declared(declared: int) -> None:
    read = header(riff(declared=declared))
    assert (read.frames, read.warnings) == (800, ("over-declared",))


@pytest.mark.parametrize("declared", [0, 0xFFFFFFFF])
def test_a_streamed_file_ends_where_its_bytes_end(declared: int) -> None:
    read = header(riff(declared=declared, riff_bytes=0xFFFFFFFF))
    assert (read.frames, read.warnings) == (800, ())


def test_a_header_without_samples_holds_none() -> None:
    assert header(riff(data=b"")).frames == 0


def test_bytes_after_the_end_are_told() -> None:
    assert header(riff() + b"more").warnings == ("trailing-bytes",)


@pytest.mark.parametrize(("padding", "warnings"), [(b"\0", ()), (b"", ("odd-chunk",))])
def test_odd_chunks_are_passed_with_and_without_padding(
    padding: bytes, warnings: tuple[str, ...]
) -> None:
    read = header(riff(before=struct.pack("<4sI", b"LIST", 3) + b"abc" + padding))
    assert (read.frames, read.warnings) == (800, warnings)


def test_a_gigantic_chunk_is_never_allocated() -> None:
    whole = riff(before=struct.pack("<4sI", b"junk", 0xFFFFFFFE))
    tracemalloc.start()
    with pytest.raises(BadInput):
        header(whole)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_million_empty_chunks_are_not_walked() -> None:
    with pytest.raises(BadInput):
        header(riff(before=struct.pack("<4sI", b"junk", 0) * 1_000_000))


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"R",
        b"RIFF\0\0\0\0WAVE",
        riff()[:30],
        riff(rate=0),
        riff(rate=4_000_000),
        riff(channels=0, align=2),
        riff(channels=65),
        riff(align=0),
        riff(align=7),
        riff(bits=0, align=2),
        riff().replace(b"fmt ", b"fmx "),
        riff().replace(b"data", b"dat_"),
    ],
)
def test_nonsense_is_bad_input(whole: bytes) -> None:
    with pytest.raises(BadInput):
        header(whole)


def test_rf64_takes_its_sizes_from_ds64() -> None:
    samples = bytes(1600)
    wide = struct.pack("<4sIQQQI", b"ds64", 28, 72 + 1600, 1600, 800, 0)
    whole = b"RF64" + b"\xff" * 4 + b"WAVE" + wide + riff(declared=0xFFFFFFFF, data=samples)[12:]
    assert (header(whole).frames, header(whole).warnings) == (800, ())
    assert header(whole[:-600]).warnings == ("truncated",)


@pytest.mark.parametrize(
    ("bits", "tag", "codec"),
    [
        *((8, wav.PCM, "pcm_u8"), (16, wav.PCM, "pcm_s16le"), (24, wav.PCM, "pcm_s24le")),
        *((8, wav.MULAW, "pcm_mulaw"), (8, wav.ALAW, "pcm_alaw")),
    ],
)
@pytest.mark.parametrize("frames", [0, 1, 800, 5_000_000_000])
def test_a_written_header_reads_back(bits: int, tag: int, codec: str, frames: int) -> None:
    start = wav.write_header(8000, 1, bits, frames, tag)
    size = frames * bits // 8
    read = wav.read_header(io.BytesIO(start), len(start) + size + size % 2)
    assert (read.rate, read.channels, read.bits, read.codec) == (8000, 1, bits, codec)
    told = start[4:8] if start[:4] == b"RIFF" else start[20:28]
    assert int.from_bytes(told, "little") == len(start) + size + size % 2 - 8
    assert (read.frames, read.data_offset, read.warnings) == (frames, len(start), ())


def test_a_stream_that_cannot_seek_is_read_too() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

    whole = riff(before=struct.pack("<4sI", b"LIST", 200_000) + bytes(200_000))
    assert wav.read_header(Pipe(whole), len(whole)).frames == 800


STREAMINFO = b"fLaC\x80\0\0\x22" + bytes(10) + (8000 << 44 | 1 << 41 | 23 << 36).to_bytes(8, "big")
STREAMINFO += bytes(16)


def test_a_flac_header_takes_a_frame_count_and_nothing_else_changes() -> None:
    patched = flac.with_frames(STREAMINFO, 123_456_789_012 % (1 << 36))
    read = flac.read_header(patched)
    assert (read.rate, read.channels, read.bits) == (8000, 2, 24)
    assert read.frames == 123_456_789_012 % (1 << 36)
    assert flac.with_frames(patched, 0) == STREAMINFO


def test_a_flac_header_that_is_none_is_bad_input() -> None:
    for wrong in (b"", STREAMINFO[:41], b"OggS" + STREAMINFO[4:]):
        with pytest.raises(BadInput):
            flac.read_header(wrong)


@pytest.mark.parametrize("cut", [1, 7, 1000, 100_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_peaks_are_the_extremes_whatever_the_blocks(cut: int, channels: int) -> None:
    samples = np.random.default_rng(3).integers(-32768, 32768, (8050, channels)).astype("<i2")
    raw, peaks = samples.tobytes(), Peaks(8000, channels)
    for at in range(0, len(raw), cut):
        peaks.add(raw[at : at + cut])
    whole = peaks.finish()
    assert struct.unpack("<iIiiIi", whole[:24]) == (2, 1, 8000, 160, 51, channels)
    points = np.frombuffer(whole[24:], np.int8).reshape(51, channels, 2)
    expected = samples[:8000].reshape(50, 160, channels)
    assert (points[:50, :, 0] == expected.min(axis=1) >> 8).all()
    assert (points[:50, :, 1] == expected.max(axis=1) >> 8).all()
    assert (points[50, :, 1] == samples[8000:].max(axis=0) >> 8).all()
    assert peaks.frames == 8050


def test_peaks_of_nothing_hold_no_point() -> None:
    assert struct.unpack("<iIiiIi", Peaks(8000, 1).finish()) == (2, 1, 8000, 160, 0, 1)


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"RF64\xff\xff\xff\xffWAVE", "wav"),
        (b"RIFF\0\0\0\0AVI ", None),
        (b"ID3\x04\0\0\0\0\0\0", "mp3"),
        (b"\xff\xfb\x90\x00", "mp3"),
        (b"\xff\xf3\x40\xc4", "mp3"),
        (b"\xff\xf1\x50\x80", None),
        (b"\xff\xf9\x50\x80", None),
        (b"\xff\xff\xff\xff", None),
        (b"OggS" + bytes(24) + b"\x01vorbis", "ogg"),
        (b"OggS" + bytes(24) + b"OpusHead", "opus"),
        (b"fLaC", "flac"),
        (b"\0\0\0\x20ftypM4A ", "m4a"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84else", None),
        (b"#EXTM3U\n", None),
        (b"ffconcat version 1.0\n", None),
        (b"<svg", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_containers_are_told_by_content(head: bytes, container: str | None) -> None:
    assert sniff(head) == container


@pytest.mark.parametrize(
    "head", [b"", b"ID3", b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"Xing", b"Info\0\0\0"]
)
def test_a_cut_mp3_header_tells_no_end(head: bytes) -> None:
    assert mp3_end(lambda: io.BytesIO(head)) is None
