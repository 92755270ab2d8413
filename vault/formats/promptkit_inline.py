"""Sound inside a PromptKit recording, taken out where the recording itself may not be kept."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from vault.errors import BadInput
from vault.formats.pieces import Pieces
from vault.formats.promptkit_media import described
from vault.formats.promptkit_turns import AUDIO, extent_of, inline_name
from vault.model import Event, Kind, Original, Reading


def inline_sound(
    reading: Reading, files: Sequence[Original]
) -> Callable[[], Iterator[Original]] | None:
    """The pieces of sound that lie inside `files`, for `Reading.inside`; None if there are none.

    Each is named like the blob that `sound_of` refers to. Raises `BadInput`, when they are
    read, where a file has changed since.
    """
    names = {file.name for file in files}
    found = [
        event
        for event in (reading.timeline.events if reading.format == "promptkit" else ())
        if event.type in AUDIO and (extent := extent_of(event.data)) and extent[0] in names
    ]
    return partial(_pieces, found, files) if found else None


def _pieces(events: Sequence[Event], files: Sequence[Original]) -> Iterator[Original]:
    with Pieces(files) as pieces:
        for event in events:
            extent, payload = extent_of(event.data), event.data["payload"]
            if extent is None or not isinstance(payload, dict):
                continue
            file, start, length, size = extent
            try:
                data = base64.b64decode(pieces.fetch(file, start, length).replace(b"\\", b""))
            except ValueError:
                data = b""
            if len(data) != size:
                raise BadInput(f"{file} changed while it was being read.")
            _, media_type = described(payload.get("mime_type"), event.data.get("metadata"))
            name = f"blobs/{inline_name(start)}"
            yield Original(name, Kind.AUDIO, media_type, size, partial(io.BytesIO, data))
