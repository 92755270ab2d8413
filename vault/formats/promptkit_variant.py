"""Which of PromptKit's three variants a file is, told by how it begins."""

from __future__ import annotations

import re

from vault.errors import BadInput
from vault.formats import jsontext
from vault.model import Json

RECORDING, LINES, STORE = "recording", "lines", "event-store"

_STORE = re.compile(rb'\{\s*"seq"\s*:\s*\d+\s*,\s*("parent_id"\s*:\s*\d+\s*,\s*)?"event"\s*:\s*\{')
_EVENT_LINE = re.compile(rb'\{\s*("type"\s*:\s*"event"\s*,\s*)?"event"\s*:\s*\{\s*"seq"\s*:')
_META_LINE = re.compile(rb'\{\s*"type"\s*:\s*"metadata"\s*,\s*"metadata"\s*:\s*\{')
_METADATA = re.compile(rb'\{\s*"metadata"\s*:\s*\{')
_EVENTS = re.compile(rb'\{\s*"events"\s*:\s*\[')


def variant_of(head: bytes) -> str | None:
    """Which of the three begins like this; None if none does."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    line = head.partition(b"\n")[0]
    try:
        value = jsontext.parse(line, "")
    except BadInput:
        value = None
    if isinstance(value, dict):
        return _of_whole(value)
    if _STORE.match(head) and b'"timestamp"' in head:
        return STORE
    if (_EVENT_LINE.match(head) and b'"timestamp"' in head) or _META_LINE.match(head):
        return LINES
    if _METADATA.match(head) and b'"session_id"' in head:
        return RECORDING
    if _EVENTS.match(head) and all(k in head for k in (b'"seq"', b'"offset"', b'"timestamp"')):
        return RECORDING
    return None


def _of_whole(value: dict[str, Json]) -> str | None:
    """Which variant has this as its first line."""
    event, metadata = value.get("event"), value.get("metadata")
    if isinstance(event, dict) and "seq" in value and {"type", "timestamp"} <= event.keys():
        return STORE
    if value.get("type") == "event" and isinstance(event, dict) and "timestamp" in event:
        return LINES
    if isinstance(metadata, dict) and "session_id" in metadata:
        if value.get("type") == "metadata":
            return LINES
        return RECORDING if "events" in value else None
    return None
