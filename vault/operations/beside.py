"""One exported file with what has to lie beside it, and then a manifest of digests of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from vault.export.bundle import ABOUT, listing, manifest
from vault.export.output import expect_room, whole_folder
from vault.export.record import Order, Record
from vault.export.writers import Each
from vault.model import Json
from vault.operations.delivery import Delivery


def one(
    target: Each, record: Record, order: Order, delivery: Delivery, path: Path
) -> list[dict[str, Json]]:
    """The session as the file at `path`, and the folders beside it with what has to lie there.

    Where there is any, the manifest of them all is beside them too, named after the file. What was
    in those folders stays. Nothing moves into them before the file is whole. Raises `UsageError`,
    and nothing has moved, where a file has the name of one of them, a folder that of a file in one
    of them or of the manifest, or `path` is no place for a file.
    """
    beside: list[dict[str, Json]] = []
    files: list[dict[str, Json]] = []
    with ExitStack() as stack:
        scratches: dict[str, Path] = {}
        there = path.parent.is_dir()  # if not, the file itself is refused below
        for name, blocks in target.beside(record, order) if there else ():
            folder, _, rest = name.partition("/")
            if folder not in scratches:
                scratches[folder] = stack.enter_context(whole_folder(path.parent / folder))
            written = delivery.into(scratches[folder], rest, blocks)
            beside.append({**written, "name": f"{folder}/{written['name']}"})
        for folder, scratch in scratches.items():
            expect_room(path.parent / folder, scratch)

        def whole() -> Iterator[bytes]:
            """The manifest; the file is written once there is a place for what lists it."""
            files.append(delivery.file(target.write(record, order), path, path.name))
            rows = (listing(file, session=record.id) for file in [*files, *beside])
            yield from manifest(order, 1, rows)

        if beside:
            name = f"{path.name}.{ABOUT}{delivery.suffix}"
            about = delivery.file(whole(), path.with_name(name), name)
            files += [*beside, about]
        else:
            files.append(delivery.file(target.write(record, order), path, path.name))
    return [{**file, "name": str(path.parent / str(file["name"]))} for file in files]


def of_many(
    target: Each, record: Record, order: Order, delivery: Delivery, folder: Path
) -> Iterator[dict[str, Json]]:
    """The session as `ID.suffix` in a folder of many; as `ID/ID.suffix` where more lies beside."""
    beside = list(target.beside(record, order))
    own = f"{record.id}/" if beside else ""
    name = f"{own}{record.id}.{target.suffix}"
    yield delivery.into(folder, name, target.write(record, order))
    for rest, blocks in beside:
        yield delivery.into(folder, own + rest, blocks)


def pattern(target: Each) -> str:
    """What `of_many` calls the files of any session, as a regular expression without its id."""
    return rf"\.{target.suffix}|/(?:[0-9a-f-]{{36}}\.{target.suffix}|{target.owns.pattern})"
