"""The key hierarchy below the KMS: records that wrap a compartment's key, keys for objects.

    R         root key, never leaves the KMS
    K(t,b,g)  key-encryption key of tenant t, key bucket b, generation g; wrapped by R
    D(s,c)    data key of session s, compartment c; wrapped by K in a record
    O(s,o)    key of one object, derived from D

A record is 77 bytes: version 1 ‖ key id 16 ‖ nonce 12 ‖ ciphertext 32 ‖ tag 16, AES-256-GCM
under K with the record's place as associated data. Destroying a record ends its compartment;
destroying K(t,b,*) ends the bucket. The wrapped key never travels with the object.

Python cannot promise to wipe keys from memory, and this module does not pretend to.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from vault.errors import IntegrityError
from vault.seal.stream import KEY_BYTES, fields

RECORD_BYTES = 77
_VERSION = 1
_OBJECT_LABEL = "strongroom/v1/object"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record belongs; bound to it as associated data, so it opens nowhere else."""

    tenant: str
    bucket: str
    generation: int
    session: str
    compartment: str

    def associated_data(self) -> bytes:
        """The five values, length-prefixed."""
        return fields(
            self.tenant, self.bucket, str(self.generation), self.session, self.compartment
        )


def new_key() -> bytes:
    """32 bytes from the operating system's generator."""
    return os.urandom(KEY_BYTES)


def wrap(kek: bytes, key_id: bytes, dek: bytes, place: Place) -> bytes:
    """The 77-byte record of `dek` under `kek`, whose 16-byte name is `key_id`."""
    nonce = os.urandom(12)
    head = bytes([_VERSION]) + key_id
    return head + nonce + AESGCM(kek).encrypt(nonce, dek, head + place.associated_data())


def unwrap(kek: bytes, record: bytes, place: Place) -> bytes:
    """The data key again; `IntegrityError` if the record was altered or moved."""
    if len(record) != RECORD_BYTES or record[0] != _VERSION:
        raise IntegrityError("A key record has an unknown form.")
    head, nonce, sealed = record[:17], record[17:29], record[29:]
    try:
        return AESGCM(kek).decrypt(nonce, sealed, head + place.associated_data())
    except InvalidTag as error:
        raise IntegrityError("A key record does not open: altered, moved or wrong key.") from error


def object_key(dek: bytes, kind: str, object_id: str) -> bytes:
    """O(s,o): the key of one object; distinct for every kind and id. 32 bytes."""
    return HKDFExpand(SHA512(), KEY_BYTES, fields(_OBJECT_LABEL, kind, object_id)).derive(dek)


def object_context(tenant: str, session: str, object_id: str, kind: str) -> bytes:
    """What an object is, for the sealing itself: it opens as nothing else."""
    return fields(tenant, session, object_id, kind)
