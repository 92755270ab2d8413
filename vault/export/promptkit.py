"""PromptKit recordings, and what its system looks for beside them: blobs and annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from vault.export.record import Order, Record, blocks
from vault.export.turns import samples, turns
from vault.export.unsaid import endless, said_here
from vault.formats import loglines, promptkit_annotations, promptkit_writer
from vault.formats.fields import Notes
from vault.formats.promptkit_events import is_safe_id
from vault.formats.promptkit_retold import Blob, numbers
from vault.model import Annotation, Original, Reading

_BLOBS, _ANNOTATIONS, _LINES = "blobs", "annotations", ".annotations.jsonl"
#: Of an id, so that `.annotations.jsonl` behind it still makes a file's name.
_LONGEST_BYTES = 200
#: What lies beside a PromptKit recording: its blobs, and what was said about it.
MEDIA = re.compile(rf"{_BLOBS}/[^/]+/[^/]+|{_ANNOTATIONS}/[^/]+{re.escape(_LINES)}")


def promptkit(record: Record, order: Order, *, lines: bool) -> Iterator[bytes]:
    """A PromptKit recording, as JSON or as JSON lines."""
    session, own = _named(record), _is_own(record)
    blobs = turns(record)
    if not own and (lost := {each.name for each in session.recordings()} - blobs.keys()):
        text = "recordings stay out: only a WAV of 16 bits of one turn has a place."
        order.left("sound-left-out", f"{len(lost)} {text}", record)
    endless(record, order)
    strange = [] if own else [a for a in _said(record, order) if not _is_known(a)]
    said_here(record, order, strange)
    options = order.promptkit or promptkit_writer.Options()
    named = record.session.external_id
    if not own and named not in {session.external_id, None}:  # one of its own has its own id still
        options = replace(options, custom={"external_id": named, **(options.custom or {})})
    write = promptkit_writer.write_lines if lines else promptkit_writer.write_json
    return write(session, options, blobs)


def media(record: Record, order: Order) -> Iterator[tuple[str, Iterator[bytes]]]:
    """What lies beside a PromptKit recording, where its system looks for it."""
    came: Original | None = None
    for original in record.session.originals if _is_own(record) else ():
        name = _beside(original.name)
        if name is None:
            continue
        if not order.verbatim:
            order.left("originals-left-out", "It cannot be anonymised.", record, name)
        elif name.startswith(f"{_ANNOTATIONS}/"):
            came = original
        else:
            yield name, blocks(original)
    session, sound = _named(record), turns(record)
    heard = {each.name: each for each in session.recordings()} if sound else {}
    own_id = promptkit_writer.session_id(session)
    pieces = {blob.name(own_id): heard[file] for file, blob in sound.items()}
    yield from ((f"{_BLOBS}/{name}", samples(original)) for name, original in pieces.items())
    known = {} if came is None else _ids(came)
    added = _added(record, order, session, known, sound)
    first = next(added, None)
    if came is not None or first is not None:
        name = f"{_ANNOTATIONS}/{own_id}{_LINES}"
        yield name, _joined(came, chain([] if first is None else [first], added))


def _named(record: Record) -> Reading:
    """The session under an id that may be a file's name, which its stores make of it."""
    session = record.session
    named = session.external_id or ""
    fits = is_safe_id(named) and ".." not in named and len(named.encode()) <= _LONGEST_BYTES
    return session if fits else replace(session, external_id=record.id)


def _is_own(record: Record) -> bool:
    return record.session.format == "promptkit"


def _beside(name: str) -> str | None:
    """Where a blob or the annotations go; None for the recording itself."""
    folder, _, rest = f"/{name}".rpartition(f"/{_BLOBS}/")
    if rest != f"/{name}"[len(folder) :] and MEDIA.fullmatch(f"{_BLOBS}/{rest}"):
        return f"{_BLOBS}/{rest}"
    last = name.rpartition("/")[2]
    return f"{_ANNOTATIONS}/{last}" if last.endswith(_LINES) else None


# --- annotations --------------------------------------------------------------------------


def _said(record: Record, order: Order) -> Sequence[Annotation]:
    """All that was said of the session, replaced or not; made anonymous, only what holds."""
    return (record.said if order.verbatim else ()) or record.session.timeline.annotations


def _is_known(annotation: Annotation) -> bool:
    return annotation.type in promptkit_annotations.TYPES


def _ids(came: Original) -> dict[str, bool]:
    """The annotations in the file that came, and whether it says that they are deleted."""
    with came.open() as stream:
        rows = (row or b"?" for _, row in loglines.lines(stream))
        found = promptkit_annotations.read(rows, came.name, None, Notes())
    return {each.id: each.deleted for each in found}


def _added(
    record: Record,
    order: Order,
    session: Reading,
    known: Mapping[str, bool],
    blobs: Mapping[str, Blob],
) -> Iterator[bytes]:
    """The lines of what was said here, and of what no file said that came."""
    own, own_id = _is_own(record), promptkit_writer.session_id(session)
    said = [each for each in _said(record, order) if own or _is_known(each)]
    places = numbers(session.timeline, own_id, blobs) if said and not own else {}
    instant = partial(promptkit_writer.instant, session)
    return promptkit_annotations.write(said, own_id, instant, places, known)


def _joined(came: Original | None, added: Iterator[bytes]) -> Iterator[bytes]:
    """The lines that came, as they were, and the others after them."""
    last = b"\n"
    for block in blocks(came) if came is not None else ():
        yield block
        last = block
    for line in added:
        yield line if last.endswith(b"\n") else b"\n" + line
        last = line


promptkit_json = partial(promptkit, lines=False)
promptkit_jsonl = partial(promptkit, lines=True)
