"""What a vCon carries inside: inline bodies, their digests, and recordings among them.

A body is beside its `encoding`: `base64url`, `json` or `none`. Nothing that lies elsewhere
(`url`) is ever fetched; its digest is kept for whoever has the file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, NamedTuple

from vault.errors import BadInput
from vault.formats import jsontext
from vault.formats.content import MEDIA_TYPES
from vault.formats.fields import NS_LIMIT, Fields, Notes
from vault.formats.sound import Telephony, telephony
from vault.media import probe, wav
from vault.model import Json

BASE64 = ("base64url", "base64")
_HASHES = ("sha256", "sha384", "sha512")
_HEAD_CHARACTERS = 4096
_STANDARD = str.maketrans("-_", "+/", " \t\r\n")


@dataclass(frozen=True, slots=True)
class Embedded:
    """A recording inside a vCon; `open` gives a fresh stream of its `size_bytes` bytes.

    `name` is what segments call it, `dialog` the index of the dialog that holds it. `media_type`
    is told by the bytes, and by the vCon where they are samples of G.711 and nothing else.
    `decoded_ns` is None where telling it would take a decoder.
    """

    name: str
    dialog: int
    media_type: str
    size_bytes: int
    decoded_ns: int | None
    open: Callable[[], BinaryIO]


def content(item: Fields) -> Json:
    """The inline body as a value: text, or what its JSON says; None where there is none.

    A body that is not what its encoding says is noted and read as absent. So is one that is
    neither text nor JSON once its base64 is undone.
    """
    body, encoding = item.value.get("body"), item.value.get("encoding")
    if not isinstance(body, str):
        return body  # JSON as it stands, whatever the encoding says
    if encoding == "json":
        return _json(item, body.encode())
    if encoding not in BASE64:
        return body
    data, mediatype = raw(item), item.value.get("mediatype")
    if not isinstance(mediatype, str):
        mediatype = ""
    if data is None or mediatype.startswith(("audio/", "video/", "image/")):
        return None
    return _json(item, data) if "json" in mediatype else _text(data)


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _json(item: Fields, data: bytes) -> Json:
    try:
        return jsontext.parse(data, item.where)
    except BadInput:
        item.bad("body", "JSON")
        return None


def raw(item: Fields) -> bytes | None:
    """The bytes of an inline body, or None; a JSON value that is no text has none of its own."""
    body = item.value.get("body")
    if not isinstance(body, str):
        return None
    if item.value.get("encoding") not in BASE64:
        return body.encode()
    data = _unbase64(body)
    if data is None:
        item.bad("body", "base64url")
    return data


def _unbase64(text: str) -> bytes | None:
    """Base64 in either alphabet, padded or not; None for anything else."""
    plain = text.translate(_STANDARD).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def check_digest(item: Fields, notes: Notes) -> None:
    """Hold an inline body against its `content_hash`.

    Raises `BadInput` where they differ. A digest that cannot be computed here (an algorithm
    nobody knows, JSON whose bytes are not told) is noted as `unchecked-digest`.
    """
    stated = item.value.get("content_hash")
    if stated is None or item.value.get("body") is None:
        return
    data = raw(item)
    digests: dict[str, bytes] = {}  # each once, however often it is stated
    for each in stated if isinstance(stated, list) else [stated]:
        name, _, digest = each.partition("-") if isinstance(each, str) else ("", "", "")
        algorithm = name.lower()
        if algorithm not in _HASHES or data is None:
            text = f"{item.where}: the digest of the body cannot be checked here."
            notes.add("unchecked-digest", text)
            continue
        if algorithm not in digests:
            digests[algorithm] = hashlib.new(algorithm, data).digest()
        if not _same(digests[algorithm], digest):
            raise BadInput(f"{item.where}: the body is not what its content_hash says.")


def _same(found: bytes, stated: str) -> bool:
    """Whether a digest is the stated one, in base64 or hexadecimal."""
    if re.fullmatch(r"[0-9a-fA-F]+", stated) and len(stated) == 2 * len(found):
        return hmac.compare_digest(found, bytes.fromhex(stated))
    return hmac.compare_digest(found, _unbase64(stated) or b"")


def embedded(dialogs: Iterator[tuple[int, Fields]]) -> Iterator[Embedded]:
    """The recordings that lie inside these dialogs; what is no sound known here is passed over."""
    for index, item in dialogs:
        body = item.value.get("body")
        if item.value.get("encoding") not in BASE64 or not isinstance(body, str):
            continue
        head = _unbase64(body[:_HEAD_CHARACTERS]) or b""
        form = _form(head, telephony(item.value.get("mediatype")))
        data = raw(item) if form else None
        if form is None or not data:
            continue
        decoded_ns = form.length_ns(data)
        if decoded_ns is None and form.ending == "wav":
            continue
        yield Embedded(
            name=f"dialog-{index:04d}.{form.ending}",
            dialog=index,
            media_type=form.media_type,
            size_bytes=len(data),
            decoded_ns=decoded_ns,
            open=partial(io.BytesIO, data),
        )


class _Form(NamedTuple):
    """What a recording is; `length_ns` tells how long it sounds, or None."""

    ending: str
    media_type: str
    length_ns: Callable[[bytes], int | None]


def _form(head: bytes, samples: Telephony | None) -> _Form | None:
    """What sound begins so, if any; without a container only where it is said to be `samples`.

    Those may well begin as a frame of MP3 does. What Sun put before them (`.snd`) is not read.
    """
    container = probe.sniff(head)
    bare = container is None or (container == "mp3" and head[:3] != b"ID3")
    if samples is not None and bare and head[:4] != b".snd":
        return _Form("g711", samples.media_type, lambda data: samples.duration_ns(len(data)))
    if container is None:
        return None
    length_ns = _decoded_ns if container == "wav" else lambda _: None
    return _Form(container, MEDIA_TYPES[container], length_ns)


def _decoded_ns(data: bytes) -> int | None:
    """How long a WAV sounds, by its header; None where that cannot be read."""
    try:
        length = wav.read_header(io.BytesIO(data), len(data)).duration_ns
    except BadInput:
        return None
    return length if length <= NS_LIMIT else None
