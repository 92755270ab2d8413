"""PromptKit's media: blobs beside a recording and bytes inside it, checked and kept by reference.

A blob is named `file://<session>/<sha256>.<ext>` and lies below a folder `blobs`. Inline bytes
are base64 in the recording itself. Neither is copied into the timeline: a blob is found by its
name among the originals, inline bytes by the extent of their base64 in the recording.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import os
import re

import msgspec

from vault.errors import BadInput
from vault.formats import sound
from vault.formats.fields import Notes
from vault.formats.source import Source, relative
from vault.model import Json, Kind, Original

#: The key of a payload that says where in an original its bytes lie, for inline ones.
INLINE, EXTENT = "inline_data", "inline"
_SCHEME = "file://"
_SHA256 = "sha256:"
_BLOCK_BYTES = 1 << 20
#: So many characters of base64 are seldom anything else's, and far faster found than thousands.
_BEGINNING = 48
_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", re.ASCII)
_DIGEST = re.compile(r"(?:.*/)?([0-9a-f]{64})(?:\.[A-Za-z0-9]+)?", re.ASCII)


class Media:
    """Everything that the payloads of one recording refer to.

    `folders` are where blobs may lie, below `place`. `file` is the recording's own name.
    """

    def __init__(self, place: Source, file: str, folders: tuple[str, ...], notes: Notes) -> None:
        self._place, self._file, self._folders, self._notes = place, file, folders, notes
        self._blobs: dict[str, Original | None] = {}
        self._digests: dict[str, str] = {}
        self._searching = True
        self._from = 0
        self.has_inline = False

    def originals(self) -> list[Original]:
        """The blobs that are there, by name, once each."""
        found = {blob.name: blob for blob in self._blobs.values() if blob is not None}
        return [found[name] for name in sorted(found)]

    def names(self) -> set[str]:
        """What those blobs are called."""
        return {blob.name for blob in self._blobs.values() if blob is not None}

    def take(self, data: dict[str, Json], where: str, text: bytes, start: int) -> None:
        """Check what an event's payload refers to, and put an extent where it holds bytes.

        `text` is what was parsed and lies at `start` in the recording. Raises `BadInput` for a
        reference that leads outside, and for bytes that are not what their checksum says.
        """
        payload = data.get("payload")
        if not isinstance(payload, dict):
            return
        inline = payload.get(INLINE)
        if isinstance(inline, str) and inline:
            self.has_inline = True
            del payload[INLINE]
            self._inline(payload, inline, where, text, start)
        ref = payload.get("storage_ref")
        if isinstance(ref, str) and ref:
            self._blob(payload, ref, data)

    def rewind(self) -> None:
        """The next `text` is another one: look for inline bytes from its beginning."""
        self._from = 0

    def _inline(
        self, payload: dict[str, Json], inline: str, where: str, text: bytes, start: int
    ) -> None:
        decoded = _decoded(inline)
        if decoded is None:
            self._notes.add("bad-field", f"{where}: inline_data is not base64; it is left out.")
            return
        _check(decoded, payload.get("checksum"), where)
        if payload.get("size") not in (None, len(decoded)):
            self._notes.add("size-mismatch", f"{where}: stated and real size differ.", self._file)
        extent = self._find(inline.encode(), text) if self._searching else None
        if extent is None:
            # Once is enough: what writes one of them in escapes writes all of them so.
            self._searching = False
            self._notes.add("unreadable-inline", f"{where}: kept, but not for replay.", self._file)
            return
        payload[EXTENT] = {
            "file": self._file,
            "start": start + extent[0],
            "bytes": extent[1],
            "size": len(decoded),
        }

    def _find(self, inline: bytes, text: bytes) -> tuple[int, int] | None:
        """Where in the text, after the one before, these characters stand."""
        at = text.find(inline[:_BEGINNING], self._from)
        if at < 0 or not text.startswith(inline, at):
            at = text.find(inline, self._from)
        if at < 0:
            inline = inline.replace(b"/", b"\\/")
            at = text.find(inline, self._from)
        if at < 0:
            return None
        self._from = at + len(inline)
        return at, len(inline)

    def _blob(self, payload: dict[str, Json], ref: str, data: dict[str, Json]) -> None:
        if "://" in ref and not ref.startswith(_SCHEME):
            if ref not in self._blobs:
                self._blobs[ref] = None
                self._notes.add("remote-blob", "A blob lies elsewhere; nothing is ever fetched.")
            return
        name = blob_name(ref)
        if name not in self._blobs:
            self._blobs[name] = self._found(name, payload, data)
            if self._blobs[name] is None:
                text = "An event refers to a blob that is not there."
                self._notes.add("missing-file", text, name)
        blob = self._blobs[name]
        if blob is not None:
            self._verify(blob, payload)

    def _found(self, name: str, payload: dict[str, Json], data: dict[str, Json]) -> Original | None:
        """The blob as an original, as the first event that refers to it describes it."""
        for folder in self._folders:
            file = relative(f"{folder}/{name}")
            size = size_of(self._place, file)
            if size is not None:
                kind, media_type = described(payload.get("mime_type"), data.get("metadata"))
                return Original(file, kind, media_type, size, self._place.opener(file, size))
        return None

    def _verify(self, blob: Original, payload: dict[str, Json]) -> None:
        """Every event's word on a blob, and its own name, has to be true of its bytes."""
        stated, named = payload.get("checksum"), _DIGEST.fullmatch(blob.name)
        known = isinstance(stated, str) and stated.lower().startswith(_SHA256)
        if isinstance(stated, str) and known:
            _compare(self._digest(blob.name), stated, blob.name)
        elif stated not in (None, ""):
            text = "The checksum is of an unknown kind."
            self._notes.add("unknown-checksum", text, blob.name)
        if not known and named:
            _compare(self._digest(blob.name), named[1], blob.name)
        elif not known and stated in (None, ""):
            text = "Nothing says what this blob should hold."
            self._notes.add("no-checksum", text, blob.name)
        if payload.get("size") not in (None, blob.size_bytes):
            self._notes.add("size-mismatch", "Stated and real size differ.", blob.name)

    def _digest(self, file: str) -> str:
        """SHA-256 of a blob, in hex; read once."""
        if file not in self._digests:
            digest = hashlib.sha256()
            with self._place.open(file) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    digest.update(block)
            self._digests[file] = digest.hexdigest()
        return self._digests[file]


def blob_name(ref: str) -> str:
    """The name that a reference gives a blob, relative to its folder; `BadInput` if it escapes."""
    return relative(ref.removeprefix(_SCHEME))


def described(mime: Json, metadata: Json) -> tuple[Kind, str]:
    """The kind and media type of a payload; raw samples say their rate and channels in it."""
    if not isinstance(mime, str) or not _MIME.fullmatch(mime.lower()):
        return Kind.OTHER, "application/octet-stream"
    mime = mime.lower()
    if not mime.startswith("audio/"):
        return Kind.OTHER, mime
    law = sound.law_of(mime)
    if (mime == "audio/pcm" or law) and isinstance(metadata, dict):
        width = f";law={law}" if law else _width(metadata)
        shape = [metadata.get(key) for key in ("sample_rate", "channels")]
        if width is not None and all(type(n) is int and 0 < n < 10**6 for n in shape):
            mime = f"audio/pcm;rate={shape[0]};channels={shape[1]}{width}"
    return Kind.AUDIO, mime


def _width(metadata: dict[str, Json]) -> str | None:
    """What samples are, as media types here say it; None for what is not known."""
    encoding = metadata.get("encoding")
    if law := sound.law_of(encoding):
        return f";law={law}"
    bits = metadata.get("bits_per_sample", 16)
    if encoding not in (None, "", "pcm", "pcm_linear16", "linear16") or bits not in (8, 16):
        return None
    return "" if bits == 16 else ";bits=8"


def size_of(place: Source, file: str) -> int | None:
    """The size of a file below a folder, None if it is not there; `BadInput` if it is a link."""
    try:
        with place.open(file) as stream:
            return os.fstat(stream.fileno()).st_size
    except BadInput as error:
        first, _, _ = file.partition("/")
        linked = any(e.kind == "link" and e.name == first for e in place.listing())
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError) and not linked:
            return None
        raise


def buffered(place: Source, file: str) -> io.BufferedReader:
    """A file below a folder, to be read by lines."""
    return io.BufferedReader(place.open(file), _BLOCK_BYTES)


def _decoded(inline: str) -> bytes | None:
    """The bytes that base64 says, None if it is none.

    msgspec takes a third of the time, and nothing that the other would not take.
    """
    try:
        return msgspec.convert(inline, bytes)
    except msgspec.ValidationError:
        pass
    try:
        return binascii.a2b_base64(inline, strict_mode=True)
    except ValueError:
        return None


def _check(decoded: bytes, stated: Json, where: str) -> None:
    if isinstance(stated, str) and stated.lower().startswith(_SHA256):
        _compare(hashlib.sha256(decoded).hexdigest(), stated, where)


def _compare(found: str, stated: str, where: str) -> None:
    if stated.lower().removeprefix(_SHA256) != found:
        raise BadInput(f"{where!a} does not hold what its checksum says.")
