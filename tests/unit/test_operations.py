"""The parts of operations that decide something without touching anything."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vault.errors import BackendError, BadInput, IntegrityError, NotFound, Refused, UsageError
from vault.export.output import inside, whole_file, whole_folder
from vault.model import Kind, PrivacyLevel
from vault.operations.actors import ROLES, may_read, permit
from vault.operations.admission import Terms
from vault.operations.keys import bucket_of
from vault.operations.spelling import normalise
from vault.settings import HOME_FILE, load, read_home


@pytest.mark.parametrize(
    ("class_name", "bucket"),
    [
        ("short", "short/2026-01"),
        ("medium", "medium/2026-02"),
        ("long", "long/2027-01"),
        ("permanent", "permanent"),
    ],
)
def test_a_bucket_is_named_for_its_class_and_the_month_it_ends(
    class_name: str, bucket: str
) -> None:
    assert bucket_of(class_name, datetime(2026, 1, 24, tzinfo=UTC)) == bucket


def test_a_bucket_of_no_class_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        bucket_of("forever", datetime(2026, 1, 24, tzinfo=UTC))


@pytest.mark.parametrize(
    ("given", "alike"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("  ann@example.com ", "ann@example.com"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("STRASSE", "straße"),
        ("ﬁnn", "finn"),
        ("+nonsense", "+NONSENSE"),
    ],
)
def test_a_subject_is_found_however_it_is_spelled(given: str, alike: str) -> None:
    assert normalise("subject", given) == normalise("subject", alike)


def test_an_empty_subject_is_bad_input() -> None:
    with pytest.raises(BadInput):
        normalise("subject", " \u3000")


@pytest.mark.parametrize("level", list(PrivacyLevel))
def test_a_privacy_level_keeps_sound_and_words_only_if_it_says_so(level: PrivacyLevel) -> None:
    assert (Kind.AUDIO in level.keeps) is (level in ("full", "audio_only"))
    assert (Kind.TRANSCRIPT in level.keeps) is (level in ("full", "transcript_only"))
    # What nobody can look into may hold either.
    assert (Kind.OTHER in level.keeps) is (level == "full")


@pytest.mark.parametrize(
    "terms",
    [
        Terms(format="betamax"),
        Terms(class_name="forever"),
        Terms(regimes=["gdpr", "magna-carta"]),
        Terms(jurisdictions=["de"]),
        Terms(jurisdictions=["US-CALI"]),
        Terms(started_at=datetime(2026, 1, 1)),  # noqa: DTZ001  what is refused
        Terms(started_at=datetime(9999, 12, 31, tzinfo=UTC)),  # it would end past the calendar
        Terms(started_at=datetime(1969, 12, 31, tzinfo=UTC)),
    ],
)
def test_terms_that_mean_nothing_are_usage_errors(terms: Terms) -> None:
    with pytest.raises(UsageError):
        terms.check()


def test_terms_that_mean_something_are_taken() -> None:
    Terms(
        format="wav",
        class_name="permanent",
        regimes=["gdpr", "bipa"],
        jurisdictions=["DE", "US-CA", "GB-ENG"],
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    ).check()


def acting(role: str) -> Any:
    return SimpleNamespace(actor=SimpleNamespace(id="me", role=role))


def test_only_those_who_may_read_read_and_an_agent_only_its_own() -> None:
    mine: Any = SimpleNamespace(deposited_by="me")
    other: Any = SimpleNamespace(deposited_by="another")
    readers = {role for role in ROLES if may_read(acting(role), other)}
    assert readers == {"owner", "officer", "dpo"}
    assert {role for role in ROLES if may_read(acting(role), mine)} == {*readers, "agent"}
    depositors = {role for role, acts in ROLES.items() if "deposit" in acts}
    assert depositors == {"owner", "agent"}
    for role in ROLES:
        with pytest.raises(Refused):
            permit(acting(role), "nothing that exists")


# --- output --------------------------------------------------------------------------------


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


# --- settings ------------------------------------------------------------------------------


def test_settings_come_from_arguments_then_environment_then_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / HOME_FILE).write_text('{"settings": {"store_url": "file://a", "kms_url": "k://"}}')
    monkeypatch.setenv("STRONGROOM_HOME", "/nowhere")
    monkeypatch.setenv("STRONGROOM_STORE_URL", "s3://b")
    settings = load(tmp_path)
    assert (settings.folder, settings.store_url) == (tmp_path, "s3://b")
    assert settings.kms_url == "k://"
    assert settings.catalogue_url == "sqlite://"


def test_a_setting_that_cannot_be_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_REDELIVER_SECONDS", "hunter2")
    with pytest.raises(UsageError, match="STRONGROOM_REDELIVER_SECONDS") as refused:
        load()
    assert "hunter2" not in str(refused.value)


def test_a_passphrase_shows_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "hunter2")
    assert "hunter2" not in repr(load(Path("/nowhere")))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_home_is_a_back_end_error_and_a_missing_one_not_found(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(NotFound):
        read_home(tmp_path)
    (tmp_path / HOME_FILE).write_bytes(content)
    with pytest.raises(BackendError):
        read_home(tmp_path)


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
