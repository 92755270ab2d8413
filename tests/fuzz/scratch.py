"""Files for one input of a fuzzer, in memory, and how several files are one input.

    %%% NAME
    the bytes of the file, up to the next line that begins so

Nothing is ever written outside of the scratch folder, whatever a name says.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

MARK = b"%%% "
_FILE = re.compile(rb"(?:\A|\n)%%% ([^\n]*)\n")
_FILES_LIMIT = 12
#: Memory, where there is any to be had as a file system.
PARENT = "/dev/shm" if Path("/dev/shm").is_dir() else None
_MADE: list[tempfile.TemporaryDirectory[str]] = []


def folder() -> Path:
    """The scratch folder, empty."""
    if not _MADE:
        _MADE.append(tempfile.TemporaryDirectory(prefix="strongroom-fuzz-", dir=PARENT))
    place = Path(_MADE[0].name) / "x"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place


def pack(files: Mapping[str, bytes]) -> bytes:
    """Several files as one input."""
    return b"\n".join(MARK + name.encode() + b"\n" + data for name, data in files.items())


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of one input, under names that stay inside; what is no such name is left out."""
    found: dict[str, bytes] = {}
    _, *pairs = _FILE.split(data)
    for name, content in zip(pairs[::2], pairs[1::2], strict=True):
        if (harmless := _harmless(name)) and len(found) < _FILES_LIMIT:
            found[harmless] = content
    return found


def write(files: Mapping[str, bytes]) -> Path:
    """The scratch folder with these files in it; one that is in another's way is left out."""
    place = folder()
    for name, content in files.items():
        path = place / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:
            continue
    return place


def _harmless(name: bytes) -> str | None:
    parts = name.split(b"/")
    if b"\0" in name or not 0 < len(name) <= 200 or len(parts) > 4:
        return None
    if any(part in {b"", b".", b".."} for part in parts):
        return None
    return name.decode(errors="surrogateescape")
