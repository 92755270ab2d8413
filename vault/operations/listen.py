"""Hear a recording from an instant on, reading nothing of what lies before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vault.errors import NotFound, UsageError
from vault.formats.sound import beginnings
from vault.media import ogg
from vault.model import Compartment, Part
from vault.operations.fetch import Wrote, save
from vault.operations.retrieve import Opened

_OPUS = "audio/ogg; codecs=opus"


def heard(opened: Opened, at_ns: int, path: Path, name: str | None = None) -> Wrote:
    """Write the sound from an instant of the session on into the file `path`, as Opus in Ogg.

    `name` says which rendition where there are several. A recording that begins later than the
    instant is heard from its own beginning. Raises `NotFound` where there is nothing to hear,
    `UsageError` where it is not said what, and whatever `listen` does.
    """
    part = _rendition(opened) if name is None else opened.part(name)
    recording = part.name.removeprefix("playback/").removesuffix(".opus")
    begins_ns = beginnings(opened.timeline().segments).get(recording, 0)
    return save(listen(opened, part, max(0, at_ns - begins_ns)), path, str(path))


def _rendition(opened: Opened) -> Part:
    """The one recording that can be played."""
    found = [
        part
        for part in opened.parts
        if part.compartment is Compartment.DERIVED and part.media_type == _OPUS
    ]
    if not found:
        raise NotFound("No recording of this session can be played; `show` says what there is.")
    if len(found) > 1:
        raise UsageError("Several recordings can be played; `show` lists them, --part names one.")
    return found[0]


def listen(opened: Opened, part: Part, at_ns: int) -> Iterator[bytes | memoryview]:
    """An Opus stream of a playback rendition that begins at most 1.2 seconds before `at_ns`.

    First its headers, then its pages to the end. What comes first costs a few chunks of the
    stored object, however long it is. Raises `UsageError` for a part that is no such rendition,
    `IntegrityError` as `Opened.stream` does.
    """
    if part.media_type != _OPUS:
        raise UsageError("Only a playback rendition can be heard from an instant on.")

    def read(start: int, stop: int) -> bytes:
        return b"".join(opened.stream(part, start, stop))

    found = ogg.beginning(read, part.size_bytes, at_ns, opened.row.duration_ns or 0)
    yield found.headers
    yield from opened.stream(part, found.start)
