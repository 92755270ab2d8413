"""A document as DOCX, for those who go on writing in it. Pictures are in html and pdf only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vault.errors import UsageError
from vault.export.escape import legal
from vault.export.pages import (
    LONG,
    Document,
    Facts,
    Table,
    Text,
    Turns,
    shown,
    weight,
    worded,
)
from vault.formats.fields import Notes

if TYPE_CHECKING:
    from docx.document import Document as Docx

#: The document is made in memory; past this many rows it would take minutes.
ROWS = 20_000
#: The page, its margins left and right, and what is left between them.
_PAGE_INCHES, _MARGIN_INCHES = 8.5, 0.9
_WIDTH_INCHES = _PAGE_INCHES - 2 * _MARGIN_INCHES
#: Of a table, in characters: a line, a column's edges, and the least that a long column gets.
_LINE, _EDGES, _LEAST = 100, 5, 18


def docx_file(document: Document, notes: Notes) -> Iterator[bytes]:
    """The file, in one block. Raises `UsageError` past `ROWS` rows."""
    import docx
    from docx.shared import Inches, Pt

    page = docx.Document()
    page.styles["Table Grid"].font.size = Pt(8)
    (sheet,) = page.sections
    sheet.page_width = Inches(_PAGE_INCHES)
    sheet.left_margin = sheet.right_margin = Inches(_MARGIN_INCHES)
    about = page.core_properties
    about.author, about.title, about.comments = "strongroom", legal(document.title)[:255], ""
    about.created = about.modified = document.made_at.replace(tzinfo=None)
    page.add_heading(legal(document.title), 0)
    page.add_paragraph(
        f"{legal(document.subtitle)} · {document.made_at.isoformat(timespec='seconds')}"
    )
    rows = 0
    for section in document.sections:
        rows += weight(section)
        if rows > ROWS:
            raise UsageError(
                f"A docx holds at most {ROWS} rows; export html, or fewer sessions at a time."
            )
        page.add_heading(legal(section.title), section.level)
        for block in worded(section, notes):
            _add(page, block)
    stream = io.BytesIO()
    page.save(stream)
    yield stream.getvalue()


def _add(page: Docx, block: Facts | Table | Turns | Text) -> None:
    match block:
        case Facts(rows):
            for name, value in rows:
                _said(page, name, shown(value), ": ")
        case Table():
            _table(page, block)
        case Turns(rows):
            for when, _, who, text in rows:
                _said(page, who, text, " ", before=f"[{when}] ")
        case Text(text):
            page.add_paragraph(legal(text))


def _said(page: Docx, name: str, text: str, between: str, before: str = "") -> None:
    from docx.shared import Pt

    paragraph = page.add_paragraph(before)
    paragraph.paragraph_format.space_after = Pt(3)
    paragraph.add_run(legal(name)).bold = True
    paragraph.add_run(between + legal(text))


def _table(page: Docx, table: Table) -> None:
    """The headings come again on every page, and no row is torn in two."""
    from docx.shared import Inches

    texts = [list(table.columns), *([legal(shown(c)) for c in row] for row in table.rows)]
    found: Any = page.add_table(rows=len(texts), cols=len(table.columns), style="Table Grid")
    found.autofit = False
    widths = [Inches(width) for width in _widths(table, texts)]
    for column, width in zip(found.columns, widths, strict=True):
        column.width = width
    for row, line in zip(found.rows, texts, strict=True):
        _mark(row, "w:cantSplit")
        for place, text, width in zip(row.cells, line, widths, strict=True):
            place.text, place.width = text, width
    first = found.rows[0]
    _mark(first, "w:tblHeader")
    for place in first.cells:
        place.paragraphs[0].runs[0].bold = True
    page.add_paragraph()  # or else two tables, one after the other, are one


def _mark(row: Any, name: str) -> None:  # noqa: ANN401  a row of the library's
    """Say of a row what the library has no word for."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement(name))  # noqa: SLF001  there is no other way


def _widths(table: Table, texts: list[list[str]]) -> list[float]:
    """How wide each column is, in inches: by its longest word; the long ones get what is left."""
    longest = [
        max(len(text) for row in texts for text in (row[at].split() or [""]))
        for at in range(len(table.columns))
    ]
    short = [n + _EDGES for n, name in zip(longest, table.columns, strict=True) if name not in LONG]
    left = (_LINE - sum(short)) / max(1, len(table.columns) - len(short))
    shares = [
        max(left, _LEAST) if name in LONG else n + _EDGES
        for n, name in zip(longest, table.columns, strict=True)
    ]
    return [_WIDTH_INCHES * share / sum(shares) for share in shares]
