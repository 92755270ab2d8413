"""Reports on many sessions: seven types, each made of tallies, each in seven formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from vault.errors import UsageError
from vault.export import sheets
from vault.export.escape import cell, line
from vault.export.pages import Document, Facts, Section, Table, Text, Turns, shown, worded
from vault.export.record import Order, Record, head, plain
from vault.export.sheets import Cell, Sheet
from vault.export.sums import Analytics, Compliance
from vault.export.tables import rows_as_csv
from vault.export.tallies import Performance, Quality, Summary, Tally, Transcripts
from vault.formats.fields import Notes
from vault.model import Json

#: What a custom report is put together from.
SECTIONS: Mapping[str, Callable[[], Tally]] = {
    "summary": Summary,
    "quality": Quality,
    "transcript": Transcripts,
    "analytics": Analytics,
    "compliance": Compliance,
    "performance": Performance,
}
TYPES: Mapping[str, tuple[str, ...]] = {
    "session_summary": ("summary",),
    "quality_report": ("quality", "performance"),
    "transcript_report": ("transcript",),
    "analytics_report": ("analytics",),
    "compliance_report": ("compliance",),
    "performance_report": ("performance",),
    "custom_report": (),
}


def chosen(kind: str, asked: Sequence[str]) -> list[Tally]:
    """The tallies of a report; `asked` are the sections of a custom one.

    Raises `UsageError` for a type or a section that does not exist.
    """
    if kind not in TYPES:
        raise UsageError(f"A report is one of: {', '.join(TYPES)}.")
    if bool(asked) != (kind == "custom_report"):
        raise UsageError("A custom_report, and no other, says its --section: summary, quality …")
    names = asked or TYPES[kind]
    if unknown := [name for name in names if name not in SECTIONS]:
        raise UsageError(f"No section {unknown[0]!r}; there are: {', '.join(SECTIONS)}.")
    return [SECTIONS[name]() for name in dict.fromkeys(names)]


def report(
    kind: str, tallies: Sequence[Tally], records: Iterable[Record], order: Order
) -> Document:
    """Read every session once; the document of what was found, to be written once."""
    for record in records:
        for tally in tallies:
            tally.add(record)
    sections = (section for tally in tallies for section in tally.sections())
    title = kind.replace("_", " ").capitalize()
    return Document(title, f"strongroom · {order.scope.replace('_', ' ')}", order.made_at, sections)


Render: TypeAlias = Callable[[Document, Order], Iterator[bytes]]


def _html(document: Document, _order: Order) -> Iterator[bytes]:
    from vault.export.webpage import html_file

    return html_file(document)


def _pdf(document: Document, order: Order) -> Iterator[bytes]:
    from vault.export.pdf import pdf_file

    return pdf_file(document, order.notes)


def _docx(document: Document, order: Order) -> Iterator[bytes]:
    from vault.export.word import docx_file

    return docx_file(document, order.notes)


def _json(document: Document, order: Order) -> Iterator[bytes]:
    sections: list[Json] = [
        {
            "title": section.title,
            "level": section.level,
            "blocks": [_plain(block) for block in worded(section, order.notes)],
        }
        for section in document.sections
    ]
    whole: dict[str, Json] = {
        **head(order),
        "title": document.title,
        "sections": sections,
        "warnings": [warning.entry() for warning in order.notes.all()],
    }
    yield json.dumps(whole, indent=1, ensure_ascii=False).encode(errors="replace") + b"\n"


def _txt(document: Document, order: Order) -> Iterator[bytes]:
    yield f"{line(document.title)}\n{document.made_at.isoformat(timespec='seconds')}\n".encode()
    for section in document.sections:
        yield f"\n\n{'#' * section.level} {line(section.title)}\n".encode()
        for _, columns, rows in _tables(section, order.notes):
            text = "".join(
                "\t".join(cell(line(shown(c))) for c in row) + "\n" for row in [columns, *rows]
            )
            yield ("\n" + text).encode()


def _csv(document: Document, order: Order) -> Iterator[bytes]:
    """Every table under the name of its section, an empty line between two."""
    yield b"\xef\xbb\xbf"
    for section in document.sections:
        for _, columns, rows in _tables(section, order.notes):
            yield from rows_as_csv([section.title], [columns, *rows])
            yield b"\r\n"


def _xlsx(document: Document, order: Order) -> Iterator[bytes]:
    found = [
        Sheet(f"{section.title} {name}"[:27], columns, rows)
        for section in document.sections
        for name, columns, rows in _tables(section, order.notes)
    ]
    return sheets.workbook(found)


#: Every format a report comes in.
FORMATS: Mapping[str, Render] = {
    "html": _html,
    "pdf": _pdf,
    "docx": _docx,
    "json": _json,
    "txt": _txt,
    "csv": _csv,
    "xlsx": _xlsx,
}


def renderer(format: str) -> Render:  # noqa: A002  the contract's word
    """How a report is written; `UsageError` for a format that it does not come in."""
    if format not in FORMATS:
        raise UsageError(f"A report is written as one of: {', '.join(FORMATS)}.")
    return FORMATS[format]


def _tables(
    section: Section, notes: Notes
) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[Cell]]]]:
    """The blocks of a section as tables: (name, columns, rows)."""
    for block in worded(section, notes):
        match block:
            case Facts(rows):
                yield "", ("name", "value"), rows
            case Table(name, columns, rows):
                yield name, columns, rows
            case Turns(rows):
                yield "turns", ("at", "role", "speaker", "text"), rows
            case Text(text):
                yield "note", ("text",), [(text,)]


def _plain(block: object) -> dict[str, Json]:
    return {"kind": type(block).__name__.lower(), **plain(block)}
