"""The table of what can be written. To teach the archive a way out, add a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from vault.errors import UsageError
from vault.export import (
    audio,
    bundle,
    captions,
    foreign,
    promptkit,
    story,
    structured,
    tables,
    voicemode,
)
from vault.export.record import Order, Record
from vault.export.vcon import vcon
from vault.formats.scenario_write import OWNED
from vault.media.mix import CONTAINERS

Blocks: TypeAlias = Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Whole:
    """One file, whatever the number of sessions."""

    suffix: str
    write: Callable[[Iterable[Record], Order], Blocks]


@dataclass(frozen=True, slots=True)
class Each:
    """One file for each session; several sessions make a folder of them.

    `beside` are files that have to lie beside it, under relative names that `owns` matches.
    Raises `NotFound` for a session that has nothing of the kind.
    """

    suffix: str
    write: Callable[[Record, Order], Blocks]
    beside: Callable[[Record, Order], Iterator[tuple[str, Blocks]]] = foreign.alone
    owns: re.Pattern[str] = re.compile("(?!)")


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder for each session; `owns` is what its files are called, in full."""

    owns: re.Pattern[str]
    write: Callable[[Record, Order], Iterator[tuple[str, Blocks]]]


Writer: TypeAlias = "Whole | Each | Tree"


def _html(records: Iterable[Record], order: Order) -> Blocks:
    from vault.export.webpage import html_file

    return html_file(story.sessions(records, order))


def _pdf(records: Iterable[Record], order: Order) -> Blocks:
    from vault.export.pdf import pdf_file

    return pdf_file(story.sessions(records, order), order.notes)


def _docx(records: Iterable[Record], order: Order) -> Blocks:
    from vault.export.word import docx_file

    return docx_file(story.sessions(records, order), order.notes)


def _sound(record: Record, order: Order, *, container: str) -> Blocks:
    return audio.sound_file(record, order, container)


def _tracks(record: Record, order: Order, *, container: str) -> Iterator[tuple[str, Blocks]]:
    return audio.track_files(record, order, container)


#: Every value of `--format`, and how it is written.
WRITERS: Mapping[str, Writer] = {
    "json": Whole("json", structured.json_file),
    "jsonl": Whole("jsonl", structured.jsonl_file),
    "csv": Whole("csv", tables.csv_file),
    "xml": Whole("xml", structured.xml_file),
    "html": Whole("html", _html),
    "pdf": Whole("pdf", _pdf),
    "xlsx": Whole("xlsx", tables.xlsx_file),
    "docx": Whole("docx", _docx),
    "zip": Whole("zip", bundle.zip_file),
    "txt": Whole("txt", captions.txt_file),
    "srt": Each("srt", captions.srt_file),
    "vtt": Each("vtt", captions.vtt_file),
    **{c: Each(c, partial(_sound, container=c)) for c in CONTAINERS},
    "vcon": Each("vcon", vcon),
    "promptkit": Each("json", promptkit.promptkit_json, promptkit.media, promptkit.MEDIA),
    "promptkit-jsonl": Each("jsonl", promptkit.promptkit_jsonl, promptkit.media, promptkit.MEDIA),
    "voicemode": Each("jsonl", voicemode.log, voicemode.recordings, voicemode.RECORDINGS),
    "scenario": Tree(OWNED, foreign.scenario),
}


def writer(format: str, layout: str = "timeline") -> Writer:  # noqa: A002  the contract's word
    """The writer of a format. Raises `UsageError` for one that does not exist."""
    if format not in WRITERS:
        raise UsageError(f"An export is one of: {', '.join(WRITERS)}.")
    audio.check(format if format in CONTAINERS else "wav", layout)
    if format in CONTAINERS and layout == "tracks":
        names = re.compile(rf"\d{{2,}}-[a-z]+\.{format}")
        return Tree(names, partial(_tracks, container=format))
    return WRITERS[format]
