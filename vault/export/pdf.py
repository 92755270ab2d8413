"""A document as PDF/A-2a: tagged, with its fonts inside, to be read in decades."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from vault.errors import BackendError, UsageError
from vault.export.escape import legal
from vault.export.pages import (
    Block,
    Document,
    Facts,
    Picture,
    Table,
    Text,
    Turns,
    numeric,
    shown,
    weight,
)
from vault.formats.fields import Notes
from vault.model import Json

#: A page is set in memory; past this many rows it would take minutes and gigabytes.
ROWS = 20_000
_ENDLESS = re.compile(r"\S{33,}")
_BREAKABLE = re.compile(r"(\S{8})(?=\S)")
_PAGE = Path(__file__).with_name("page.typ")


def pdf_file(document: Document, notes: Notes) -> Iterator[bytes]:
    """The file, in one block.

    A character that no font here has makes it a plain PDF with a warning, for PDF/A forbids
    what cannot be read. Raises `UsageError` past `ROWS` rows.
    """
    import typst

    inputs = {"document": json.dumps(_document(document))}
    compiler = typst.Compiler(root=_PAGE.parent, sys_inputs=inputs)
    source, made_at = _PAGE.read_bytes(), document.made_at.replace(microsecond=0)
    try:
        found = compiler.compile(source, format="pdf", pdf_standards="a-2a", timestamp=made_at)
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise BackendError("The page could not be set.") from None
        text = "No font here has some of the characters; this is a plain PDF, not a PDF/A."
        notes.add("not-archival", text)
        found = compiler.compile(source, format="pdf", timestamp=made_at)
    yield found if isinstance(found, bytes) else b""


def _document(document: Document) -> dict[str, Json]:
    sections: list[Json] = []
    rows = 0
    for section in document.sections:
        rows += weight(section)
        if rows > ROWS:
            raise UsageError(
                f"A pdf holds at most {ROWS} rows; export html, or fewer sessions at a time."
            )
        blocks: list[Json] = [_block(block) for block in section.blocks]
        sections.append({"title": _text(section.title), "level": section.level, "blocks": blocks})
    made = document.made_at.isoformat(timespec="seconds")
    return {
        "title": _text(document.title),
        "subtitle": f"{_text(document.subtitle)} · {made}",
        "sections": sections,
    }


def _block(block: Block) -> dict[str, Json]:
    match block:
        case Facts(rows):
            return {"kind": "facts", "rows": [[_text(n), _text(shown(v))] for n, v in rows]}
        case Table(_, columns, rows):
            numbers: list[Json] = [*numeric(block)]
            cells: list[Json] = [[_text(shown(c)) for c in row] for row in rows]
            return {"kind": "table", "columns": list(columns), "rows": cells, "numbers": numbers}
        case Turns(rows):
            return {"kind": "turns", "rows": [[_text(c) for c in row] for row in rows]}
        case Text(text, note):
            return {"kind": "text", "text": _text(text), "note": note}
        case Picture(svg, alt):
            return {"kind": "picture", "svg": svg, "alt": alt}


def _text(text: str) -> str:
    """Text that a font can show and a line can break: no control characters, no endless word."""
    text = legal(text).replace("\t", "    ").replace("\r", " ")
    return _ENDLESS.sub(lambda word: _BREAKABLE.sub("\\1\u200b", word[0]), text)
