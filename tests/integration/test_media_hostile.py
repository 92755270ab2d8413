"""Files that lie, are cut, or try to make ffmpeg read what is not theirs."""

from __future__ import annotations

import io
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.integration.media_signals import CONTAINERS, coded, ffmpeg, voice, wave
from vault.errors import BackendError, BadInput
from vault.media.ffmpeg import Feed, Output, media, run
from vault.media.probe import probe
from vault.media.process import Limits
from vault.media.transcode import renditions


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coded")


def transcoded(whole: bytes, container: str, limits: Limits | None = None) -> tuple[int, bytes]:
    """Nanoseconds, and everything that was made."""
    made = bytearray()
    source = (whole[at : at + 9000] for at in range(0, len(whole), 9000))
    result = renditions(source, container, lambda _, block: made.extend(block), limits)
    return result.duration_ns, bytes(made)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "whole",
    [b"", b"R", bytes(100_000), np.random.default_rng(5).bytes(100_000), b"fLaC" * 5000],
    ids=["empty", "one-byte", "zeros", "random", "magic-again-and-again"],
)
def test_garbage_is_bad_input(container: str, whole: bytes) -> None:
    with pytest.raises(BadInput):
        transcoded(whole, container)
    with pytest.raises(BadInput):
        probe(lambda: io.BytesIO(whole), len(whole), container)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_cut_file_is_refused_or_taken_with_a_warning(container: str, folder: Path) -> None:
    whole = coded(container, folder)
    taken = 0
    for tenths in (0.5, 1, 3, 5, 7, 9, 9.9):
        cut = whole[: int(len(whole) * tenths / 10)]
        path = folder / f"cut.{container}"
        path.write_bytes(cut)
        for source in (lambda path=path: path.open("rb"), lambda cut=cut: io.BytesIO(cut)):
            try:
                facts = probe(source, len(cut), container)
            except BadInput:
                continue
            assert facts.duration_ns < 3_100_000_000
            if facts.duration_ns < 2_700_000_000:
                assert facts.warnings == ("truncated-audio",)
            taken += 1
        try:
            duration_ns, _ = transcoded(cut, container)
        except BadInput:
            continue
        assert duration_ns < 3_100_000_000
    assert taken >= 8 or container == "m4a"


@pytest.mark.parametrize("container", CONTAINERS)
def test_flipped_bits_end_in_sound_or_in_bad_input(container: str, folder: Path) -> None:
    whole = bytearray(coded(container, folder, 8000, 1.0))
    places = np.random.default_rng(11)
    for _ in range(4):
        hurt = bytearray(whole)
        for at in places.integers(0, len(whole), 40):
            hurt[at] ^= 1 << int(places.integers(0, 8))
        for act in (
            lambda hurt=hurt: transcoded(bytes(hurt), container),
            lambda hurt=hurt: probe(lambda: io.BytesIO(hurt), len(hurt), container),
        ):
            with suppress(BadInput):
                act()


@pytest.mark.parametrize("container", ["ogg", "opus"])
def test_an_ogg_cut_between_two_pages_is_noticed(container: str, folder: Path) -> None:
    whole = coded(container, folder)
    cut = whole[: whole.rindex(b"OggS")]
    facts = probe(lambda: io.BytesIO(cut), len(cut), container)
    assert facts.warnings == ("truncated-audio",)


@pytest.mark.parametrize("called", [c for c in CONTAINERS if c != "mp3"])
def test_an_mp3_by_another_name_is_bad_input(called: str, folder: Path) -> None:
    with pytest.raises(BadInput):
        transcoded(coded("mp3", folder), called)


def test_a_container_we_do_not_take_is_bad_input() -> None:
    for name in ("aac", "hls", "concat", "../wav", "", "-i", "lavfi"):
        with pytest.raises(BadInput, match="unsupported"):
            media(iter([b""]), name)


def test_nan_and_infinite_samples_are_survived() -> None:
    samples = np.array([np.nan, np.inf, -np.inf, 1e38, 0.1] * 4000, "<f4").tobytes()
    duration_ns, made = transcoded(wave(samples, 16000, 1, 32, tag=3), "wav")
    assert duration_ns == 1_250_000_000
    assert made


def test_a_size_that_nobody_could_have_written_is_survived() -> None:
    whole = bytearray(wave(voice()))
    whole[40:44] = struct.pack("<I", 0xFFFFFFF0)
    assert transcoded(bytes(whole), "wav")[0] == 3_000_000_000
    facts = probe(lambda: io.BytesIO(whole), len(whole), "wav")
    assert (facts.duration_ns, facts.warnings) == (3_000_000_000, ("over-declared-audio",))


def test_a_wave_without_a_sample_is_taken_but_not_transcoded() -> None:
    whole = wave(b"")
    facts = probe(lambda: io.BytesIO(whole), len(whole), "wav")
    assert (facts.duration_ns, facts.warnings) == (0, ("empty-audio",))
    with pytest.raises(BadInput):
        transcoded(whole, "wav")


def test_a_film_without_sound_has_no_sound_track() -> None:
    film = ffmpeg(
        *("-f", "lavfi", "-i", "color=size=16x16:duration=0.2", "-c:v", "mpeg4"),
        *("-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:1"),
    )
    for act in (transcoded, lambda whole, name: probe(lambda: io.BytesIO(whole), 1, name)):
        with pytest.raises(BadInput, match="no-audio"):
            act(film, "m4a")


def test_a_little_file_that_unpacks_to_hours_stops_at_the_limit() -> None:
    hours = ffmpeg(
        *("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=1800"),
        *("-c:a", "flac", "-f", "flac", "pipe:1"),
    )
    assert len(hours) < 2_000_000
    made = 0

    def sink(_: str, block: bytes) -> None:
        nonlocal made
        made += len(block)

    with pytest.raises(BadInput, match="too-large"):
        renditions(iter([hours]), "flac", sink, Limits(output_bytes=5_000_000))
    with pytest.raises(BadInput, match="timeout"):  # 1 s of CPU is not enough for this
        renditions(iter([hours]), "flac", sink, Limits(cpu_seconds=1))
    assert made < 10_000_000


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_an_ffmpeg_that_somebody_else_ends_says_nothing_of_the_recording(
    sent: signal.Signals,
) -> None:
    def endless() -> Iterator[bytes]:
        yield wave(voice())
        while True:
            yield bytes(1 << 16)
            for child in psutil.Process().children():
                if "ffmpeg" in child.name():
                    child.send_signal(sent)

    with pytest.raises(BackendError, match="outside"):
        renditions(endless(), "wav", lambda _kind, _block: None)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


SECRET = "a secret that lies on the disk of the server"


def tricks(secret: Path, sound: Path, port: int) -> dict[str, bytes]:
    http = f"http://127.0.0.1:{port}/ping"
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    return {
        "hls-file": playlist.format(sound.as_uri()).encode(),
        "hls-http": playlist.format(http).encode(),
        "hls-concat": playlist.format(f"concat:{http}|{secret.as_uri()}").encode(),
        "concat": f"ffconcat version 1.0\nfile '{sound}'\nfile '{http}'\n".encode(),
        "dash": f'<?xml version="1.0"?><MPD><BaseURL>{http}</BaseURL></MPD>'.encode(),
        "svg": f'<svg><image href="{http}"/></svg>'.encode(),
        "subtitle": f"1\n00:00:00,0 --> 00:00:09,0\n<img src='{secret.as_uri()}'>\n".encode(),
        "sdp": f"v=0\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n".encode(),
        "name": str(sound).encode(),
    }


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_script_or_playlist_is_obeyed(
    container: str, folder: Path, listener: socket.socket
) -> None:
    secret, sound = folder / "secret.txt", folder / "other.wav"
    secret.write_text(SECRET)
    sound.write_bytes(wave(voice()))
    for name, whole in tricks(secret, sound, listener.getsockname()[1]).items():
        for act in (
            lambda whole=whole: transcoded(whole, container),
            lambda whole=whole: probe(lambda: io.BytesIO(whole), len(whole), container),
        ):
            with pytest.raises(BadInput) as refused:
                act()
            assert SECRET not in str(refused.value), name
    with pytest.raises(TimeoutError):
        listener.accept()


def test_the_demuxer_cannot_be_talked_into_another_protocol(
    folder: Path, listener: socket.socket
) -> None:
    """Even a playlist demuxer, were one ever let in, has no protocol to open anything with."""
    sound = folder / "other.wav"
    sound.write_bytes(wave(voice()))
    port = listener.getsockname()[1]
    for name in ("hls-file", "hls-http", "concat"):
        demuxer = name.partition("-")[0]
        loose = ("-safe", "0") if demuxer == "concat" else ("-extension_picky", "0")
        source = iter([tricks(sound, sound, port)[name]])
        feed = Feed(source, ("-format_whitelist", "hls,concat,wav", *loose, "-f", demuxer))
        with pytest.raises(BadInput):
            list(run(feed, [Output(("-f", "s16le"))]))
    with pytest.raises(TimeoutError):
        listener.accept()


def with_outside_samples(whole: bytes, outside: Path) -> bytes:
    """An mp4 whose data reference names another file by an `alis` record (QuickTime)."""
    name, path = outside.name.encode(), str(outside).encode()
    record = bytearray(150)
    record[8:10] = struct.pack(">H", 2)
    record[10] = 0
    record[130:132] = struct.pack(">h", 1)
    record[132:134] = struct.pack(">h", 1)
    record[50:51] = bytes([len(name)])
    record[51 : 51 + len(name)] = name
    record += struct.pack(">hH", 2, len(path)) + path + bytes(len(path) % 2)
    record += struct.pack(">hH", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(record), b"alis", 0) + bytes(record)
    grown = bytearray(whole)
    at = grown.index(b"url ", grown.index(b"dref")) - 4
    grown[at : at + 12] = entry
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        size_at = grown.index(box) - 4
        size = struct.unpack_from(">I", grown, size_at)[0]
        struct.pack_into(">I", grown, size_at, size + len(entry) - 12)
    return bytes(grown)


def test_samples_in_another_file_are_not_fetched(folder: Path) -> None:
    outside = folder / "outside.pcm"
    outside.write_bytes(np.full(200_000, 12345, ">i2").tobytes())
    path = folder / "film.mov"
    ffmpeg(
        *("-f", "s16le", "-ar", "8000", "-ac", "1", "-i", "pipe:0"),
        *("-c:a", "pcm_s16be", "-y", str(path)),
        given=bytes(16000),
    )
    hostile = with_outside_samples(path.read_bytes(), outside)
    path.write_bytes(hostile)
    stolen = struct.pack("<h", 12345) * 8
    obeying = ("-enable_drefs", "1", "-use_absolute_path", "1", "-i", str(path))
    assert stolen in ffmpeg(*obeying, "-f", "s16le", "pipe:1"), "the trick itself must work"
    for act in (transcoded, lambda whole, name: probe(lambda: io.BytesIO(whole), 1, name)):
        with suppress(BadInput):
            act(hostile, "m4a")
    pieces: list[bytes] = []
    output = Output(("-map", "0:a:0", "-f", "s16le"))
    with suppress(BadInput):
        pieces += [block for _, block in run(media(iter([hostile]), "m4a"), [output])]
    assert stolen not in b"".join(pieces)


def test_an_error_never_quotes_the_file(folder: Path) -> None:
    whole = coded("m4a", folder)
    cut = whole[: len(whole) // 2] + b"MARKER" + whole[-200:]
    for container in CONTAINERS:
        with pytest.raises(BadInput) as refused:
            transcoded(cut, container)
        assert "MARKER" not in str(refused.value)
        assert str(refused.value).endswith(("(undecodable)", "(empty)", "(no-audio)", "file."))
