"""The desk: what every verb shares. Opens the archive, prints answers, shows progress."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from vault.operations.room import Room
    from vault.settings import Settings

_TICK_SECONDS = 0.1
_ItemT = TypeVar("_ItemT")


@dataclass(slots=True)
class Desk:
    """The global options, and the ways to answer."""

    home: Path | None = None
    as_json: bool = False
    actor: str = "owner"
    debug: bool = False

    def settings(self) -> Settings:
        """The settings for the chosen home."""
        from vault.settings import load

        return load(self.home)

    @contextmanager
    def room(self, *, for_nobody: bool = False) -> Iterator[Room]:
        """The archive, open for the acting actor; for nobody, where no key may be needed."""
        from vault.bootstrap import open_room

        with open_room(self.settings(), None if for_nobody else self.actor) as room:
            # What is loaded by now stays: no need to look for garbage in it again and again.
            gc.freeze()
            yield room

    def answer(self, document: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print the one JSON document, or the lines for people."""
        if self.as_json:
            sys.stdout.write(json.dumps(document) + "\n")
        else:
            sys.stdout.writelines(_printable(line) + "\n" for line in lines)
            sys.stdout.flush()

    def answer_each(
        self,
        name: str,
        found: Iterable[_ItemT],
        lines: Callable[[_ItemT], Sequence[str]],
        end: Callable[[], tuple[Mapping[str, Any], Sequence[str]]] = lambda: ({}, ()),
    ) -> None:
        """The same for a document of one list, `name`, or the lines of each item, as they come.

        The document waits, out of memory, until it is whole: what goes wrong on the way leaves
        nothing printed. The lines of an item are whole by themselves. `end` is asked last: what
        else the document holds, and the lines that close it.
        """
        if not self.as_json:
            for one in found:
                self.answer({}, lines(one))
            self.answer({}, end()[1])
            return
        from vault.export.waiting import Waiting

        with Waiting() as waiting:
            for number, one in enumerate(found):
                waiting.add((b", " if number else b"") + json.dumps(one).encode())
            sys.stdout.write(f'{{"{name}": [')
            for block in waiting:
                sys.stdout.write(block.decode("ascii"))
            more = json.dumps(end()[0])[1:-1]
            sys.stdout.write(f"]{', ' if more else ''}{more}}}\n")

    def say(self, message: str) -> None:
        """A message on standard error."""
        sys.stderr.write(_printable(message) + "\n")

    def progress(self) -> Progress:
        """Something that shows work on standard error, if anybody watches."""
        return Progress(watched=sys.stderr.isatty())


class Progress:
    """One line on standard error, rewritten at most ten times a second; thread-safe enough."""

    def __init__(self, *, watched: bool) -> None:
        self._watched = watched
        self._last = 0.0
        self._shown = False

    def __call__(self, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if not self._watched or now - self._last < _TICK_SECONDS:
            return
        self._last, self._shown = now, True
        share = f"{100 * done // total} %" if total else f"{done}"
        sys.stderr.write(f"\r\x1b[K{what} {share}")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")


def wrote(desk: Desk, files: Sequence[Mapping[str, Any]], more: Mapping[str, Any]) -> None:
    """Answer with the files that were written, and say what was left out."""
    document = {"files": files, **more}
    lines = (f"{f['sha256'][:16]}  {size(f['bytes']):>9}  {f['name']}" for f in files)
    desk.answer(document, lines)
    tell_warnings(desk, document)


def tell_warnings(desk: Desk, document: Mapping[str, Any]) -> None:
    """Say what was left out, if anything."""
    for warning in document.get("warnings", ()):
        about = f" [{warning['file']}]" if "file" in warning else ""
        desk.say(f"warning: {warning['text']}{about}")


def size(count: int) -> str:
    """A number of bytes as people read it."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(nanoseconds: int | None) -> str:
    """A duration as minutes and seconds."""
    if nanoseconds is None:
        return "–"
    minutes, tenths = divmod(round(nanoseconds / 1e8), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def _printable(line: str) -> str:
    """`line` without anything that could steer a terminal or not be encoded for it."""
    safe = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
    encoding = sys.stdout.encoding or "utf-8"
    return safe.encode(encoding, "replace").decode(encoding)
