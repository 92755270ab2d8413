"""Proofs that the log has an entry, whole in themselves: a file that verifies offline.

    c2sp.org/tlog-proof@v1
    (extra base64: passed over, nobody signed it)
    index INDEX
    base64(hash)        one line each, the leaf's sibling first
    (blank line)
    checkpoint, a signed note

Source: https://c2sp.org/tlog-proof
"""

from __future__ import annotations

import base64

from vault.errors import IntegrityError
from vault.ledger import checkpoint, merkle
from vault.ledger.checkpoint import Checkpoint
from vault.ports.ledger import Proof

HEADER = "c2sp.org/tlog-proof@v1"
#: Sizes are below 2^63, so no path is longer.
_MOST_STEPS = 63


def write(proof: Proof) -> bytes:
    """The proof as a file."""
    steps = [base64.b64encode(step).decode() for step in proof.path]
    lines = [HEADER, f"index {proof.index}", *steps, "", ""]
    return "\n".join(lines).encode() + proof.checkpoint


def read(document: bytes) -> Proof:
    """The proof in a file, not verified yet. Raises `IntegrityError` for what is none."""
    head, _, signed = document.partition(b"\n\n")
    try:
        header, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        header, lines = "", []
    if lines and lines[0].startswith("extra "):
        del lines[0]
    if header != HEADER or not lines or not lines[0].startswith("index "):
        raise IntegrityError("That is no proof, or it was cut short.")
    if len(lines) - 1 > _MOST_STEPS:
        raise IntegrityError("The proof is longer than any can be.")
    index = checkpoint.number(lines[0].removeprefix("index "))
    return Proof(index, [checkpoint.hash_in(line) for line in lines[1:]], signed)


def verify(proof: Proof, entry: bytes, vkey: str) -> Checkpoint:
    """The checkpoint, signed by the key of `vkey`, whose log has `entry` at the proof's index.

    Raises `IntegrityError` for any other entry, index, path or signer.
    """
    head = checkpoint.read(proof.checkpoint, vkey)
    leaf = merkle.leaf_hash(entry)
    merkle.verify_inclusion(proof.index, head.size, leaf, proof.path, head.root)
    return head
