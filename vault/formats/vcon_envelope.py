"""The envelopes of a vCon: a signature (JWS), encryption (JWE), or the one inside the other.

Both are in JSON serialization, general as the draft asks, flattened as some write it. What may
be used is fixed here, whatever a header says: RSA and elliptic-curve signatures, RSA-OAEP keys,
AES content; no symmetric secrets, no passwords, no compression. The key of a signature is the
certificate that travels with it (`x5c`), so a good signature proves that nothing was changed
since, and who signed only where the reader says which certificate it expects. A certificate
that lies elsewhere (`x5u`) is not fetched.

Source: RFC 7515, RFC 7516, RFC 7518; draft-ietf-vcon-vcon-core, signed and encrypted forms.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vault.errors import BadInput
from vault.formats import jsontext, vcon_keys
from vault.formats.fields import Notes
from vault.model import Json

if TYPE_CHECKING:  # the libraries are loaded when an envelope is met
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_KEY_WRAPS = ("RSA-OAEP", "RSA-OAEP-256")
_CONTENT = ("A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM")
_HEADER_BYTES = 1 << 16
_SIGNERS_LIMIT = 16
_LAYERS_LIMIT = 4


@dataclass(frozen=True, slots=True)
class Envelope:
    """What to put around a vCon, in PEM: a signature, encryption, or the one inside the other.

    `sign_key` is an RSA key and `chain` its certificates, its own first; `recipient` is an RSA
    public key or a certificate. Raises `BadInput` where they are not, or do not fit together.
    """

    sign_key: bytes | None = field(default=None, repr=False)
    chain: bytes | None = None
    recipient: bytes | None = None

    def __post_init__(self) -> None:
        self.seal(b"{}", "")

    def seal(self, document: bytes, uuid: str) -> bytes:
        """The vCon signed, then encrypted, as far as there are keys for it."""
        if self.sign_key is not None:
            document = sign(document, uuid, self.sign_key, self.chain or b"")
        return document if self.recipient is None else encrypt(document, uuid, self.recipient)


def is_signed(document: dict[str, Json]) -> bool:
    """Whether this is a JWS in JSON."""
    return "payload" in document and ("signatures" in document or "signature" in document)


def is_encrypted(document: dict[str, Json]) -> bool:
    """Whether this is a JWE in JSON."""
    return "ciphertext" in document


def unwrap(
    document: dict[str, Json],
    name: str,
    notes: Notes,
    *,
    decrypt_key: bytes | None = None,
    signers: bytes | None = None,
) -> dict[str, Json] | None:
    """The vCon inside any envelopes; None if it is encrypted and no key is given.

    `decrypt_key` is the recipient's private key, `signers` the certificates expected to have
    signed, both PEM. Raises `BadInput` for a signature that is wrong, or by another than the
    expected certificates or missing where some are expected; for a key that does not open it;
    and for what is no vCon inside. `name` is the file's, for messages.
    """
    signed = False
    for _ in range(_LAYERS_LIMIT):
        if is_encrypted(document):
            if decrypt_key is None:
                if signers is not None and not signed:
                    raise BadInput(f"{name!a} is encrypted, so nobody can tell who signed it.")
                text = "Kept sealed as it came; deposit it with its key to open it."
                notes.add("encrypted", text, name)
                return None
            data = _decrypt(document, decrypt_key, name)
        elif is_signed(document):
            data = _verify(document, name, notes, signers)
            signed = True
        else:
            if signers is not None and not signed:
                raise BadInput(f"{name!a} is not signed.")
            return document
        inner = jsontext.parse(data, name)
        if not isinstance(inner, dict):
            raise BadInput(f"{name!a} holds no vCon inside its envelope.")
        document = inner
    raise BadInput(f"{name!a} has too many envelopes inside each other.")


# --- signatures ----------------------------------------------------------------------------


def _verify(document: dict[str, Json], name: str, notes: Notes, signers: bytes | None) -> bytes:
    """The payload, once every signature on it that can be checked has been."""
    payload, signatures = document["payload"], document.get("signatures", [document])
    if not isinstance(payload, str) or not isinstance(signatures, list):
        raise BadInput(f"{name!a} is not a signed vCon.")
    if not 0 < len(signatures) <= _SIGNERS_LIMIT:
        raise BadInput(f"{name!a} has no signature, or too many.")
    expected = (
        {vcon_keys.der(each) for each in vcon_keys.certificates(signers)}
        if signers is not None
        else None
    )
    known, checked = False, 0
    for signature in signatures:
        certificate = _certificate(signature, name)
        if certificate is None:
            text = "A signature brings no certificate with it and was not checked."
            notes.add("unchecked-signature", text, name)
            continue
        _check(payload, signature, certificate, name)
        checked += 1
        known = known or (expected is not None and vcon_keys.der(certificate) in expected)
    if expected is not None and not known:
        raise BadInput(f"{name!a} is not signed by any of the expected certificates.")
    if expected is None and checked:
        text = "The signature is good; that its certificate can be trusted was not checked."
        notes.add("untrusted-signer", text, name)
    return _unbase64url(payload, name)


def _check(payload: str, signature: Json, certificate: Certificate, name: str) -> None:
    """Raise `BadInput` unless this one signature is that of the certificate's key."""
    from joserfc import jws
    from joserfc.errors import JoseError

    parts = signature if isinstance(signature, dict) else {}
    member: Any = {k: parts[k] for k in ("protected", "header", "signature") if k in parts}
    registry = jws.JWSRegistry(algorithms=_SIGNATURES, strict_check_header=False)
    registry.max_header_length = _HEADER_BYTES
    registry.max_payload_length = len(payload) + 1
    try:
        key = vcon_keys.public_key(certificate)
        jws.deserialize_json({"payload": payload, "signatures": [member]}, key, registry=registry)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadInput(f"{name!a} is not what was signed: its signature is wrong.") from None


def _certificate(signature: Json, name: str) -> Certificate | None:
    """The signer's certificate as the headers bring it; None where they bring none."""
    if not isinstance(signature, dict):
        raise BadInput(f"{name!a} has a signature that is none.")
    merged = _dict(signature.get("header")) | _header(signature.get("protected"), name)
    if "crit" in merged:
        raise BadInput(f"{name!a} is signed in a way that is not understood here.")
    chain = merged.get("x5c")
    if chain is None:
        return None
    try:
        first = chain[0] if isinstance(chain, list) else chain
        return vcon_keys.certificate(str(first))
    except (ValueError, IndexError):
        raise BadInput(f"{name!a} is signed by a certificate that cannot be read.") from None


def sign(document: bytes, uuid: str, private_key: bytes, certificates: bytes) -> bytes:
    """The document signed with RS256, as a General JWS with its certificate chain.

    `private_key` is an unencrypted RSA key and `certificates` the chain from its own
    certificate up, both PEM. Raises `BadInput` where they are not, or do not belong together.
    """
    from joserfc import jws
    from joserfc.jwk import RSAKey

    vcon_keys.private_key(private_key)
    key = RSAKey.import_key(private_key)
    chain = vcon_keys.certificates(certificates)
    try:
        same = vcon_keys.public_key(chain[0]).thumbprint() == key.thumbprint()
    except ValueError:
        same = False  # a key of another kind
    if not same:
        raise BadInput("The first certificate is not that of the signing key.")
    x5c = [base64.b64encode(vcon_keys.der(each)).decode() for each in chain]
    member: Any = {"protected": {"alg": "RS256"}, "header": {"x5c": x5c, "uuid": uuid}}
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    return _written(jws.serialize_json([member], document, key, registry=registry))


# --- encryption ----------------------------------------------------------------------------


def _decrypt(document: dict[str, Json], private_key: bytes, name: str) -> bytes:
    """The plaintext, if this key is one of its recipients'.

    joserfc's own `decrypt_json` writes the protected header anew before it authenticates it, and
    so opens only what was written without a space (against RFC 7516, section 5.2, step 14).
    """
    from joserfc.errors import JoseError

    key = vcon_keys.private_key(private_key)
    protected, listed = document.get("protected"), document.get("recipients", [document])
    shared = _header(protected, name) | _dict(document.get("unprotected"))
    if "zip" in shared or "crit" in shared:
        raise BadInput(f"{name!a} is encrypted in a way that is not understood here.")
    for recipient in (listed if isinstance(listed, list) else [])[:_SIGNERS_LIMIT]:
        entry = _dict(recipient)
        header = _dict(entry.get("header")) | shared
        try:
            cek = _unwrapped(key, header.get("alg"), _bytes(entry, "encrypted_key"))
            return _content(document, str(header.get("enc")), cek)
        except (JoseError, ValueError):
            continue
    raise BadInput(f"The key does not open {name!a}, or it was changed since it was encrypted.")


def _unwrapped(key: RSAPrivateKey, algorithm: Json, wrapped: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    if algorithm not in _KEY_WRAPS:
        raise ValueError
    digest = SHA1() if algorithm == "RSA-OAEP" else SHA256()  # noqa: S303  as OAEP is named there
    return key.decrypt(wrapped, OAEP(MGF1(digest), digest, None))


def _content(document: dict[str, Json], algorithm: str, cek: bytes) -> bytes:
    """Authenticate and decrypt. Raises `ValueError` or joserfc's errors."""
    from joserfc import jwe

    enc = jwe.JWERegistry(algorithms=_CONTENT).get_enc(algorithm)
    iv = _bytes(document, "iv")
    enc.check_iv(iv)
    if len(cek) * 8 != enc.cek_size:
        raise ValueError
    aad = str(document.get("protected", ""))
    if isinstance(document.get("aad"), str):
        aad += f".{document['aad']}"
    tag, ciphertext = _bytes(document, "tag"), _bytes(document, "ciphertext")
    return enc.decrypt(ciphertext, tag, cek, iv, aad.encode())


def encrypt(document: bytes, uuid: str, recipient: bytes) -> bytes:
    """The document for one recipient: General JWE, RSA-OAEP and A256CBC-HS512.

    `recipient` is an RSA public key or a certificate, PEM. Sign before, as the draft asks.
    """
    from joserfc import jwe

    key = vcon_keys.recipient_key(recipient)
    shared: Any = {"cty": "application/vcon+json", "uuid": uuid}
    message = jwe.GeneralJSONEncryption({"enc": "A256CBC-HS512"}, document, shared)
    message.add_recipient({"alg": "RSA-OAEP"}, key)
    registry = jwe.JWERegistry(algorithms=[*_KEY_WRAPS, *_CONTENT], strict_check_header=False)
    return _written(jwe.encrypt_json(message, None, registry=registry))


# --- what both are made of ------------------------------------------------------------------


def _written(document: Any) -> bytes:  # noqa: ANN401  joserfc's typed dictionaries
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _header(protected: Json, name: str) -> dict[str, Json]:
    """What a protected header says."""
    if not isinstance(protected, str) or not protected:
        return {}
    if len(protected) > _HEADER_BYTES:
        raise BadInput(f"{name!a} has too large a header.")
    return _dict(jsontext.parse(_unbase64url(protected, name), name))


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _bytes(parts: dict[str, Json], key: str) -> bytes:
    """Raises `ValueError` for what is no base64url."""
    value = parts.get(key)
    text = value if isinstance(value, str) else "?"
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _unbase64url(text: str, name: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadInput(f"{name!a} holds base64url that is none.") from None
