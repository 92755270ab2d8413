"""Opus files are entered where an instant is, and nowhere else is much of them read."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recordings import noise
from vault.errors import BadInput
from vault.media import ogg
from vault.media.mix import decode
from vault.media.transcode import renditions

SECONDS = 90
SECOND = 1_000_000_000


@cache
def rendition() -> bytes:
    """Ninety seconds of noise as we make them for playback."""
    made = io.BytesIO()
    wav = noise(SECONDS)

    def sink(name: str, block: bytes) -> None:
        if name == "opus":
            made.write(block)

    renditions(io.BytesIO(wav), "wav", sink)
    return made.getvalue()


def pages(data: bytes) -> list[ogg.Page]:
    """Every page, by going through all of them."""
    return list(ogg._pages(data, 0))


class Reads:
    """A file that remembers how much of it was asked for."""

    def __init__(self, data: bytes) -> None:
        self.data, self.given, self.calls = data, 0, 0

    def __call__(self, start: int, stop: int) -> bytes:
        assert 0 <= start < stop <= len(self.data)
        self.calls += 1
        self.given += stop - start
        assert self.calls < 100
        return self.data[start:stop]


@pytest.mark.parametrize("stated", [SECONDS, 1, 0, 10 * SECONDS])
def test_an_instant_is_on_the_page_that_is_found(stated: int) -> None:
    data = rendition()
    known = pages(data)
    sound = [page for page in known if page.ends_at]
    for at_ms in range(0, SECONDS * 1000, 370):
        found = ogg.beginning(Reads(data), len(data), at_ms * 1_000_000, stated * SECOND)
        wanted = max(0, at_ms * 48 + 312 - ogg.LEAD_SAMPLES)
        assert found.start == next(page.start for page in sound if page.ends_at > wanted)
        assert found.headers == data[: sound[0].start]


def test_little_is_read_for_any_instant() -> None:
    data = rendition()
    for second in range(SECONDS):
        reads = Reads(data)
        ogg.beginning(reads, len(data), second * SECOND, SECONDS * SECOND)
        assert reads.given <= 40_000 < len(data) / 5


def test_past_the_end_there_is_the_last_page() -> None:
    data = rendition()
    found = ogg.beginning(Reads(data), len(data), 3600 * SECOND, SECONDS * SECOND)
    assert found.start == pages(data)[-1].start


@pytest.mark.parametrize("at_ms", [50, 200, 1500, 7300, 89_600])
def test_what_is_decoded_from_there_on_begins_when_it_is_said(at_ms: int) -> None:
    data = rendition()
    found = ogg.beginning(Reads(data), len(data), at_ms * 1_000_000, SECONDS * SECOND)
    rest = decoded(found.headers + data[found.start :])
    early = (at_ms * 1_000_000 - found.at_ns) * 48 // 1_000_000
    assert 80 * 48 <= early <= 1140 * 48 or found.at_ns == 0
    heard = decoded(data)[at_ms * 48 :]
    assert np.abs(heard - rest[early:]).max() <= 1


def test_how_long_a_file_sounds_is_on_its_last_page() -> None:
    data = rendition()
    reads = Reads(data)
    assert ogg.length_ns(reads, len(data)) == SECONDS * SECOND == len(decoded(data)) * SECOND / 48e3
    assert reads.given <= 20_000
    with pytest.raises(BadInput):
        ogg.length_ns(Reads(data[:60]), 60)


@cache
def decoded(data: bytes) -> npt.NDArray[np.int32]:
    """Its samples, at 48 kHz."""
    return np.frombuffer(b"".join(decode(iter([data]), "opus", 48_000)), "<i2").astype(np.int32)


def test_a_page_in_which_no_packet_ends_is_not_passed_over() -> None:
    """A packet that goes on on the next page begins on this one."""
    data = bytearray(rendition())
    sound = [page for page in pages(bytes(data)) if page.ends_at]
    data[sound[5].start + 6 : sound[5].start + 14] = b"\xff" * 8
    found = ogg.beginning(Reads(bytes(data)), len(data), 6 * SECOND - SECOND // 2, 0)
    assert found.start == sound[5].start


@pytest.mark.parametrize("data", [b"OggS", b"RIFF" + bytes(100), rendition()[:60]])
def test_what_is_no_opus_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        ogg.beginning(Reads(data), len(data), 0, 0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.binary(min_size=1, max_size=30)), max_size=40),
    st.integers(0, 2 * SECONDS * SECOND),
)
def test_damage_never_leads_astray_for_long(hits: list[tuple[int, bytes]], at_ns: int) -> None:
    data = bytearray(rendition())
    for at, damage in hits:
        data[at : at + len(damage)] = damage
    try:
        found = ogg.beginning(Reads(bytes(data)), len(data), at_ns, SECONDS * SECOND)
    except BadInput:
        return
    assert 0 <= found.start <= len(data)
