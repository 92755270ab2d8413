"""A document as DOCX, for those who go on writing in it. Pictures are in html and pdf only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vault.errors import UsageError
from vault.export.escape import legal
from vault.export.pages import Block, Document, Facts, Picture, Table, Text, Turns, shown, weight
from vault.formats.fields import Notes

if TYPE_CHECKING:
    from docx.document import Document as Docx

#: The document is made in memory; past this many rows it would take minutes.
ROWS = 20_000


def docx_file(document: Document, notes: Notes) -> Iterator[bytes]:
    """The file, in one block. Raises `UsageError` past `ROWS` rows."""
    import docx

    page = docx.Document()
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
        for block in section.blocks:
            _add(page, block, notes)
    stream = io.BytesIO()
    page.save(stream)
    yield stream.getvalue()


def _add(page: Docx, block: Block, notes: Notes) -> None:
    match block:
        case Facts(rows):
            for name, value in rows:
                _said(page, name, shown(value), ": ")
        case Table(_, columns, rows):
            _table(page, [list(columns), *([shown(c) for c in row] for row in rows)])
        case Turns(rows):
            for when, _, who, text in rows:
                _said(page, who, text, " ", before=f"[{when}] ")
        case Text(text):
            page.add_paragraph(legal(text))
        case Picture():
            if not any(w.code == "pictures-left-out" for w in notes.all()):
                notes.add("pictures-left-out", "Pictures are in html and pdf only.")


def _said(page: Docx, name: str, text: str, between: str, before: str = "") -> None:
    paragraph = page.add_paragraph(before)
    paragraph.add_run(legal(name)).bold = True
    paragraph.add_run(between + legal(text))


def _table(page: Docx, rows: list[list[str]]) -> None:
    table: Any = page.add_table(rows=len(rows), cols=len(rows[0]), style="Light List")
    for found, row in zip(table.rows, rows, strict=True):
        for place, text in zip(found.cells, row, strict=True):
            place.text = legal(text)
