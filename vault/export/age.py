"""Encrypt an export to somebody's public key, in the age format, as it is written.

Recipients are `age1…` keys and `ssh-ed25519 …` or `ssh-rsa …` public keys, or files of them,
one a line. Whoever holds the other half reads it with `age -d`; nobody here can.

Source: age-encryption.org/v1. The library is optional: `strongroom[encryption]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from vault.errors import BackendError, UsageError
from vault.ports import Buffer

_KEYS_BYTES = 1 << 20


def recipients(given: Sequence[str]) -> list[Any]:
    """The keys that were named, read and checked.

    Raises `UsageError` for what is neither a key nor a file of keys, `BackendError` where the
    library is missing.
    """
    try:
        import pyrage
    except ImportError:
        raise BackendError("Encryption needs the package: strongroom[encryption].") from None
    found = []
    for line in _lines(given):
        kind = pyrage.x25519 if line.startswith("age1") else pyrage.ssh
        try:
            found.append(kind.Recipient.from_str(line))
        except pyrage.RecipientError as error:
            raise UsageError("--encrypt-to has something that is no age or ssh key.") from error
    if given and not found:
        raise UsageError("--encrypt-to names a file without any key.")
    return found


def encrypt(blocks: Iterable[Buffer], to: Sequence[Any], stream: BinaryIO) -> None:
    """Write `blocks` to `stream`, encrypted to every key of `to`; constant memory."""
    import pyrage

    source = _Blocks(blocks)
    try:
        pyrage.encrypt_io(source, stream, list(to))
    except pyrage.EncryptError as error:
        if source.error is not None:
            raise source.error from None
        raise BackendError("The file could not be encrypted.") from error
    except Exception:
        if source.error is not None:
            raise source.error from None
        raise


class _Blocks:
    """Blocks as a file to read. The library hides what went wrong here, so it is kept."""

    def __init__(self, blocks: Iterable[Buffer]) -> None:
        self._blocks: Iterator[Buffer] = iter(blocks)
        self._left = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._left:
                self._left = memoryview(next(self._blocks))
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        size = len(self._left) if size < 0 else size
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)


def _lines(given: Sequence[str]) -> Iterator[str]:
    for one in given:
        if one.startswith(("age1", "ssh-")):
            yield one.strip()
            continue
        try:
            with Path(one).open("rb") as file:
                text = file.read(_KEYS_BYTES).decode()
        except (OSError, ValueError) as error:
            raise UsageError("--encrypt-to takes a public key or a file of them.") from error
        lines = (line.strip() for line in text.splitlines())
        yield from (line for line in lines if line and not line.startswith("#"))
