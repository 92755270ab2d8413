"""The first 42 bytes of a FLAC stream, where its length is written.

An encoder that writes to a pipe cannot go back to say how many samples came; these bytes
are small enough to be held back, or made again, once that is known.

Source: RFC 9639, section 8.2 (STREAMINFO).
"""

from __future__ import annotations

from dataclasses import dataclass

from vault.errors import BadInput

#: `fLaC`, a block header of 4 bytes, STREAMINFO of 34.
HEADER_BYTES = 42
_SAMPLES = (1 << 36) - 1


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a FLAC stream holds; `frames` is 0 where it is not told."""

    rate: int
    channels: int
    bits: int
    frames: int


def read_header(header: bytes) -> StreamInfo:
    """STREAMINFO from the first `HEADER_BYTES` bytes; raises `BadInput`."""
    if len(header) < HEADER_BYTES or header[:4] != b"fLaC" or header[4] & 0x7F:
        raise BadInput("This is not a FLAC stream.")
    word = int.from_bytes(header[18:26], "big")
    return StreamInfo(word >> 44, (word >> 41 & 7) + 1, (word >> 36 & 31) + 1, word & _SAMPLES)


def with_frames(header: bytes, frames: int) -> bytes:
    """The same header, telling `frames`; 0 (not told) where 36 bits do not hold it."""
    read_header(header)
    word = int.from_bytes(header[18:26], "big") & ~_SAMPLES
    word |= frames if frames <= _SAMPLES else 0
    return header[:18] + word.to_bytes(8, "big") + header[26:HEADER_BYTES]
