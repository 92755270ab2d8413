"""JSON in the one way there is to write it, so that the same fact has the same hash everywhere.

Source: RFC 8785
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import rfc8785

from vault.errors import BadInput, IntegrityError
from vault.ledger.tiles import prefixed
from vault.model import Json
from vault.ports.ledger import Entry


def written(document: Mapping[str, Json]) -> bytes:
    """`document` as one line of UTF-8, without the line's end.

    Raises `BadInput` for numbers and text that other programs would read as something else:
    integers past 2^53, not-a-number, halves of characters.
    """
    try:
        return rfc8785.dumps(dict(document))
    except ValueError:
        raise BadInput("That cannot be written as canonical JSON.") from None


def read(line: bytes) -> dict[str, Json]:
    """The object that `line` writes. Raises `IntegrityError` unless it is written canonically."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not _is_written(document, line):
        raise IntegrityError("That is not an object in canonical JSON.")
    return document


def leaf(entry: Entry) -> bytes:
    """What the ledger hashes and keeps of `entry`: `type`, `once` and the body, as one object.

    Raises `BadInput` for what cannot be written, or is longer than an entry may be.
    """
    if not entry.body.keys().isdisjoint({"type", "once"}):
        raise ValueError("type and once are the entry's own")
    line = written({"type": entry.type, "once": entry.once, **entry.body})
    prefixed(line)
    return line


def _is_written(document: dict[str, Json], line: bytes) -> bool:
    try:
        return written(document) == line
    except (BadInput, RecursionError):
        return False
