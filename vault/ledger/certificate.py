"""Certificates: a signed statement, and the proof that the ledger tells of it.

    statement           canonical JSON, one line
    entry               the ledger's entry `certificate-issued`, which has the statement's SHA-256
    (blank line)
    signature           so far it is one signed note
    (blank line)
    proof               that the entry is in the ledger: vault/ledger/proof.py

The public key is all that it takes to verify one. It proves that the holder of the key states
this and has told it to the ledger, for good; not that what is stated is true.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from vault.errors import IntegrityError
from vault.ledger import canonical, note, proof
from vault.model import Json
from vault.ports.ledger import Entry, Proof

ENTRY_TYPE = "certificate-issued"
_SEAM = b"\n\n" + proof.HEADER.encode() + b"\n"


def announced(entry: Entry, certificate_id: str, statement: Mapping[str, Json]) -> Entry:
    """`entry`, telling of this certificate and what it states. Raises `BadInput`."""
    if entry.type != ENTRY_TYPE:
        raise ValueError(f"a certificate is told of by {ENTRY_TYPE}")
    digest = hashlib.sha256(canonical.written(statement)).hexdigest()
    return replace(entry, body={**entry.body, "certificate": certificate_id, "sha256": digest})


def written(
    statement: Mapping[str, Json], leaf: bytes, key: note.SigningKey, proven: Proof
) -> bytes:
    """The certificate: `leaf` is the entry that announced it, as `proven` to be in the ledger."""
    text = b"%b\n%b\n" % (canonical.written(statement), leaf)
    return key.sign(text.decode()) + b"\n" + proof.write(proven)


def verify(document: bytes, vkey: str) -> dict[str, Json]:
    """The statement of a certificate that is good in every part, by the public key alone.

    Raises `IntegrityError` for one that is not, `BadInput` for what is no verifier key.
    """
    signed, seam, rest = document.partition(_SEAM)
    if not seam:
        raise IntegrityError("That is no certificate, or it was cut short.")
    text = note.verify(signed + b"\n", vkey).encode()
    stated, _, leaf = text.removesuffix(b"\n").partition(b"\n")
    proof.verify(proof.read(seam.lstrip(b"\n") + rest), leaf, vkey)
    entry = canonical.read(leaf)
    if entry.get("type") != ENTRY_TYPE or entry.get("sha256") != hashlib.sha256(stated).hexdigest():
        raise IntegrityError("The ledger tells of another statement.")
    return canonical.read(stated)
