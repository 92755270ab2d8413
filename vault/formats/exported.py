"""What an export says, with digests, of the files it made: none of what was recorded."""

from __future__ import annotations

from vault.errors import BadInput
from vault.formats.source import Source
from vault.model import Json

#: Its name, alone or behind that of the file it is about.
NAME = "strongroom.json"
_HEAD = b'{"strongroom_export": '
_KEYS = {"strongroom_export", "made_at", "scope", "records", "files", "warnings"}
_OF_FILES = {"name", "bytes", "sha256", "session", "original"}
_OF_WARNINGS = {"code", "text", "file"}


def is_ours(source: Source, name: str) -> bool:
    """Whether a file of a folder is such a list: it has its name, and says nothing else."""
    if name != NAME and not name.endswith(f".{NAME}"):
        return False
    try:
        told = source.json(name) if source.head(name).startswith(_HEAD) else None
    except BadInput:
        return False
    return (
        isinstance(told, dict)
        and told.keys() == _KEYS
        and _say_only(told["files"], _OF_FILES)
        and _say_only(told["warnings"], _OF_WARNINGS)
    )


def _say_only(listed: Json, keys: set[str]) -> bool:
    return isinstance(listed, list) and all(
        isinstance(one, dict) and one.keys() <= keys for one in listed
    )
