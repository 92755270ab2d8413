"""Hear a recording from an instant on, reading nothing of what lies before it."""

from __future__ import annotations

from collections.abc import Iterator

from vault.errors import UsageError
from vault.media import ogg
from vault.model import Part
from vault.operations.retrieve import Opened

_OPUS = "audio/ogg; codecs=opus"


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
