"""Signed and encrypted vCons: real ones, our own, and those that somebody changed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwe
from joserfc.jwk import RSAKey

from tests.unit.test_formats_vcon import VCONS, base64url, codes, document, needs_vcons
from vault import formats
from vault.errors import BadInput
from vault.formats import Source, vcon, vcon_envelope
from vault.formats.fields import Notes
from vault.model import Reading

UUID = "019f15a6-a752-826f-b9a2-279e0d16bc46"
PLAIN = json.dumps(document()).encode()


@cache
def signer(name: str = "one") -> tuple[bytes, bytes]:
    """A key and its own certificate, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=9999))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, certificate.public_bytes(Encoding.PEM)


def signed() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(vcon_envelope.sign(PLAIN, UUID, *signer()))
    return made


def encrypted() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        vcon_envelope.encrypt(json.dumps(signed()).encode(), UUID, signer()[1])
    )
    return made


def read(folder: Path, value: object, **keys: bytes) -> Reading:
    place = folder / "call.vcon"
    place.write_text(json.dumps(value))
    assert vcon.detect(Source(place)) == "vcon"
    (reading,) = vcon.read(Source(place), "vcon", **keys)
    return reading


@needs_vcons
def test_a_signature_of_the_draft_itself_is_good() -> None:
    (reading,) = formats.read(VCONS / "ab_call_ext_rec_signed.vcon")
    assert "untrusted-signer" in codes(reading)
    assert [person.name for person in reading.participants] == ["Alice", "Bob"]


@needs_vcons
def test_what_was_tampered_with_is_refused() -> None:
    formats.read(VCONS / "mapped/scenario_branded.signed.vcon")
    with pytest.raises(BadInput, match="signature is wrong"):
        formats.read(VCONS / "mapped/scenario_branded.signed.TAMPERED.vcon")


@needs_vcons
def test_the_expected_certificate_is_trusted_and_another_is_not() -> None:
    source = Source(VCONS / "mapped/scenario_branded.signed.vcon")
    expected = (VCONS / "mapped/signer_cert.pem").read_bytes()
    (reading,) = vcon.read(source, "vcon", signers=expected)
    assert "untrusted-signer" not in codes(reading)
    with pytest.raises(BadInput, match="expected certificates"):
        vcon.read(source, "vcon", signers=signer()[1])
    with pytest.raises(BadInput, match="not signed"):
        vcon.read(Source(VCONS / "mapped/scenario_branded.vcon"), "vcon", signers=expected)


@needs_vcons
def test_an_encrypted_vcon_is_kept_sealed_without_its_key_and_opened_with_it() -> None:
    place = VCONS / "mapped/scenario_branded.encrypted.vcon"
    (sealed,) = formats.read(place)
    assert codes(sealed) == {"encrypted"}
    assert sealed.external_id == "11ad4d82-de6f-86a3-a91f-18acd895a58d"
    assert (sealed.timeline.segments, sealed.participants) == ((), ())
    key = (VCONS / "mapped/TEST_ONLY_recipient_key.pem").read_bytes()
    (opened,) = vcon.read(Source(place), "vcon", decrypt_key=key)
    (plain,) = formats.read(VCONS / "mapped/scenario_branded.vcon")
    assert opened.timeline == plain.timeline
    assert "untrusted-signer" in codes(opened)
    inside = list(vcon.recordings(opened.originals[0].open, decrypt_key=key))
    assert [each.name for each in inside] == ["dialog-0001.wav"]
    assert not list(vcon.recordings(opened.originals[0].open))
    with pytest.raises(BadInput, match="does not open"):
        vcon.read(Source(place), "vcon", decrypt_key=signer()[0])


def test_our_own_envelopes_open_again(tmp_path: Path) -> None:
    assert read(tmp_path, signed()).timeline.segments[0].text == "hello"
    opened = read(tmp_path, encrypted(), decrypt_key=signer()[0], signers=signer()[1])
    assert opened.timeline.segments[0].text == "hello"


def test_our_envelopes_are_what_the_draft_asks_for() -> None:
    outer, inner = encrypted(), signed()
    assert outer["recipients"][0]["header"] == {"alg": "RSA-OAEP"}
    assert json.loads(base64.urlsafe_b64decode(outer["protected"] + "==")) == {
        "enc": "A256CBC-HS512"
    }
    assert outer["unprotected"] == {"cty": "application/vcon+json", "uuid": UUID}
    (signature,) = inner["signatures"]
    assert json.loads(base64.urlsafe_b64decode(signature["protected"] + "==")) == {"alg": "RS256"}
    assert signature["header"]["uuid"] == UUID
    certificate = x509.load_der_x509_certificate(base64.b64decode(signature["header"]["x5c"][0]))
    assert certificate == x509.load_pem_x509_certificate(signer()[1])


def test_a_recipient_may_be_a_bare_public_key() -> None:
    key = x509.load_pem_x509_certificate(signer()[1]).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    sealed = json.loads(vcon_envelope.encrypt(PLAIN, UUID, pem))
    opened = vcon_envelope.unwrap(sealed, "x", Notes(), decrypt_key=signer()[0])
    assert opened == document()


@pytest.mark.parametrize(
    "change",
    [
        {"payload": base64url(PLAIN.replace(b"hello", b"hallo"))},
        {"payload": None},
        {"payload": "!"},
        {"signatures": []},
        {"signatures": None},
        {"signatures": [None]},
        {"signatures": ["x"] * 99},
    ],
)
def test_a_changed_signed_vcon_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read(tmp_path, signed() | change)


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "AAAA"},
        {"signature": None},
        {"protected": base64url(b'{"alg":"none"}')},
        {"protected": base64url(b'{"alg":"HS256"}')},
        {"protected": base64url(b'{"alg":"RS256","crit":["b64"],"b64":false}')},
        {"protected": base64url(b"[" * 5000)},
        {"protected": "A" * 99999},
        {"header": {"x5c": ["AAAA"]}},
        {"header": {"x5c": []}},
        {"header": {"x5c": 7}},
    ],
)
def test_a_changed_signature_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    made = signed()
    made["signatures"][0] |= change
    with pytest.raises(BadInput):
        read(tmp_path, made)


def test_one_bad_signature_among_good_ones_is_refused(tmp_path: Path) -> None:
    made = signed()
    made["signatures"].append(made["signatures"][0] | {"signature": "AAAA"})
    with pytest.raises(BadInput, match="signature is wrong"):
        read(tmp_path, made)


def test_a_certificate_that_lies_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    made = signed()
    made["signatures"][0]["header"] = {"x5u": "http://192.0.2.1/cert.pem"}
    assert "unchecked-signature" in codes(read(tmp_path, made))


def test_a_signature_by_another_key_than_its_certificate_is_refused(tmp_path: Path) -> None:
    made = signed()
    other = json.loads(vcon_envelope.sign(PLAIN, UUID, *signer("two")))
    made["signatures"][0]["header"] = other["signatures"][0]["header"]
    with pytest.raises(BadInput, match="signature is wrong"):
        read(tmp_path, made)


@pytest.mark.parametrize(
    "change",
    [
        {"tag": "AAAA"},
        {"iv": "AAAA"},
        {"ciphertext": "AAAA"},
        {"ciphertext": 7},
        {"protected": base64url(b'{"enc":"A256CBC-HS512","zip":"DEF"}')},
        {"protected": base64url(b'{"enc":"A256CBC-HS512" }')},
        {"protected": base64url(b'{"enc":"none"}')},
        {"protected": None},
        {"recipients": []},
        {"recipients": None},
        {"recipients": [{"header": {"alg": "dir"}, "encrypted_key": ""}]},
        {"recipients": [{"header": {"alg": "PBES2-HS256+A128KW", "p2c": 10**9}}]},
        {"aad": "AAAA"},
    ],
)
def test_a_changed_encrypted_vcon_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    made = encrypted()
    with pytest.raises(BadInput):
        read(tmp_path, made | change, decrypt_key=signer()[0])
    # Without the key nobody can tell, and it is kept as it came.
    assert "encrypted" in codes(read(tmp_path, made | change))


def test_a_header_that_is_no_longer_protected_is_refused(tmp_path: Path) -> None:
    made = encrypted()
    del made["protected"]
    made["unprotected"] = {"enc": "A256CBC-HS512"}
    with pytest.raises(BadInput):
        read(tmp_path, made, decrypt_key=signer()[0])


def test_the_second_of_two_recipients_opens_it(tmp_path: Path) -> None:
    made = encrypted()
    made["recipients"].insert(0, {"header": {"alg": "RSA-OAEP"}, "encrypted_key": "AAAA"})
    assert read(tmp_path, made, decrypt_key=signer()[0]).timeline.segments


def test_envelopes_without_end_are_refused(tmp_path: Path) -> None:
    data = PLAIN
    for _ in range(5):
        data = vcon_envelope.sign(data, UUID, *signer())
    with pytest.raises(BadInput, match="envelopes"):
        read(tmp_path, json.loads(data))


@pytest.mark.parametrize("inner", [b"[]", b"{", b"7", b"{}", b"\xff"])
def test_what_is_no_vcon_inside_is_refused(tmp_path: Path, inner: bytes) -> None:
    with pytest.raises(BadInput):
        read(tmp_path, json.loads(vcon_envelope.sign(inner, UUID, *signer())))


@pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", signer()[1]])
def test_a_key_that_is_none_is_refused(tmp_path: Path, pem: bytes) -> None:
    with pytest.raises(BadInput):
        read(tmp_path, encrypted(), decrypt_key=pem)
    with pytest.raises(BadInput):
        vcon_envelope.sign(PLAIN, UUID, pem, signer()[1])


def test_keys_that_do_not_belong_together_or_are_weak_are_refused() -> None:
    with pytest.raises(BadInput, match="not that of the signing key"):
        vcon_envelope.sign(PLAIN, UUID, signer()[0], signer("two")[1])
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  it is to be refused
    pem = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = weak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(BadInput, match="2048"):
        vcon_envelope.sign(PLAIN, UUID, pem, signer()[1])
    with pytest.raises(BadInput, match="2048"):
        vcon_envelope.encrypt(PLAIN, UUID, public)
    with pytest.raises(BadInput):
        vcon_envelope.encrypt(PLAIN, UUID, b"no key at all")


def test_a_certificate_whose_key_cannot_be_read_is_refused() -> None:
    body = base64.b64decode(b"".join(signer()[1].splitlines()[1:-1]))
    rsa_id = bytes.fromhex("06092a864886f70d010101")
    for changed in (body.replace(rsa_id, b"\x06\x09" + bytes([0x2A] * 9)), unreadable(body)):
        inner = base64.b64encode(changed)
        pem = b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % inner
        with pytest.raises(BadInput):
            vcon_envelope.encrypt(PLAIN, UUID, pem)
        with pytest.raises(BadInput):
            vcon_envelope.sign(PLAIN, UUID, signer()[0], pem)


def unreadable(certificate: bytes) -> bytes:
    """The certificate with the first integer of its RSA key made something else."""
    at = certificate.index(bytes.fromhex("0282010100"))
    return certificate[:at] + b"\x04" + certificate[at + 1 :]


def test_headers_that_ask_for_more_are_refused_by_name(tmp_path: Path) -> None:
    critical = {"alg": "RS256", "b64": True, "crit": ["b64"]}
    made = signed()
    made["signatures"][0]["protected"] = base64url(json.dumps(critical).encode())
    with pytest.raises(BadInput, match="not understood"):
        read(tmp_path, made)


def test_a_good_but_compressed_vcon_is_refused(tmp_path: Path) -> None:
    # What inflates has no bound, so it is not even tried.
    message = jwe.GeneralJSONEncryption({"enc": "A256CBC-HS512", "zip": "DEF"}, PLAIN)
    key = RSAKey.import_key(signer()[0])
    message.add_recipient({"alg": "RSA-OAEP"}, key)
    names = ["RSA-OAEP", "A256CBC-HS512", "DEF"]
    packed = jwe.encrypt_json(message, None, algorithms=names)
    with pytest.raises(BadInput, match="not understood"):
        read(tmp_path, packed, decrypt_key=signer()[0])
