"""An Excel workbook, written as it goes: constant memory, and no temporary file.

The libraries for it keep either every cell in memory or every sheet, unsealed, in a file of
the system's temporary folder; see vault/adr/0007. A cell here is a number, a truth value or
an inline string, never a formula.

Source: ECMA-376, part 1, sections 12 and 18.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vault.errors import UsageError
from vault.export.escape import cell, xml
from vault.export.zipstream import ZipStream

Cell: TypeAlias = "str | int | float | None"

#: What one sheet and one cell of Excel hold.
SHEET_ROWS, CELL_CHARACTERS = 1_048_576, 32_767
#: Whole numbers past this lose their last digits in a spreadsheet; they are written as text.
_EXACT = 10**15
_NAME = 31
#: Columns that hold more than their headings say, in characters.
_WIDTHS = {
    **dict.fromkeys(("text", "value", "more"), 60),
    **dict.fromkeys(("session", "name", "title", "file"), 38),
    **dict.fromkeys(("started_at", "started", "external_id", "type", "event"), 26),
    **dict.fromkeys(("metric", "about", "key", "analysis", "figure"), 26),
}
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
#: Style 0 is plain, 1 a heading, 2 a text that wraps.
_STYLES = (
    f"{_HEAD}<styleSheet {_MAIN}>"
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    "<borders><border/></borders>"
    '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="3"><xf xfId="0"/><xf xfId="0" fontId="1" applyFont="1"/>'
    '<xf xfId="0" applyAlignment="1"><alignment wrapText="1" vertical="top"/></xf></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A name, the headings of its columns, and rows as long as they are; read once, in order."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def workbook(sheets: Sequence[Sheet]) -> Iterator[bytes]:
    """The file. Raises `UsageError` where a sheet gets more rows than Excel has room for."""
    with ZipStream() as archive:
        for name, text in _skeleton(_names(sheets)):
            yield from archive.entry(name, [text.encode()], large=False)
        for number, sheet in enumerate(sheets, 1):
            path = f"xl/worksheets/sheet{number}.xml"
            yield from archive.entry(path, (row.encode() for row in _sheet(sheet)), large=False)
        yield from archive.end()


def _sheet(sheet: Sheet) -> Iterator[str]:
    yield (
        f'{_HEAD}<worksheet {_MAIN}><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        "</sheetView></sheetViews><cols>"
    )
    for number, column in enumerate(sheet.columns, 1):
        width = _WIDTHS.get(column) or max(12, min(40, len(column) + 4))
        yield f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
    yield "</cols><sheetData>"
    yield _row(sheet.columns, 1, style=1)
    for number, row in enumerate(sheet.rows, 2):
        if number > SHEET_ROWS:
            raise UsageError("An Excel sheet holds 1,048,576 rows; export csv or jsonl instead.")
        yield _row(row, number)
    yield "</sheetData></worksheet>"


def _row(cells: Sequence[Cell], number: int, *, style: int = 0) -> str:
    written = "".join(
        _cell(value, f"{_column(at)}{number}", style)
        for at, value in enumerate(cells)
        if value is not None
    )
    return f'<row r="{number}">{written}</row>'


def _cell(value: str | float, place: str, style: int) -> str:
    """A cell that says its place: the format lets it be left out, yet not every program does."""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float) and abs(value) < _EXACT:
        return f'<c r="{place}"><v>{value!r}</v></c>'
    text = cell(str(value))[:CELL_CHARACTERS]
    style = style or (2 if len(text) > 60 else 0)
    look = f' s="{style}"' if style else ""
    return (
        f'<c r="{place}" t="inlineStr"{look}><is><t xml:space="preserve">{xml(text)}</t></is></c>'
    )


def _column(at: int) -> str:
    """A column's letters, counted from 0: A to Z, AA to ZZ and on."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _names(sheets: Sequence[Sheet]) -> list[str]:
    """Names as Excel takes them: short, without its own signs, each once."""
    names: list[str] = []
    for number, sheet in enumerate(sheets, 1):
        name = "".join("_" if c in "[]:*?/\\'" else c for c in sheet.name)[: _NAME - 4].strip()
        taken = not name or name.casefold() in {n.casefold() for n in names}
        names.append(f"{name} {number}".strip() if taken else name)
    return names


def _skeleton(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    numbers = range(1, len(names) + 1)
    yield (
        "[Content_Types].xml",
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" '
            f'ContentType="{_TYPE}.worksheet+xml"/>'
            for n in numbers
        )
        + "</Types>",
    )
    root = f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    rels = f'<Relationships xmlns="{_PACKAGE}/relationships">{root}</Relationships>'
    yield "_rels/.rels", _HEAD + rels
    listed = "".join(
        f'<sheet name="{xml(name)}" sheetId="{n}" r:id="r{n}"/>'
        for n, name in zip(numbers, names, strict=True)
    )
    yield (
        "xl/workbook.xml",
        f'{_HEAD}<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in numbers
        )
        + f'<Relationship Id="styles" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        "</Relationships>",
    )
    yield "xl/styles.xml", _STYLES
