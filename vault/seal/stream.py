"""Seal and open one object: C2SP chunked encryption with AES-256-GCM ("Cobblestone-256").

    object  = salt 24 ‖ commitment 32 ‖ chunk 0 ‖ chunk 1 ‖ …
    chunk k = AES-256-GCM(16384 bytes of plaintext) ‖ tag 16, nonce = base nonce XOR k

The last chunk is strictly shorter than 16 KiB of plaintext, so its length is its end mark;
an exact multiple ends in an empty chunk. Key, nonce and commitment come from HKDF over the
object's key, its salt and a context that names what the object is; opening with another
key or another context fails at the commitment.

Source: C2SP chunked-encryption v1. Sealing is `cryptography`'s own class; the range reader
below is ours because the class reads from the front only.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from vault.errors import IntegrityError
from vault.ports import Buffer

KEY_BYTES = 32
SALT_BYTES = 24
HEADER_BYTES = 56
CHUNK_BYTES = 16384
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES

_LABEL = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
#: What is sealed at a time: it and what comes of it stay in the processor's cache.
_PIECE_BYTES = 256 << 10
#: Range reads work through a long range in windows of 64 chunks (1 MiB).
_WINDOW_SEALED_BYTES = 64 * SEALED_CHUNK_BYTES


def fields(*values: str | bytes) -> bytes:
    """`values` as one byte string that no other list of values gives: each length-prefixed.

    Layout: for each value, its length in bytes as a 4-byte big-endian integer, then the bytes.
    """
    parts: list[bytes] = []
    for value in values:
        encoded = value.encode() if isinstance(value, str) else value
        parts += len(encoded).to_bytes(4, "big"), encoded
    return b"".join(parts)


def sealed_size(plain_bytes: int) -> int:
    """How long the object of `plain_bytes` bytes of plaintext is."""
    return HEADER_BYTES + plain_bytes + TAG_BYTES * (plain_bytes // CHUNK_BYTES + 1)


def plain_size(sealed_bytes: int) -> int:
    """How much plaintext an object of this length holds, if its length is a possible one.

    Raises `IntegrityError` for a length that no object has. Proves nothing by itself: only
    opening the last chunk does.
    """
    body = sealed_bytes - HEADER_BYTES
    whole, rest = divmod(body, SEALED_CHUNK_BYTES)
    if body < TAG_BYTES or rest < TAG_BYTES:
        raise IntegrityError("A sealed object has an impossible length: it was cut short.")
    return whole * CHUNK_BYTES + rest - TAG_BYTES


def seal(key: bytes, context: bytes, blocks: Iterable[Buffer]) -> Iterator[bytes]:
    """The sealed object of the concatenated `blocks`, as a stream in constant memory."""
    encryptor = Cobblestone256Encryptor(key, context)
    for block in blocks:
        with memoryview(block).cast("B") as whole:
            for start in range(0, len(whole), _PIECE_BYTES):
                if sealed := encryptor.update(whole[start : start + _PIECE_BYTES]):
                    yield sealed
    yield encryptor.finalize()


def seal_bytes(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    """A small object in one piece."""
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(plaintext) + encryptor.finalize()


def open_bytes(key: bytes, context: bytes, sealed: Buffer) -> bytes:
    """The plaintext of a small object, whole and verified, or `IntegrityError`."""
    try:
        decryptor = Cobblestone256Decryptor(key, context)
        return decryptor.update(sealed) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise IntegrityError("A sealed value does not open: it was altered.") from error


class RangeReader:
    """Opens any range of a sealed object, reading only the chunks that it needs.

    `fetch(start, stop)` gives the bytes [start, stop) of the object in blocks of any size;
    `sealed_bytes` is the object's length. Before the first byte is given out the length's
    form, the commitment and the last chunk have been checked, so a truncated, extended or
    exchanged object is refused outright and never read as a shorter one. Every byte given
    out has been authenticated. Costs 56 bytes and the last chunk once, then whole chunks.

    Raises `IntegrityError` at the first byte that is not what was sealed.
    """

    def __init__(
        self,
        key: bytes,
        context: bytes,
        fetch: Callable[[int, int], Iterable[Buffer]],
        sealed_bytes: int,
    ) -> None:
        self.size = plain_size(sealed_bytes)
        self._sealed_bytes = sealed_bytes
        self._fetch = fetch
        header = self._exactly(0, HEADER_BYTES)
        material = HKDFExpand(SHA512(), 76, _LABEL + header[:SALT_BYTES] + context).derive(key)
        fits = hmac.compare_digest(material[44:], header[SALT_BYTES:])
        if not fits or len(key) != KEY_BYTES:  # HKDF itself takes a key of any length
            raise IntegrityError("A sealed object does not open with this key: wrong or altered.")
        self._aead = AESGCM(material[:32])
        self._nonce = int.from_bytes(material[32:44], "big")
        self._last_index = self.size // CHUNK_BYTES
        start = HEADER_BYTES + self._last_index * SEALED_CHUNK_BYTES
        self._last = bytes(self._open(self._last_index, self._exactly(start, sealed_bytes)))

    def read(self, start: int, stop: int) -> bytes:
        """The plaintext bytes [start, stop), clamped to the object."""
        return b"".join(self.stream(start, stop))

    def stream(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """The same in blocks of at most 1 MiB, in constant memory, by one `fetch`."""
        stop = self.size if stop is None else min(stop, self.size)
        start = max(start, 0)
        if start >= stop:
            return
        first, last = start // CHUNK_BYTES, (stop - 1) // CHUNK_BYTES
        for index, plain in self._windows(first, last):
            base = index * CHUNK_BYTES
            yield plain[max(start - base, 0) : min(stop - base, len(plain))]

    def _windows(self, first: int, last: int) -> Iterator[tuple[int, memoryview]]:
        """Opened runs of the chunks first..last, each with the index of its first chunk."""
        whole = min(last + 1, self._last_index)  # the last chunk is open already
        if first < whole:
            start = HEADER_BYTES + first * SEALED_CHUNK_BYTES
            stop = HEADER_BYTES + whole * SEALED_CHUNK_BYTES
            index = first
            for run in _whole_chunks(self._fetch(start, stop)):
                yield index, self._open_run(index, run)
                index += len(run) // SEALED_CHUNK_BYTES
            if index != whole:
                raise _cut_short()
        if last == self._last_index:
            yield last, memoryview(self._last)

    def _open_run(self, index: int, sealed: memoryview) -> memoryview:
        view = memoryview(bytearray(len(sealed) // SEALED_CHUNK_BYTES * CHUNK_BYTES))
        decrypt, nonce = self._aead.decrypt_into, self._nonce
        position = 0
        try:
            for offset in range(0, len(sealed), SEALED_CHUNK_BYTES):
                decrypt(
                    (nonce ^ index).to_bytes(12, "big"),
                    sealed[offset : offset + SEALED_CHUNK_BYTES],
                    None,
                    view[position : position + CHUNK_BYTES],
                )
                index += 1
                position += CHUNK_BYTES
        except InvalidTag as error:
            raise _altered(index) from error
        return view

    def _open(self, index: int, sealed: Buffer) -> bytes:
        try:
            return self._aead.decrypt((self._nonce ^ index).to_bytes(12, "big"), sealed, None)
        except InvalidTag as error:
            raise _altered(index) from error

    def _exactly(self, start: int, stop: int) -> bytes:
        found = b"".join(self._fetch(start, stop))
        if len(found) != stop - start:
            raise _cut_short()
        return found


def _whole_chunks(blocks: Iterable[Buffer]) -> Iterator[memoryview]:
    """Blocks of any size as runs of whole sealed chunks; only a straddling chunk is copied."""
    held = b""
    for block in blocks:
        view = memoryview(block)
        if held:
            missing = SEALED_CHUNK_BYTES - len(held)
            held += view[:missing]
            view = view[missing:]
            if len(held) < SEALED_CHUNK_BYTES:
                continue
            yield memoryview(held)
        whole = len(view) - len(view) % SEALED_CHUNK_BYTES
        for start in range(0, whole, _WINDOW_SEALED_BYTES):
            yield view[start : min(start + _WINDOW_SEALED_BYTES, whole)]
        held = bytes(view[whole:])
    if held:
        raise _cut_short()


def _cut_short() -> IntegrityError:
    return IntegrityError("A sealed object ended early or late: it was cut or extended.")


def _altered(index: int) -> IntegrityError:
    return IntegrityError(f"A sealed object was altered (chunk {index}).")
