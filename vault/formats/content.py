"""What a file holds, told by its first bytes and never by its name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from vault.errors import BadInput
from vault.formats.fields import NS_LIMIT
from vault.formats.source import HEAD_BYTES, Source
from vault.media import probe, wav
from vault.model import Kind, Original, Warn

MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "webm": "audio/webm",
}


#: What `vault.media` notices, in a word of its own, and how it is told.
_NOTICED = {
    "truncated": ("truncated-audio", "The audio is cut off: less is there than declared."),
    "over-declared": ("over-declared-audio", "The header declares far more than there is."),
    "empty": ("empty-audio", "There is a header and not one sample."),
    "trailing-bytes": ("trailing-bytes", "There are bytes after the audio; they are kept."),
    "odd-chunk": ("odd-chunk", "The chunks of the file are not padded as they should be."),
}


@dataclass(frozen=True, slots=True)
class Looked:
    """A file looked into. `container` is None where it is not audio, `duration_ns` where
    telling it would take a decoder.
    """

    original: Original
    container: str | None
    duration_ns: int | None
    warnings: Sequence[Warn]


def look(source: Source, name: str, size_bytes: int) -> Looked:
    """Open a file once and tell what it is; a WAV's length comes from its header alone."""
    with io.BufferedReader(source.open(name), HEAD_BYTES) as stream:
        head = stream.peek()
        container = probe.sniff(head)
        duration: int | None = None
        warnings: tuple[Warn, ...] = ()
        if container == "wav":
            try:
                header = wav.read_header(stream, size_bytes)
            except BadInput:
                warnings = (Warn("unreadable-audio", "The WAV header cannot be read.", name),)
            else:
                duration = header.duration_ns if header.duration_ns <= NS_LIMIT else None
                warnings = told(header.warnings, name)
    return Looked(original(source, name, size_bytes, head), container, duration, warnings)


def is_mislabelled(name: str, container: str) -> bool:
    """Whether the ending of a name says that the file is another container than it is."""
    called = name.lower().rpartition(".")[2]
    alike = {called, container} <= {"ogg", "opus"}
    return called in MEDIA_TYPES and called != container and not alike


def told(codes: Sequence[str], name: str) -> tuple[Warn, ...]:
    """What `vault.media` noticed about a file, as warnings."""
    known = [_NOTICED.get(code.removesuffix("-audio"), (code, "See the code.")) for code in codes]
    return tuple(Warn(code, text, name) for code, text in known)


def original(source: Source, name: str, size_bytes: int, head: bytes) -> Original:
    """A file as an original. Text and JSON count as things said; what nobody knows is `OTHER`."""
    container = probe.sniff(head)
    kind, media_type = _OTHER
    if container is not None:
        kind, media_type = Kind.AUDIO, MEDIA_TYPES.get(container, "application/octet-stream")
    elif _is_text(head):
        json = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}
        kind = Kind.TRANSCRIPT
        media_type = "application/json" if json else "text/plain"
    return Original(name, kind, media_type, size_bytes, source.opener(name, size_bytes))


_OTHER = (Kind.OTHER, "application/octet-stream")


def _is_text(head: bytes) -> bool:
    """Whether these first bytes are UTF-8 text; the last character may be cut."""
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start > len(head) - 4
    return True
