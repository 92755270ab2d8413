"""What the command line does before and after an operation, without any archive."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vault import errors
from vault.cli.app import _globals_first, run
from vault.cli.desk import Desk, Progress, duration, size


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError(), 2),
        (errors.NotFound(), 3),
        (errors.Refused(), 4),
        (errors.IntegrityError(), 5),
        (errors.BackendError(), 6),
        (errors.BadInput(), 7),
        (errors.StrongroomError(), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_each_error_has_the_exit_code_of_the_contract(error: Exception, code: int) -> None:
    assert errors.exit_code(error) == code


def test_global_options_may_stand_anywhere_but_after_two_dashes() -> None:
    given = ["show", "--json", "ID", "--home", "H", "--actor=bot", "--", "--json"]
    front = ["--json", "--home", "H", "--actor=bot"]
    assert _globals_first(given) == [*front, "show", "ID", "--", "--json"]


def test_a_global_option_without_its_value_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["list", "--home"]) == 2
    said = capsys.readouterr()
    assert (said.out, "--home" in said.err) == ("", True)


def test_an_argument_that_is_no_text_is_a_usage_error_unless_a_file_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    latin = os.fsdecode(b"caf\xe9")
    assert run(["title", latin, "Lost"]) == 2
    assert "UTF-8" in capsys.readouterr().err
    assert run(["title", latin * 1000, "Lost"]) == 2
    assert "UTF-8" in capsys.readouterr().err
    (tmp_path / latin).write_bytes(b"")
    assert run(["deposit", str(tmp_path / latin), "--no-such-option"]) == 2
    assert "UTF-8" not in capsys.readouterr().err


@pytest.mark.parametrize("document", ["[]", '{"settings": []}', "{", "[" * 100_000, "\xff"])
def test_a_damaged_home_file_is_a_back_end_that_is_unavailable(
    tmp_path: Path, document: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home.json").write_text(document, encoding="latin-1")
    assert run(["--home", str(tmp_path), "list"]) == 6
    assert "Unexpected" not in capsys.readouterr().err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out
    for verb in ("init", "actor", "deposit", "list", "show", "fetch", "export", "fixity"):
        assert verb in told
    for verb in ("keys", "doctor", "up", "demo"):
        assert verb in told


def test_an_unexpected_error_says_its_kind_and_never_its_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_desk: Desk) -> None:
        raise ZeroDivisionError("ann@example.com")

    monkeypatch.setattr(Desk, "settings", breaks)
    assert run(["list"]) == 1
    said = capsys.readouterr()
    assert "ZeroDivisionError" in said.err
    assert "ann@" not in said.err
    assert not said.out


def test_what_could_steer_a_terminal_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Desk().answer({}, ["\x1b]0;owned\x07 name\u202e.wav"])
    Desk().say("\x1b[2J")
    said = capsys.readouterr()
    for character in ("\x1b", "\x07", "\u202e"):
        assert character not in said.out + said.err


def test_nobody_watching_means_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(watched=False) as progress:
        progress("sealing", 1, 2)
    assert capsys.readouterr().err == ""
    with Progress(watched=True) as progress:
        progress("sealing", 1, 2)
    assert "sealing 50 %" in capsys.readouterr().err


def test_sizes_and_durations_are_told_as_people_read_them() -> None:
    assert [size(n) for n in (0, 999, 1000, 2_500_000, 3 * 10**12)] == [
        *("0 B", "999 B", "1.0 kB", "2.5 MB", "3.0 TB"),
    ]
    assert duration(None) == "–"
    assert duration(61_500_000_000) == "1:01.5"
    assert duration(119_960_000_000) == "2:00.0"
