"""The note beside an object in a folder: its lock and its legal hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vault.errors import BackendError
from vault.ports import Lock
from vault.storage.contract import whole_seconds


@dataclass(frozen=True, slots=True)
class Note:
    """What stands on one version of one object."""

    lock: Lock | None = None
    hold: bool = False

    @property
    def forbids_removal(self) -> bool:
        """Whether a lock or a hold stands now, by the real clock."""
        return self.hold or (self.lock is not None and self.lock.until > datetime.now(UTC))

    def encoded(self) -> bytes:
        """JSON, one line."""
        lock = self.lock and {"mode": self.lock.mode, "until": self.lock.until.isoformat()}
        return json.dumps({"lock": lock, "hold": self.hold}).encode() + b"\n"


def read_note(path: Path) -> Note:
    """The note in the file `path`; an empty one if there is no file.

    Raises `BackendError` for one that cannot be understood: what may be locked stays.
    """
    try:
        found = json.loads(path.read_bytes())
        lock, hold = found["lock"], found["hold"]
        until = lock and datetime.fromisoformat(lock["until"])
        note = Note(whole_seconds(Lock(lock["mode"], until)) if lock else None, hold)
    except FileNotFoundError:
        return Note()
    except (ValueError, KeyError, TypeError) as error:
        raise BackendError("The note of an object's lock is damaged; nothing was done.") from error
    if not isinstance(hold, bool):
        raise BackendError("The note of an object's hold is damaged; nothing was done.")
    return note
