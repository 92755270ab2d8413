"""A ZIP of everything: a folder for each session, and a manifest with a digest for each file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from vault.errors import IntegrityError
from vault.export import captions, story
from vault.export.escape import file_name
from vault.export.pages import Document
from vault.export.record import Order, Record, blocks, document, head, plain
from vault.export.waiting import Waiting
from vault.export.webpage import html_file
from vault.export.zipstream import ZipStream
from vault.model import Json, Original

MANIFEST = "manifest.json"
#: The same of a folder whose own format has a file of that name, or that holds other files too.
ABOUT = "strongroom.json"
#: What is larger is written so that old programs, and some that read as they go, cannot read it.
_OLD_BYTES, _OLD_SESSIONS = 4_000_000_000, 1_000_000


def zip_file(
    records: Iterable[Record], order: Order, beside: Mapping[str, bytes] = MappingProxyType({})
) -> Iterator[bytes]:
    """The small files `beside`, `sessions/ID/…` and, at the end, `manifest.json`.

    A session has `session.json`, `session.html`, its transcript as txt, srt and vtt if it has
    one, and with `originals` the files as they came, under names that are safe on any system;
    the manifest says which name stands for which.
    """
    count, unwanted = 0, False
    with ZipStream() as archive, Waiting() as listed:
        for name, small in beside.items():
            yield from archive.entry(name, [small], large=False)
            listed.add(listing(archive.last) + b"\n")
        for record in records:
            count += 1
            folder = f"sessions/{record.id}"
            for name, content in _made(record, order):
                yield from archive.entry(f"{folder}/{name}", content, large=False)
                listed.add(listing(archive.last, session=record.id) + b"\n")
            unwanted |= bool(record.session.originals) and not order.originals
            for name, original in _originals(record, order):
                path, large = f"{folder}/originals/{name}", original.size_bytes > _OLD_BYTES
                yield from archive.entry(path, blocks(original), large=large)
                _check(record, original, archive.last["sha256"])
                entry = listing(archive.last, session=record.id, original=original.name)
                listed.add(entry + b"\n")
        if unwanted:
            order.notes.add("originals-left-out", "The files as they came were not asked for.")
        whole = manifest(order, count, listed.lines())
        yield from archive.entry(MANIFEST, whole, large=count > _OLD_SESSIONS)
        yield from archive.end()


def manifest(order: Order, records: int, files: Iterable[bytes]) -> Iterator[bytes]:
    """What a bundle says about itself, as a stream: its files, as `listing` has them, one a line.

    `{strongroom_export, made_at, scope, records, files: […], warnings: […]}`
    """
    about = json.dumps({**head(order), "records": records})
    yield about[:-1].encode() + b', "files": ['
    for number, file in enumerate(files):
        yield (b",\n" if number else b"\n") + file
    warnings = json.dumps([warning.entry() for warning in order.notes.all()])
    yield b'\n], "warnings": ' + warnings.encode() + b"}\n"


def listing(file: Mapping[str, Json], **about: str) -> bytes:
    """One file of a manifest: name, size and digest, and what it is about."""
    return json.dumps({**file, **about}).encode()


def _made(record: Record, order: Order) -> Iterator[tuple[str, Iterable[bytes]]]:
    whole = json.dumps(plain(document(record)), ensure_ascii=False, indent=1)
    yield "session.json", [whole.encode(errors="replace")]
    page = Document(record.name, "strongroom", order.made_at, story.story(record, order, "Session"))
    yield "session.html", html_file(page)
    if captions.said(record):
        yield "transcript.txt", captions.txt_file([record], order)
        yield "transcript.srt", captions.srt_file(record, Order(order.made_at))
        yield "transcript.vtt", captions.vtt_file(record, Order(order.made_at))


def _originals(record: Record, order: Order) -> Iterator[tuple[str, Original]]:
    """The originals under names that are safe, each name once whatever case a disk minds."""
    if not order.originals:
        return
    if not order.verbatim:
        if record.session.originals:
            order.left("originals-left-out", "Originals cannot be anonymised.", record)
        return
    taken: set[str] = set()
    for original in record.session.originals:
        safe = PurePosixPath(*map(file_name, PurePosixPath(original.name).parts or ("unnamed",)))
        name, number = safe, 1
        while str(name).casefold() in taken:
            number += 1
            name = safe.with_name(f"{safe.stem}-{number}{safe.suffix}")
        taken.add(str(name).casefold())
        yield str(name), original


def _check(record: Record, original: Original, sha256: Json) -> None:
    stored = [p.sha256 for p in record.parts if p.name == original.name]
    if stored and sha256 not in stored:
        raise IntegrityError("A part is not what was deposited.")
