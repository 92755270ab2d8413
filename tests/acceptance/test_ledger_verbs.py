"""The evidence as an auditor asks for it: ledger and certificate, by the command line."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from tests.homes import SCRIPT, Home
from tests.recordings import recording
from vault.ledger import certificate, checkpoint, merkle, proof, tiles
from vault.model import Json
from vault.ports.ledger import Entry, Proof


@pytest.fixture
def told(home: Home, tmp_path: Path) -> Home:
    """A home with a few things done in it."""
    for number in range(3):
        home.run("deposit", recording(tmp_path / "in" / f"{number}.wav", seed=number))
    return home


def public_key(home: Home) -> str:
    return (home.folder / "ledger" / "public-key").read_text().strip()


def issued(home: Home) -> bytes:
    body: dict[str, Json] = {"actor": "a1"}
    entry = Entry(certificate.ENTRY_TYPE, "certificate-issued/c1", body)
    with home.room() as room:
        return room.ledger.certify("c1", lambda: {"session": "s1", "is": "gone"}, entry)


def exact(home: Home, *arguments: str | Path, code: int = 0) -> bytes:
    """What the console script prints, byte for byte, under the poorest of locales."""
    done = subprocess.run(
        [str(SCRIPT), *map(str, arguments)],
        env=home.environment | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_a_checkpoint_is_signed_by_the_key_that_init_named(told: Home) -> None:
    document = told.run("ledger", "checkpoint").document
    head = checkpoint.read(document["checkpoint"].encode(), public_key(told))
    assert head.size == document["size"] >= 3
    assert base64.b64encode(head.root).decode() == document["root"]
    assert exact(told, "ledger", "checkpoint").decode() == document["checkpoint"]


def test_verify_answers_size_root_and_ok(told: Home) -> None:
    head = told.run("ledger", "checkpoint").document
    assert told.run("ledger", "verify").document == {
        "size": head["size"],
        "root": head["root"],
        "ok": True,
    }


def test_an_entry_is_proven_to_one_who_has_the_public_key(told: Home) -> None:
    document = told.run("ledger", "prove", "1").document
    assert document.keys() >= {"index", "proof", "checkpoint"}
    path = [base64.b64decode(step) for step in document["proof"]]
    proven = Proof(document["index"], path, document["checkpoint"].encode())
    proof.verify(proven, document["entry"].encode(), public_key(told))
    assert proof.read(exact(told, "ledger", "prove", "1")) == proven


def test_what_is_not_there_cannot_be_proven(told: Home) -> None:
    told.run("ledger", "prove", "9999", code=3)
    told.run("ledger", "prove", "one", code=2)
    told.run("ledger", "prove", "--", "-1", code=2)


def test_the_exported_files_lead_to_the_signed_root(told: Home, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = told.run("ledger", "export", out).document["files"]
    assert "checkpoint" in written
    head = checkpoint.read((out / "checkpoint").read_bytes(), public_key(told))
    bundle = (out / tiles.path("entries", 0, head.size)).read_bytes()
    frontier = merkle.Frontier()
    for entry in tiles.unbundled(bundle):
        frontier.add(merkle.leaf_hash(entry))
    assert (frontier.size, frontier.root()) == (head.size, head.root)
    assert told.run("ledger", "export", out).document["files"] == []


def test_a_certificate_that_is_shown_verifies_without_a_home(told: Home, tmp_path: Path) -> None:
    document, file, nowhere = issued(told), tmp_path / "certificate", Home(tmp_path / "nowhere")
    assert exact(told, "certificate", "show", "c1") == document
    assert exact(told, "certificate", "show", "c1", "--json") == document
    file.write_bytes(document)
    verify = ("certificate", "verify", file, "--public-key")
    answer = nowhere.run(*verify, public_key(told)).document
    assert answer == {"ok": True, "statement": {"session": "s1", "is": "gone"}}
    assert nowhere.run(*verify, told.folder / "ledger" / "public-key").document == answer
    assert not nowhere.folder.exists()


def test_a_bad_certificate_ends_with_5(told: Home, tmp_path: Path) -> None:
    file = tmp_path / "certificate"
    file.write_bytes(issued(told).replace(b"gone", b"here"))
    answer = told.run("certificate", "verify", file, "--public-key", public_key(told), code=5)
    assert answer.document["ok"] is False
    assert answer.document["statement"] is None
    assert b"gone" not in exact(
        told, "certificate", "verify", file, "--public-key", public_key(told), code=5
    )


def test_what_is_no_key_or_no_file_ends_with_7(told: Home, tmp_path: Path) -> None:
    file = tmp_path / "certificate"
    file.write_bytes(issued(told))
    told.run("certificate", "verify", file, "--public-key", "nonsense", code=7)
    told.run("certificate", "verify", file, "--public-key", "x" * 5000, code=7)
    told.run("certificate", "verify", tmp_path / "no", "--public-key", public_key(told), code=7)
    told.run("certificate", "show", "c2", code=3)
    told.run("certificate", "verify", file, code=2)


def test_an_auditor_reads_evidence_and_an_agent_does_not(told: Home) -> None:
    for role in ("auditor", "agent"):
        told.run("actor", "add", role, "--role", role)
    told.run("ledger", "verify", "--actor", "auditor")
    told.run("ledger", "verify", "--actor", "agent", code=4)
    told.run("certificate", "show", "c1", "--actor", "agent", code=4)


def test_a_ledger_that_was_put_back_ends_with_5(told: Home, tmp_path: Path) -> None:
    ledger = told.folder / "ledger"
    kept = {path: path.read_bytes() for path in ledger.glob("ledger.db*")}
    told.run("deposit", recording(tmp_path / "later.wav", seed=9))
    told.run("ledger", "checkpoint")
    for path in ledger.glob("ledger.db*"):
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
        path.chmod(0o600)
    answer = told.run("ledger", "verify", code=5)
    assert answer.document["ok"] is False
    assert "older state" in answer.err
