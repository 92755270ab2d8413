"""Where `fetch` and `export` refuse to write, as the command line answers and the disk shows."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests import recordings
from tests.homes import Home


@pytest.fixture
def bundle(home: Home, tmp_path: Path) -> str:
    """The id of a session whose originals are several files."""
    source = recordings.bundle(tmp_path / "call", ("Where is my parcel", "On its way"))
    (session,) = home.run("deposit", source, "--no-wait").document["sessions"]
    return str(session["id"])


def test_no_part_and_no_export_takes_the_place_of_a_pipe(
    home: Home, bundle: str, tmp_path: Path
) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("pipe")
    for place in (pipe, link):
        for verb in (("fetch", bundle, "--part", "full.wav"), ("export", bundle, "--format=json")):
            assert "neither a file nor" in home.run(*verb, "-o", place, code=2).err
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()


@pytest.mark.parametrize("verb", [("fetch", "--originals"), ("export", "--format=scenario")])
def test_files_that_do_not_all_have_a_place_leave_a_folder_as_it_was(
    home: Home, bundle: str, tmp_path: Path, verb: tuple[str, str]
) -> None:
    home.run(verb[0], bundle, verb[1], "-o", tmp_path / "good")
    folder, in_the_way = tmp_path / "out", next((tmp_path / "good").rglob("segments/*.wav"))
    (folder / in_the_way.relative_to(tmp_path / "good")).mkdir(parents=True)
    (folder / "full.wav").write_bytes(b"old")
    assert "is a folder" in home.run(verb[0], bundle, verb[1], "-o", folder, code=2).err
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "full.wav"]
    assert (folder / "full.wav").read_bytes() == b"old"
