"""Sessions out of the archive as files: choose → open one by one → write → move into place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from vault.errors import BackendError, BadInput, NotFound, UsageError
from vault.export import age, endings
from vault.export.bundle import ABOUT, MANIFEST, listing, manifest
from vault.export.output import whole_folder
from vault.export.record import Order, Record
from vault.export.writers import Each, Tree, Whole, writer
from vault.formats.promptkit_writer import Options
from vault.formats.vcon_envelope import Envelope
from vault.media.mix import CONTAINERS
from vault.model import Json, new_id
from vault.operations import beside, evidence, leaving, transcript
from vault.operations.delivery import Delivery, Exported
from vault.operations.records import Choice, count, records, redaction
from vault.operations.room import Progress, Room, silent
from vault.replay.transcript import Processing

_ID = r"[0-9a-f-]{36}"
#: How many sessions one entry of the evidence names.
_TOLD = 500


@dataclass(frozen=True, slots=True)
class Request:
    """What to write. `layout` is of sound, `originals` of zip, `manifest` of scenario.

    `envelope` is of vcon, `promptkit` of the two formats of that name, `transcript` of those that
    tell what was said. `without` are kinds of `vault.operations.leaving` that are left out.
    """

    format: str
    layout: str = "timeline"
    originals: bool = False
    manifest: bool = True
    anonymise: bool = False
    encrypt_to: Sequence[str] = ()
    envelope: Envelope | None = None
    promptkit: Options | None = None
    transcript: Processing | None = None
    without: Sequence[str] = ()

    def check(self) -> None:
        """Raises `UsageError` for an option that the format has no use for."""
        if self.layout != "timeline" and self.format not in CONTAINERS:
            raise UsageError(f"How sound is laid out is of {', '.join(CONTAINERS)} alone.")
        if self.originals and self.format != "zip":
            raise UsageError("Only a zip has originals with it; `fetch --originals` gives them.")
        if not self.manifest and self.format != "scenario":
            raise UsageError("Only a scenario bundle comes without a manifest if asked.")
        if self.envelope is not None and self.format != "vcon":
            raise UsageError("Only a vCon is signed, or encrypted for a certificate.")
        if self.promptkit is not None and self.format not in {"promptkit", "promptkit-jsonl"}:
            raise UsageError("Provider, model and custom fields are of promptkit alone.")
        if self.transcript is not None:
            transcript.check(self.format)
        leaving.check(self.format, self.without)


def export(
    room: Room, choice: Choice, request: Request, path: Path, *, progress: Progress = silent
) -> Exported:
    """Write the chosen sessions to `path`, all of them or nothing.

    A format that holds one session a file makes a folder of files, unless exactly one session was
    named. What is more than one file has a manifest of digests. Sessions that have nothing of the
    kind are left out with a warning. What can be refused is refused before anything is opened.

    Raises `NotFound` where no session is left, `UsageError` for what does not exist and for a file
    whose name ends as that of another format, `BackendError` where anonymising or encrypting is
    asked for and not installed.
    """
    choice.check()
    request.check()
    target = writer(request.format, request.layout)
    if isinstance(target, Whole) or (isinstance(target, Each) and choice.single):
        endings.check(path, request.format)
    redact = redaction(wanted=request.anonymise)
    delivery = Delivery(age.recipients(request.encrypt_to) if request.encrypt_to else (), progress)
    order = Order(
        made_at=room.clock.now(),
        scope=choice.scope,
        originals=request.originals,
        layout=request.layout,
        manifest=request.manifest,
        envelope=request.envelope,
        promptkit=request.promptkit,
        verbatim=not request.anonymise,
    )
    chosen = records(room, choice, order.notes, redact)
    if request.transcript is not None:
        chosen = map(partial(transcript.readable, how=request.transcript), chosen)
    if request.without:
        leaving.note(order, request.without)
        chosen = map(partial(leaving.less, kinds=request.without), chosen)
    found = Counted(_told(room, request, chosen), progress, count(room, choice))
    files = _written(target, found, order, delivery, path, single=choice.single)
    with suppress(BackendError):  # it waits in the catalogue
        evidence.publish(room)
    return Exported(files, found.done, order.notes.all())


def _told(room: Room, request: Request, found: Iterator[Record]) -> Iterator[Record]:
    """The same; which sessions leave is evidence before the file that has them is there."""
    export_id, ids = new_id(), list[Json]()

    def tell() -> None:
        entry = evidence.row(
            room,
            "exported",
            export=export_id,
            format=request.format,
            anonymised=request.anonymise,
            sessions=list(ids),
        )
        with room.catalogue.transaction() as tx:
            tx.add_evidence([entry])
        ids.clear()

    for record in found:
        ids.append(record.id)
        yield record
        if len(ids) == _TOLD:
            tell()
    if ids:
        tell()


class Counted:
    """An iterator that counts what is kept of it and tells of it; never empty."""

    def __init__(self, found: Iterator[Record], progress: Progress, total: int | None) -> None:
        self._found, self._progress, self._total = found, progress, total
        self.done = 0

    def __iter__(self) -> Iterator[Record]:
        first = next(self._found, None)
        if first is None:
            raise NotFound("No session here meets these conditions.")
        for record in chain([first], self._found):
            self.done += 1
            self._progress("exporting", self.done, self._total)
            yield record


def _written(
    target: Whole | Each | Tree,
    found: Counted,
    order: Order,
    delivery: Delivery,
    path: Path,
    *,
    single: bool,
) -> list[dict[str, Json]]:
    if isinstance(target, Whole):
        return [delivery.file(target.write(found, order), path, str(path))]
    if not single:
        return _folder(target, found, order, delivery, path)
    (record,) = found
    if isinstance(target, Each):
        return beside.one(target, record, order, delivery, path)
    with whole_folder(path, _owned(target, delivery)) as scratch:
        files = [delivery.into(scratch, n, b) for n, b in target.write(record, order)]
        rows = (listing(file, session=record.id) for file in files)
        return [*files, delivery.into(scratch, ABOUT, manifest(order, 1, rows))]


def _folder(
    target: Each | Tree, found: Counted, order: Order, delivery: Delivery, path: Path
) -> list[dict[str, Json]]:
    """A file or folder for each session, named by its id, and a manifest of them all."""
    owned = _owned_of_many(target, delivery)
    listed: list[tuple[str, dict[str, Json]]] = []
    with whole_folder(path, owned) as scratch:
        for record in found:
            try:
                files = list(_session(target, record, order, delivery, scratch))
            except (NotFound, BadInput) as error:
                found.done -= 1
                order.notes.add("left-out", str(error), record.id)
                continue
            listed += [(record.id, file) for file in files]
        if not found.done:
            raise NotFound("None of these sessions has anything to write in that format.")
        rows = (listing(file, session=session) for session, file in listed)
        whole = delivery.into(scratch, MANIFEST, manifest(order, found.done, rows))
        return [*(file for _, file in listed), whole]


def _session(
    target: Each | Tree, record: Record, order: Order, delivery: Delivery, scratch: Path
) -> Iterator[dict[str, Json]]:
    if isinstance(target, Each):
        yield from beside.of_many(target, record, order, delivery, scratch)
    else:
        for name, blocks in target.write(record, order):
            yield delivery.into(scratch, f"{record.id}/{name}", blocks)


def _owned(target: Tree, delivery: Delivery) -> Callable[[str], bool]:
    """Tells the files of an earlier export into the same folder, which are to go."""
    return _matcher(target.owns.pattern, delivery)


def _owned_of_many(target: Each | Tree, delivery: Delivery) -> Callable[[str], bool]:
    each = beside.pattern(target) if isinstance(target, Each) else f"/(?:{target.owns.pattern})"
    return _matcher(f"{_ID}(?:{each})|{MANIFEST}", delivery)


def _matcher(pattern: str, delivery: Delivery) -> Callable[[str], bool]:
    names = re.compile(f"(?:{pattern}){re.escape(delivery.suffix)}")
    return lambda name: names.fullmatch(name) is not None
