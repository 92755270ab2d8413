"""The keyring's file: read whole, written whole, never half of either.

JSON, mode 0600. `roots` run from the oldest to the newest; each `key` is 32 bytes in clear, or
nonce 12 ‖ ciphertext 32 ‖ tag 16 when `kdf` names how a passphrase becomes the key they are
sealed under. `sha256` is over the rest, so that rot is told from a wrong passphrase.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vault.errors import BackendError, IntegrityError, NotFound
from vault.kms.envelope import KEY_BYTES, is_root_id

_FORMAT = "strongroom keyring"
_VERSION = 1
#: The only key derivation of version 1. Source: RFC 9106, section 4, second recommended option.
_KDF = "argon2id m=65536 t=3 p=4"
_SALT_BYTES = 16
_SEALED_KEY_BYTES = 12 + KEY_BYTES + 16


@dataclass(frozen=True, slots=True)
class Root:
    """One root version; `key` is sealed if the keyring has a passphrase, else in clear."""

    id: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """What the file says; `salt` is None where no passphrase protects it."""

    salt: bytes | None
    roots: tuple[Root, ...]


#: Tells one state of the file from the next without reading it.
Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp:
    """Raises `NotFound` where there is no keyring."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise NotFound(_absent(path)) from None
    except OSError as error:
        raise BackendError(f"The keyring {path} cannot be read: {error.strerror}.") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def read(path: Path) -> Contents:
    """What the file says.

    Raises `NotFound`, `BackendError` if others may read the file, `IntegrityError` if damaged.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except FileNotFoundError:
        raise NotFound(_absent(path)) from None
    except OSError as error:
        raise BackendError(f"The keyring {path} cannot be read: {error.strerror}.") from error
    if mode & 0o077:
        raise BackendError(
            f"The keyring {path} is open to other users (mode {mode:04o}): chmod 600 it, and "
            "rotate the root key if one of them may have read it."
        )
    try:
        return _decoded(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"The keyring {path} is damaged: restore it from a backup.") from error


def write(path: Path, contents: Contents) -> None:
    """Replace the file in one step and answer once that is durable; the caller holds `locked`."""
    # The name is fixed, so that a killed writer leaves one file at most, and the next takes it.
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(_encoded(contents))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise BackendError(f"The keyring {path} cannot be written: {error.strerror}.") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer at a time, over all processes of this machine; released when one dies."""
    # Not the keyring itself: a rename would leave each writer locking a different file.
    beside = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BackendError(f"The keyring {path} cannot be locked: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _absent(path: Path) -> str:
    return (
        f"There is no keyring at {path}: is its disk mounted? If it is lost, restore it from a "
        "backup; nothing opens without it."
    )


def _encoded(contents: Contents) -> bytes:
    document: dict[str, object] = {
        "format": _FORMAT,
        "version": _VERSION,
        "kdf": None if contents.salt is None else _KDF,
        "salt": None if contents.salt is None else contents.salt.hex(),
        "roots": [{"id": root.id.hex(), "key": root.key.hex()} for root in contents.roots],
    }
    return json.dumps({**document, "sha256": _digest(document)}, indent=1).encode() + b"\n"


def _decoded(document: dict[str, object]) -> Contents:
    if document.get("format") == _FORMAT and document.get("version") != _VERSION:
        raise BackendError("The keyring was written by a newer strongroom: upgrade this one.")
    expected = document.pop("sha256")
    if expected != _digest(document):
        raise ValueError("digest")
    kdf, salt, listed = document["kdf"], document["salt"], document["roots"]
    if kdf not in {None, _KDF} or not isinstance(listed, list) or not listed:
        raise ValueError("fields")
    roots = tuple(Root(bytes.fromhex(one["id"]), bytes.fromhex(one["key"])) for one in listed)
    key_bytes = KEY_BYTES if kdf is None else _SEALED_KEY_BYTES
    if not all(is_root_id(root.id) and len(root.key) == key_bytes for root in roots):
        raise ValueError("roots")
    if kdf is None:
        return Contents(None, roots)
    if not isinstance(salt, str) or len(salt) != 2 * _SALT_BYTES:
        raise ValueError("salt")
    return Contents(bytes.fromhex(salt), roots)


def _digest(document: dict[str, object]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
