"""A session as the Voice Agents Platform stores it: `recordings/<id>/<id>_*`, id `sess_…`.

    _metadata.json           what, who, when (ISO 8601), under which privacy level
    _audio.<format>[.gz]     mono PCM; `mp3`, `opus` and `flac` are raw samples all the same
    _transcript.json[.gz]    segments[]: timestamp, end_timestamp (epoch s), text, speaker_id …
    _transcript.txt[.gz]     the same to read: [timestamp] speaker: text
    _quality.json            metrics
    ../../consent/consent_records.json    {user: [consent, …]}, beside `recordings`

The privacy level of the metadata binds the deposit. Of the consent records only those of the
session's own user are taken, as a field of the source. Where the transcript's clock is not that of
the metadata, offsets count from the first thing said.

Source: `src/monitoring` of building-voice-agents; its recordings, not its code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from vault.errors import BadInput
from vault.formats import content, gzipped, jsontext
from vault.formats.fields import Fields, Notes, end_of, note_repeated, speakers
from vault.formats.rows import Number, Rows, Shape, Text, Value, Word
from vault.formats.single import SECOND, Clock, epoch, instant, rest, turns
from vault.formats.source import JSON_BYTES_LIMIT, Source
from vault.formats.times import carried
from vault.formats.voice_agents_audio import Sound, hear
from vault.formats.voice_agents_consent import consent_of
from vault.model import Json, Kind, Original, PrivacyLevel, Reading, Segment, Timeline

NAMES = ("voice-agents-platform",)
EXTENSIONS: frozenset[str] = frozenset()
#: The end of a session and the last of its transcript may differ by this much.
CLOCK_TOLERANCE_NS = SECOND

_NAME = re.compile(
    r"(sess_[0-9A-Za-z-]{1,64})_(?:(metadata)\.json|(quality)\.json|(audio)\.[a-z0-9]{2,5}(?:\.gz)?"
    r"|(transcript)\.(?:json|txt)(?:\.gz)?)"
)
_LINE = re.compile(r"\[(\d{1,10}(?:\.\d{1,9})?)\] ([^:\n]{1,200}): (.*)")
_KINDS = {
    "metadata": Kind.METADATA,
    "quality": Kind.METADATA,
    "audio": Kind.AUDIO,
    "transcript": Kind.TRANSCRIPT,
}


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a session by what they are; `id` is what their names begin with."""

    source: Source
    id: str
    files: dict[str, str]

    def named(self, part: str) -> list[str]:
        """The files that are this part, in order of name."""
        return [name for name, kind in self.files.items() if kind == part]


def detect(source: Source) -> str | None:
    """The format for a folder in which the files of a session lie, by their names."""
    ours = (e.kind == "file" and _NAME.fullmatch(e.name) for e in source.listing())
    return NAMES[0] if any(ours) else None


def read(source: Source, name: str) -> list[Reading]:
    """The one session of the folder.

    Raises `BadInput` for files of several sessions, metadata that is no JSON object, and gzip
    that unpacks to far more than it should. A transcript that cannot be read is a warning.
    """
    folder = _folder(source)
    notes = Notes()
    top = _object(folder, "metadata", notes)
    quality = _quality(folder, notes) or top.object("quality_metrics").value
    started, stated = epoch(top.instant("start_time")), top.ns("duration")
    ended = epoch(top.instant("end_time"))
    said, zero_ns = _transcript(folder, started, ended, notes)
    sounds = [hear(source, audio, top, notes) for audio in folder.named("audio")]
    longest = max((s.duration_ns for s in sounds if s.duration_ns is not None), default=None)
    end = max((t for t in (end_of(said, ()), longest) if t is not None), default=None)
    if stated is not None and (end or 0) > stated + CLOCK_TOLERANCE_NS:
        notes.add("duration-mismatch", "The session goes on after its stated end.")
    user = top.text("user_id")
    consent = consent_of(source, user, notes) if user else []
    level = _level(top, notes)
    return [
        Reading(
            format=name,
            external_id=top.text("session_id") or folder.id,
            started_at=instant(started),
            duration_ns=end if stated is None else stated,
            participants=speakers(said),
            timeline=Timeline(said),
            originals=_originals(folder, sounds),
            metrics={
                **({"quality_metrics": quality} if quality else {}),
                **({"audio": sounds[0].facts} if sounds else {}),
            },
            warnings=notes.all(),
            agent=top.text("agent_id") or None,
            subjects=(user,) if user and user.strip() else (),
            tags=top.texts("tags"),
            source={
                **rest(top, "quality_metrics"),
                **({"consent": consent} if consent else {}),
                "_times": {"unit": "s", "zero_epoch_ns": zero_ns},
            },
            privacy_level=level,
        )
    ]


def _folder(source: Source) -> Folder:
    matches = {name: _NAME.fullmatch(name) for name in source.files()}
    ids = {match[1] for match in matches.values() if match}
    if len(ids) != 1:
        many = "the files of several sessions" if ids else "no file of a session"
        raise BadInput(f"{str(source.path)!a} holds {many}; each has a folder of its own.")
    files = {
        name: next(part for part in match.groups()[1:] if part)
        for name, match in matches.items()
        if match
    }
    return Folder(source, ids.pop(), files)


def _object(folder: Folder, part: str, notes: Notes) -> Fields:
    """The JSON object that is this part; an empty one, with a warning, if it is not there."""
    for name in folder.named(part):
        value = folder.source.json(name)
        if not isinstance(value, dict):
            raise BadInput(f"{name!a} does not hold a JSON object.")
        return Fields(value, name, notes)
    missing = f"{folder.id}_{part}.json"
    notes.add("missing-file", f"The session has no {part}.", missing)
    return Fields({}, missing, notes)


def _quality(folder: Folder, notes: Notes) -> dict[str, Json]:
    try:
        return _object(folder, "quality", notes).value
    except BadInput:
        notes.add("unreadable-quality", "It is kept; the metrics are those of the metadata.")
        return {}


def _level(top: Fields, notes: Notes) -> PrivacyLevel:
    """The level the session was recorded under; one nobody knows lets in metadata alone."""
    stated = top.text("privacy_level")
    if stated is None:
        return PrivacyLevel.FULL
    try:
        return PrivacyLevel(stated)
    except ValueError:
        notes.add("unknown-privacy-level", "Read as metadata_only, the narrowest but disabled.")
        return PrivacyLevel.METADATA_ONLY


def _originals(folder: Folder, sounds: list[Sound]) -> tuple[Original, ...]:
    """Every file of the folder; what part it is tells its kind."""
    made = []
    types = {sound.name: sound.media_type for sound in sounds}
    for name, size in folder.source.files().items():
        found = content.original(folder.source, name, size, folder.source.head(name))
        if name in folder.files:
            plain = "text/plain" if name.endswith(".txt") else found.media_type
            media_type = types.get(name, "application/gzip" if name.endswith(".gz") else plain)
            found = replace(found, kind=_KINDS[folder.files[name]], media_type=media_type)
        made.append(found)
    return tuple(made)


# --- the transcript ----------------------------------------------------------------------


def _transcript(
    folder: Folder, started: int | None, ended: int | None, notes: Notes
) -> tuple[tuple[Segment, ...], int | None]:
    """What was said, from the first transcript that can be read, and the instant of offset 0."""
    names = sorted(folder.named("transcript"), key=lambda name: ".json" not in name)
    for name in names:
        reader = _from_json if ".json" in name else _from_text
        try:
            items = reader(_unpacked(folder.source, name), name, notes)
        except (gzipped.Damaged, _UnreadableError):
            notes.add("unreadable-transcript", "It is kept, and nothing in it is shown.", name)
            continue
        return _placed(items, started, ended, notes)
    return (), started


class _UnreadableError(Exception):
    """The file is no transcript."""


class _Said(Shape):
    """What the transcript says of a turn."""

    id: Value = None
    timestamp: Number = None
    end_timestamp: Number = None
    text: Text = None
    speaker_id: Word = None


def _from_json(data: bytes, name: str, notes: Notes) -> Rows[_Said]:
    try:
        value = jsontext.parse(data, name)
    except BadInput:
        raise _UnreadableError from None
    listed: dict[str, Json] = value if isinstance(value, dict) else {"segments": value}
    if not isinstance(listed.get("segments"), list):
        raise _UnreadableError
    return Rows(Fields(listed, name, notes), "segments", _Said)


def _from_text(data: bytes, name: str, notes: Notes) -> Rows[_Said]:
    matches = [_LINE.fullmatch(line) for line in data.decode("utf-8-sig", "replace").splitlines()]
    said: list[Json] = [
        {"timestamp": float(match[1]), "speaker_id": match[2], "text": match[3]}
        for match in matches
        if match
    ]
    if data.strip() and not said:
        raise _UnreadableError
    notes.add("text-transcript", "Read from the text, which has no end times.", name)
    return Rows(Fields({"segments": said}, name, notes), "segments", _Said)


def _unpacked(source: Source, name: str) -> bytes:
    """All of a transcript, unpacked if its bytes are gzip; at most 64 MiB of it."""
    if not gzipped.is_gzip(source.head(name)):
        return source.whole(name)
    with source.open(name) as stream:
        return b"".join(gzipped.inflate(stream, name, JSON_BYTES_LIMIT))


def _placed(
    rows: Rows[_Said], started: int | None, ended: int | None, notes: Notes
) -> tuple[tuple[Segment, ...], int | None]:
    """The segments by offset. The session's clock counts if it fits what was said."""
    starts, ends = rows.epoch_ns("timestamp"), rows.epoch_ns("end_timestamp")
    spoken = [start for start in starts if start is not None]
    zero = min(spoken, default=started)
    if started is not None and zero is not None:
        latest = max(spoken, default=zero)
        if zero >= started and (ended is None or latest <= ended + CLOCK_TOLERANCE_NS):
            zero = started
        else:
            notes.add(
                "transcript-clock", "Its times are not the session's; counted from its first."
            )
    clock = Clock(zero, notes)
    begun, over = carried(clock.all_at(starts)), clock.all_at(ends)
    note_repeated([said.id for said in rows.shapes], notes)
    texts, who = [said.text for said in rows.shapes], rows.roles("speaker_id")
    more = rows.rest("text", "speaker_id")
    return tuple(turns(who, begun, over, texts, more)), zero
