"""A ZIP of everything: a folder for each session, and a manifest with a digest for each file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from vault.errors import IntegrityError
from vault.export import captions, story
from vault.export.escape import file_name
from vault.export.pages import Document
from vault.export.record import Order, Record, blocks, document, head, plain, warned
from vault.export.webpage import html_file
from vault.export.zipstream import ZipStream
from vault.model import Json, Original

MANIFEST = "manifest.json"


def zip_file(records: Iterable[Record], order: Order) -> Iterator[bytes]:
    """`sessions/ID/…` and, at the end, `manifest.json`.

    A session has `session.json`, `session.html`, its transcript as txt, srt and vtt if it has
    one, and with `originals` the files as they came, under names that are safe on any system;
    the manifest says which name stands for which.
    """
    archive = ZipStream()
    listed: list[Json] = []
    count = 0
    for record in records:
        count += 1
        folder = f"sessions/{record.id}"
        for name, content in _made(record, order):
            yield from archive.entry(f"{folder}/{name}", content)
            listed.append({**archive.last, "session": record.id})
        for name, original in _originals(record, order):
            yield from archive.entry(f"{folder}/originals/{name}", blocks(original))
            _check(record, original, archive.last["sha256"])
            entry: dict[str, Json] = {"session": record.id, "original": original.name}
            listed.append({**archive.last, **entry})
    manifest = {**manifest_of(order, count, listed), "warnings": warned(order.notes.all())}
    yield from archive.entry(MANIFEST, [json.dumps(manifest, indent=1).encode()])
    yield from archive.end()


def manifest_of(order: Order, records: int, files: list[Json]) -> dict[str, Json]:
    """What a bundle says about itself: every file with its size and SHA-256."""
    return {**head(order), "records": records, "files": files}


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
    if not (order.originals and order.verbatim):
        text = "Originals cannot be anonymised." if order.originals else "They were not asked for."
        if record.session.originals:
            order.left("originals-left-out", text, record)
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
