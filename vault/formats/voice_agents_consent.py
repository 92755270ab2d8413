"""The consent records that the Voice Agents Platform keeps beside its recordings."""

from __future__ import annotations

from vault.errors import BadInput
from vault.formats.fields import Notes
from vault.formats.source import Source
from vault.model import Json

FILE = "consent/consent_records.json"
BYTES_LIMIT = 16 * 1024 * 1024


def consent_of(session: Source, user: str, notes: Notes) -> list[Json]:
    """The consent records of one user; those of everybody else are not taken.

    They lie beside the folder `recordings` that the session's folder is in. Links are not
    followed. What cannot be read is noted, and never costs the session.
    """
    recordings = session.path.resolve().parent
    if recordings.name != "recordings":
        return []
    try:
        records = Source(recordings.parent, follow=False).json(FILE, BYTES_LIMIT)
    except BadInput as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            notes.add("unreadable-consent", "There are consent records, and they cannot be read.")
        return []
    found = records.get(user) if isinstance(records, dict) else None
    return found if isinstance(found, list) else []
