"""What the ending of a file's name says that the file is."""

from __future__ import annotations

from pathlib import Path

from vault.errors import UsageError
from vault.export.writers import WRITERS, Tree

#: The endings of every format; those of formats within another format are the other's too.
_OF = {name: {one.suffix} for name, one in WRITERS.items() if not isinstance(one, Tree)}
_OF["vcon"].add("json")
_KNOWN = frozenset().union(*_OF.values())


def ending(path: Path) -> str | None:
    """The ending of a name, behind `.age` if it has that; None if no format has such a one."""
    name = path.with_suffix("") if path.suffix.lower() == ".age" else path
    found = name.suffix.lower().removeprefix(".")
    return found if found in _KNOWN else None


def check(path: Path, format: str) -> None:  # noqa: A002  the contract's word
    """Raises `UsageError` where a name has the ending of another format."""
    found = ending(path)
    if found is not None and found not in _OF[format]:
        raise UsageError(f"What is written is {format}, and the file's name ends in .{found}.")
