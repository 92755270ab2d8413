"""What an export says, with digests, of the files it made: none of what was recorded."""

from __future__ import annotations

from vault.formats.source import Source

#: Its name, alone or behind that of the file it is about.
NAME = "strongroom.json"
_HEAD = b'{"strongroom_export": '


def is_ours(source: Source, name: str) -> bool:
    """Whether a file of a folder is such a list, by its name and its beginning."""
    mine = name == NAME or name.endswith(f".{NAME}")
    return mine and source.head(name).startswith(_HEAD)
