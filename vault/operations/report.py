"""Reports: choose sessions → read each once → one document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vault.export import age, endings, frameworks, reports
from vault.export.record import Order
from vault.model import Json
from vault.operations.delivery import Delivery, Exported
from vault.operations.export import Counted
from vault.operations.records import Choice, count, records, redaction
from vault.operations.room import Progress, Room, silent


@dataclass(frozen=True, slots=True)
class Request:
    """What to report. `type` is one of `vault.export.reports.TYPES`, `sections` of a custom one."""

    type: str
    format: str = "html"
    sections: Sequence[str] = ()
    anonymise: bool = False
    encrypt_to: Sequence[str] = ()


def report(
    room: Room, choice: Choice, request: Request, path: Path, *, progress: Progress = silent
) -> Exported:
    """Write a report on the chosen sessions to `path`, whole or not at all.

    Raises `NotFound` where there is no session, `UsageError` for what does not exist and for a
    file whose name ends as that of another format, `BackendError` where anonymising or encrypting
    is asked for and not installed.
    """
    choice.check()
    tallies = reports.chosen(request.type, request.sections)
    write = reports.renderer(request.format)
    endings.check(path, request.format)
    redact = redaction(wanted=request.anonymise)
    delivery = Delivery(age.recipients(request.encrypt_to) if request.encrypt_to else (), progress)
    order = Order(room.clock.now(), choice.scope)
    found = Counted(records(room, choice, order.notes, redact), progress, count(room, choice))
    document = reports.report(request.type, tallies, found, order)
    file = delivery.file(write(document, order), path, str(path))
    return Exported([file], found.done, order.notes.all())


def compliance(
    room: Room,
    figures: Mapping[str, Json],
    format: str,  # noqa: A002  the contract's word
    path: Path,
    *,
    progress: Progress = silent,
) -> Exported:
    """Write what `compliance.figures` counted to `path`; as json the figures themselves.

    Raises `UsageError` for a format that does not exist, or not the one that the file's name says.
    """
    write = reports.renderer(format)
    endings.check(path, format)
    order = Order(room.clock.now())
    document = frameworks.document(figures, order.made_at)
    blocks = _figures(figures) if format == "json" else write(document, order)
    file = Delivery((), progress).file(blocks, path, str(path))
    return Exported([file], 0, order.notes.all())


def _figures(figures: Mapping[str, Json]) -> Iterator[bytes]:
    yield json.dumps(figures, indent=1).encode() + b"\n"
