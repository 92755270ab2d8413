"""A session told by one document: what its reader understood, and the recording beside it.

A vendor's document names a recording by an address, which is never fetched. A recording that lies
beside it under the same stem belongs to the session: `call.json` takes `call.wav`,
`call.dual.wav`, `call.mono.mp3` and so on along, and LiveKit's `session_report.json` its
`audio.ogg`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from operator import attrgetter, eq
from pathlib import PurePosixPath
from typing import cast

from vault.errors import BadInput
from vault.formats import content, enclosed
from vault.formats.fields import NS_LIMIT, Fields, Notes, end_of, speakers
from vault.formats.source import Source
from vault.model import Event, Json, Kind, Original, Participant, Reading, Segment, Timeline

MS = 1_000_000
SECOND = 1_000_000_000
#: Formats whose documents take the recordings beside them along.
JOINING = frozenset(
    {
        "livekit",
        "vapi",
        "retell",
        "elevenlabs",
        "openai-realtime",
        "twilio",
        "siprec",
        "contact-lens",
        "genesys",
    }
)
#: A timeline or a recording that ends later than stated by more than this is reported.
LENGTH_TOLERANCE_NS = SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARIANTS = ("", ".dual", ".stereo", ".mono")
#: Recordings that have a name of their own, and the stem of their document.
_OWN_NAMES = {"audio.ogg": "session_report"}
_EXTENSIONS = (".wav", ".mp3", ".ogg", ".opus", ".flac", ".m4a", ".webm")


@dataclass(slots=True, kw_only=True)
class Told:
    """What a document says of its session, before anything lying beside it is looked at.

    `zero_ns` is the instant of offset 0 (ns since 1970, None if nobody knows), `unit` that of
    most times in the document; both are kept with the source. `elsewhere`: the document
    names a recording that is not in it; `inside`: it has one in it. `ends`: the last of the
    timeline is the session's end.
    """

    external_id: str | None = None
    zero_ns: int | None = None
    unit: str = "ms"
    duration_ns: int | None = None
    participants: Sequence[Participant] = ()
    segments: Sequence[Segment] = ()
    events: Sequence[Event] = ()
    metrics: Mapping[str, Json] = field(default_factory=dict)
    source: Mapping[str, Json] = field(default_factory=dict)
    title: str | None = None
    agent: str | None = None
    subjects: Sequence[str | None] = ()
    tags: Sequence[str] = ()
    elsewhere: bool = False
    inside: enclosed.Enclosed | None = None
    ends: bool = True
    kind: Kind = Kind.TRANSCRIPT
    media_type: str | None = None


def reading(source: Source, name: str, told: Told, notes: Notes) -> Reading:
    """The session of a lone document, with every recording that lies beside it."""
    document = source.name
    heard = [_recording(source, beside, notes) for beside in _beside(source)]
    if told.elsewhere and not heard:
        text = "The recording lies elsewhere; addresses are never fetched."
        notes.add("recording-elsewhere", text, document)
    segments = tuple(_numbered(told.segments))
    end = end_of(segments, told.events)
    longest = max((length for _, length in heard if length is not None), default=None)
    duration = told.duration_ns
    if duration is None:
        ends = [end if told.ends else None, longest]
        duration = max((t for t in ends if t is not None), default=None)
    elif max(end or 0, longest or 0) > duration + LENGTH_TOLERANCE_NS:
        notes.add("duration-mismatch", "The session goes on after its stated end.", document)
    whole = content.original(source, document, source.files()[document], source.head(document))
    return Reading(
        format=name,
        external_id=told.external_id,
        started_at=instant(told.zero_ns),
        duration_ns=duration,
        participants=tuple(told.participants) or speakers(segments),
        timeline=Timeline(segments, tuple(told.events)),
        originals=(
            replace(whole, kind=told.kind, media_type=told.media_type or whole.media_type),
            *(original for original, _ in heard),
        ),
        metrics=dict(told.metrics),
        warnings=notes.all(),
        title=told.title,
        agent=told.agent,
        subjects=tuple(dict.fromkeys(s for s in told.subjects if s and s.strip())),
        tags=tuple(told.tags),
        source={**told.source, "_times": {"unit": told.unit, "zero_epoch_ns": told.zero_ns}},
        inside=partial(enclosed.inside, whole, told.inside) if told.inside else None,
    )


def _numbered(segments: Sequence[Segment]) -> Iterable[Segment]:
    """The segments with their places in the list as their indices."""
    if all(map(eq, map(attrgetter("index"), segments), count())):
        return segments
    return _renumbered(segments)


def _renumbered(segments: Sequence[Segment]) -> Iterator[Segment]:
    for n, s in enumerate(segments):
        if s.index == n:
            yield s
            continue
        # `dataclasses.replace` takes three times as long, and there may be half a million.
        at = s.start_ns, s.end_ns, s.decoded_ns
        yield Segment(n, s.role, s.speaker, *at, s.text, s.truncated, s.file, s.data)


def stems(recording: str) -> Iterator[str]:
    """The stems of the documents that a recording of that name would belong to."""
    if recording in _OWN_NAMES:
        yield _OWN_NAMES[recording]
    for variant in _VARIANTS:
        for extension in _EXTENSIONS:
            stem = recording.removesuffix(variant + extension)
            if stem != recording:
                yield stem


def _beside(source: Source) -> list[str]:
    stem = PurePosixPath(source.name).stem
    names = [f"{stem}{variant}{ending}" for variant in _VARIANTS for ending in _EXTENSIONS]
    names += [recording for recording, of in _OWN_NAMES.items() if of == stem]
    return [name for name in names if name != source.name and source.adopt(name)]


def _recording(source: Source, name: str, notes: Notes) -> tuple[Original, int | None]:
    """A recording beside the document and its length (ns, None where only a decoder can tell)."""
    looked = content.look(source, name, source.files()[name])
    notes.extend(looked.warnings)
    if looked.container is None:
        notes.add("unreadable-audio", "The file holds no audio.", name)
    return looked.original, looked.duration_ns


# --- times, roles ------------------------------------------------------------------------


def instant(epoch_ns: int | None) -> datetime | None:
    """An instant given in nanoseconds since 1970, to the microsecond."""
    return None if epoch_ns is None else _EPOCH + timedelta(microseconds=epoch_ns // 1000)


def epoch(moment: datetime | None) -> int | None:
    """Nanoseconds since 1970, exactly."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1) * 1000


class Clock:
    """Offsets of a session whose document counts from 1970.

    Without a known `zero_ns` the first instant asked for is offset 0. What lies before 0 is put
    there, what lies a year after it is left out; both are noted.
    """

    def __init__(self, zero_ns: int | None, notes: Notes) -> None:
        self.zero_ns = zero_ns
        self._notes = notes

    def at(self, epoch_ns: int | None) -> int | None:
        """The offset of an instant; None for None, and for what is out of reach."""
        if epoch_ns is None:
            return None
        if self.zero_ns is None:
            self.zero_ns = epoch_ns
        offset = epoch_ns - self.zero_ns
        if 0 <= offset <= NS_LIMIT:
            return offset
        if offset < 0:
            self._notes.add("before-start", "A time before the session began is put at its start.")
            return 0
        self._notes.add("bad-time", "A time is a year after the session began; left out.")
        return None

    def all_at(self, epochs_ns: Sequence[int | None]) -> list[int | None]:
        """The offset of each instant."""
        known = [] if None in epochs_ns else cast("Sequence[int]", epochs_ns)
        zero = self.zero_ns
        if zero is None or not known or min(known) < zero or max(known) - zero > NS_LIMIT:
            return [self.at(epoch_ns) for epoch_ns in epochs_ns]
        return [epoch_ns - zero for epoch_ns in known]


def role(fields: Fields, key: str, own: Mapping[str, str]) -> tuple[str, str | None]:
    """Who speaks, by the vendor's `own` words first; (role, the vendor's word if another)."""
    label = fields.value.get(key)
    known = own.get(label) or own.get(label.lower()) if isinstance(label, str) else None
    if known is None or not isinstance(label, str):
        return fields.role(key)
    return known, None if label == known else label


def rest(fields: Fields, *without: str) -> dict[str, Json]:
    """All fields but those, and but those that say nothing."""
    return {k: v for k, v in fields.value.items() if k not in without and v is not None}


def turn(
    who: tuple[str, str | None],
    start_ns: int | None,
    end_ns: int | None,
    text: str | None,
    data: Mapping[str, Json],
    *,
    truncated: bool = False,
    index: int = 0,
) -> Segment:
    """A segment without a recording of its own; `reading` sees to it that its index is right."""
    start = start_ns or 0
    end = start if end_ns is None or end_ns < start else end_ns
    return Segment(index, who[0], who[1], start, end, None, text, truncated, None, data)


def turns(
    who: Sequence[tuple[str, str | None]],
    starts_ns: Sequence[int | None],
    ends_ns: Sequence[int | None],
    texts: Sequence[str | None],
    data: Sequence[Mapping[str, Json]],
    *,
    cut: Sequence[bool] | None = None,
) -> list[Segment]:
    """`turn` for lists of thousands: each argument is a column, and all are of one length.

    `cut` says which are truncated; none, if it is not given.
    """
    cut = [False] * len(who) if cut is None else cut
    columns = enumerate(zip(who, starts_ns, ends_ns, texts, data, cut, strict=True))
    return [
        Segment(
            n,
            role,
            speaker,
            start or 0,
            end if end is not None and end > (start or 0) else start or 0,
            None,
            text,
            truncated,
            None,
            more,
        )
        for n, ((role, speaker), start, end, text, more, truncated) in columns
    ]


def unplaced(segments: Sequence[Segment], notes: Notes) -> Sequence[Segment]:
    """The same; notes where the source gives a turn no end, so that it has no length."""
    if any(s.end_ns == s.start_ns for s in segments if s.role != "system"):
        notes.add("no-end-time", "The source does not say when some turns end.")
    return segments


def answered(
    kind: str,
    latencies: Iterable[tuple[int | None, Mapping[str, Json]]],
    segments: Sequence[Segment],
    events: Sequence[Event],
) -> list[Event]:
    """The events in order of time, and one for each latency (ns) at the answer it belongs to.

    The source lists one latency for each answer and says no more. Where there are more of them
    than answers, the last answer takes the rest.
    """
    answers = [segment.start_ns for segment in segments if segment.role == "agent"] or [0]
    made = list(events)
    for position, (latency_ns, data) in enumerate(latencies):
        stated = {} if latency_ns is None else {"latency": latency_ns / SECOND}
        made.append(Event(0, kind, answers[min(position, len(answers) - 1)], {**data, **stated}))
    made.sort(key=lambda event: event.offset_ns)
    return [Event(n, e.type, e.offset_ns, e.data) for n, e in enumerate(made)]


def require_file(source: Source, name: str) -> None:
    """Raises `BadInput` for a folder."""
    if source.is_folder:
        raise BadInput(f"{str(source.path)!a} is a folder, not one {name} file.")
