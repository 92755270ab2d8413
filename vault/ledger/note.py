"""Signed notes: a text, a blank line, and one line for each signature.

    text ending in a newline
    (blank line)
    — NAME base64(key id, 4 bytes ‖ Ed25519 signature, 64 bytes)

A verifier key is `NAME+ID+base64(0x01 ‖ public key, 32 bytes)`, where ID is the key id in hex:
the first 4 bytes of SHA-256(NAME ‖ 0x0A ‖ 0x01 ‖ public key).

Keys go in and out as raw bytes; keeping the private one safe is the caller's part.

Source: https://c2sp.org/signed-note
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from vault.errors import BadInput, IntegrityError

PRIVATE_BYTES = 32
PUBLIC_BYTES = 32
_ED25519 = b"\x01"
_ID_BYTES = 4
_MARK = "\N{EM DASH} "
#: Enough for any log with its witnesses, and an end to what a hostile note can ask of us.
_MOST_SIGNATURES = 100
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A named Ed25519 key that signs notes."""

    name: str
    private_bytes: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _checked_name(self.name)
        if len(self.private_bytes) != PRIVATE_BYTES:
            raise BadInput("An Ed25519 private key is 32 bytes.")

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """A fresh key. `name` is best a URL without a scheme, such as `example.com/archive`.

        Raises `BadInput` for a name that is empty or holds a space or a plus.
        """
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self._key.public_key().public_bytes_raw()

    @property
    def verifier_key(self) -> str:
        """What to give to everyone who is to verify."""
        return verifier_key(self.name, self.public_key)

    def sign(self, text: str) -> bytes:
        """The note of `text`; the same text gives the same note.

        Raises `BadInput` unless `text` ends in a newline and holds no other control character.
        """
        if not _is_note_text(text):
            raise BadInput("A note's text ends in a newline and has no other control characters.")
        signature = _key_id(self.name, self.public_key) + self._key.sign(text.encode())
        return f"{text}\n{_MARK}{self.name} {base64.b64encode(signature).decode()}\n".encode()

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.private_bytes)


def verifier_key(name: str, public_key: bytes) -> str:
    """`NAME+ID+KEY`. Raises `BadInput` for a name or a key that cannot be one."""
    _checked_name(name)
    if len(public_key) != PUBLIC_BYTES:
        raise BadInput("An Ed25519 public key is 32 bytes.")
    key_id = _key_id(name, public_key).hex()
    return f"{name}+{key_id}+{base64.b64encode(_ED25519 + public_key).decode()}"


def verify(note: bytes, vkey: str) -> str:
    """The text of `note`, signed by the key whose verifier key is `vkey`.

    Signatures by other keys are passed over; every one by this key must be good.
    Raises `IntegrityError` for a note that is malformed, altered or not signed by that key,
    `BadInput` for a verifier key that is not one, or not of an Ed25519 key.
    """
    name, public_key = _parsed(vkey)
    text, signatures = _taken_apart(note)
    own = _key_id(name, public_key)
    verified = False
    for signer, signature in signatures:
        if signer == name and signature[:_ID_BYTES] == own:
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(
                    signature[_ID_BYTES:], text.encode()
                )
            except InvalidSignature:
                raise IntegrityError("The note was altered after it was signed.") from None
            verified = True
    if not verified:
        raise IntegrityError("The note is not signed by the given key.")
    return text


def _parsed(vkey: str) -> tuple[str, bytes]:
    """Name and public key. The key itself may hold a plus, the name may not."""
    name, _, rest = vkey.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        key = from_base64(encoded)
    except ValueError:
        key = b""
    public_key = key.removeprefix(_ED25519)
    # Made again from its parts it is the same, or it was not one.
    if key[:1] != _ED25519 or len(public_key) != PUBLIC_BYTES:
        raise BadInput("That is not a verifier key of an Ed25519 key: NAME+ID+KEY.")
    if verifier_key(name, public_key) != f"{name}+{key_id}+{encoded}" or "+" not in rest:
        raise BadInput("The parts of that verifier key do not belong together.")
    return name, public_key


def _taken_apart(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The text, and the name and signature of each signature line."""
    malformed = IntegrityError("That is not a signed note, or it was cut short.")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise malformed from None
    text, blank, tail = whole.rpartition("\n\n")
    text += "\n"
    lines = tail.split("\n")
    if not blank or not _is_note_text(whole) or lines.pop() or not lines:
        raise malformed
    if len(lines) > _MOST_SIGNATURES:
        raise malformed
    signatures = []
    for line in lines:
        name, _, encoded = line.removeprefix(_MARK).partition(" ")
        try:
            signature = from_base64(encoded)
        except ValueError:
            raise malformed from None
        if not line.startswith(_MARK) or not _is_name(name) or len(signature) <= _ID_BYTES:
            raise malformed
        signatures.append((name, signature))
    return text, signatures


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_ID_BYTES]


def _checked_name(name: str) -> None:
    if not _is_name(name):
        raise BadInput("A key's name is not empty and holds no space and no plus.")


def _is_name(name: str) -> bool:
    # The one space that counts as printable is the plain one.
    return bool(name) and name.isprintable() and " " not in name and "+" not in name


def _is_note_text(text: str) -> bool:
    return text.endswith("\n") and not _CONTROL.search(text)


def from_base64(encoded: str) -> bytes:
    """Raises `ValueError` for anything but the one way to write those bytes."""
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("base64") from error
    if base64.b64encode(decoded).decode() != encoded:
        raise ValueError("base64")
    return decoded
