"""The embedded default: root keys in one file, under a passphrase if one is given.

A passphrase becomes a key by Argon2id (64 MiB, 3 passes, 4 lanes; about 0.2 s, once a process);
the root keys are sealed under it with AES-256-GCM, each bound to its own id. Without one, whoever
reads the file reads everything, and `probe` says so. Wrapped keys: see vault/kms/envelope.py.

Every use looks whether the file has changed, so a root made or removed by another process
counts at once. Unlocked keys stay in this process's memory; Python cannot promise to wipe them.
"""

from __future__ import annotations

import hmac
import os
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from vault.errors import BackendError, IntegrityError, NotFound, StrongroomError, UsageError
from vault.kms import keyring_file
from vault.kms.address import Address, private
from vault.kms.envelope import KEY_BYTES, NONCE_BYTES, Envelope, bound, new_root_id
from vault.kms.keyring_file import Contents, Root, Stamp, locked
from vault.kms.trial import round_trip
from vault.ports import Finding

_SALT_BYTES = 16
_ROOT_LABEL = b"strongroom/v1/keyring-root"


def connect(
    address: Address, *, home: Path, passphrase: str | None, passphrase_file: Path | None
) -> Keyring:
    """`keyring://` is HOME/keyring.json; a path after it is taken from HOME."""
    address.only()
    path = home / (unquote(address.target) or "keyring.json")
    return Keyring(path.expanduser(), passphrase, url=address.url, said_in=passphrase_file)


@dataclass(frozen=True, slots=True)
class _Unlocked:
    """The keyring in memory: `over` seals the roots in the file, None without a passphrase."""

    stamp: Stamp
    salt: bytes | None
    over: bytes | None = field(repr=False)
    roots: dict[bytes, bytes] = field(repr=False)  # id → key, oldest first

    @property
    def newest(self) -> bytes:
        return next(reversed(self.roots))


class Keyring:
    """`KeyManagement` over a file. Threads and processes may share it."""

    def __init__(
        self,
        path: Path,
        passphrase: str | None,
        *,
        url: str = "keyring://",
        said_in: Path | None = None,
    ) -> None:
        self.url = url
        self._said_in = said_in  # the file that the passphrase was read from
        self._path = path
        self._passphrase = passphrase
        self._unlocked: _Unlocked | None = None
        self._one_at_a_time = threading.Lock()

    def create(self) -> None:
        """A keyring with one root version, mode 0600; one that exists is left alone."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BackendError(f"{self._path.parent} cannot be made: {error.strerror}.") from error
        with self._one_at_a_time, locked(self._path):
            if not self._path.exists():
                salt, over = _fresh_lock(self._passphrase)
                self._write(salt, over, {new_root_id(): os.urandom(KEY_BYTES)})

    def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        ring = self._current()
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(ring.roots[ring.newest]).encrypt(nonce, key, bound(context))
        return Envelope(ring.newest, nonce, sealed).pack()

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        envelope = Envelope.parse(wrapped)
        root = self._current().roots.get(envelope.root_id)
        if root is None:
            raise NotFound(
                f"The keyring has no root version {envelope.root_id.hex()}: it was removed, or "
                "this is another keyring than the one that wrapped the key."
            )
        try:
            return AESGCM(root).decrypt(envelope.nonce, envelope.sealed, bound(context))
        except InvalidTag:
            raise IntegrityError("A wrapped key is damaged or belongs elsewhere.") from None

    def version_of(self, wrapped: bytes) -> str:
        return Envelope.parse(wrapped).root_id.hex()

    def rotate(self) -> str:
        with self._one_at_a_time, locked(self._path):
            ring = self._read()
            made = new_root_id()
            self._write(ring.salt, ring.over, {**ring.roots, made: os.urandom(KEY_BYTES)})
        return made.hex()

    def change_passphrase(self, passphrase: str) -> bool:
        """Seal the same roots under another passphrase, or under a first one; which it was.

        Copies of the old file still open with what opened them then; processes that hold the
        keyring open are refused from here on until they are started again. `UsageError`, and
        nothing done, if it is the one that the keyring has.
        """
        with self._one_at_a_time, locked(self._path):
            ring = self._read()
            if ring.salt is not None and hmac.compare_digest(
                _as_typed(passphrase), _as_typed(self._passphrase or "")
            ):
                raise UsageError("The keyring has that passphrase already; nothing was changed.")
            salt, over = _fresh_lock(passphrase)
            self._write(salt, over, ring.roots)
            self._passphrase = passphrase
        return ring.salt is not None

    def probe(self) -> Sequence[Finding]:
        try:
            contents = keyring_file.read(self._path)
        except StrongroomError as error:
            return [Finding("keyring", ok=False, detail=str(error)), round_trip(self)]
        count = len(contents.roots)
        protected = contents.salt is not None
        advice = (
            "keyring has no passphrase: whoever reads HOME reads everything; "
            "`strongroom keys passphrase` gives it one"
        )
        found = [
            Finding("keyring", ok=True, detail=f"{self._path}, mode 0600, {count} root version(s)"),
            Finding("keyring passphrase", protected, "Argon2id" if protected else advice),
        ]
        if self._said_in is not None:
            found.append(private(self._said_in, "passphrase file"))
        return [*found, round_trip(self)]

    def _current(self) -> _Unlocked:
        """The keyring as the file has it now, unlocked at most once for each change."""
        with self._one_at_a_time:
            if self._unlocked is None or self._unlocked.stamp != keyring_file.stamp(self._path):
                self._unlocked = self._read()
            return self._unlocked

    def _read(self) -> _Unlocked:
        # Before the contents: a change in between makes the next use read again, not miss it.
        stamp = keyring_file.stamp(self._path)
        contents = keyring_file.read(self._path)
        over = self._key_over(contents.salt)
        if over is None:
            roots = {root.id: root.key for root in contents.roots}
        else:
            try:
                roots = {root.id: _opened(root, over) for root in contents.roots}
            except InvalidTag:
                raise BackendError(
                    f"The passphrase does not open the keyring {self._path}: give the one it was "
                    "made with, or last changed to."
                ) from None
        return _Unlocked(stamp, contents.salt, over, roots)

    def _key_over(self, salt: bytes | None) -> bytes | None:
        """The key that seals the roots; derived anew only when the salt is another one."""
        if salt is None:
            if self._passphrase is not None:
                raise BackendError(
                    f"A passphrase was given, but the keyring {self._path} has none, so anyone "
                    "who reads it can use it. Leave the passphrase out, and give the keyring one "
                    "by `strongroom keys passphrase --new-file FILE`."
                )
            return None
        if self._unlocked is not None and self._unlocked.salt == salt:
            return self._unlocked.over
        if self._passphrase is None:
            raise BackendError(
                f"The keyring {self._path} needs its passphrase: name the file that holds it in "
                "STRONGROOM_PASSPHRASE_FILE."
            )
        return _derive(self._passphrase, salt)

    def _write(self, salt: bytes | None, over: bytes | None, roots: Mapping[bytes, bytes]) -> None:
        kept = (
            Root(name, key if over is None else _sealed(name, key, over))
            for name, key in roots.items()
        )
        keyring_file.write(self._path, Contents(salt, tuple(kept)))
        self._unlocked = _Unlocked(keyring_file.stamp(self._path), salt, over, dict(roots))


def _fresh_lock(passphrase: str | None) -> tuple[bytes | None, bytes | None]:
    """A new salt and the key it gives; neither without a passphrase."""
    if passphrase is None:
        return None, None
    if not passphrase:
        raise BackendError("The passphrase is empty.")
    salt = os.urandom(_SALT_BYTES)
    return salt, _derive(passphrase, salt)


def _derive(passphrase: str, salt: bytes) -> bytes:
    argon = Argon2id(salt=salt, length=KEY_BYTES, iterations=3, lanes=4, memory_cost=64 * 1024)
    return argon.derive(_as_typed(passphrase))


def _as_typed(passphrase: str) -> bytes:
    # Keyboards differ in how they compose letters: the same words must give the same key.
    return unicodedata.normalize("NFC", passphrase).encode()


def _sealed(name: bytes, key: bytes, over: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(over).encrypt(nonce, key, _ROOT_LABEL + name)


def _opened(root: Root, over: bytes) -> bytes:
    nonce, sealed = root.key[:NONCE_BYTES], root.key[NONCE_BYTES:]
    return AESGCM(over).decrypt(nonce, sealed, _ROOT_LABEL + root.id)
