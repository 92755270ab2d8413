"""The recordings that the rows of a log name: found beside it, or refused.

VoiceMode writes the bare name of a recording and keeps it in `audio/YYYY/MM`. Older rows hold a
path relative to the log. Nothing else is ever opened, and what is no audio is not taken: a row
may not pull the log of other conversations, or anything else, into its own session.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from vault.errors import BadInput
from vault.formats import content
from vault.formats.content import Looked
from vault.formats.source import Source, relative, sayable
from vault.formats.voicemode_rows import Rows
from vault.model import Json

AUDIO = "audio"
_DEPTH = 4
_DATED = re.compile(r"(\d{4})(\d\d)\d\d_", re.ASCII)


class Recordings:
    """The recordings of one source; each is given to the first session that names it.

    `logs` are no recordings, whatever their bytes look like.
    """

    def __init__(self, source: Source, logs: Collection[str]) -> None:
        self._source = source
        self._logs = logs
        self._owners: dict[str, object] = {}

    def find(self, rows: Rows, index: int, named: Json, owner: object) -> Looked | None:
        """The recording that a row names; None, with a warning, where there is none to take."""
        if not isinstance(named, str) or not named:
            rows.note(index, "bad-field", "the name of the recording is no text.")
            return None
        try:
            clean = relative(named)
            looked = self._first(_places(rows.lines[index][0], rows.values[index], clean))
        except BadInput as error:
            rows.note(index, "refused-path", f"the recording is refused: {error}")
            return None
        if looked is None:
            rows.note(index, "missing-file", "the recording is not there.", clean)
            return None
        name = looked.original.name
        if looked.container is None or name in self._logs:
            rows.note(index, "unreadable-audio", "the file it names holds no audio.", name)
            return None
        if content.is_mislabelled(name, looked.container):
            text = f"the recording is {looked.container}, whatever its name says."
            rows.note(index, "mislabelled-media", text, name)
        if self._owners.setdefault(name, owner) != owner:
            rows.note(index, "shared-file", "it is kept with another that names it.", name)
            return None
        return looked

    def orphans(self) -> Iterator[str | None]:
        """The files in `audio` that no row named, as far as a folder was given.

        None for one whose name cannot be written down.
        """
        if not self._source.is_folder:
            return
        folders = [AUDIO]
        while folders:
            folder = folders.pop()
            for entry in self._source.listing(folder):
                name = f"{folder}/{entry.name}"
                if entry.kind == "folder" and name.count("/") < _DEPTH:
                    folders.append(name)
                elif entry.kind == "file" and name not in self._owners:
                    yield sayable(name)

    def _first(self, places: Iterator[str]) -> Looked | None:
        for name in places:
            try:
                with self._source.open(name) as stream:
                    size = stream.seek(0, 2)
            except BadInput as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    continue
                raise
            return content.look(self._source, name, size)
        return None


def place(named: str, timestamp: Json) -> str:
    """Where below `audio`, beside a log, the recording lies that a row of that time names.

    Raises `BadInput` for a name that leads elsewhere.
    """
    found = _places("", {"timestamp": timestamp}, relative(named))
    return next(name for name in found if name.startswith(f"{AUDIO}/"))


def _places(log: str, row: Mapping[str, Json], named: str) -> Iterator[str]:
    """Where the recording may lie that a row of the log names, likeliest first."""
    beside, slash, _ = log.rpartition("/")
    if "/" not in named:
        for year, month in dict.fromkeys(_months(row, named)):
            yield f"{AUDIO}/{year}/{month}/{named}"
    yield beside + slash + named
    yield f"{AUDIO}/{named}"
    if slash:
        yield named


def _months(value: Mapping[str, Json], named: str) -> Iterator[tuple[str, str]]:
    """The month in the name, and the month of the row in its own zone."""
    dated = _DATED.match(named)
    if dated:
        yield dated[1], dated[2]
    text = value.get("timestamp")
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return
    if at is not None:
        yield f"{at.year:04d}", f"{at.month:02d}"
