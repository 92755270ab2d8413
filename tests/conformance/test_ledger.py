"""What every ledger promises, on each that there is."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from vault.errors import BadInput, IntegrityError, NotFound, Refused
from vault.ledger import certificate, checkpoint, merkle, proof, tiles
from vault.ledger.note import SigningKey
from vault.model import Json
from vault.ports.ledger import Entry, Ledger
from vault.storage.evidence import EvidenceLedger

KEY = SigningKey.generate("example.com/archive")
AT = "2026-03-10T12:00:00+00:00"


def entry(number: int | str, kind: str = "deposited") -> Entry:
    return Entry(kind, f"{kind}:{number}", {"at": AT, "actor": "a1", "session": f"s{number}"})


def told(certificate_id: str = "c1") -> Entry:
    body: dict[str, Json] = {"at": AT, "actor": "a1"}
    return Entry(certificate.ENTRY_TYPE, f"certificate-issued:{certificate_id}", body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    made = EvidenceLedger(folder, KEY.verifier_key, lambda: KEY)
    made.create()
    yield made
    made.close()


def head(ledger: Ledger) -> checkpoint.Checkpoint:
    return checkpoint.read(ledger.checkpoint(), KEY.verifier_key)


class TestAppend:
    def test_indices_are_dense_and_in_order(self, ledger: Ledger) -> None:
        assert ledger.append([entry(n) for n in range(5)]) == [0, 1, 2, 3, 4]
        assert ledger.append([entry(5)]) == [5]
        assert ledger.size() == 6
        assert [json.loads(line)["session"] for line in ledger.entries()] == [
            f"s{n}" for n in range(6)
        ]

    def test_telling_the_same_again_changes_nothing(self, ledger: Ledger) -> None:
        ledger.append([entry(0), entry(1)])
        before = head(ledger)
        assert ledger.append([entry(1), entry(0), entry(1)]) == [1, 0, 1]
        assert head(ledger) == before

    def test_the_first_telling_stays_whatever_is_told_later(self, ledger: Ledger) -> None:
        ledger.append([entry(0)])
        later = Entry("deposited", "deposited:0", {"session": "another"})
        assert ledger.append([later, later]) == [0, 0]
        assert json.loads(next(ledger.entries()))["session"] == "s0"

    def test_the_same_twice_in_one_call_is_one_entry(self, ledger: Ledger) -> None:
        assert ledger.append([entry(0), entry(0), entry(1)]) == [0, 0, 1]
        assert ledger.size() == 2

    def test_nothing_is_added_where_one_cannot_be(self, ledger: Ledger) -> None:
        long = Entry("deposited", "long", {"ids": ["x" * 1000] * 66})
        for bad in (long, Entry("deposited", "nan", {"size": float("nan")})):
            with pytest.raises(BadInput):
                ledger.append([entry(0), bad])
        assert ledger.size() == 0

    def test_nothing_to_add_is_fine(self, ledger: Ledger) -> None:
        assert ledger.append([]) == []
        assert head(ledger).root == merkle.EMPTY_ROOT

    def test_an_entry_is_its_type_its_name_and_its_body(self, ledger: Ledger) -> None:
        ledger.append([entry(7)])
        assert next(ledger.entries()) == (
            b'{"actor":"a1","at":"2026-03-10T12:00:00+00:00","once":"deposited:7","session":"s7",'
            b'"type":"deposited"}'
        )

    def test_it_is_found_by_its_name(self, ledger: Ledger) -> None:
        ledger.append([entry(n) for n in range(3)])
        assert ledger.find("deposited:2") == 2
        assert ledger.find("deposited:3") is None

    def test_a_range_of_entries_is_clamped(self, ledger: Ledger) -> None:
        ledger.append([entry(n) for n in range(4)])
        assert len(list(ledger.entries(1, 3))) == 2
        assert len(list(ledger.entries(3, 99))) == 1
        assert not list(ledger.entries(9))

    def test_making_it_again_keeps_what_is_there(self, ledger: Ledger) -> None:
        ledger.append([entry(0)])
        ledger.create()
        assert ledger.size() == 1


class TestProofs:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 300])
    def test_every_entry_is_proven_under_the_signed_root(self, ledger: Ledger, size: int) -> None:
        ledger.append([entry(n) for n in range(size)])
        for index in {0, size // 2, size - 1}:
            proven = ledger.prove(index)
            [line] = ledger.entries(index, index + 1)
            assert proof.verify(proven, line, KEY.verifier_key) == head(ledger)
            with pytest.raises(IntegrityError):
                proof.verify(proven, line[:-1] + b" ", KEY.verifier_key)

    def test_what_is_not_there_cannot_be_proven(self, ledger: Ledger) -> None:
        ledger.append([entry(0)])
        for index in (-1, 1):
            with pytest.raises(NotFound):
                ledger.prove(index)

    def test_a_checkpoint_tells_origin_size_and_root(self, ledger: Ledger) -> None:
        ledger.append([entry(0)])
        [line] = ledger.entries()
        root = base64.b64encode(merkle.leaf_hash(line)).decode()
        assert ledger.checkpoint().startswith(f"example.com/archive\n1\n{root}\n\n".encode())
        assert ledger.checkpoint() == ledger.checkpoint()

    def test_reading_everything_again_agrees(self, ledger: Ledger) -> None:
        ledger.checkpoint()
        for start in range(0, 520, 40):
            ledger.append([entry(n) for n in range(start, start + 40)])
            ledger.checkpoint()
        ledger.certify("c1", lambda: {"is": "gone"}, told())
        assert ledger.verify() == (521, head(ledger).root)


class TestCertificates:
    def test_one_verifies_with_the_public_key_alone(self, ledger: Ledger) -> None:
        ledger.append([entry(n) for n in range(9)])
        document = ledger.certify("c1", lambda: {"session": "s1", "is": "gone"}, told())
        assert ledger.certificate("c1") == document
        ledger.append([entry(9)])
        statement = certificate.verify(document, KEY.verifier_key)
        assert statement == {"session": "s1", "is": "gone"}

    def test_its_entry_tells_of_the_statement(self, ledger: Ledger) -> None:
        ledger.certify("c1", lambda: {"is": "gone"}, told())
        document = json.loads(next(ledger.entries()))
        assert document["type"] == "certificate-issued"
        assert document["certificate"] == "c1"
        assert len(document["sha256"]) == 64

    def test_asking_again_answers_the_first_and_makes_nothing(self, ledger: Ledger) -> None:
        first = ledger.certify("c1", lambda: {"is": "gone"}, told())

        def fail() -> dict[str, Json]:
            raise AssertionError("made again")

        assert ledger.certify("c1", fail, told()) == first
        assert ledger.size() == 1

    def test_what_cannot_be_made_leaves_nothing(self, ledger: Ledger) -> None:
        def fail() -> dict[str, Json]:
            raise Refused("not yet")

        with pytest.raises(Refused):
            ledger.certify("c1", fail, told())
        with pytest.raises(BadInput):
            ledger.certify("c1", lambda: {"n": 2**60}, told())
        assert ledger.size() == 0
        with pytest.raises(NotFound):
            ledger.certificate("c1")

    def test_a_name_that_was_told_is_no_second_certificate(self, ledger: Ledger) -> None:
        ledger.certify("c1", lambda: {"is": "gone"}, told("c1"))
        with pytest.raises(BadInput):
            ledger.certify("c2", lambda: {"is": "gone"}, told("c1"))
        assert ledger.size() == 1


class TestExport:
    def test_the_files_alone_give_the_signed_root(self, ledger: Ledger, tmp_path: Path) -> None:
        ledger.append([entry(n) for n in range(600)])
        out = tmp_path / "out"
        written = ledger.export(out)
        found = checkpoint.read((out / "checkpoint").read_bytes(), KEY.verifier_key)
        assert found == head(ledger)
        frontier = merkle.Frontier()
        for number, width in enumerate([256, 256, 88]):
            bundle = (out / tiles.path("entries", number, width)).read_bytes()
            leaves = [merkle.leaf_hash(line) for line in tiles.unbundled(bundle)]
            assert (out / tiles.path(0, number, width)).read_bytes() == b"".join(leaves)
            for leaf in leaves:
                frontier.add(leaf)
        assert (frontier.size, frontier.root()) == (600, found.root)
        assert len((out / tiles.path(1, 0, 2)).read_bytes()) == 64
        assert sorted(written) == sorted(p for p in out.rglob("*") if p.is_file())

    def test_a_second_one_writes_what_is_new_and_mends_the_rest(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        ledger.append([entry(n) for n in range(300)])
        out = tmp_path / "out"
        ledger.export(out)
        assert ledger.export(out) == []
        broken = out / tiles.path(0, 0)
        broken.write_bytes(b"")
        assert ledger.export(out) == [broken]
        ledger.append([entry(300)])
        names = {str(path.relative_to(out)) for path in ledger.export(out)}
        assert names == {
            "checkpoint",
            tiles.path(0, 1, 45),
            tiles.path("entries", 1, 45),
        }

    def test_another_ledgers_export_is_left_alone(self, ledger: Ledger, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        other = SigningKey.generate("example.com/other")
        (out / "checkpoint").write_bytes(checkpoint.sign(0, merkle.EMPTY_ROOT, other))
        with pytest.raises(Refused):
            ledger.export(out)
        assert list(out.iterdir()) == [out / "checkpoint"]


def test_a_probe_says_how_it_stands(ledger: Ledger) -> None:
    ledger.append([entry(0)])
    ledger.checkpoint()
    assert all(finding.ok for finding in ledger.probe())
