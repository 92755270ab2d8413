"""What arrives: one reader per outside format, chosen by content.

`named` says which of the paths a user gave go with others of them, `walk` finds the places that
may hold a session, `read` makes values of one. To teach the
archive a format, write one file beside these and name it in `READERS`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from vault.errors import BadInput, UsageError
from vault.formats import (
    audio,
    captions,
    documents,
    openai_realtime,
    promptkit,
    scenario,
    single,
    siprec,
    vcon,
    voice_agents_platform,
    voicemode,
)
from vault.formats.source import DEPTH_LIMIT, Source
from vault.model import Reading

__all__ = ["FORMATS", "READERS", "Reader", "Source", "detect", "named", "read", "walk"]

PathT = TypeVar("PathT", bound=str | os.PathLike[str])


class Reader(Protocol):
    """A module that reads one family of formats.

    `NAMES` are the values of `--format` it serves. `EXTENSIONS` (lower case, with the dot) are
    those of files that are meant to be its own: such a file in a folder is tried, so that a
    broken one is refused aloud instead of passed over.
    """

    @property
    def NAMES(self) -> tuple[str, ...]: ...  # noqa: N802  a constant of the module

    @property
    def EXTENSIONS(self) -> frozenset[str]: ...  # noqa: N802  likewise

    def detect(self, source: Source) -> str | None:
        """One of `NAMES` if the source is of that format, by its content; cheap.

        Raises `BadInput` where the source cannot be read.
        """
        ...

    def read(self, source: Source, name: str) -> list[Reading]:
        """The sessions in the source, read as `name`, whatever `detect` would say.

        Tolerant: what is damaged but readable is a warning. `BadInput` for the rest.
        """
        ...


#: Asked in this order.
READERS: tuple[Reader, ...] = (
    scenario,
    voice_agents_platform,
    voicemode,
    vcon,
    openai_realtime,
    promptkit,
    documents,
    siprec,
    captions,
    audio,
)

#: Every value that `--format` may have.
FORMATS: tuple[str, ...] = tuple(name for reader in READERS for name in reader.NAMES)


def detect(source: Source) -> tuple[Reader, str] | None:
    """The first reader that knows the source, and the format's name; None if none does."""
    for reader in READERS:
        name = reader.detect(source)
        if name is not None:
            return reader, name
    return None


def read(place: str | os.PathLike[str] | Source, format: str | None = None) -> list[Reading]:  # noqa: A002  the contract's word
    """The sessions at a place, which is a path or what `walk` gave.

    Raises `UsageError` for a `format` that is not in `FORMATS`, `BadInput` where nothing can
    be read as that format, or as any if none is named.
    """
    reader = _named(format) if format is not None else None
    source = place if isinstance(place, Source) else Source(place)
    collecting = gc.isenabled()
    gc.disable()  # a reading is many values in no cycle, which it would look through for nothing
    try:
        if reader is not None and format is not None:
            return reader.read(source, format)
        found = detect(source)
        if found is None:
            empty = not source.is_folder and not source.head(source.name)
            what = "is empty" if empty else "is not a session in any format known here"
            raise BadInput(f"{str(source.path)!a} {what}.")
        return found[0].read(source, found[1])
    finally:
        source.forget()
        if collecting:
            gc.enable()


def walk(path: str | os.PathLike[str]) -> Iterator[Source]:
    """The places at `path` that may hold a session, sorted by name.

    A file, or a folder that is itself a bundle, is the one place there is. Any other folder is
    searched, all the way down: bundles in it, and files that a reader knows or whose extension
    is a reader's, are places; other files are passed over, as is what begins with a dot. A link
    is given too, so that `read` refuses it. Raises `BadInput` if nothing is at `path`, or if
    it is a folder in which there is no session.
    """
    source = Source(path)
    if not source.is_folder or detect(source):
        yield source
        return
    empty = True
    for place in _search(source, 1):
        empty = False
        yield place
    if empty:
        raise BadInput(f"{str(source.path)!a} holds no session in any format known here.")


def named(paths: Iterable[PathT], format: str | None = None) -> Iterator[PathT]:  # noqa: A002  the contract's word
    """The paths that a user gave, but for the files that others of them bring along.

    A shell's `*` names a recording and the file beside it, which are one session, as they would
    be in a folder: a recording goes with a vendor's document, a sidecar with its recording. What
    is read as a `format` of documents stays, whatever it looks like.
    """
    given = list(paths)
    if format is not None and format not in audio.NAMES:
        yield from given
        return
    places = [os.path.split(os.path.abspath(Path(path))) for path in given]  # noqa: PTH100  follows no link
    beside: dict[str, dict[str, list[str]]] = {}
    for folder, name in places:
        beside.setdefault(folder, {}).setdefault(PurePosixPath(name).stem, []).append(name)
    for path, (folder, name) in zip(given, places, strict=True):
        if not _comes_along(folder, name, beside[folder]):
            yield path


def _comes_along(folder: str, name: str, by_stem: dict[str, list[str]]) -> bool:
    """Whether a file belongs to one of those that were named with it; False if it is not there."""
    try:
        place = Source(folder)
        return _joins(place, name, by_stem) or _is_sidecar(place, name, by_stem)
    except BadInput:
        return False


def _is_sidecar(folder: Source, name: str, by_stem: dict[str, list[str]]) -> bool:
    """Whether a file is no session of its own, and a recording beside it takes it along."""
    if PurePosixPath(name).suffix != audio.SIDECAR:
        return False
    others = [other for other in by_stem[PurePosixPath(name).stem] if other != name]
    heard = (audio.detect(Source(folder.path / other, follow=False)) for other in others)
    return any(heard) and detect(Source(folder.path / name, follow=False)) is None


def _search(folder: Source, depth: int) -> Iterator[Source]:
    entries = [entry for entry in folder.listing() if not entry.name.startswith(".")]
    documents_by_stem: dict[str, list[str]] = {}
    for entry in entries:
        if entry.kind == "file":
            documents_by_stem.setdefault(PurePosixPath(entry.name).stem, []).append(entry.name)
    for entry in entries:
        if _joins(folder, entry.name, documents_by_stem):
            continue
        place = Source(folder.path / entry.name, follow=False)
        if entry.kind == "link" or _promises(entry.name):
            yield place
        elif entry.kind == "special":
            continue
        elif _known(place):
            yield place
        elif entry.kind == "folder":
            yield from _search(place, depth + 1) if depth < DEPTH_LIMIT else [place]


def _joins(folder: Source, name: str, documents_by_stem: dict[str, list[str]]) -> bool:
    """Whether a recording comes with a document beside it, and is no session of its own."""
    for stem in single.stems(name):
        for other in documents_by_stem.get(stem, ()):
            try:
                found = detect(Source(folder.path / other, follow=False)) if other != name else None
            except BadInput:
                continue
            if found is not None and found[1] in single.JOINING:
                return True
    return False


def _promises(name: str) -> bool:
    """Whether a file of that name means to be a session."""
    suffix = PurePosixPath(name).suffix.lower()
    return any(suffix in reader.EXTENSIONS for reader in READERS)


def _known(place: Source) -> bool:
    """Whether a reader knows the place, or cannot even look at it, and `read` shall say so."""
    try:
        return detect(place) is not None
    except BadInput:
        return True


def _named(name: str) -> Reader:
    for reader in READERS:
        if name in reader.NAMES:
            return reader
    raise UsageError(f"{name!a} is not a format; there are {', '.join(FORMATS)}.")
