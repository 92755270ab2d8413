"""Trees, proofs and logs that other programs made, many of them damaged: ours must agree.

Sources: Tessera's log of 15 entries, beside this file; transparency-dev/merkle (`testdata`), in the
folder `data/vectors` beside the recordings of other programs.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vault.errors import IntegrityError
from vault.ledger import checkpoint, merkle, proof, tiles
from vault.ports.ledger import Proof

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = Path(os.environ.get("STRONGROOM_FIXTURES", ROOT.parent / "shared" / "fixtures"))
TREES = FIXTURES.parent / "data" / "vectors" / "merkle" / "testdata"
LOG = Path(__file__).parent / "tlog"
ENTRIES = tiles.unbundled((LOG / "entries.15").read_bytes())
VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

needs_trees = pytest.mark.skipif(not TREES.is_dir(), reason="no vectors of trees here")


def vectors(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((TREES / kind).rglob("*.json")):
        yield str(path.relative_to(TREES)), json.loads(path.read_text())


def decoded(written: str | None) -> bytes:
    return base64.b64decode(written or "")


def refused(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except IntegrityError:
        return True
    return False


@needs_trees
def test_every_inclusion_proof_is_judged_as_its_vector_says() -> None:
    seen = 0
    for name, vector in vectors("inclusion"):
        path = [decoded(step) for step in vector["proof"] or []]
        leaf, root = decoded(vector["leafHash"]), decoded(vector["root"])
        wrong = refused(
            merkle.verify_inclusion, vector["leafIdx"], vector["treeSize"], leaf, path, root
        )
        assert wrong == vector["wantErr"], name
        seen += 1
    assert seen > 50


@needs_trees
def test_every_consistency_proof_is_judged_as_its_vector_says() -> None:
    seen = 0
    for name, vector in vectors("consistency"):
        path = [decoded(step) for step in vector["proof"] or []]
        roots = decoded(vector["root1"]), decoded(vector["root2"])
        sizes = vector["size1"], vector["size2"]
        wrong = refused(merkle.verify_consistency, *sizes, *roots, path)
        assert wrong == vector["wantErr"], name
        seen += 1
    assert seen > 50


def grown(entries: list[bytes]) -> tuple[merkle.Frontier, dict[tuple[int, int], bytes]]:
    frontier, nodes = merkle.Frontier(), dict[tuple[int, int], bytes]()
    for entry in entries:
        for level, number, digest in frontier.add(merkle.leaf_hash(entry)):
            nodes[level, number] = digest
    return frontier, nodes


@pytest.mark.parametrize("size", range(16))
def test_the_root_is_the_one_that_tessera_signed(size: int) -> None:
    head = checkpoint.read((LOG / f"checkpoint.{size}").read_bytes(), VKEY)
    frontier, _ = grown(ENTRIES[:size])
    assert (head.size, head.root) == (size, frontier.root())


def test_the_files_are_those_of_tessera_byte_for_byte() -> None:
    _, nodes = grown(ENTRIES)
    ours = [
        *tiles.bundles(ENTRIES),
        *tiles.tiles(15, lambda level, number: nodes[level, number]),
    ]
    assert ours == [
        ("tile/entries/000.p/15", (LOG / "entries.15").read_bytes()),
        ("tile/0/000.p/15", (LOG / "tile.15").read_bytes()),
    ]


def test_an_entry_of_tessera_is_proven_under_its_own_signature() -> None:
    signed = (LOG / "checkpoint.15").read_bytes()
    _, nodes = grown(ENTRIES)
    for index, entry in enumerate(ENTRIES):
        path = merkle.inclusion(index, 15, lambda level, number: nodes[level, number])
        document = proof.write(Proof(index, path, signed))
        assert proof.verify(proof.read(document), entry, VKEY).size == 15
        with pytest.raises(IntegrityError):
            proof.verify(proof.read(document), entry + b".", VKEY)
