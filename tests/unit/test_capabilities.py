"""The list of capabilities is whole, and every test it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
TABLE = TESTS.parent / "vault" / "formats" / "CAPABILITIES.md"
_ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
_ON_RECORDINGS = re.compile(r"`([\w/]+\.py)::test_\w+` \*")
#: How a module gets at the recordings, or at what is skipped without them.
_ASKS = re.compile(r"\b(fixtures_folder|FIXTURES|needs_\w+|real)\b")


def named() -> dict[int, list[tuple[str, str]]]:
    """The tests of each row: file and function."""
    rows = _ROW.findall(TABLE.read_text())
    return {int(number): _TEST.findall(cell) for number, cell in rows}


def test_every_one_of_the_45_has_a_test() -> None:
    rows = named()
    assert list(rows) == list(range(1, 46))
    assert all(rows.values())


def test_every_one_of_the_45_has_a_test_on_real_recordings() -> None:
    rows = _ROW.findall(TABLE.read_text())
    for number, cell in rows:
        files = _ON_RECORDINGS.findall(cell)
        assert files, f"row {number} has none"
        for file in files:
            assert _ASKS.search((TESTS / file).read_text()), f"{file} asks for no recordings"


def test_every_named_test_exists() -> None:
    for file, name in _TEST.findall(TABLE.read_text()):
        assert name in functions(TESTS / file), f"{file}::{name} is named and not there"


@cache
def functions(path: Path) -> set[str]:
    """The functions of a module, those in classes too."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_documents_name_no_test_that_is_gone() -> None:
    every = {name for path in TESTS.rglob("test_*.py") for name in functions(path)}
    for document in (TESTS.parent / "vault").rglob("*.md"):
        gone = set(re.findall(r"\b(test_\w+)`", document.read_text())) - every
        assert not gone, f"{document.name} names {gone}"
