"""Scenario bundles: a record handed to the writer in the format's own room.

What has no place in a format is said in `order.notes`, each kind of thing with its number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vault.errors import NotFound
from vault.export import audio
from vault.export.record import Order, Record, blocks
from vault.export.unsaid import endless, said_here


def alone(_record: Record, _order: Order) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Nothing."""
    return iter(())


def scenario(record: Record, order: Order) -> Iterator[tuple[str, Iterator[bytes]]]:
    """A scenario bundle: the one that came, else one with a WAV for each turn that was recorded."""
    from vault.formats import scenario_write

    session = record.session
    said_here(record, order, session.timeline.annotations)
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
    endless(record, order)
