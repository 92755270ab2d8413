"""What every adapter checks, cuts and compares in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableSequence
from datetime import UTC, timedelta

from vault.errors import BackendError, UsageError
from vault.ports import Buffer, Lock

BLOCK_BYTES = 1 << 20  # no reader is given more at once
#: Objects of the probe's own lie under it, and only those may be discarded.
PROBE_PREFIX = "probe/"

_KEY = re.compile(r"[a-z0-9/._-]{1,200}")
MODES = ("governance", "compliance")  # the stricter one last


class LockDroppedError(BackendError):
    """The store answered success to a lock or a legal hold and does not keep it."""


def is_key(key: str) -> bool:
    """Whether `key` can be an object's."""
    return bool(_KEY.fullmatch(key)) and not {"", ".", ".."}.intersection(key.split("/"))


def checked_key(key: str) -> str:
    """`key`, if it is one. Raises `ValueError`: keys are made by us, so a bad one is a mistake."""
    if not is_key(key):
        raise ValueError("An object key is made of [a-z0-9/._-], at most 200, without empty steps.")
    return key


def checked_prefix(prefix: str) -> str:
    """`prefix`, if some key can begin with it; else `ValueError`."""
    if prefix and not _KEY.fullmatch(prefix):
        raise ValueError("A prefix is made of [a-z0-9/._-], at most 200.")
    return prefix


def folder(path: str) -> str:
    """The path of a store URL as a prefix: empty, or ending in a slash. `UsageError` if bad."""
    inner = path.strip("/")
    try:
        return checked_key(inner) + "/" if inner else ""
    except ValueError as error:
        raise UsageError("A store's prefix is made of [a-z0-9/._-].") from error


def checked_range(start: int, stop: int | None) -> bool:
    """Whether [start, stop) can hold any byte at all; `ValueError` if it begins before 0."""
    if start < 0:
        raise ValueError("A range begins at 0 or later.")
    return stop is None or stop > start


def whole_seconds(lock: Lock) -> Lock:
    """`lock`, later by less than a second: stores keep no fractions. `ValueError` if malformed."""
    if lock.mode not in MODES or lock.until.tzinfo is None:
        raise ValueError("A lock is governance or compliance, until an aware instant.")
    until = lock.until.astimezone(UTC)
    if until.microsecond:
        until = until.replace(microsecond=0) + timedelta(seconds=1)
    return Lock(lock.mode, until)


def covers(found: Lock | None, wanted: Lock) -> bool:
    """Whether `found` protects at least as long and as strictly as `wanted`."""
    return (
        found is not None
        and found.until >= wanted.until
        and MODES.index(found.mode) >= MODES.index(wanted.mode)
    )


def regrouped(
    blocks: Iterable[Buffer], size: int, spare: MutableSequence[bytearray] | None = None
) -> Iterator[bytearray]:
    """The same bytes in buffers of exactly `size`, the last one shorter; never an empty one.

    Always copies: a caller may reuse a buffer as soon as it has given the next. Buffers of that
    size in `spare` are taken from there and filled anew, which spares the making of their pages.
    """
    gathered, used = bytearray(), 0
    for block in blocks:
        rest = memoryview(block).cast("B")
        while used + len(rest) >= size:
            taken = size - used
            _put(gathered, used, rest[:taken])
            rest = rest[taken:]
            yield gathered
            gathered, used = spare.pop() if spare else bytearray(), 0
        _put(gathered, used, rest)
        used += len(rest)
    if used:
        del gathered[used:]
        yield gathered


def _put(gathered: bytearray, used: int, more: memoryview) -> None:
    """Put `more` behind the first `used` bytes: over what was there, or at the end."""
    if used == len(gathered):
        gathered += more
    else:
        memoryview(gathered)[used : used + len(more)] = more
