"""Sessions that a vendor tells in one JSON document: which vendor's is it?

A vendor's module says how its documents are known (`claims` on the parsed value, and `SIGNS`
somewhere in the bytes) and what they tell. The document is parsed once, which costs no more than
to look for the signs of every vendor in it.
"""

from __future__ import annotations

from typing import Protocol

from vault.errors import BadInput
from vault.formats import (
    contact_lens,
    elevenlabs,
    genesys,
    jsontext,
    livekit,
    retell,
    single,
    twilio,
    vapi,
)
from vault.formats.fields import Fields, Notes
from vault.formats.single import Told
from vault.formats.source import JSON_BYTES_LIMIT, Source
from vault.model import Json, Reading


class Vendor(Protocol):
    """A module that reads one vendor's documents."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  a constant of the module

    @property
    def SIGNS(self) -> tuple[bytes, ...]:  # noqa: N802  likewise
        """Bytes that every such document holds."""
        ...

    def claims(self, document: dict[str, Json]) -> bool:
        """Whether a JSON object is such a document; looks at its outer fields only."""
        ...

    def tell(self, document: Fields) -> Told:
        """What the document says; `BadInput` where it is none of this vendor's."""
        ...


VENDORS: tuple[Vendor, ...] = (
    livekit,
    vapi,
    retell,
    elevenlabs,
    twilio,
    contact_lens,
    genesys,
)
NAMES = tuple(vendor.NAME for vendor in VENDORS)
#: JSON may be anything, so no extension promises a session.
EXTENSIONS: frozenset[str] = frozenset()


def detect(source: Source) -> str | None:
    """The vendor whose document the file is.

    A broken document that shows a vendor's signs is given to that vendor, to be refused aloud.
    """
    if source.is_folder:
        return None
    head = source.head(source.name)
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or jsontext.is_log(head):
        return None
    if source.files()[source.name] > JSON_BYTES_LIMIT:
        return next((vendor.NAME for vendor in VENDORS if _shows(vendor, head)), None)
    try:
        document = source.json(source.name)
    except BadInput:
        text = source.whole(source.name)
        shown = next((vendor.NAME for vendor in VENDORS if _shows(vendor, text)), None)
        return None if shown is None or _of_lines(text) else shown
    if not isinstance(document, dict):
        return None
    claiming = [vendor for vendor in VENDORS if vendor.claims(document)]
    text = source.whole(source.name) if claiming else b""
    return next((vendor.NAME for vendor in claiming if _shows(vendor, text)), None)


def _shows(vendor: Vendor, text: bytes) -> bool:
    """Whether all signs of a vendor are somewhere in the text."""
    return all(sign in text for sign in vendor.SIGNS)


def read(source: Source, name: str) -> list[Reading]:
    """The one session of the document; `BadInput` if it is no JSON object of that vendor."""
    single.require_file(source, name)
    document = source.json(source.name)
    source.forget()  # for it is taken apart
    (vendor,) = (vendor for vendor in VENDORS if name == vendor.NAME)
    if not isinstance(document, dict) or not vendor.claims(document):
        raise BadInput(f"{source.name!a} is no {name} document.")
    notes = Notes()
    told = vendor.tell(Fields(document, source.name, notes))
    return [single.reading(source, name, told, notes)]


def _of_lines(text: bytes) -> bool:
    """Whether the first line is a JSON value of its own, so that the file is a log."""
    line, found, _ = text.partition(b"\n")
    return bool(found) and jsontext.object_in(line) is not None
