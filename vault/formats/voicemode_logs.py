"""Which files are VoiceMode's logs, packed or not, told by what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vault.formats.exported import is_ours
from vault.formats.gzipped import is_gzip
from vault.formats.jsontext import object_in
from vault.formats.loglines import PACKED, opened
from vault.formats.source import Source
from vault.formats.voicemode_audio import AUDIO
from vault.formats.voicemode_rows import EVENTS, EXCHANGES
from vault.model import Json

_PEEK_BYTES = 1 << 16
#: Where they lie in VoiceMode's own folder.
_HOME = ("logs/conversations", "logs/events")
_LOG_NAME = re.compile(r"(exchanges|voicemode_events)_[\d-]{8,10}\.jsonl(\.gz)?", re.ASCII)
#: What every row has, and few lines of anything else.
_NEEDED = b'"timestamp"'
#: How a row begins that is longer than what is peeked at.
_LONG_ROW = re.compile(
    rb'\s*\{("version": ?\d+, ?)?"timestamp": ?"[^"]{10,40}", ?"conversation_id": ?"[^"]+", ?"type"'
)


def logs_in(folder: Source) -> list[str]:
    """The logs in a folder, or in VoiceMode's own, sorted by name: those of one day together.

    A file whose content does not tell is one if it has the name of one. Of a log that lies there
    both packed and not, the packed one is passed over, see `packed_too`.
    """
    found = {name for place in ("", *_HOME) for name in _logs_at(folder, place)}
    kept = (n for n in found if not n.endswith(PACKED) or n.removesuffix(PACKED) not in found)
    return sorted(kept, key=lambda name: name.rpartition("/")[2])


def packed_too(folder: Source, logs: Iterable[str]) -> list[str]:
    """The packed logs beside those of a folder that are not packed: passed over, not to say twice.

    A packer that is interrupted leaves both, and of the packed one only a part.
    """
    there = {f"{place}/{e.name}" for place in ("", *_HOME) for e in folder.listing(place)}
    beside = ((name + PACKED, f"{'' if '/' in name else '/'}{name}{PACKED}") for name in logs)
    return [packed for packed, place in beside if place in there]


def only_logs(folder: Source) -> bool:
    """Whether a folder is for logs alone, apart from `audio`, what is hidden and an export's list.

    One with other things in it is no place of its own: those would be passed over.
    """
    if any(folder.listing(place) for place in _HOME):
        return True
    known = {AUDIO, *_logs_at(folder, "")}
    others = (entry.name for entry in folder.listing() if entry.name not in known)
    return all(name.startswith(".") or is_ours(folder, name) for name in others)


def peek(source: Source, name: str) -> str | None:
    """The format of the first row in the first 64 KiB of a file, unpacked; None if it is no log."""
    with source.open(name, growing=True) as stream:
        head = stream.read(_PEEK_BYTES)
    if is_gzip(head):
        with opened(source, name) as log:
            head = log.read(_PEEK_BYTES)
    if b'"conversation_id"' not in head and b'"event_type"' not in head:
        return None
    for line in head.split(b"\n"):
        row = object_in(line) if _NEEDED in line else None
        found = None if row is None else _format(row)
        if found is not None:
            return found
    return EXCHANGES if _LONG_ROW.match(head) else None


def _format(row: dict[str, Json]) -> str | None:
    if row.keys() >= {"timestamp", "conversation_id", "type", "text"}:
        return EXCHANGES
    return EVENTS if row.keys() >= {"timestamp", "event_type", "session_id"} else None


def _logs_at(folder: Source, place: str) -> Iterator[str]:
    for entry in folder.listing(place):
        name = f"{place}/{entry.name}" if place else entry.name
        if entry.kind != "file" or entry.name.startswith("."):
            continue
        if not name.removesuffix(PACKED).endswith(".jsonl"):
            continue
        if _LOG_NAME.fullmatch(entry.name) or peek(folder, name):
            yield name
