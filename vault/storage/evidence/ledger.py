"""The Ledger port on a folder."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from pathlib import Path

from vault.errors import BadInput, IntegrityError, NotFound, Refused, StrongroomError
from vault.ledger import canonical, certificate, checkpoint, merkle, tiles
from vault.ledger.checkpoint import Checkpoint
from vault.ledger.note import SigningKey
from vault.model import Json
from vault.ports.finding import Finding
from vault.ports.ledger import Entry, Proof
from vault.storage import disk
from vault.storage.evidence.audit import audit
from vault.storage.evidence.file import EvidenceFile, translated
from vault.storage.evidence.rows import Rows

_PAGE = 1000


class EvidenceLedger:
    """The ledger in `folder`. `vkey` is the public half of the key that `key` gives.

    `key` is asked once, when something is signed that never was before.
    """

    def __init__(self, folder: Path, vkey: str, key: Callable[[], SigningKey]) -> None:
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self._file = EvidenceFile(folder / "ledger.db")
        self._published_at = folder / "checkpoint"
        self._vkey = vkey
        self._ask_key = key
        self._agreed: bytes | None = None

    def create(self) -> None:
        if not self._file.path.exists() and self._published() is not None:
            raise IntegrityError(
                "The ledger is gone, but what it published is not. Restore it from a backup."
            )
        self._file.create()

    def append(self, entries: Sequence[Entry]) -> Sequence[int]:
        named = [(entry.once, canonical.leaf(entry)) for entry in entries]
        with self._writing() as rows:
            return rows.add(named)

    def certify(
        self, certificate_id: str, make: Callable[[], Mapping[str, Json]], entry: Entry
    ) -> bytes:
        with self._reading() as rows:
            if (issued := rows.certificate(certificate_id)) is not None:
                return issued
        statement, key = make(), self._key
        told = certificate.announced(entry, certificate_id, statement)
        leaf = canonical.leaf(told)
        with self._writing() as rows:
            if (issued := rows.certificate(certificate_id)) is not None:
                return issued  # somebody else was as quick
            if rows.find(told.once) is not None:
                raise BadInput("The ledger tells of another certificate under that name.")
            [index] = rows.add([(told.once, leaf)])
            proof = self._proof(rows, index, self._signed(rows))
            document = certificate.written(statement, leaf, key, proof)
            rows.add_certificate(certificate_id, document)
        with self._writing() as rows:  # only now: never publish what is not committed
            self._publish(rows)
        return document

    def certificate(self, certificate_id: str) -> bytes:
        with self._reading() as rows:
            document = rows.certificate(certificate_id)
        if document is None:
            raise NotFound("There is no certificate of that id.")
        return document

    def size(self) -> int:
        with self._reading() as rows:
            return rows.size()

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        size = self.size()
        at, end = max(start, 0), size if stop is None else min(stop, size)
        while at < end:
            with self._reading() as rows:
                page = [entry for _, _, entry in rows.entries(at, min(at + _PAGE, end))]
            yield from page
            at += _PAGE

    def find(self, once: str) -> int | None:
        with self._reading() as rows:
            return rows.find(once)

    def checkpoint(self) -> bytes:
        with self._writing() as rows:
            signed = self._signed(rows)
            self._publish(rows)
        return signed

    def prove(self, index: int) -> Proof:
        if not 0 <= index < self.size():
            raise NotFound("The ledger has no entry of that index.")
        signed = self.checkpoint()
        with self._reading() as rows:
            return self._proof(rows, index, signed)

    def verify(self) -> tuple[int, bytes]:
        with self._file.snapshot() as rows:
            self._expect_published(rows, anew=True)
            return audit(rows, self._vkey)

    def export(self, folder: Path) -> Sequence[Path]:
        signed = self.checkpoint()
        size = checkpoint.read(signed, self._vkey).size
        with self._file.snapshot() as rows:
            self._expect_export(rows, folder / "checkpoint")
            entries = (entry for _, _, entry in rows.entries(0, size))
            files = chain(tiles.bundles(entries), tiles.tiles(size, rows.node))
            # The checkpoint comes last: it promises that the rest is there.
            whole = chain(files, [("checkpoint", signed)])
            return [folder / name for name, content in whole if _wrote(folder / name, content)]

    def probe(self) -> Sequence[Finding]:
        try:
            size, published = self.size(), self._published()
            mode = stat.S_IMODE(self._file.path.stat().st_mode)
        except (StrongroomError, OSError) as error:
            return [Finding("ledger", ok=False, detail=str(error))]
        last = "none" if published is None else str(published.size)
        return [
            Finding("ledger", ok=True, detail=f"{size} entries; last checkpoint of {last}"),
            Finding("ledger-private", mode & 0o077 == 0, f"file mode {mode:04o}"),
            Finding("ledger-hosts", ok=True, detail="one machine: never copy it to a second one"),
        ]

    def close(self) -> None:
        self._file.close()

    @cached_property
    def _key(self) -> SigningKey:
        key = self._ask_key()
        if key.verifier_key != self._vkey:
            raise IntegrityError("The signing key is not the one whose public key is known.")
        return key

    @contextmanager
    def _reading(self) -> Iterator[Rows]:
        with self._file.reading() as rows:
            self._expect_published(rows)
            yield rows

    @contextmanager
    def _writing(self) -> Iterator[Rows]:
        with self._file.writing() as rows:
            self._expect_published(rows)
            yield rows

    def _signed(self, rows: Rows) -> bytes:
        """The checkpoint of the present size, signed now unless it was before."""
        size = rows.size()
        if (signed := rows.checkpoint(size)) is None:
            signed = checkpoint.sign(size, rows.root(size), self._key)
            rows.add_checkpoint(size, signed)
        return signed

    def _proof(self, rows: Rows, index: int, signed: bytes) -> Proof:
        size = checkpoint.read(signed, self._vkey).size
        return Proof(index, merkle.inclusion(index, size, rows.node), signed)

    def _publish(self, rows: Rows) -> None:
        """Write down the newest checkpoint. Who holds the write lock never writes an older one."""
        newest = rows.newest_checkpoint()
        if newest is not None and newest != self._published_note():
            _replace(self._published_at, newest)
            self._agreed = newest

    def _published_note(self) -> bytes | None:
        with translated():
            try:
                return self._published_at.read_bytes()
            except FileNotFoundError:
                return None

    def _published(self) -> Checkpoint | None:
        note = self._published_note()
        return None if note is None else checkpoint.read(note, self._vkey)

    def _expect_published(self, rows: Rows, *, anew: bool = False) -> None:
        """Raises `IntegrityError` unless the ledger begins with what it published last."""
        note = self._published_note()  # before the size: what grows meanwhile is no matter
        if note is None or (note == self._agreed and not anew):
            return
        _expect_beginning(rows, checkpoint.read(note, self._vkey))
        self._agreed = note

    def _expect_export(self, rows: Rows, path: Path) -> None:
        """What an earlier export left is a beginning of this ledger, if there is anything."""
        with translated():
            if not path.exists():
                return
            earlier = path.read_bytes()
        try:
            head = checkpoint.read(earlier, self._vkey)
        except IntegrityError:
            raise Refused("That folder holds the export of another ledger.") from None
        _expect_beginning(rows, head)


def _expect_beginning(rows: Rows, head: Checkpoint) -> None:
    if rows.size() < head.size:
        raise IntegrityError(
            f"The ledger has {rows.size()} entries and has published {head.size}: it was put back "
            "to an older state. Restore the newer one."
        )
    if rows.root(head.size) != head.root:
        raise IntegrityError("The ledger is not the one whose checkpoint was published.")


def _wrote(path: Path, content: bytes) -> bool:
    """Whether the file had to be written: one that holds the same is kept."""
    with translated():
        if path.exists() and path.read_bytes() == content:
            return False
        disk.made_folder(path.parent)
    _replace(path, content)
    return True


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_name(path.name + ".new")
    with translated():
        scratch.unlink(missing_ok=True)  # a killed call's
        disk.replaced(scratch, path, content)
