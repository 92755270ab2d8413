"""A recording that lies in base64 in one field of a JSON document."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from vault.errors import BadInput
from vault.formats import jsontext
from vault.formats.content import MEDIA_TYPES
from vault.formats.fields import Fields
from vault.media import probe
from vault.model import Json, Kind, Original

_HEAD_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Enclosed:
    """Where a recording lies: names of fields, one in the other. It is called `name`."""

    path: tuple[str, ...]
    name: str
    media_type: str


def find(item: Fields, *path: str) -> Enclosed | None:
    """The recording under the last name of `path`, which is a field of `item`; None if it is none.

    What should be one and is not is noted as `inline-audio`.
    """
    text = item.value.get(path[-1])
    if text is None:
        return None
    container = None
    if isinstance(text, str) and _bytes(text) is not None:
        container = probe.sniff(_bytes(text[:_HEAD_CHARACTERS]) or b"")
    if container is None:
        item.notes.add("inline-audio", "What should be a recording in the document is none.")
        return None
    return Enclosed(path, f"{path[-1]}.{container}", MEDIA_TYPES[container])


def inside(document: Original, found: Enclosed) -> Iterator[Original]:
    """The recording as an original, for `Reading.inside`.

    It is in memory while the caller holds it, the document only until then. Raises `BadInput`
    where the document has changed.
    """
    data = _taken_out(document, found.path)
    opened = partial(io.BytesIO, data)
    yield Original(found.name, Kind.AUDIO, found.media_type, len(data), opened)


def _taken_out(document: Original, path: tuple[str, ...]) -> bytes:
    with document.open() as stream:
        value: Json = jsontext.parse(stream.read(document.size_bytes), document.name)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    data = _bytes(value) if isinstance(value, str) else None
    if data is None:
        raise BadInput(f"{document.name!a} changed while it was being read.")
    return data


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
