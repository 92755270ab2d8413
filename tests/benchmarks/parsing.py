"""JSON of strangers beside `json.loads` over the same bytes: parsed strictly, and read whole.

The third row of each format is what nobody can read faster than here: parsed strictly, and its
segments and events made of what they are to hold, without a look at a single field.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

from tests.benchmarks import documents, inputs
from tests.benchmarks.documents import Document
from tests.benchmarks.measure import Row, Side, at_least, beside, in_turn, ratios
from vault import formats
from vault.formats import jsontext
from vault.formats.source import Source
from vault.model import Event, Reading, Segment

ROUNDS = 7
TARGET = 0.5


def rows() -> Iterator[Row]:
    """Speeds as multiples of `json.loads`, in processor time, for every format that is JSON."""
    with inputs.scratch() as folder:
        for number, document in enumerate(documents.every()):
            place = _written(folder / str(number), document)
            yield from _measured(document, place)


def _written(folder: Path, document: Document) -> Path:
    """The document's files in a folder; what a user would name to deposit it."""
    folder.mkdir()
    for name, content in document.files.items():
        (folder / name).write_bytes(content)
    return folder if document.format in _FOLDERS else folder / next(iter(document.files))


#: Formats of which a session is a folder.
_FOLDERS = ("scenario", "voice-agents-platform")


def _measured(document: Document, place: Path) -> Iterator[Row]:
    (reading,) = formats.read(Source(place))
    if reading.format != document.format or not reading.timeline.segments:
        raise AssertionError(f"the {document.format} document is not read as it should be")
    ready = [(type(v), [getattr(v, f.name) for f in fields(v)]) for v in _values(reading)]
    del reading
    name = f"{document.format}{', lines' if len(document.texts) > 2 else ''}"
    measured = f"{document.size_bytes / 1e6:.1f} MB"
    sides: dict[str, Side] = {
        "loads": _timed(lambda: [json.loads(text) for text in document.texts]),
        "parse": _timed(lambda: [jsontext.parse(text, "x") for text in document.texts]),
        "read": _timed(lambda: formats.read(Source(place))),
        "make": _timed(
            lambda: (
                [jsontext.parse(text, "x") for text in document.texts],
                [kind(*values) for kind, values in ready],
            )
        ),
    }
    took = in_turn(ROUNDS, sides)
    parsed, read, made = (ratios(took["loads"], took[s]) for s in ("parse", "read", "make"))
    yield at_least(f"{name}: parsed strictly / `json.loads`", parsed, TARGET, measured)
    yield at_least(f"{name}: read to the end / `json.loads`", read, TARGET, measured)
    yield beside(f"{name}: parsed, and its values made unseen / `json.loads`", made, measured)


def _values(reading: Reading) -> Iterator[Segment | Event]:
    yield from reading.timeline.segments
    yield from reading.timeline.events


def _timed(work: Callable[[], object]) -> Side:
    """Processor time of one run; what it makes is thrown away afterwards."""

    def side() -> float:
        began = time.process_time()
        made = work()
        took = time.process_time() - began
        del made
        return took

    return side
