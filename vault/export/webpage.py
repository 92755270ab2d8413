"""A document as one HTML file that needs nothing else and can do nothing: no script, no link.

Its Content Security Policy allows its own style sheet, by digest, and nothing more.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from vault.export.escape import xml
from vault.export.pages import (
    LONG,
    Block,
    Document,
    Facts,
    Picture,
    Section,
    Table,
    Text,
    Turns,
    numeric,
    shown,
)

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 Georgia, "Times New Roman", serif; color: #1f2933; background: #fff;
  max-width: 46rem; margin: 2.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.4rem; margin: 2.6rem 0 .8rem; padding-top: 1.2rem; border-top: 2px solid #1f2933;
  overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .5rem; }
.sub, .note, .when, th, dt { color: #5b6773; }
.sub { margin: .3rem 0 0; }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .15rem 1rem; margin: 0 0 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; } figcaption { font-size: .875rem; }
figure, .table { overflow-x: auto; } figcaption { position: sticky; left: 0; }
svg { width: 100%; min-width: 32rem; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th { text-align: left; font-weight: normal; }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #dde3e9; vertical-align: top; }
.long { overflow-wrap: anywhere; min-width: 8rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
ol { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0 1rem; padding: .3rem 0;
  border-bottom: 1px solid #eef1f4; }
li p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.when { font-size: .8rem; padding-top: .2rem; font-variant-numeric: tabular-nums; }
.who { font-weight: bold; }
.user .who { color: #2a6fb0; } .agent .who { color: #a35a20; }
@media print {
  body { margin: 0; max-width: none; } figure, .table { overflow: visible; }
  li, tr, figure { break-inside: avoid; }
}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"


def html_file(document: Document) -> Iterator[bytes]:
    """The page, section by section as they come."""
    title = xml(document.title)
    made = document.made_at.isoformat(timespec="seconds")
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<header>"
        f'<h1>{title}</h1><p class="sub">{xml(document.subtitle)} · {made}</p></header>\n<main>\n'
    ).encode()
    for section in document.sections:
        yield "".join(_section(section)).encode()
    yield b"</main>\n</body>\n</html>\n"


def _section(section: Section) -> Iterator[str]:
    level = section.level + 1
    yield f"<section>\n<h{level}>{xml(section.title)}</h{level}>\n"
    for block in section.blocks:
        yield from _block(block)
    yield "</section>\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Facts(rows):
            pairs = (f"<dt>{xml(name)}</dt><dd>{xml(shown(value))}</dd>\n" for name, value in rows)
            yield f"<dl>\n{''.join(pairs)}</dl>\n"
        case Table():
            yield from _table(block)
        case Turns(rows):
            yield "<ol>\n"
            for when, role, who, text in rows:
                side = role if role in {"user", "agent"} else "other"
                yield f'<li class="{side}"><span class="when">{xml(when)}</span>'
                yield f'<p><span class="who">{xml(who)}</span> {xml(text)}</p></li>\n'
            yield "</ol>\n"
        case Text(text, note):
            yield f'<p class="{"note" if note else "text"}">{xml(text)}</p>\n'
        case Picture(svg, alt):
            # The caption is hidden from screen readers, which have read the label.
            yield f'<figure tabindex="0"><div role="img" aria-label="{xml(alt)}">{svg}</div>\n'
            yield f'<figcaption class="note" aria-hidden="true">{xml(alt)}</figcaption></figure>\n'


def _table(table: Table) -> Iterator[str]:
    """What is too wide for the window is scrolled, with the keys too."""
    looks = [
        "number" if number else "long" if column in LONG else "text"
        for column, number in zip(table.columns, numeric(table), strict=True)
    ]
    columns = zip(looks, table.columns, strict=True)
    heads = "".join(f'<th scope="col" class="{look}">{xml(name)}</th>' for look, name in columns)
    yield f'<div class="table" role="group" aria-label="{xml(table.name)}" tabindex="0">\n'
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    for row in table.rows:
        cells = "".join(
            f'<td class="{look}">{xml(shown(value))}</td>'
            for look, value in zip(looks, row, strict=True)
        )
        yield f"<tr>{cells}</tr>\n"
    yield "</tbody>\n</table>\n</div>\n"
