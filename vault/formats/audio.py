"""Plain audio: one file is one session, with a JSON file of the same stem beside it if any.

The container is told by its first bytes; a name that says otherwise is a warning. The sidecar,
described in README.md of this folder, may add who spoke, what was said and when. A sidecar that
cannot be understood is kept as an original, with a warning, and never costs the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from vault.errors import BadInput
from vault.formats import content
from vault.formats.fields import NS_LIMIT, Fields, Notes, numbered, speakers
from vault.formats.rows import read_events
from vault.formats.source import Source
from vault.media import probe
from vault.model import Participant, Reading, Segment, Timeline

NAMES = ("wav", "mp3", "ogg", "opus", "flac", "m4a", "webm")
_SUFFIXES = {
    "wav": {".wav", ".wave"},
    "mp3": {".mp3"},
    "ogg": {".ogg", ".oga"},
    "opus": {".opus", ".ogg", ".oga"},
    "flac": {".flac"},
    "m4a": {".m4a", ".mp4", ".m4b"},
    "webm": {".webm", ".weba", ".mka"},
}
#: Audio that this archive does not read: met in a folder it is refused aloud.
_FOREIGN = {".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".gsm", ".mkv", ".mov", ".wma"}
#: How the name of a sidecar ends.
SIDECAR = ".json"
EXTENSIONS = frozenset(_FOREIGN).union(*_SUFFIXES.values())


def detect(source: Source) -> str | None:
    """The name of the container, for a file that holds audio."""
    if source.is_folder:
        return None
    container = probe.sniff(source.head(source.name))
    return container if container in NAMES else None


def read(source: Source, name: str) -> list[Reading]:
    """The one session in the file; `BadInput` where it holds no sound of that format."""
    if source.is_folder:
        raise BadInput(f"{str(source.path)!a} is a folder, not one {name} file.")
    file, sidecar = source.name, f"{PurePosixPath(source.name).stem}{SIDECAR}"
    ((_, size),) = source.files().items()
    head = source.head(file)
    container = probe.sniff(head)
    if container != name:
        held = container or ("nothing" if not size else "no audio known here")
        raise BadInput(f"{file!a} holds {held}, not {name}.")
    facts = probe.probe(lambda: source.open(file), size, container)
    if not 0 < facts.duration_ns <= NS_LIMIT:
        raise BadInput(f"{file!a} holds no sound, or more than a year of it.")
    notes = Notes()
    notes.extend(content.told(facts.warnings, file))
    suffix = PurePosixPath(file).suffix.lower()
    if suffix and suffix not in _SUFFIXES[name]:
        notes.add("mislabelled-media", f"The file is {name}, whatever its name says.", file)
    top = _sidecar(source, sidecar, notes)
    participants = _participants(top)
    timeline = _timeline(top, participants, facts.duration_ns, file, notes)
    return [
        Reading(
            format=name,
            external_id=top.text("external_id", "session_id", "conversation_id", "id"),
            started_at=top.instant("started_at", "start_time"),
            duration_ns=facts.duration_ns,
            participants=participants or speakers(timeline.segments),
            timeline=timeline,
            originals=tuple(
                content.original(source, each, bytes_, source.head(each))
                for each, bytes_ in source.files().items()
            ),
            metrics={
                "audio": {"codec": facts.codec, "rate": facts.rate, "channels": facts.channels}
            },
            warnings=notes.all(),
        )
    ]


def _sidecar(source: Source, name: str, notes: Notes) -> Fields:
    """The fields of the file beside the recording, none if it is missing or useless."""
    try:
        if name != source.name and source.adopt(name):
            value = source.json(name)
            if isinstance(value, dict):
                return Fields(value, name, notes)
            notes.add("bad-sidecar", "It holds no JSON object; it is kept unread.", name)
    except BadInput as error:
        notes.add("bad-sidecar", f"It cannot be used: {error}", name)
    return Fields({}, name, notes)


def _participants(top: Fields) -> Sequence[Participant]:
    found = [
        Participant(item.role("role")[0], item.text("name"))
        for _, item in top.objects("participants") or ()
    ]
    for role in ("user", "agent"):
        if role in top.value and all(each.role != role for each in found):
            found.append(Participant(role, top.text(role)))
    return tuple(found)


def _timeline(
    top: Fields,
    participants: Sequence[Participant],
    duration_ns: int,
    file: str,
    notes: Notes,
) -> Timeline:
    """Segments from `segments` or a `transcript` list; a `transcript` text is one segment."""
    key = "transcript" if isinstance(top.value.get("transcript"), list) else "segments"
    listed = top.objects(key)
    roles = {each.name: each.role for each in participants if each.name}
    if listed is not None:
        found = [_segment(item, place, roles, file) for place, item in listed]
        return Timeline(numbered(found, notes), read_events(top, notes))
    text = top.text("transcript")
    if text is None:
        return Timeline((), read_events(top, notes))
    role = participants[0].role if participants else "user"
    whole = Segment(0, role, None, 0, duration_ns, duration_ns, text, truncated=False, file=file)
    return Timeline((whole,), read_events(top, notes))


def _segment(
    item: Fields, place: int, roles: dict[str, str], file: str
) -> tuple[int | None, Segment]:
    """One turn inside the recording; a speaker listed as a participant has that one's role."""
    speaker = item.text("speaker")
    if speaker in roles and "role" not in item.value:
        role = roles[speaker]
    else:
        role, label = item.role("role", "speaker")
        speaker = speaker or label
    start = item.ns("start_time", "start") or 0
    end = max(start, item.ns("end_time", "end") or start)
    index = item.index("index") if "index" in item.value else place
    text = item.text("text", "transcript")
    truncated = item.flag("truncated")
    return index, Segment(index or 0, role, speaker, start, end, None, text, truncated, file)
