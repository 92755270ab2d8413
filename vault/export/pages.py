"""A document before it is a page of anything: sections of facts, tables, turns and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from vault.export.sheets import Cell


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


def shown(value: Cell) -> str:
    """A value as people read it; numbers to three decimals."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)


def weight(section: Section) -> int:
    """How many rows and paragraphs a section has."""
    return 1 + sum(
        len(block.rows) if isinstance(block, Facts | Table | Turns) else 1
        for block in section.blocks
    )
