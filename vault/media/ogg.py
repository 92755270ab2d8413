"""Where to begin in an Opus file to hear an instant, found without reading the file.

An Ogg page says at which sample it ends, in samples of 48 kHz from the first page on. So a place
is found as in a dictionary: guess by the length, look at a few pages there, guess better.
Source: RFC 3533 (pages), RFC 7845 (sections 3 to 5: headers, pre-skip, pre-roll).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vault.errors import BadInput

RATE = 48_000
#: A decoder is in tune after 80 ms. A page may begin inside of a packet, which is then lost:
#: 60 ms at most.
LEAD_SAMPLES = RATE * 140 // 1000
_HEAD_BYTES = (4096, 1 << 16)
#: A page of ours is a second of sound, 4 or 8 kB; the largest there can be has 65,307 bytes.
_LOOK_BYTES, _PAGE_LIMIT = 6144, 65_307
_PAGE = re.compile(rb"OggS\x00[\x00-\x07].{21}", re.DOTALL)
_NO_PACKET_ENDS = 2**64 - 1

#: Gives the bytes [start, stop) of the file.
Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an Ogg file: its place in it, where the next one is, and the sample it ends at."""

    start: int
    stop: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """`headers`, which a decoder needs first, and the place in the file to go on from.

    `at_ns` is the instant of the first sample that a decoder gives of the two together. A page of
    ours begins with a packet; where one does not, the first is up to 60 ms later than that.
    """

    headers: bytes
    start: int
    at_ns: int


def beginning(read: Read, size_bytes: int, at_ns: int, duration_ns: int) -> Beginning:
    """What to play of an Opus file in Ogg to hear it from `at_ns`, at most 1.2 seconds early.

    `duration_ns` is for the first guess and may be wrong. Past the end it is the last page.
    Raises `BadInput` for what is no Opus in Ogg.
    """
    headers, pre_skip = _headers(read, size_bytes)
    wanted = max(0, at_ns * RATE // 10**9 + pre_skip - LEAD_SAMPLES)
    # The wanted page begins in [low, high); `low` is at `low_at`, `high` at about `high_at`.
    low, high = len(headers), size_bytes
    low_at, high_at = 0, max(1, duration_ns * RATE // 10**9)
    look = _LOOK_BYTES
    while low < high:
        part = (wanted - low_at) / max(1, high_at - low_at)
        guess = low + int((high - low) * min(1.0, max(0.0, part))) - look // 2
        guess = max(low, min(guess, high - look))
        pages = list(_pages(read(guess, min(guess + look, size_bytes)), guess))
        if not pages:
            look *= 2
            if look > 4 * _PAGE_LIMIT:
                break
            continue
        before = [page for page in pages if page.ends_at <= wanted]
        after = [page for page in pages if page.ends_at > wanted]
        if before:
            low, low_at = before[-1].stop, before[-1].ends_at
        if after and (before or guess == low):
            return Beginning(headers, low, _ns(low_at))
        if after:
            high, high_at = after[0].start, after[0].ends_at
        if low >= size_bytes:
            last_at = pages[-2].ends_at if len(pages) > 1 else low_at
            return Beginning(headers, pages[-1].start, _ns(last_at))
    return Beginning(headers, min(low, high), _ns(low_at))


def length_ns(read: Read, size_bytes: int) -> int:
    """How long an Opus file in Ogg sounds, by its last page.

    Raises `BadInput` for what is no Opus in Ogg.
    """
    _, pre_skip = _headers(read, size_bytes)
    look = _LOOK_BYTES
    while look < 4 * _PAGE_LIMIT:
        start = max(0, size_bytes - look)
        for page in reversed(list(_pages(read(start, size_bytes), start))):
            return _ns(max(0, page.ends_at - pre_skip))
        look *= 2
    raise BadInput("This is no Opus in Ogg.")


def _ns(samples: int) -> int:
    return samples * 10**9 // RATE


def _headers(read: Read, size_bytes: int) -> tuple[bytes, int]:
    """The pages before the sound, and how many samples of it are not to be heard."""
    for length in _HEAD_BYTES:
        data = read(0, min(length, size_bytes))
        if data[28:36] != b"OpusHead":
            break
        sound = next((page.start for page in _pages(data, 0) if page.ends_at > 0), None)
        if sound is not None:
            return data[:sound], int.from_bytes(data[38:40], "little")
    raise BadInput("This is no Opus in Ogg.")


def _pages(data: bytes, offset: int) -> Iterator[Page]:
    """The pages that begin in these bytes, which lie at `offset`, and in which a packet ends."""
    at = 0
    while (found := _PAGE.search(data, at)) is not None:
        at = found.start()
        header = found[0]
        lacing = data[at + 27 : at + 27 + header[26]]
        ends_at = int.from_bytes(header[6:14], "little")
        if len(lacing) < header[26]:
            return
        stop = at + 27 + len(lacing) + sum(lacing)
        if ends_at != _NO_PACKET_ENDS:
            yield Page(offset + at, offset + stop, ends_at)
        at = stop
