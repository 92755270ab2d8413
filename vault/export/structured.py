"""Files for programs: JSON, JSON lines and XML, written session by session."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from vault.export.escape import xml
from vault.export.record import Order, Record, document, head
from vault.model import Json

#: A key that can be the name of an element; any other becomes `<field name="…">`.
_ELEMENT = re.compile(r"(?!xml)[a-z_][a-z0-9_]{0,63}")


def json_file(records: Iterable[Record], order: Order) -> Iterator[bytes]:
    """`{export, sessions: […], warnings: […]}`, one session a line."""
    yield b'{"export": ' + _json(head(order)) + b',\n"sessions": ['
    for number, record in enumerate(records):
        yield (b",\n" if number else b"\n") + _json(document(record))
    yield b'\n],\n"warnings": ' + _json([warning.entry() for warning in order.notes.all()]) + b"}\n"


def jsonl_file(records: Iterable[Record], _order: Order) -> Iterator[bytes]:
    """One session a line, the same object as in JSON."""
    for record in records:
        yield _json(document(record)) + b"\n"


def xml_file(records: Iterable[Record], order: Order) -> Iterator[bytes]:
    """`<strongroom-export>` with one `<session>` each: a key is an element, a list has `<item>`s.

    `type` says what a value is where it is no text (number, boolean, null, object, list).
    """
    about = f'version="1" made_at="{xml(order.made_at.isoformat())}" scope="{xml(order.scope)}"'
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<strongroom-export {about}>\n'.encode()
    for record in records:
        yield _bytes("".join(_xml("session", document(record))) + "\n")
    warnings: list[Json] = [warning.entry() for warning in order.notes.all()]
    yield _bytes("".join(_xml("warnings", warnings)) + "\n")
    yield b"</strongroom-export>\n"


def _json(value: Json) -> bytes:
    return _bytes(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _bytes(text: str) -> bytes:
    """UTF-8; a lone surrogate, which is no character, becomes a question mark."""
    return text.encode(errors="replace")


def _xml(key: str, value: Json) -> Iterator[str]:
    name, about = (key, "") if _ELEMENT.fullmatch(key) else ("field", f' name="{_attribute(key)}"')
    if isinstance(value, dict):
        yield f'<{name}{about} type="object">'
        for inner, one in value.items():
            yield from _xml(inner, one)
    elif isinstance(value, list):
        yield f'<{name}{about} type="list">'
        for one in value:
            yield from _xml("item", one)
    elif value is None:
        yield f'<{name}{about} type="null">'
    elif isinstance(value, bool):
        yield f'<{name}{about} type="boolean">{str(value).lower()}'
    elif isinstance(value, int | float):
        yield f'<{name}{about} type="number">{value!r}'
    else:
        yield f"<{name}{about}>{xml(value)}"
    yield f"</{name}>"


def _attribute(text: str) -> str:
    """Text whose white space a parser keeps. Source: XML 1.0, section 3.3.3."""
    return xml(text).replace("\n", "&#10;").replace("\t", "&#9;")
