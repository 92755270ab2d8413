"""The ledger as static files that existing tools of transparency logs read.

    checkpoint              signed note of size and root
    tile/L/N[.p/W]          up to 256 hashes: the nodes (8·L, 256·N …) of the tree, W of them
    tile/entries/N[.p/W]    up to 256 entries, each after its length in two bytes

N is written in groups of three digits, all but the last after an x: 1234067 is x001/x234/067.

Source: https://c2sp.org/tlog-tiles
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from vault.errors import BadInput, IntegrityError
from vault.ledger.merkle import Node

HEIGHT = 8
WIDTH = 1 << HEIGHT
MOST_ENTRY_BYTES = 0xFFFF
_LENGTH_BYTES = 2


def path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Where tile `number` of `level` (or of `entries`) lies; a `width` below 256 is partial."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def tiles(size: int, node: Node) -> Iterator[tuple[str, bytes]]:
    """Path and content of every tile of hashes in a tree of `size` leaves."""
    level = 0
    while hashes := size >> (HEIGHT * level):
        for start in range(0, hashes, WIDTH):
            stop = min(start + WIDTH, hashes)
            content = b"".join(node(HEIGHT * level, number) for number in range(start, stop))
            yield path(level, start // WIDTH, stop - start), content
        level += 1


def bundles(entries: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Path and content of every bundle of the log's `entries`, which are all of them."""
    waiting = iter(entries)
    number = 0
    while bundle := list(islice(waiting, WIDTH)):
        yield path("entries", number, len(bundle)), b"".join(map(prefixed, bundle))
        number += 1


def prefixed(entry: bytes) -> bytes:
    """An entry as it stands in its bundle. Raises `BadInput` if it is too long for any."""
    if len(entry) > MOST_ENTRY_BYTES:
        raise BadInput(f"An entry of the ledger has at most {MOST_ENTRY_BYTES} bytes.")
    return len(entry).to_bytes(_LENGTH_BYTES, "big") + entry


def unbundled(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. Raises `IntegrityError` for one that was cut."""
    entries, at = [], 0
    while at < len(bundle):
        start = at + _LENGTH_BYTES
        stop = start + int.from_bytes(bundle[at:start], "big")
        if start > len(bundle) or stop > len(bundle):
            raise IntegrityError("The bundle of entries was cut short.")
        entries.append(bundle[start:stop])
        at = stop
    return entries
