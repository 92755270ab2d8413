"""Other systems' formats: a record handed to the writer that the format's own room has.

What has no place in a format is said in `order.notes`, each kind of thing with its number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

from vault.errors import NotFound
from vault.export import audio
from vault.export.record import Order, Record, blocks
from vault.formats.fields import Notes
from vault.formats.promptkit_annotations import read as read_annotations
from vault.formats.promptkit_events import is_safe_id
from vault.model import Annotation, Original

#: Warnings of rows that were kept and not understood.
_LOST = {"truncated-row", "unreadable-row"}
_BLOBS, _ANNOTATIONS, _LINES = "blobs", "annotations", ".annotations.jsonl"
#: What lies beside a PromptKit recording: its blobs, and what was said about it.
MEDIA = re.compile(rf"{_BLOBS}/[^/]+/[^/]+|{_ANNOTATIONS}/[^/]+{re.escape(_LINES)}")


def promptkit(record: Record, order: Order, *, lines: bool) -> Iterator[bytes]:
    """A PromptKit recording, as JSON or as JSON lines."""
    from vault.formats import promptkit_writer

    session = record.session
    own = session.format == "promptkit"
    if not own and any(session.recordings()):
        text = "A turn says how long it sounds, and has none of its sound."
        order.left("sound-left-out", text, record)
    _endless(record, order)
    _said_here(record, order, _added(record) if own else session.timeline.annotations)
    options = order.promptkit or promptkit_writer.Options()
    if not is_safe_id(session.external_id):  # the loader makes a file's name of it
        if session.external_id is not None and not own:  # one of its own has its own id still
            custom = {"external_id": session.external_id, **(options.custom or {})}
            options = replace(options, custom=custom)
        session = replace(session, external_id=record.id)
    write = promptkit_writer.write_lines if lines else promptkit_writer.write_json
    return write(session, options)


def media(record: Record, order: Order) -> Iterator[tuple[str, Original]]:
    """What lies beside a PromptKit recording, where its system looks for it."""
    if record.session.format != "promptkit":
        return
    for original in record.session.originals:
        name = _beside(original.name)
        if name is None:
            continue
        if order.verbatim:
            yield name, original
        else:
            order.left("originals-left-out", "It cannot be anonymised.", record, name)


def _beside(name: str) -> str | None:
    """Where a blob or the annotations go; None for the recording itself."""
    folder, _, rest = f"/{name}".rpartition(f"/{_BLOBS}/")
    if rest != f"/{name}"[len(folder) :] and MEDIA.fullmatch(f"{_BLOBS}/{rest}"):
        return f"{_BLOBS}/{rest}"
    last = name.rpartition("/")[2]
    return f"{_ANNOTATIONS}/{last}" if last.endswith(_LINES) else None


def alone(_record: Record, _order: Order) -> Iterator[tuple[str, Original]]:
    """Nothing."""
    return iter(())


def _added(record: Record) -> list[Annotation]:
    """The annotations that are not in the file which came with a PromptKit recording."""
    came: set[str] = set()
    for original in record.session.originals:
        if original.name.endswith(_LINES):
            with original.open() as stream:
                found = read_annotations(stream, original.name, None, Notes())
            came |= {each.id for each in found}
    return [each for each in record.session.timeline.annotations if each.id not in came]


def voicemode(record: Record, order: Order) -> Iterator[bytes]:
    """The rows of a VoiceMode log: of exchanges, or of events where that is what came.

    Raises `NotFound` for a session without any, for which there would be an empty file.
    """
    from vault.formats import voicemode_write

    session = record.session
    if session.format == "voicemode-events":
        if not session.timeline.events:
            raise NotFound("This session has no events, and so an event log would be empty.")
        _said_here(record, order, session.timeline.annotations)
        own = session.external_id or record.id
        return voicemode_write.write_events(
            session.timeline, record.started_at, own, session.source
        )
    if not session.timeline.segments:
        raise NotFound("This session has no turns, and so a VoiceMode log would be empty.")
    for warning in voicemode_write.left_out(session.timeline):
        order.left(warning.code, warning.text, record)
    _said_here(record, order, ())
    if any(session.recordings()):
        order.left("sound-left-out", "A log names its sound and does not hold it.", record)
    own_id = session.external_id or ""
    return voicemode_write.write(
        session.timeline, record.started_at, own_id if own_id.startswith("conv_") else None
    )


def scenario(record: Record, order: Order) -> Iterator[tuple[str, Iterator[bytes]]]:
    """A scenario bundle: the one that came, else one with a WAV for each turn that was recorded."""
    from vault.formats import scenario_write

    session = record.session
    _said_here(record, order, session.timeline.annotations)
    came = session.originals if order.verbatim and session.format == "scenario" else ()
    for original in came:
        if not scenario_write.OWNED.fullmatch(original.name):
            text = "It is no part of a scenario bundle; `fetch --originals` gives it."
            order.left("originals-left-out", text, record, original.name)
    _heard(record, order)
    try:
        full = audio.full_wav(record, order)
    except NotFound:
        order.left("no-audio", "There is no audio, so there is no full.wav.", record)
        full = None
    to_wav = blocks if came else audio.as_wav
    return scenario_write.files(session, to_wav, full, came, manifest=order.manifest)


def _heard(record: Record, order: Order) -> None:
    """Note the turns without a recording of their own, and a length that nobody knows."""
    session = record.session
    there = {original.name for original in session.recordings()}
    named = Counter(segment.file for segment in session.timeline.segments)
    absent = sum(n for file, n in named.items() if file not in there or n > 1)
    if absent:
        text = f"{absent} of its turns have no recording of their own here."
        order.left("segments-left-out", text, record)
    _endless(record, order)


def _endless(record: Record, order: Order) -> None:
    if record.session.duration_ns is None:
        text = "Nobody knows how long it was; the last thing that is known stands for its end."
        order.left("no-duration", text, record)


def _said_here(record: Record, order: Order, annotations: Collection[Annotation]) -> None:
    """Note what is known of a session here and the format has no place for."""
    session = record.session
    counts = {
        "annotations": len(annotations),
        "tags": len(session.tags),
        "titles": int(bool(session.title)),
    }
    for what, count in counts.items():
        if count:
            order.left("left-out", f"{count} {what}: the format has no place for them.", record)
    lost = sum(warning.code in _LOST for warning in session.warnings)
    if lost:
        text = f"{lost} rows that could not be read when they came; `fetch --originals` has them."
        order.left("rows-left-out", text, record)


promptkit_json = partial(promptkit, lines=False)
promptkit_jsonl = partial(promptkit, lines=True)
