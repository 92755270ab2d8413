"""The wrapped key as the keyring and PKCS#11 write it, and the context that every adapter binds.

    version 1 ‖ root id 16 ‖ nonce 12 ‖ ciphertext 32 ‖ tag 16        77 bytes, AES-256-GCM

The associated data is the context. A root id is 12 random bytes and the first 4 of their
SHA-256, so that a damaged id is told from the id of a root that is gone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from vault.errors import IntegrityError
from vault.seal.stream import fields

KEY_BYTES = 32
NONCE_BYTES = 12
ROOT_ID_BYTES = 16
_VERSION = b"\x01"
_SEALED_BYTES = KEY_BYTES + 16
_CHECK_BYTES = 4
_LABEL = "strongroom/v1/kms"


def bound(context: Mapping[str, str]) -> bytes:
    """`context` as bytes that no other context gives, and never empty.

    A label, then names and values in the order of the names, each length-prefixed.
    """
    return fields(_LABEL, *chain.from_iterable(sorted(context.items())))


@dataclass(frozen=True, slots=True)
class Envelope:
    """A wrapped key taken apart; `sealed` is ciphertext ‖ tag."""

    root_id: bytes
    nonce: bytes
    sealed: bytes

    def pack(self) -> bytes:
        """The 77 bytes. A programming error, not a runtime one, makes any other number."""
        if len(self.sealed) != _SEALED_BYTES:
            raise ValueError("a key to wrap is 32 bytes")
        return _VERSION + self.root_id + self.nonce + self.sealed

    @classmethod
    def parse(cls, wrapped: bytes) -> Envelope:
        """Raises `IntegrityError` for anything that `pack` did not make."""
        body = wrapped[len(_VERSION) :]
        root_id, rest = body[:ROOT_ID_BYTES], body[ROOT_ID_BYTES:]
        if (
            not wrapped.startswith(_VERSION)
            or len(rest) != NONCE_BYTES + _SEALED_BYTES
            or not is_root_id(root_id)
        ):
            raise IntegrityError("A wrapped key is damaged.")
        return cls(root_id, rest[:NONCE_BYTES], rest[NONCE_BYTES:])


def new_root_id() -> bytes:
    """A name for a root version; never the same twice."""
    chosen = os.urandom(ROOT_ID_BYTES - _CHECK_BYTES)
    return chosen + _check(chosen)


def is_root_id(value: bytes) -> bool:
    """Whether `new_root_id` could have made it."""
    return len(value) == ROOT_ID_BYTES and _check(value[:-_CHECK_BYTES]) == value[-_CHECK_BYTES:]


def _check(chosen: bytes) -> bytes:
    return hashlib.sha256(chosen).digest()[:_CHECK_BYTES]
