"""A document before it is a page of anything: sections of facts, tables, turns and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from vault.export.sheets import Cell
from vault.formats.fields import Notes
from vault.model import Json

#: Columns whose cells may be long: they give way to the others, and break anywhere.
LONG = frozenset({"text", "value", "name", "meaning", "file", "figure"})
_BRIEF, _DEEP = 200, 6
_LEFT_OUT = "pictures-left-out"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, side by side."""

    rows: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `name` is what it is called where it stands alone, as on a sheet."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Turns:
    """What was said: (when, role, who, text) for each turn."""

    rows: Sequence[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a note stands back."""

    text: str
    note: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG and the words for who cannot see it."""

    svg: str
    alt: str


Block: TypeAlias = "Facts | Table | Turns | Text | Picture"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of level 1 or 2 and what stands under it."""

    title: str
    blocks: Sequence[Block]
    level: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A title and its sections, which may be made while they are written, once."""

    title: str
    subtitle: str
    made_at: datetime
    sections: Iterable[Section]


def worded(section: Section, notes: Notes) -> Iterator[Facts | Table | Turns | Text]:
    """The blocks that are no pictures; notes once, for the whole document, that there are some."""
    for block in section.blocks:
        if not isinstance(block, Picture):
            yield block
        elif all(warning.code != _LEFT_OUT for warning in notes.all()):
            notes.add(_LEFT_OUT, "Pictures are in html and pdf only.")


def shown(value: Cell) -> str:
    """A value as people read it; numbers to three decimals."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)


def numeric(table: Table) -> list[bool]:
    """Of each column, whether it holds numbers, or nothing, and so stands on the right."""
    return [
        bool(table.rows) and all(isinstance(row[at], int | float | None) for row in table.rows)
        for at in range(len(table.columns))
    ]


def brief(value: Json, longest: int = _BRIEF) -> str:
    """What a source states, as people read it: `name find, args (phone 555-0142)`; cut if long."""
    text = told(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def told(value: Json) -> str:
    """The same in full."""
    return _told(value, 0)


def _told(value: Json, depth: int) -> str:
    if depth > _DEEP:
        return "…"
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_told(one, depth + 1)}".strip() for key, one in value.items())
        return f"({text})" if depth else text
    if isinstance(value, list):
        return "[" + ", ".join(_told(one, depth + 1) for one in value) + "]"
    return shown(value)


def weight(section: Section) -> int:
    """How many rows and paragraphs a section has."""
    return 1 + sum(
        len(block.rows) if isinstance(block, Facts | Table | Turns) else 1
        for block in section.blocks
    )
