"""The vCon: a conversation as one JSON object, plain, signed or encrypted, 0.0.1 to 0.4.0.

    parties[]      who                      → participants, in their order
    dialog[]       recordings and texts     → segments; transfers and the like → events
    analysis[]     transcripts              → what segments say; all else → annotations
    attachments[]  timeline, tags, consent  → events, tags, `source`; all else → annotations

Names of older versions are read as those of 0.4.0. A `url` is never followed. The file is the
one original; recordings inside it are `inside` the reading, named as its segments name them.

Source: draft-ietf-vcon-vcon-core, and the vCons that its drafts' libraries wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import BinaryIO, NamedTuple

from vault.errors import BadInput
from vault.formats import content, jsontext, vcon_envelope, vcon_party
from vault.formats.fields import Fields, Notes
from vault.formats.rows import Rows
from vault.formats.source import JSON_BYTES_LIMIT, Source
from vault.formats.vcon_content import BASE64, Embedded, check_digest, embedded
from vault.formats.vcon_dialogs import Said, Timed
from vault.formats.vcon_timeline import timeline
from vault.model import Json, Kind, Original, Reading, Timeline

NAMES = ("vcon",)
EXTENSIONS = frozenset({".vcon"})
VERSIONS = ("0.0.1", "0.0.2", "0.1.0", "0.2.0", "0.3.0", "0.4.0")
#: Extensions that a vCon may call critical. What it means is kept, none of it is acted on.
EXTENSIONS_KNOWN: frozenset[str] = frozenset()

_LISTS = ("parties", "dialog", "analysis", "attachments")
_RENAMED = {
    "mimetype": "mediatype",
    "appended": "amended",
    "ammended": "amended",
    "must_support": "critical",
    "transfer-target": "transfer_target",
    "target-dialog": "target_dialog",
    "consulation": "consultation",
    "vendor_schema": "schema",
    "vendor_product": "product",
}
_OLDER = {*_RENAMED, "signature"}
#: A vCon, or an envelope, has all the names of one of these.
_NEEDED = (("vcon",), ("parties", "dialog"), ("ciphertext",), ("payload",))
_KEY = {name: re.compile(rb'"%s"\s*:' % name.encode()) for names in _NEEDED for name in names}


def detect(source: Source) -> str | None:
    """`vcon` for a file that holds a JSON object with the members of a vCon or of its envelope."""
    if source.is_folder:
        return None
    head = source.head(source.name)
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or jsontext.is_log(head):
        return None
    if source.files()[source.name] > JSON_BYTES_LIMIT:
        return "vcon" if _has_names(head) else None  # to be refused aloud
    try:
        document = source.json(source.name)
    except BadInput:
        return None
    if not isinstance(document, dict) or not _is_vcon(document):
        return None
    return "vcon" if _has_names(source.whole(source.name)) else None


def read(
    source: Source, name: str, *, decrypt_key: bytes | None = None, signers: bytes | None = None
) -> list[Reading]:
    """The one conversation in the file.

    `decrypt_key` (PEM, RSA) opens an encrypted one; without it there is a reading of nothing but
    the original, with a warning. `signers` (PEM certificates): one of them must have signed.
    Raises `BadInput` for what is no vCon or an empty one, a wrong signature or digest, a key
    that does not fit, and a `critical` extension.
    """
    if source.is_folder:
        raise BadInput(f"{str(source.path)!a} is a folder, not one vCon.")
    ((file, size),) = source.files().items()
    notes = Notes()
    outer = _object(source.json(file), file)
    source.forget()
    key = source.decrypt_key if decrypt_key is None else decrypt_key
    signers = source.signers if signers is None else signers
    inner = vcon_envelope.unwrap(outer, file, notes, decrypt_key=key, signers=signers)
    original = content.original(source, file, size, source.head(file))
    if inner is None:
        return [_sealed(name, outer, original, notes)]
    reading = understood(name, _modern(inner, notes), file, original, notes)
    if any(segment.file for segment in reading.timeline.segments):
        reading = replace(reading, inside=partial(_inside, original, key))
    return [reading]


def recordings(
    open: Callable[[], BinaryIO],  # noqa: A002  as `Original.open` is called
    *,
    decrypt_key: bytes | None = None,
) -> Iterator[Embedded]:
    """The recordings inside a vCon, one after the other, named as its segments name them.

    `open` gives the vCon's own bytes. At most one recording is in memory beside the vCon while
    the caller keeps none. Raises `BadInput` as `read` does; an encrypted one without its key has
    none.
    """
    document = contents(open, decrypt_key=decrypt_key).document
    if document is not None:
        yield from embedded(Fields(document, "vcon", Notes()).objects("dialog") or iter(()))


class Contents(NamedTuple):
    """A whole vCon under the names of 0.4.0 (None: its key is missing), and if it was sealed."""

    document: dict[str, Json] | None
    enveloped: bool


def contents(
    open: Callable[[], BinaryIO],  # noqa: A002  as `Original.open` is called
    *,
    decrypt_key: bytes | None = None,
) -> Contents:
    """What is in these bytes. Raises `BadInput` as `read` does."""
    with open() as stream:
        data = stream.read(JSON_BYTES_LIMIT + 1)
    if len(data) > JSON_BYTES_LIMIT:
        raise BadInput(f"The vCon is larger than {JSON_BYTES_LIMIT >> 20} MiB.")
    outer, notes = _object(jsontext.parse(data, "vcon"), "vcon"), Notes()
    del data
    inner = vcon_envelope.unwrap(outer, "vcon", notes, decrypt_key=decrypt_key)
    return Contents(None if inner is None else _modern(inner, notes), inner is not outer)


def _inside(original: Original, decrypt_key: bytes | None) -> Iterator[Original]:
    for found in recordings(original.open, decrypt_key=decrypt_key):
        yield Original(found.name, Kind.AUDIO, found.media_type, found.size_bytes, found.open)


def _has_names(text: bytes) -> bool:
    """Whether all the names that a vCon or an envelope needs may be in the text."""
    return any(all(_may_have(text, name) for name in needed) for needed in _NEEDED)


def _may_have(text: bytes, name: str) -> bool:
    """Whether it may be a member's name. One that is not there is told fast without a pattern."""
    return b'"%s"' % name.encode() in text and _KEY[name].search(text) is not None


def _is_vcon(document: dict[str, Json]) -> bool:
    if isinstance(document.get("vcon"), str) or {"parties", "dialog"} <= document.keys():
        return True
    if vcon_envelope.is_encrypted(document):
        return "recipients" in document or "encrypted_key" in document
    return vcon_envelope.is_signed(document)


def _object(document: Json, name: str) -> dict[str, Json]:
    if not isinstance(document, dict):
        raise BadInput(f"{name!a} does not hold a JSON object.")
    return document


def _sealed(name: str, outer: dict[str, Json], original: Original, notes: Notes) -> Reading:
    """What can be said of a vCon that nobody opened: the name on its envelope, unproven."""
    header = outer.get("unprotected")
    fields = Fields(header if isinstance(header, dict) else {}, "unprotected", notes)
    return Reading(
        format=name,
        external_id=fields.text("uuid") or None,
        started_at=None,
        duration_ns=None,
        participants=(),
        timeline=Timeline(),
        originals=(_as(Kind.OTHER, original),),
        metrics={},
        warnings=notes.all(),
    )


def _modern(document: dict[str, Json], notes: Notes) -> dict[str, Json]:
    """The same under the names of 0.4.0, its lists too; what it must not be is refused."""
    made = _renamed(document)
    for key in _LISTS:
        items = made.get(key)
        if isinstance(items, list):
            made[key] = [
                _renamed(item) if isinstance(item, dict) and not _OLDER.isdisjoint(item) else item
                for item in items
            ]
    if not any(made.get(key) for key in _LISTS):
        raise BadInput("The vCon is empty: it has no parties, dialogs, analyses or attachments.")
    critical = made.get("critical") or []
    if not isinstance(critical, list) or set(map(str, critical)) - EXTENSIONS_KNOWN:
        raise BadInput("The vCon says that it is only for those who know an extension of it.")
    version = made.get("vcon")
    if version is not None and version not in VERSIONS:
        notes.add("unknown-version", "Read as the version nearest to it.")
    return made


def _renamed(item: dict[str, Json]) -> dict[str, Json]:
    """The object under the names of 0.4.0."""
    made: dict[str, Json] = {}
    for key, value in item.items():
        modern = _RENAMED.get(key, key)
        made[key if modern in item else modern] = value
    if "content_hash" not in made and isinstance(made.get("signature"), str):
        algorithm = str(made.get("alg", "SHA-512")).lower().replace("sha-", "sha")
        made["content_hash"] = f"{algorithm}-{made['signature']}"
    return made


def understood(
    name: str, document: dict[str, Json], file: str, original: Original, notes: Notes
) -> Reading:
    """What a vCon says that has the names of 0.4.0 and lies in `original`; it stays as it is."""
    top = Fields(document, file, notes)
    people = vcon_party.participants([item for _, item in top.objects("parties") or ()], notes)
    dialogs = Rows(top, "dialog", Said)
    hashed = [n for n, one in enumerate(dialogs.shapes) if one.content_hash is not None]
    others = (item for key in _LISTS[2:] for _, item in top.objects(key) or ())
    for item in chain(map(dialogs.fields, hashed), others):
        check_digest(item, notes)
    binary = [n for n, one in enumerate(dialogs.shapes) if one.encoding in BASE64]
    inside = embedded((dialogs.places[n], dialogs.fields(n)) for n in binary)
    sounds = {found.dialog: (found.name, found.decoded_ns) for found in inside}
    timed = Timed.of(dialogs, sounds, top, notes)
    everyone = vcon_party.People(people)
    made = timeline(top, timed, everyone, notes)
    if everyone.unlisted:
        text = f"{everyone.unlisted} turns are of a party that is not listed."
        notes.add("unlisted-party", text)
    bots = [each.name for each in people if each.data.get("type") == "bot"]
    return Reading(
        format=name,
        external_id=top.text("uuid") or None,
        started_at=timed.started_at,
        duration_ns=made.length_ns(timed),
        participants=people,
        timeline=made.timeline,
        originals=(_as(Kind.OTHER, original) if binary or _binary(top) else original,),
        metrics={},
        warnings=notes.all(),
        title=top.text("subject"),
        agent=bots[0] if bots else None,
        subjects=vcon_party.identifiers(people),
        tags=made.tags,
        source=_source(document, made.consent),
    )


def _source(document: dict[str, Json], consent: list[Json]) -> dict[str, Json]:
    """What is said of the whole vCon and of each dialog, with nothing that was said in it."""
    top: dict[str, Json] = {k: v for k, v in document.items() if k not in {*_LISTS, "group"}}
    dialogs = document.get("dialog")
    listed = dialogs if isinstance(dialogs, list) else []
    told = [item.copy() if isinstance(item, dict) else None for item in listed]
    for item in filter(None, told):
        item.pop("body", None)
        item.pop("text", None)
        item.pop("transcript", None)
    top["dialog"] = [*told]
    return top | ({"consent": consent} if consent else {})


def _binary(top: Fields) -> bool:
    """Whether what lies beside the dialogs is no text: sound, a picture, nobody can tell."""
    listed = (item for key in _LISTS[2:] for _, item in top.objects(key) or ())
    return any(item.value.get("encoding") in BASE64 for item in listed)


def _as(kind: Kind, original: Original) -> Original:
    return Original(
        original.name, kind, "application/vcon+json", original.size_bytes, original.open
    )
