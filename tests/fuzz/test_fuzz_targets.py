"""The harness itself: every door answers its seeds, and what is broken would be found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fuzz import mutation, scratch
from tests.fuzz.judge import Judge, verdict_on
from tests.fuzz.targets import TARGETS
from vault.errors import BadInput

_SEEDS_EACH = 25


@pytest.mark.parametrize("name", TARGETS)
def test_a_door_answers_or_refuses_its_seeds_and_some_changes_of_them(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    assert seeds
    for at, seed in enumerate(seeds[:: 1 + len(seeds) // _SEEDS_EACH]):
        changed = mutation.mutate(seed, target.limit_bytes, at, _cut_in_half)
        for data in (seed, changed):
            assert verdict_on(target.door, data) is None


def test_a_door_that_breaks_is_written_down_once(tmp_path: Path) -> None:
    judge = Judge(_breaks, tmp_path)
    for data in (b"a", b"x1", b"x2", b"refuse"):
        judge(data)
    assert len(judge.found) == 1
    (story,) = tmp_path.glob("*.txt")
    assert "ZeroDivisionError" in story.read_text()
    assert story.with_suffix("").read_bytes() == b"x1"


def test_names_never_lead_out_of_the_scratch_folder() -> None:
    names = ("../a", "/etc/x", "a/../../b", "a//b", ".", "", "ok/b.wav", "n\0ul")
    packed = b"\n".join(b"%%% " + name.encode() + b"\ncontent" for name in names)
    assert list(scratch.unpack(packed)) == ["ok/b.wav"]


def test_files_come_out_as_they_were_packed() -> None:
    files = {"manifest.json": b"{}\n", "segments/a.wav": b"\n\0%%%\n", "b": b""}
    assert scratch.unpack(scratch.pack(files)) == files


def test_mutations_leave_json_json() -> None:
    seed = json.dumps({"a": [1, {"b": "text"}], "c": None}).encode()
    made = {mutation.mutate(seed, 4096, number, lambda data, _: data) for number in range(400)}
    assert len(made) > 100
    for each in made:
        json.loads(each)


def _breaks(data: bytes) -> None:
    if data == b"refuse":
        raise BadInput
    if data.startswith(b"x"):
        raise ZeroDivisionError


def _cut_in_half(data: bytes, _limit: int) -> bytes:
    return data[: len(data) // 2]
