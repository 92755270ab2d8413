"""Checkpoints: what the signer says the log is. Origin, size and root, as a signed note.

    ORIGIN
    SIZE, decimal
    base64(root, 32 bytes)
    (further lines, which we neither write nor read)

The origin of a log is the name of the key that signs it.

Source: https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from vault.errors import IntegrityError
from vault.ledger import note
from vault.ledger.merkle import HASH_BYTES

_LINES = 3
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The root of the first `size` entries of the log `origin`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign(size: int, root: bytes, key: note.SigningKey) -> bytes:
    """The checkpoint of a log whose origin is the key's name, as a note."""
    return key.sign(Checkpoint(key.name, size, root).text)


def read(signed: bytes, vkey: str) -> Checkpoint:
    """The checkpoint in a note that the key of `vkey` signed.

    Raises `IntegrityError` for one that is malformed, altered, of another log or not signed by
    that key, `BadInput` for what is no verifier key.
    """
    *lines, _end = note.verify(signed, vkey).split("\n")
    if len(lines) < _LINES or not all(lines):
        raise IntegrityError("A checkpoint is an origin, a size and a root, a line each.")
    origin, size, root = lines[:_LINES]
    if origin != vkey.partition("+")[0]:
        raise IntegrityError("That is the checkpoint of another log.")
    return Checkpoint(origin, number(size), hash_in(root))


def number(written: str) -> int:
    """A size or an index. Raises `IntegrityError` unless it is written in the one way there is."""
    if not _NUMBER.fullmatch(written):
        raise IntegrityError("A size or an index is not a plain number.")
    return int(written)


def hash_in(written: str) -> bytes:
    """A hash of 32 bytes out of base64. Raises `IntegrityError` for anything else."""
    try:
        found = note.from_base64(written)
    except ValueError:
        found = b""
    if len(found) != HASH_BYTES:
        raise IntegrityError("A hash is not the base64 of 32 bytes.")
    return found
