"""What other people wrote, made harmless for the file it goes into.

Every text of a session is untrusted: names, titles, what was said, the source's own fields.
"""

from __future__ import annotations

import re
import unicodedata
from xml.sax.saxutils import escape

#: What XML 1.0 cannot hold, nor can most that is made of it. Source: XML 1.0, section 2.2.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: With any of these in front a spreadsheet takes a cell for a formula; the wide forms too.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
#: Where a spreadsheet that separates by semicolon or tab begins a cell inside one of ours: it does
#: not see our quotation marks, as they do not follow its own separator.
_INNER_CELL = re.compile(r"((?:^|[;\t\r\n])[ \"]*)(?=[=+\-@＝＋－＠])")
_NAME_BYTES = 120
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def legal(text: str) -> str:
    """The text with U+FFFD for every character that XML cannot hold."""
    return _ILLEGAL.sub(REPLACEMENT, text)


def xml(text: str) -> str:
    """The text for XML or HTML, between tags or inside a quoted attribute."""
    return escape(legal(text), {'"': "&quot;", "'": "&#39;", "\r": "&#13;"})


def cell(text: str) -> str:
    """The text for a cell of a spreadsheet; what would be a formula gets an apostrophe in front.

    Source: OWASP, CSV injection.
    """
    text = legal(text)
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) else text


def csv_cell(text: str) -> str:
    """The same for CSV, whatever separator the spreadsheet that reads it goes by."""
    return _INNER_CELL.sub(r"\1'", cell(text))


def line(text: str) -> str:
    """The text on one line, free of control characters and of marks that reverse its order."""
    return " ".join(_UNSEEN.sub(" ", legal(text)).split())


def cue(text: str) -> str:
    """The text for a caption: no blank line, which would end it, and no arrow of a timing."""
    lines = [line(one) for one in text.splitlines()]
    return "\n".join(one for one in lines if one).replace("-->", "--\N{RIGHTWARDS ARROW}")


def vtt(text: str) -> str:
    """A caption's text for WebVTT. Source: WebVTT, section 6.4."""
    return escape(cue(text))


def file_name(text: str) -> str:
    """One harmless component of a path made of `text`: never empty, hidden, long or a device."""
    text = unicodedata.normalize("NFC", line(text))
    text = re.sub(r'[/\\:*?"<>|]+', "_", text).strip(" .")
    if _DEVICES.fullmatch(text):
        text = "_" + text
    stem, dot, suffix = text.rpartition(".")
    if len(text.encode()) > _NAME_BYTES:
        tail = dot + suffix if stem and len(suffix.encode()) <= 10 else ""
        text = text.encode()[: _NAME_BYTES - len(tail.encode())].decode(errors="ignore") + tail
    return text or "unnamed"
