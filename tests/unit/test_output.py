"""Files and folders that a person asked for: whole, in their place, or not there at all."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from vault.errors import BackendError, IntegrityError, UsageError
from vault.export.output import inside, whole_file, whole_folder


def test_an_output_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with contextlib.suppress(IntegrityError), whole_file(path) as stream:
        stream.write(b"half")
        raise IntegrityError
    assert path.read_bytes() == b"before"
    with whole_file(path) as stream:
        stream.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with contextlib.suppress(IntegrityError), whole_folder(folder) as scratch:
        inside(scratch, "a/b.wav").write_bytes(b"half")
        raise IntegrityError
    assert list(tmp_path.iterdir()) == []
    for content in (b"first", b"second"):
        with whole_folder(folder) as scratch:
            inside(scratch, "a/b.wav").write_bytes(content)
        assert (folder / "a" / "b.wav").read_bytes() == content
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["a" * 255, "\N{HIRAGANA LETTER A}" * 85], ids=["plain", "wide"])
def test_an_output_has_any_name_that_a_file_can_have(tmp_path: Path, name: str) -> None:
    with whole_file(tmp_path / name) as stream:
        stream.write(b"whole")
    with whole_folder(tmp_path / "folder" / name) as scratch:
        inside(scratch, name).write_bytes(b"whole")
    assert (tmp_path / name).read_bytes() == (tmp_path / "folder" / name / name).read_bytes()


def test_an_output_where_nothing_can_be_written_is_a_back_end_error() -> None:
    for whole in (whole_file, whole_folder):
        with pytest.raises(BackendError), whole(Path("/proc/nothing-is-made-here")):
            pytest.fail("this is never reached")


def test_an_output_that_names_no_place_is_a_usage_error_and_says_why(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_bytes(b"before")
    for path, why in (
        (folder, "is a folder"),
        (Path("/"), "is a folder"),
        (tmp_path / "missing" / "x", "There is no folder"),
        (file / "x", "There is no folder"),
    ):
        with pytest.raises(UsageError, match=why), whole_file(path):
            pytest.fail("this is never reached")
    for path in (file, file / "x"):
        with pytest.raises(UsageError, match="is a file"), whole_folder(path):
            pytest.fail("this is never reached")
    assert sorted(tmp_path.iterdir()) == [file, folder]
    assert file.read_bytes() == b"before"


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Names that are no files, and not free either; nothing of the machine's own is among them."""
    paths = {name: tmp_path / name for name in ("pipe", "socket", "to-pipe", "nowhere", "loop")}
    os.mkfifo(paths["pipe"])
    paths["to-pipe"].symlink_to("pipe")
    paths["nowhere"].symlink_to("missing")
    paths["loop"].symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(paths["socket"]))
        reading, writing = os.pipe()
        paths["to-a-descriptor"] = tmp_path / "to-a-descriptor"
        paths["to-a-descriptor"].symlink_to(f"/proc/self/fd/{writing}")
        yield paths
        os.close(reading)
        os.close(writing)


def test_an_output_never_takes_the_place_of_what_is_no_file(
    taken: dict[str, Path], tmp_path: Path
) -> None:
    before = {path: path.lstat() for path in tmp_path.iterdir()}
    for path in taken.values():
        with pytest.raises(UsageError, match="neither a file nor"), whole_file(path):
            pytest.fail("this is never reached")
        with pytest.raises(UsageError, match="neither a folder nor"), whole_folder(path):
            pytest.fail("this is never reached")
    assert {path: path.lstat() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("standing", ["b.wav/deeper/", "sub", "b.wav", "sub/c.wav"])
def test_an_output_folder_that_has_no_place_for_one_file_takes_none(
    tmp_path: Path, standing: str
) -> None:
    folder = tmp_path / "out"
    (folder / standing).parent.mkdir(parents=True)
    (folder / "a.wav").write_bytes(b"before")
    if standing.endswith("/"):
        (folder / standing).mkdir()
    else:
        os.mkfifo(folder / standing)
    before = {path: path.lstat() for path in tmp_path.rglob("*")}
    filling = contextlib.ExitStack()
    scratch = filling.enter_context(whole_folder(folder, lambda _name: True))
    for name in ("a.wav", "b.wav", "sub/c.wav", "z.wav"):
        inside(scratch, name).write_bytes(b"after")
    with pytest.raises(UsageError):
        filling.close()
    after = {path: path.lstat() for path in tmp_path.rglob("*")}
    assert after.keys() == before.keys()
    assert (folder / "a.wav").read_bytes() == b"before"


def test_an_output_through_a_link_is_written_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    file, link = tmp_path / "kept" / "file", tmp_path / "link"
    file.write_bytes(b"before")
    link.symlink_to("kept/file")
    with whole_file(link) as stream:
        stream.write(b"after")
    assert (link.is_symlink(), file.read_bytes()) == (True, b"after")
    with file.open("rb") as still_open:
        file.unlink()
        gone = tmp_path / "gone"
        gone.symlink_to(f"/proc/self/fd/{still_open.fileno()}")
        with pytest.raises(UsageError, match="neither a file nor"), whole_file(gone):
            pytest.fail("this is never reached")
    assert list((tmp_path / "kept").iterdir()) == []


def test_an_output_may_be_the_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with whole_folder(Path()) as scratch:
        inside(scratch, "a.wav").write_bytes(b"sound")
    assert [p.name for p in tmp_path.rglob("*")] == ["here", "a.wav"]


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "", ".", "a\0b"])
def test_a_stored_name_never_leads_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError):
        inside(tmp_path / "out", name)
    assert list(tmp_path.iterdir()) == []


def test_a_link_inside_the_folder_to_write_into_is_not_followed(tmp_path: Path) -> None:
    folder, victim = tmp_path / "out", tmp_path / "victim"
    folder.mkdir()
    victim.mkdir()
    (victim / "manifest.json").write_text("precious")
    (folder / "call").symlink_to(victim)
    with pytest.raises(UsageError, match="is a link"), whole_folder(folder) as scratch:
        inside(scratch, "call/manifest.json").write_text("new")
    assert (victim / "manifest.json").read_text() == "precious"
    linked = tmp_path / "linked"
    linked.symlink_to(folder)  # what the user named may be one
    with whole_folder(linked) as scratch:
        inside(scratch, "other/manifest.json").write_text("new")
    assert (folder / "other" / "manifest.json").read_text() == "new"
