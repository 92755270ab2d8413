"""Conversations as logs of utterances: which belong together, and which of them one wants.

Pure functions over `Exchange`, which is one utterance whatever format it came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from vault.formats.voicemode_rows import seconds
from vault.formats.voicemode_write import is_own, new_id
from vault.model import Json, Timeline
from vault.replay.pattern import Pattern

#: A pause as long as this, or longer, ends a conversation.
GAP = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One utterance: `kind` is stt, tts, or the source's own word for anything else.

    `at` has the offset of its source, so that hours are those of whoever spoke. `metadata` is
    what VoiceMode keeps under that name, or all that another source says of the turn.
    """

    kind: str
    text: str
    at: datetime | None = None
    duration_ns: int | None = None
    conversation_id: str | None = None
    project_path: str | None = None
    audio_file: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def said(self, key: str) -> str | None:
        """A field of the metadata, if it is text."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def seconds(self, name: str) -> float | None:
        """How long something took, by VoiceMode's name for it; never negative."""
        return seconds(self.metadata, name)


def exchanges(
    timeline: Timeline, started_at: datetime | None, conversation_id: str | None = None
) -> Iterator[Exchange]:
    """The segments of a session as exchanges, in their order."""
    kinds = {"user": "stt", "agent": "tts"}
    for segment in timeline.segments:
        data = segment.data
        length = segment.end_ns - segment.start_ns
        inner = data.get("metadata")
        at = _instant(data.get("timestamp"))
        if at is None and started_at is not None:
            at = started_at + timedelta(microseconds=segment.start_ns // 1000)
        yield Exchange(
            kind=(_text(data.get("type")) if is_own(segment) else None)
            or kinds.get(segment.role, segment.role),
            text=segment.text or "",
            at=at,
            duration_ns=length if length or data.get("duration_ms") is not None else None,
            conversation_id=_text(data.get("conversation_id")) or conversation_id,
            project_path=_text(data.get("project_path")),
            audio_file=_text(data.get("audio_file")) or segment.file,
            metadata=inner if isinstance(inner, dict) else data,
        )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _instant(value: Json) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


# --- which belong together ----------------------------------------------------------------


def grouped(rows: Iterable[Exchange]) -> dict[str | None, list[Exchange]]:
    """The rows by the conversation that the log says they are of, by first appearance."""
    found: dict[str | None, list[Exchange]] = {}
    for row in rows:
        found.setdefault(row.conversation_id, []).append(row)
    return found


def derive_ids(rows: Iterable[Exchange]) -> list[str]:
    """The conversation each row is of by the rule of continuity, whatever the log says.

    A row goes on with the last conversation of its project if less than 300 s have passed since
    that one's last row; a row of another project, or a later one, begins another. Restarts and
    midnight change nothing: give the rows of all logs one after the other. A row without a time
    goes with the one before it. A conversation keeps the id that its first row has in the log;
    where that is taken, or missing, it gets one made from its start.
    """
    found: list[str] = []
    used: set[str] = set()
    last: dict[str | None, tuple[datetime | None, str]] = {}
    for row in rows:
        before = last.get(row.project_path)
        at = row.at if row.at is not None else before[0] if before else None
        if before is None or (at is not None and before[0] is not None and at - before[0] >= GAP):
            made = _unused(row, used)
            used.add(made)
        else:
            made = before[1]
        last[row.project_path] = (at, made)
        found.append(made)
    return found


def _unused(row: Exchange, used: set[str]) -> str:
    if row.conversation_id is not None and row.conversation_id not in used:
        return row.conversation_id
    at = row.at or datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    salts = (f"{row.project_path}{count}" for count in range(len(used) + 1))
    return next(made for salt in salts if (made := new_id(at, salt)) not in used)


# --- which of them one wants --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions on an exchange; every one that is given must hold.

    Words are compared without regard to case, `project` as a part of the path, `text` as a part
    of what was said. `since` is inclusive, `until` exclusive; durations include both ends, and
    an exchange whose duration nobody knows has none. `silence` asks whether silence detection
    was on, `audio` whether there is a recording, `error` whether something went wrong.
    """

    kind: str | None = None
    text: str | None = None
    pattern: str | None = None
    conversation_id: str | None = None
    transport: str | None = None
    provider: str | None = None
    voice: str | None = None
    model: str | None = None
    project: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    audio: bool | None = None
    error: bool | None = None
    silence: bool | None = None
    shortest_ns: int | None = None
    longest_ns: int | None = None

    def plain(self, row: Exchange) -> bool:
        """Whether a row meets every condition but the pattern."""
        return (
            (self.kind is None or row.kind.casefold() == self.kind.casefold())
            and (self.text is None or self.text.casefold() in row.text.casefold())
            and self.conversation_id in {None, row.conversation_id}
            and (self.project is None or self.project in (row.project_path or ""))
            and self._words(row)
            and self._when(row)
            and self._long(row)
            and (self.audio is None or self.audio == (row.audio_file is not None))
            and (self.error is None or self.error == (row.metadata.get("error") is not None))
            and (self.silence is None or self.silence is silence_detected(row))
        )

    def _words(self, row: Exchange) -> bool:
        wanted = {
            "transport": self.transport,
            "provider": self.provider,
            "voice": self.voice,
            "model": self.model,
        }
        return all(
            word is None or (row.said(key) or "").casefold() == word.casefold()
            for key, word in wanted.items()
        )

    def _when(self, row: Exchange) -> bool:
        if self.since is None and self.until is None:
            return True
        if row.at is None:
            return False
        return (self.since is None or row.at >= self.since) and (
            self.until is None or row.at < self.until
        )

    def _long(self, row: Exchange) -> bool:
        if self.shortest_ns is None and self.longest_ns is None:
            return True
        if row.duration_ns is None:
            return False
        return (self.shortest_ns or 0) <= row.duration_ns and (
            self.longest_ns is None or row.duration_ns <= self.longest_ns
        )


def select(rows: Iterable[Exchange], where: Where) -> Iterator[Exchange]:
    """The rows that meet the conditions.

    A `pattern` is a regular expression without regard to case; `UsageError` if it is none.
    """
    found = (row for row in rows if where.plain(row))
    if where.pattern is None:
        return found
    pattern = Pattern(where.pattern)
    return (row for row in found if pattern.is_in(row.text))


def silence_detected(row: Exchange) -> bool | None:
    """Whether silence detection was on; None where the row does not say."""
    settings = row.metadata.get("silence_detection")
    enabled = settings.get("enabled") if isinstance(settings, dict) else None
    return enabled if isinstance(enabled, bool) else None
