"""Hear a session from an instant on, reading nothing of what lies before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from vault.errors import NotFound, UsageError
from vault.export import audio, takes
from vault.export.record import Order, Record
from vault.export.takes import Spoken, Take
from vault.formats.fields import Notes
from vault.formats.sound import beginnings
from vault.media import ogg
from vault.model import Compartment, Part
from vault.operations import records
from vault.operations.fetch import Wrote, save
from vault.operations.retrieve import Opened
from vault.ports import Buffer

_OPUS = "audio/ogg; codecs=opus"


def heard(
    opened: Opened, at_ns: int, path: Path, name: str | None = None, notes: Notes | None = None
) -> Wrote:
    """Write the sound from an instant of the session on into the file `path`, as Opus in Ogg.

    Turns or tracks that have recordings of their own are heard together, each at its time, exactly
    from the instant on; turns that stay silent are in `notes`. A single recording, or the rendition
    called `name`, begins at most 1.2 seconds early; one that begins later than the instant is heard
    from its own beginning. Raises `NotFound` where there is nothing to hear, `UsageError` where it
    is not said what, and whatever `listen` does.
    """
    if name is None:
        order = Order(opened.row.deposited_at, notes=notes or Notes())
        blocks = _session(opened, records.record(opened), at_ns, order)
    else:
        blocks = _alone(opened, opened.part(name), at_ns)
    return save(blocks, path, str(path))


def listen(opened: Opened, part: Part, at_ns: int) -> Iterator[Buffer]:
    """An Opus stream of a playback rendition that begins at most 1.2 seconds before `at_ns`.

    First its headers, then its pages to the end. What comes first costs a few chunks of the
    stored object, however long it is. Raises `UsageError` for a part that is no such rendition,
    `IntegrityError` as `Opened.stream` does.
    """
    yield from _from(opened, part, _beginning(opened, part, at_ns, opened.row.duration_ns or 0))


def _session(opened: Opened, record: Record, at_ns: int, order: Order) -> Iterator[Buffer]:
    """Its pieces of sound, or the recordings that its turns name, or its only one."""
    if takes.pieced(record, Order(order.made_at)):
        return _together(record, takes.pieced(record, order, at_ns), at_ns)
    playable = _renditions(opened)
    if not playable:
        raise NotFound("No recording of this session can be played; `show` says what there is.")
    segments = record.session.timeline.segments
    spoken = takes.spoken(segments, playable)
    if spoken:
        silent = sum(s.file not in playable and s.end_ns > at_ns for s in segments)
        takes.silent(silent, record, order)
    if len(spoken) > 1:
        return _together(record, list(_takes(opened, spoken, playable, at_ns)), at_ns)
    if not spoken and len(playable) > 1:
        raise UsageError("Several recordings, and nobody says when: --part names one of `show`.")
    (part,) = [playable[one.name] for one in spoken] or playable.values()
    return _alone(opened, part, at_ns)


def _renditions(opened: Opened) -> Mapping[str, Part]:
    """What can be played of each recording, by the name of the recording."""
    return {
        part.name.removeprefix("playback/").removesuffix(".opus"): part
        for part in opened.parts
        if part.compartment is Compartment.DERIVED and part.media_type == _OPUS
    }


def _alone(opened: Opened, part: Part, at_ns: int) -> Iterator[Buffer]:
    recording = part.name.removeprefix("playback/").removesuffix(".opus")
    begins_ns = beginnings(opened.timeline().segments).get(recording, 0)
    return listen(opened, part, max(0, at_ns - begins_ns))


def _together(record: Record, found: Sequence[Take], at_ns: int) -> Iterator[bytes]:
    """One file of all that is heard after the instant, up to the end of the session."""
    until_ns = audio.until(found, record.session.duration_ns) - at_ns
    if not found:
        raise NotFound("Nothing is heard from that instant on.")
    shifted = [replace(take, start_ns=take.start_ns - at_ns) for take in found]
    return audio.timeline(shifted, "opus", until_ns=max(0, until_ns))


def _takes(
    opened: Opened, spoken: Sequence[Spoken], parts: Mapping[str, Part], at_ns: int
) -> Iterator[Take]:
    """The renditions as they are heard from the instant on, without those that are over by then."""
    for one in spoken:
        part = parts[one.name]
        length_ns = one.decoded_ns
        if length_ns is None:
            length_ns = ogg.length_ns(partial(_read, opened, part), part.size_bytes)
        skip_ns = max(0, at_ns - one.start_ns)
        if skip_ns >= length_ns:
            continue
        found = _beginning(opened, part, skip_ns, length_ns) if skip_ns else None
        yield Take(
            "opus",
            partial(_from, opened, part, found),
            one.start_ns + skip_ns,
            length_ns - skip_ns,
            one.role,
            one.speaker,
            early_ns=skip_ns - found.at_ns if found else 0,
            known=(ogg.RATE, 1),
        )


def _beginning(opened: Opened, part: Part, at_ns: int, length_ns: int) -> ogg.Beginning:
    """Where to begin; the better its length is known, the fewer places are looked at."""
    if part.media_type != _OPUS:
        raise UsageError("Only a playback rendition can be heard from an instant on.")
    return ogg.beginning(partial(_read, opened, part), part.size_bytes, at_ns, length_ns)


def _from(opened: Opened, part: Part, found: ogg.Beginning | None) -> Iterator[bytes]:
    """The rendition from there on, or whole."""
    if found is not None:
        yield found.headers
    yield from map(bytes, opened.stream(part, 0 if found is None else found.start))


def _read(opened: Opened, part: Part, start: int, stop: int) -> bytes:
    return b"".join(opened.stream(part, start, stop))
