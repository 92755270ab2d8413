"""A source never leads out of the folder that a user named, and reads nothing but files."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from vault import formats
from vault.errors import BadInput
from vault.formats import jsontext
from vault.formats.source import Source, relative


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    place = tmp_path / "bundle"
    (place / "segments").mkdir(parents=True)
    (place / "manifest.json").write_text('{"segments": [], "duration": 0}')
    (place / "full.wav").write_bytes(b"")
    return place


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../secret",
        "segments/../../secret",
        "/etc/passwd",
        "//etc/passwd",
        "",
        ".",
        "/",
        "a\0b",
        "a\nb",
        "a\x1b[2Jb",
        "..\\secret",
        "C:\\secret",
        "a" * 2000,
        "/".join("a" * 20),
        "\udcff",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(bundle: Path, name: str) -> None:
    with pytest.raises(BadInput):
        relative(name)
    with pytest.raises(BadInput):
        Source(bundle).open(name)


def test_a_plain_name_is_cleaned_and_kept() -> None:
    assert relative("./segments//00-user.wav") == "segments/00-user.wav"
    assert (
        relative("Aufnahme 3\N{NO-BREAK SPACE}Uhr ….wav") == "Aufnahme 3\N{NO-BREAK SPACE}Uhr ….wav"
    )
    assert relative("..hidden/...") == "..hidden/..."


def test_a_link_anywhere_inside_a_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (bundle / "notes.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(BadInput, match=r"notes\.txt"):
        formats.read(bundle)
    with pytest.raises(BadInput, match="link"):
        Source(bundle).open("notes.txt")


def test_a_link_that_stays_inside_the_bundle_is_refused_too(bundle: Path) -> None:
    (bundle / "copy.wav").symlink_to("full.wav")
    with pytest.raises(BadInput, match=r"copy\.wav"):
        formats.read(bundle)


def test_a_linked_folder_inside_a_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.wav").write_bytes(b"secret")
    (bundle / "more").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="more"):
        formats.read(bundle)
    with pytest.raises(BadInput, match="more"):
        Source(bundle).open("more/secret.wav")


def test_a_link_swapped_in_after_the_listing_is_refused(bundle: Path, tmp_path: Path) -> None:
    (reading,) = formats.read(bundle)
    whole = next(o for o in reading.originals if o.name == "full.wav")
    (tmp_path / "secret").write_bytes(b"")
    (bundle / "full.wav").unlink()
    (bundle / "full.wav").symlink_to(tmp_path / "secret")
    with pytest.raises(BadInput):
        whole.open()


def test_a_path_that_is_itself_a_link_may_be_followed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(bundle)
    (reading,) = formats.read(tmp_path / "latest")
    assert [o.name for o in reading.originals] == ["full.wav", "manifest.json"]


def test_a_pipe_a_socket_and_a_device_are_refused_without_waiting(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(bundle / "pipe.wav")
    with pytest.raises(BadInput, match=r"pipe\.wav"):
        formats.read(bundle)
    with pytest.raises(BadInput, match="regular"):
        Source(bundle).open("pipe.wav")
    (bundle / "pipe.wav").unlink()
    monkeypatch.chdir(bundle)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.wav")
        with pytest.raises(BadInput, match=r"socket\.wav"):
            formats.read(bundle)
    os.mkfifo(tmp_path / "alone.wav")
    for path in (tmp_path / "alone.wav", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(BadInput, match="neither"):
            formats.read(path)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path / "nothing" / "here.wav", "a\0b"):
        with pytest.raises(BadInput):
            formats.read(path)
        with pytest.raises(BadInput):
            list(formats.walk(path))


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    source = Source(tmp_path / "file")
    again = source.opener("file", 1000)
    with again() as stream:
        assert stream.read(10) == b"x" * 10
        os.truncate(tmp_path / "file", 500)
        with pytest.raises(BadInput, match="changed"):
            stream.read()
    with pytest.raises(BadInput, match="changed"):
        again()


@pytest.mark.parametrize("how", ["written over", "another file"])
def test_what_is_kept_is_what_was_understood(tmp_path: Path, how: str) -> None:
    place = tmp_path / "call.json"
    place.write_bytes(b'{"said": "good"}')
    source = Source(place)
    assert source.json("call.json") == {"said": "good"}
    again = source.opener("call.json", 16)
    if how == "written over":
        time.sleep(0.02)  # file systems tell times in steps of some milliseconds
        place.write_bytes(b'{"said": "evil"}')
    else:
        other = tmp_path / "other"
        other.write_bytes(b'{"said": "evil"}')
        os.utime(other, ns=(place.stat().st_atime_ns, place.stat().st_mtime_ns))
        other.replace(place)
    with pytest.raises(BadInput, match="changed"):
        again()


def test_an_original_opens_as_often_as_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    again = Source(tmp_path / "file").opener("file", 3)
    for _ in range(2):
        with again() as stream:
            assert stream.read(2) + stream.read(2) + stream.read(2) == b"abc"


def test_a_bundle_nested_too_deep_is_refused(bundle: Path) -> None:
    deep = bundle.joinpath(*"abcdefghijklmnopq")
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    with pytest.raises(BadInput):
        formats.read(bundle)


def test_a_bundle_of_too_many_files_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.formats.source.NAMES_LIMIT", 20)
    for number in range(30):
        (bundle / f"{number}.txt").touch()
    with pytest.raises(BadInput, match="20"):
        formats.read(bundle)


def test_a_name_that_is_no_text_is_refused(bundle: Path) -> None:
    with open(os.fsencode(bundle) + b"/\xff.wav", "wb"):  # noqa: PTH123  a path of bytes
        pass
    with pytest.raises(BadInput, match="UTF-8"):
        formats.read(bundle)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "valid JSON"),
        (b"{", "valid JSON"),
        (b'{"a": 1} x', "valid JSON"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "NaN"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 400 + b"}", "digits"),
        (b'{"a": ' + b"9" * 5_000_000 + b"}", "digits"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[" * 101 + b"]" * 101, "deep"),
        (b"[" * 100_000, "valid JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "valid JSON"),
        (b"[" + b"[]," * 1_500_000 + b"[]]", "values"),
    ],
)
def test_hostile_json_is_bad_input(data: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        jsontext.parse(data, "manifest.json")


def test_json_of_a_hundred_levels_is_read() -> None:
    value = jsontext.parse(b"[" * 100 + b"]" * 100, "x")
    assert json.dumps(value) == "[" * 100 + "]" * 100


def test_json_may_begin_with_a_byte_order_mark() -> None:
    assert jsontext.parse(b'\xef\xbb\xbf{"a": 1.5}', "x") == {"a": 1.5}


def test_lone_surrogates_come_out_writable() -> None:
    value = jsontext.parse(rb'{"\ud800k": ["a\udc00b", "\ud83d\ude00", "\\ud800"]}', "x")
    assert value == {"�k": ["a�b", "😀", "\\ud800"]}
    json.dumps(value, ensure_ascii=False).encode()


def test_json_larger_than_the_limit_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as file:
        file.write(b'{"a": "')
        file.truncate(65 << 20)
    with pytest.raises(BadInput, match="64 MiB"):
        Source(tmp_path).json("manifest.json")
