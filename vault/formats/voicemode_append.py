"""One more row in a VoiceMode log, whole or not at all, whoever else writes or is killed.

Source: VoiceMode's `ConversationLogger`, which names the log by the day that the row itself says.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from vault.errors import BackendError, BadInput
from vault.formats.jsontext import object_in
from vault.formats.loglines import LINE_BYTES_LIMIT
from vault.formats.voicemode_rows import belongs_to
from vault.formats.voicemode_write import ALWAYS, ORDER, VERSION, dump
from vault.model import Json

_LOG = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def append(folder: str | os.PathLike[str], row: Mapping[str, Json]) -> Path:
    """Add an exchange to the log of its day in `folder`; the log. It is on the disk by then.

    The line is one write under a lock. One that does not succeed is taken back, and a half line
    that somebody left who was killed is ended first, so that it costs that one row. Raises
    `BadInput` for what VoiceMode's reader or ours would not take, `BackendError` where nothing
    can be written.
    """
    line, day = _line(row)
    path = Path(folder) / f"exchanges_{day}.jsonl"
    try:
        log = _locked(path)
        try:
            _add(log, line, path)
        finally:
            os.close(log)
    except OSError as error:
        raise BackendError(f"The log cannot be written: {error.strerror}.") from None
    return path


def _line(row: Mapping[str, Json]) -> tuple[bytes, str]:
    """A row as VoiceMode writes it, and the day that it is of."""
    made = {"version": VERSION, "project_path": "", **row}
    for key in ALWAYS:
        if not isinstance(made.get(key), str):
            raise BadInput(f"An exchange needs {key}, which is text.")
    try:
        at = datetime.fromisoformat(str(made["timestamp"]))
        ordered = {key: made[key] for key in ORDER if made.get(key) is not None}
        line = dump(ordered | {key: each for key, each in made.items() if key not in ORDER})
    except ValueError:
        raise BadInput("An exchange needs an ISO 8601 timestamp, and no NaN.") from None
    except RecursionError:
        raise BadInput("An exchange is nested too deep.") from None
    if at.tzinfo is None or made["type"] not in {"stt", "tts"} or len(line) > LINE_BYTES_LIMIT:
        raise BadInput("An exchange is stt or tts, with an offset from UTC, and at most 16 MiB.")
    if belongs_to(object_in(line) or {}) is None:
        raise BadInput("An exchange names its conversation, in JSON that can be read again.")
    return line, at.date().isoformat()


def _locked(path: Path) -> int:
    """The log, open for nobody else who locks it; made if there is none."""
    while True:
        log = os.open(path, _LOG, 0o600)
        try:
            fcntl.flock(log, fcntl.LOCK_EX)
            if os.fstat(log).st_nlink:  # else someone has packed it meanwhile
                return log
        except BaseException:
            os.close(log)
            raise
        os.close(log)


def _add(log: int, line: bytes, path: Path) -> None:
    size = os.fstat(log).st_size
    if size and os.pread(log, 1, size - 1) != b"\n":
        line = b"\n" + line
    whole = False
    try:
        if os.write(log, line) == len(line):
            os.fsync(log)
            whole = True
    finally:
        if not whole:
            os.ftruncate(log, size)
    if not whole:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if not size:
        _sync(path.parent)


def _sync(folder: Path) -> None:
    """Have the name of a new log on the disk too."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(place)
    finally:
        os.close(place)
