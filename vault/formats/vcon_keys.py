"""The keys and certificates of signed and encrypted vCons, read from PEM."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vault.errors import BadInput

if TYPE_CHECKING:  # the libraries are loaded when an envelope is met
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate
    from joserfc.jwk import Key

_RSA_BITS = 2048


def private_key(pem: bytes) -> RSAPrivateKey:
    """An unencrypted RSA key of 2048 bits or more; `BadInput` for anything else."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadInput("The private key is not an unencrypted PEM key.") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _RSA_BITS:
        raise BadInput(f"The private key is not an RSA key of {_RSA_BITS} bits or more.")
    return key


def recipient_key(pem: bytes) -> Key:
    """The RSA key to encrypt to, from a public key or a certificate; `BadInput` otherwise."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from joserfc.jwk import RSAKey

    try:
        if b"BEGIN CERTIFICATE" in pem:
            pem = _pem(certificates(pem)[0])
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput("The recipient's key is neither a public key nor a certificate.") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _RSA_BITS:
        raise BadInput(f"The recipient's key is not an RSA key of {_RSA_BITS} bits or more.")
    return RSAKey.import_key(pem)


def public_key(certificate: Certificate) -> Key:
    """The key that a certificate vouches for.

    Raises `ValueError` for a kind of key that no signature here is made with.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from joserfc.jwk import ECKey, RSAKey

    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        raise ValueError from None
    if isinstance(key, RSAPublicKey) and key.key_size >= _RSA_BITS:
        return RSAKey.import_key(_pem(certificate))
    if isinstance(key, EllipticCurvePublicKey):
        return ECKey.import_key(_pem(certificate))
    raise ValueError


def certificates(pem: bytes) -> Sequence[Certificate]:
    """Every certificate in the text, in its order; `BadInput` where there is none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        raise BadInput("There is no PEM certificate where one is expected.") from None


def certificate(text: str) -> Certificate:
    """The certificate that is this base64 of DER; raises `ValueError` for anything else."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(base64.b64decode(text))
    except x509.InvalidVersion:
        raise ValueError from None


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = certificate.public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def der(certificate: Certificate) -> bytes:
    """The certificate as bytes, the same for the same certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)
