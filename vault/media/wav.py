"""The header of a WAVE file, read without believing it.

RIFF, RF64 and BW64. Every number is compared with the bytes that are really there; none is
ever used as a size to allocate.

Source: Microsoft, Multimedia Programming Interface 1.0 (RIFF); EBU Tech 3306 (RF64);
ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from vault.errors import BadInput

PCM, FLOAT, ALAW, MULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
#: Sizes that writers leave in a header they could not go back to.
STREAMED = (0, 0xFFFFFFFF)
#: A declared size from here on is a placeholder or a lie, whatever else agrees with it.
GIGANTIC = 0x7FFFF000
MAX_CHUNKS = 4096
MAX_CHANNELS = 64
MAX_RATE = 768_000
RF64_FROM = 0xFFFFFFFF - 36


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAVE file holds, as its bytes allow.

    `data_bytes` is what is really present, `declared_bytes` what the header says. `frames`
    and `duration_ns` follow from `data_bytes` for plain samples; for compressed ones
    (`codec` None) they are an estimate from the declared byte rate.
    `warnings`: truncated, over-declared, trailing-bytes, odd-chunk.
    """

    rate: int
    channels: int
    bits: int
    format_tag: int
    data_offset: int
    data_bytes: int
    declared_bytes: int
    frames: int
    duration_ns: int
    warnings: Sequence[str] = ()

    @property
    def codec(self) -> str | None:
        """The samples by ffmpeg's name, None where they are compressed."""
        wide = (self.bits + 7) // 8 * 8
        names = {
            PCM: "pcm_u8" if wide == 8 else f"pcm_s{wide}le",
            FLOAT: f"pcm_f{wide}le",
            ALAW: "pcm_alaw",
            MULAW: "pcm_mulaw",
        }
        return names.get(self.format_tag)


@dataclass(frozen=True, slots=True)
class _Format:
    """The `fmt ` chunk; `align` is the bytes of a frame, 0 where the samples are compressed."""

    tag: int
    channels: int
    rate: int
    bytes_per_second: int
    align: int
    bits: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    """`at` is where the body begins, `body` the first of it (at most 40 bytes)."""

    name: bytes
    at: int
    size: int
    body: bytes
    unpadded: bool


def read_header(stream: BinaryIO, size_bytes: int) -> WavHeader:
    """The header of the WAVE file at the start of `stream`, which holds `size_bytes` bytes.

    Reads up to the first sample and no further. Raises `BadInput` where no sample could be
    told from another: no `fmt ` or `data`, rate 0, no channels or more than 64, a block
    alignment that does not fit the samples.
    """
    magic = stream.read(12)
    if len(magic) < 12 or magic[:4] not in {b"RIFF", b"RF64", b"BW64"} or magic[8:] != b"WAVE":
        raise BadInput("This is not a WAVE file.")
    riff_bytes = int.from_bytes(magic[4:8], "little")
    form, wide_bytes, warnings = None, 0, list[str]()
    for chunk in _chunks(stream, size_bytes):
        if chunk.unpadded:
            warnings.append("odd-chunk")
        if chunk.name == b"fmt ":
            form = _format(chunk.body)
        elif chunk.name == b"ds64" and magic[:4] != b"RIFF" and len(chunk.body) >= 16:
            riff_bytes, wide_bytes = struct.unpack_from("<QQ", chunk.body)
        elif chunk.name == b"data" and form:
            declared = wide_bytes if chunk.size == 0xFFFFFFFF and wide_bytes else chunk.size
            there = max(0, size_bytes - chunk.at)
            warnings += _lies(chunk.at, declared, riff_bytes, size_bytes)
            return _header(form, chunk.at, declared, there, tuple(dict.fromkeys(warnings)))
    raise BadInput("This WAVE file has no samples that its header describes.")


def _chunks(stream: BinaryIO, size_bytes: int) -> Iterator[_Chunk]:
    """The chunks up to `data`, whose body is not touched."""
    at, unpadded = 12, False
    for _ in range(MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8 or at > size_bytes:
            return
        name, size = head[:4], int.from_bytes(head[4:], "little")
        at += 8
        body = b"" if name == b"data" else stream.read(min(size, 40))
        yield _Chunk(name, at, size, body, unpadded)
        _skip(stream, min(size, size_bytes) - len(body))
        unpadded = size % 2 == 1 and not _padded(stream)
        at += size + (size % 2 == 1 and not unpadded)


def _skip(stream: BinaryIO, count: int) -> None:
    if stream.seekable():
        stream.seek(count, 1)
        return
    while count > 0 and (block := stream.read(min(count, 65536))):
        count -= len(block)


def _padded(stream: BinaryIO) -> bool:
    """Step over the byte that fills an odd chunk up; some writers leave it out."""
    byte = stream.read(1)
    if byte in {b"", b"\0"} or not stream.seekable():
        return True
    stream.seek(-1, 1)
    return False


def _format(body: bytes) -> _Format:
    if len(body) < 16:
        raise BadInput("The format of this WAVE file is cut off.")
    tag, channels, rate, per_second, align, bits = struct.unpack_from("<HHIIHH", body)
    if tag == EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    if not 0 < rate <= MAX_RATE:
        raise BadInput("This WAVE file declares an impossible sample rate.")
    if not 0 < channels <= MAX_CHANNELS:
        raise BadInput("This WAVE file declares an impossible number of channels.")
    allowed = {PCM: range(1, 33), FLOAT: (32, 64), ALAW: (8,), MULAW: (8,)}.get(tag)
    if allowed is not None and (bits not in allowed or align != channels * ((bits + 7) // 8)):
        raise BadInput("The samples of this WAVE file do not fit its block size.")
    return _Format(tag, channels, rate, per_second, align if allowed is not None else 0, bits)


def _lies(at: int, declared: int, riff_bytes: int, size_bytes: int) -> Iterator[str]:
    """Where the header and the file disagree about their sizes."""
    if declared in STREAMED:
        return
    end = at + declared
    if end > size_bytes:
        # A file cut short still agrees with itself; a placeholder or a lie does not.
        agrees = riff_bytes + 8 >= end and declared < GIGANTIC
        yield "truncated" if agrees else "over-declared"
    elif end <= riff_bytes + 8 < size_bytes:
        yield "trailing-bytes"


def _header(
    form: _Format, at: int, declared: int, there: int, warnings: Sequence[str]
) -> WavHeader:
    present = there if declared in STREAMED else min(declared, there)
    if form.align:
        frames = present // form.align
    else:
        frames = present * form.rate // form.bytes_per_second if form.bytes_per_second else 0
    return WavHeader(
        rate=form.rate,
        channels=form.channels,
        bits=form.bits,
        format_tag=form.tag,
        data_offset=at,
        data_bytes=present,
        declared_bytes=declared,
        frames=frames,
        duration_ns=frames * 1_000_000_000 // form.rate,
        warnings=warnings,
    )


def write_header(rate: int, channels: int, bits: int, frames: int, tag: int = PCM) -> bytes:
    """The 44 bytes before `frames` frames of plain samples, or 80 (RF64) past 4 GiB.

    8 bits are unsigned. Before samples of another `tag` (`ALAW`, `MULAW`) it is 14 bytes more.
    """
    align = channels * bits // 8
    size = frames * align
    more = b"" if tag == PCM else struct.pack("<H4sII", 0, b"fact", 4, min(frames, 0xFFFFFFFF))
    form = struct.pack("<4sI", b"fmt ", 16 if tag == PCM else 18)
    form += struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits) + more
    padded = size + size % 2
    if padded <= RF64_FROM:
        riff = struct.pack("<4sI4s", b"RIFF", 12 + len(form) + padded, b"WAVE")
        return riff + form + struct.pack("<4sI", b"data", size)
    riff = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
    wide = struct.pack("<4sIQQQI", b"ds64", 28, 48 + len(form) + padded, size, frames, 0)
    return riff + wide + form + struct.pack("<4sI", b"data", 0xFFFFFFFF)
