"""Trees, proofs and logs that other programs made, many of them damaged: ours must agree.

Sources: transparency-dev/merkle (`testdata`) and Tessera's log of 15 entries, in the folder
`data/vectors` beside the recordings of other programs.
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
OUTSIDE = FIXTURES.parent / "data" / "vectors"
TREES = OUTSIDE / "merkle" / "testdata"
LOG = OUTSIDE / "tlog" / "tessera" / "testdata" / "log"
VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

needs_trees = pytest.mark.skipif(not TREES.is_dir(), reason="no vectors of trees here")
needs_log = pytest.mark.skipif(not LOG.is_dir(), reason="no log of Tessera here")


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


@needs_log
@pytest.mark.parametrize("size", range(16))
def test_a_log_of_tessera_is_made_again_byte_for_byte(size: int) -> None:
    head = checkpoint.read((LOG / f"checkpoint.{size}").read_bytes(), VKEY)
    bundle = LOG / tiles.path("entries", 0, size)
    entries = tiles.unbundled(bundle.read_bytes()) if size else []
    frontier, nodes = grown(entries)
    assert (head.size, head.root) == (size, frontier.root())
    for path, content in tiles.bundles(entries):
        assert (LOG / path).read_bytes() == content
    for path, content in tiles.tiles(size, lambda level, number: nodes[level, number]):
        assert (LOG / path).read_bytes() == content


@needs_log
def test_an_entry_of_tessera_is_proven_under_its_own_signature() -> None:
    signed = (LOG / "checkpoint").read_bytes()
    entries = tiles.unbundled((LOG / tiles.path("entries", 0, 15)).read_bytes())
    _, nodes = grown(entries)
    for index, entry in enumerate(entries):
        path = merkle.inclusion(index, 15, lambda level, number: nodes[level, number])
        document = proof.write(Proof(index, path, signed))
        assert proof.verify(proof.read(document), entry, VKEY).size == 15
        with pytest.raises(IntegrityError):
            proof.verify(proof.read(document), entry + b".", VKEY)
