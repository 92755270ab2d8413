"""The scenario bundle: a folder with `manifest.json`, `full.wav` and one WAV per turn.

    manifest.json  generated_at, duration, segment_count, segments[], events[]   (s, ISO 8601)
    full.wav       the turns one after another: neither the true length nor the true overlap
    segments/      {index:02d}-{role}-{start in ms:04d}ms.wav

The manifest may be missing, and so may its events and any WAV. `start_time` and `end_time` are
when the transport carried a turn, not how long it sounds, so both are kept. Nothing in the
bundle says when the session began: `generated_at` is when the manifest was written, after the
end, so the start is taken as `generated_at` less `duration`.

Source: the recordings that langwatch scenario's Python and TypeScript kits write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from vault.errors import BadInput
from vault.formats import content, exported
from vault.formats.fields import KNOWN_ROLES, Fields, Notes, end_of, minus, numbered, speakers
from vault.formats.rows import Flag, Index, Number, Rows, Shape, Text, Word, read_events
from vault.formats.single import epoch
from vault.formats.source import Source, relative
from vault.model import Json, Original, Reading, Segment, Timeline

NAMES = ("scenario",)
EXTENSIONS: frozenset[str] = frozenset()
MANIFEST, FULL, SEGMENTS = "manifest.json", "full.wav", "segments"
#: Stated and decoded lengths that differ by more than this are reported.
LENGTH_TOLERANCE_NS = 50_000_000

_SEGMENT_NAME = re.compile(r"(\d{1,9})-([a-z]+)-(\d{1,10})ms\.wav", re.ASCII)
_MANIFEST_KEYS = {"segments", "segment_count", "generated_at", "events"}
#: What the timeline has of a manifest; all else is kept as it was stated.
_LISTS = {"segments", "events"}


def detect(source: Source) -> str | None:
    """`scenario` for a folder that is such a bundle, seen by what lies in it."""
    entries = {entry.name: entry for entry in source.listing()}
    if any(_SEGMENT_NAME.fullmatch(entry.name) for entry in source.listing(SEGMENTS)):
        return "scenario"
    if MANIFEST not in entries:
        return None
    if FULL in entries or SEGMENTS in entries:
        return "scenario"
    try:
        manifest = source.json(MANIFEST)
    except BadInput:
        return "scenario"  # so that it is refused aloud, not passed over
    ours = isinstance(manifest, dict) and _MANIFEST_KEYS & manifest.keys()
    return "scenario" if ours else None


def read(source: Source, name: str) -> list[Reading]:
    """The one session of the bundle.

    Raises `BadInput` for a manifest that is no JSON object, for a segment file named by `..`,
    an absolute path or a link, and for what `Source` refuses.
    """
    files = source.files()
    if exported.NAME in files and exported.is_ours(source, exported.NAME):
        del files[exported.NAME]
    if MANIFEST not in files and not detect(source):
        raise BadInput(f"{str(source.path)!a} is not a scenario bundle.")
    notes = Notes()
    sounds, originals = _originals(source, files, notes)
    started_at: datetime | None = None
    duration: int | None = None
    stated: dict[str, Json] = {}
    if MANIFEST in files:
        manifest = source.json(MANIFEST)
        source.forget()  # for it is taken apart
        if not isinstance(manifest, dict):
            raise BadInput(f"{MANIFEST} does not hold a JSON object.")
        top = Fields(manifest, MANIFEST, notes)
        duration = top.ns("duration")
        started_at = _started_at(top, duration)
        stated = {name: value for name, value in manifest.items() if name not in _LISTS}
        timeline = _timeline(top, sounds, files, notes)
    else:
        timeline = Timeline(_segments_by_name(sounds, files, notes))
    if duration is None:
        duration = end_of(timeline.segments, timeline.events)
    return [
        Reading(
            format=name,
            external_id=None,
            started_at=started_at,
            duration_ns=duration,
            participants=speakers(timeline.segments),
            timeline=timeline,
            originals=originals,
            metrics={},
            warnings=notes.all(),
            source={**stated, "_times": {"unit": "s", "zero_epoch_ns": epoch(started_at)}},
        )
    ]


def _originals(
    source: Source, files: dict[str, int], notes: Notes
) -> tuple[dict[str, int | None], tuple[Original, ...]]:
    """Every file as an original, and the decoded length (ns, None if unknown) of every WAV."""
    sounds: dict[str, int | None] = {}
    originals = []
    for name, size in files.items():
        looked = content.look(source, name, size)
        if name.lower().endswith(".wav"):
            sounds[name] = looked.duration_ns
            notes.extend(looked.warnings)
            if looked.container is None:
                notes.add("unreadable-audio", "The file holds no audio.", name)
            elif looked.container != "wav":
                notes.add("mislabelled-media", f"The file is {looked.container}.", name)
        originals.append(looked.original)
    return sounds, tuple(originals)


def _started_at(top: Fields, duration_ns: int | None) -> datetime | None:
    written_at = top.instant("generated_at")
    if written_at is None or duration_ns is None:
        return written_at
    return minus(written_at, duration_ns)


def _timeline(
    top: Fields, sounds: dict[str, int | None], files: dict[str, int], notes: Notes
) -> Timeline:
    """The manifest's segments and events; file names stand in for missing segments."""
    if top.objects("segments") is None:
        notes.add("no-segments", "The manifest lists no segments; file names are read.", MANIFEST)
        return Timeline(_segments_by_name(sounds, files, notes), read_events(top, notes))
    stated = top.index("segment_count")
    segments = numbered(list(_listed(top, sounds, files, notes)), notes)
    if stated is not None and stated != len(segments):
        notes.add("segment-count-mismatch", f"{stated} stated, {len(segments)} listed.", MANIFEST)
    if FULL not in files:
        notes.add("missing-file", "The whole recording is not in the bundle.", FULL)
    _report_orphans(files, {segment.file for segment in segments}, notes)
    return Timeline(segments, read_events(top, notes))


class _Turn(Shape):
    """What the manifest says of a turn."""

    idx: Index = None
    file: Text = None
    role: Word = None
    start_time: Number = None
    end_time: Number = None
    duration: Number = None
    transcript: Text = None
    transcript_truncated: Flag = None


def _listed(
    top: Fields, sounds: dict[str, int | None], files: dict[str, int], notes: Notes
) -> Iterator[tuple[int | None, Segment]]:
    """The entries of the manifest, each with the number it states."""
    rows = Rows(top, "segments", _Turn)
    starts, ends, lengths = rows.ns("start_time"), rows.ns("end_time"), rows.ns("duration")
    for n, turn in enumerate(rows.shapes):
        file = relative(turn.file) if turn.file else None
        decoded = sounds.get(file) if file else None
        if file is not None and file not in files:
            notes.add("missing-file", "The manifest names a file that is not there.", file)
        role, speaker = KNOWN_ROLES.get(turn.role or "") or rows.fields(n).role("role")
        start, end, length = _interval(starts[n], ends[n], lengths[n], file, decoded)
        if end < start:
            notes.add("bad-interval", f"{rows.fields(n).where}: ends before it starts.", file)
            end = start
        if decoded is not None and abs(decoded - length) > LENGTH_TOLERANCE_NS:
            text = f"{decoded / 1e9:.3f} s of audio, {length / 1e9:.3f} s stated."
            notes.add("audio-length-mismatch", text, file)
        cut = turn.transcript_truncated is True
        at = turn.idx or 0, role, speaker, start, end, decoded
        yield turn.idx, Segment(*at, turn.transcript, cut, file)


def _interval(
    start: int | None, end: int | None, length: int | None, file: str | None, decoded: int | None
) -> tuple[int, int, int]:
    """Start, end and stated length (ns); what is missing follows from what is there."""
    if start is None:
        named = _SEGMENT_NAME.fullmatch(file.rpartition("/")[2]) if file else None
        start = int(named[3]) * 1_000_000 if named else max(0, (end or 0) - (length or 0))
    if end is None:
        end = start + (length if length is not None else decoded or 0)
    return start, end, end - start if length is None else length


def _segments_by_name(
    sounds: dict[str, int | None], files: dict[str, int], notes: Notes
) -> tuple[Segment, ...]:
    """The segments as their file names tell them."""
    found: list[tuple[int | None, Segment]] = []
    for name, decoded in sounds.items():
        folder, _, base = name.rpartition("/")
        match = _SEGMENT_NAME.fullmatch(base)
        if folder != SEGMENTS or match is None:
            continue
        role, speaker = Fields({"role": match[2]}, name, notes).role("role")
        start = int(match[3]) * 1_000_000
        end = start + (decoded or 0)
        found.append(
            (int(match[1]), Segment(0, role, speaker, start, end, decoded, None, False, name))
        )
    _report_orphans(files, {segment.file for _, segment in found}, notes)
    return numbered(found, notes)


def _report_orphans(files: dict[str, int], known: set[str | None], notes: Notes) -> None:
    for name in files:
        if name.startswith(f"{SEGMENTS}/") and name not in known:
            notes.add("orphan-file", "No segment of the manifest names this file.", name)
