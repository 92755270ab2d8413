"""Whatever arrives, a reader answers with sessions or with `BadInput`, and nothing else."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from tests.unit.test_formats_scenario import wav
from vault import formats, samples
from vault.errors import BadInput
from vault.formats import jsontext
from vault.formats.source import Source, relative
from vault.replay.metrics import measure

MANIFESTS = [
    samples.folder() / "pharmacy-refill/manifest.json",
    *sorted((FIXTURES / "scenario").glob("*/*/manifest.json")),
]
WORDS = """
    generated_at duration segment_count segments events idx file role start_time end_time
    transcript transcript_truncated time type latency name args result metadata
    external_id started_at participants start end text speaker truncated index agent
"""
TEXTS = """
    user agent segments/00-user-0000ms.wav ../x /dev/zero \ud800 2026-05-07T10:16:25Z
    9999-12-31T23:59:59-23:59 0001-01-01 2026-W01-1
"""
KEYS = st.sampled_from(WORDS.split())
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**18, 10**40)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["", *TEXTS.split()])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=30,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=10)
SLOW_DISK = settings(deadline=None, suppress_health_check=list(HealthCheck))


@contextmanager
def scenario(manifest: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "segments").mkdir()
        (place / "full.wav").write_bytes(wav(0.01))
        (place / "segments/00-user-0000ms.wav").write_bytes(wav(0.01))
        (place / "manifest.json").write_bytes(manifest)
        yield place


def answers(place: Path) -> None:
    """Reads or is refused; what is read can be measured, kept as JSON and opened."""
    try:
        readings = [reading for source in formats.walk(place) for reading in formats.read(source)]
    except BadInput as error:
        str(error).encode()
        return
    for reading in readings:
        kept = json.dumps(
            {
                "timeline": asdict(reading.timeline),
                "metrics": measure(reading.timeline, reading.duration_ns),
                "stated": dict(reading.metrics),
                "warnings": [asdict(warning) for warning in reading.warnings],
                "participants": [asdict(one) for one in reading.participants],
            },
            allow_nan=False,
            ensure_ascii=False,
        )
        kept.encode()
        indices = [segment.index for segment in reading.timeline.segments]
        assert indices == sorted(set(indices))
        assert all(0 <= s.start_ns <= s.end_ns < 2**62 for s in reading.timeline.segments)
        assert {s.role for s in reading.timeline.segments} <= {"user", "agent", "system"}
        for original in reading.originals:
            with original.open() as stream:
                assert len(stream.read()) == original.size_bytes


@SLOW_DISK
@given(VALUES | OBJECTS)
def test_any_json_as_a_manifest_is_read_or_refused(value: Any) -> None:
    with scenario(json.dumps(value).encode()) as place:
        answers(place)


@SLOW_DISK
@given(st.data())
def test_a_real_manifest_with_one_value_replaced_is_read_or_refused(data: st.DataObject) -> None:
    manifest = json.loads(data.draw(st.sampled_from(MANIFESTS)).read_text())
    place: Any = manifest
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    with scenario(json.dumps(manifest).encode()) as folder:
        answers(folder)


@SLOW_DISK
@given(st.sampled_from(MANIFESTS), st.integers(0), st.binary(max_size=8), st.integers(0, 8))
def test_a_real_manifest_with_bytes_changed_is_read_or_refused(
    file: Path, at: int, put: bytes, drop: int
) -> None:
    text = file.read_bytes()
    at %= len(text) + 1
    with scenario(text[:at] + put + text[at + drop :]) as place:
        answers(place)


@SLOW_DISK
@given(OBJECTS, st.binary(max_size=40))
def test_any_sidecar_leaves_the_recording_readable(value: Any, junk: bytes) -> None:
    for text in (json.dumps(value).encode(), junk):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "call.wav").write_bytes(wav(0.01))
            (Path(folder) / "call.json").write_bytes(text)
            (reading,) = formats.read(Path(folder) / "call.wav")
            assert len(reading.originals) == 2
            answers(Path(folder))


@SLOW_DISK
@given(st.binary(max_size=200), st.integers(0, 60), st.binary(max_size=12))
def test_any_wav_header_is_read_or_refused(tail: bytes, at: int, put: bytes) -> None:
    whole = wav(0.01)
    for data in (whole[:12] + tail, whole[:at] + put + whole[at + len(put) :]):
        with scenario(b'{"segments": []}') as place:
            (place / "segments/00-user-0000ms.wav").write_bytes(data)
            answers(place)


MAGIC = [b"OggS", b"fLaC", b"\x1a\x45\xdf\xa3webm", b"ID3", b"\xff\xfb\x90", b"....ftypM4A ", b""]


@settings(SLOW_DISK, max_examples=15)
@given(st.sampled_from(MAGIC), st.binary(max_size=400))
def test_any_bytes_as_audio_are_read_or_refused(magic: bytes, tail: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "call.mp3").write_bytes(magic + tail)
        answers(Path(folder))


@given(st.binary(max_size=60) | VALUES.map(lambda v: json.dumps(v).encode()))
def test_parsed_json_can_always_be_written_again(data: bytes) -> None:
    try:
        value = jsontext.parse(data, "file.json")
    except BadInput:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@given(st.text(max_size=40) | st.text("./\\a\0~", max_size=20))
def test_a_clean_name_stays_inside(name: str) -> None:
    try:
        clean = relative(name)
    except BadInput:
        return
    assert not clean.startswith("/")
    assert ".." not in clean.split("/")
    assert relative(clean) == clean


@SLOW_DISK
@given(st.text("./a\\", max_size=12))
def test_no_name_opens_what_lies_outside(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "a"
        inner.mkdir()
        (Path(folder) / "aa").write_text("outside")
        (inner / "aaa").write_text("inside")
        try:
            with Source(inner).open(name) as stream:
                assert stream.read() == b"inside"
        except BadInput:
            pass


def test_the_fuzzing_above_starts_from_readable_manifests() -> None:
    for file in MANIFESTS:
        with scenario(file.read_bytes()) as place:
            assert formats.read(place)
