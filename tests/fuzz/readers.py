"""The doors of sessions: a file of any format, a folder, a vCon with its keys."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache

from tests.fuzz import scratch, sound
from vault import formats
from vault.errors import BadInput, StrongroomError
from vault.formats import (
    jsontext,
    promptkit_variant,
    vcon,
    vcon_envelope,
    vcon_keys,
    voicemode_append,
)
from vault.formats.source import Source
from vault.model import Json

_SUFFIXES = {"voicemode": "jsonl", "webvtt": "vtt", "scenario": "json", "siprec": "txt"}


def by_content(data: bytes) -> None:
    """A lone file, whatever it turns out to be."""
    place = scratch.write({"input": data})
    for reading in formats.read(place / "input"):
        sound.check(reading)


def by_name(data: bytes) -> None:
    """A lone file read as the format that its first byte names, whatever it holds."""
    chosen = formats.FORMATS[data[0] % len(formats.FORMATS)] if data else "wav"
    name = f"input.{_SUFFIXES.get(chosen, 'json')}"
    place = scratch.write({name: data[1:]})
    for reading in formats.read(place / name, chosen):
        sound.check(reading)


def in_a_folder(data: bytes) -> None:
    """A folder as `deposit` walks it; one session that is refused does not stop the others."""
    place = scratch.write(scratch.unpack(data))
    for source in formats.walk(place):
        with suppress(StrongroomError):
            for reading in formats.read(source):
                sound.check(reading)


def one_bundle(data: bytes) -> None:
    """A folder as the format of bundles that its first file's name asks for."""
    files = scratch.unpack(data)
    first = next(iter(files), "")
    chosen = "voice-agents-platform" if first.startswith("sess_") else "scenario"
    if first.startswith(("exchanges", "voicemode", "logs")):
        chosen = "voicemode-events" if "events" in first else "voicemode"
    for reading in formats.read(scratch.write(files), chosen):
        sound.check(reading)


def grown_log(data: bytes) -> None:
    """A VoiceMode log, whatever was in it, and rows added to it: all of them are there."""
    before, _, rows = data.partition(b"\n%%%\n")
    place = scratch.write({"exchanges_2026-01-10.jsonl": before})
    log, added = place / "exchanges_2026-01-10.jsonl", []
    for row in rows.split(b"\n"):
        with suppress(BadInput, ValueError, RecursionError):
            value = json.loads(row)  # which takes more than is taken here
            if isinstance(value, dict) and voicemode_append.append(place, value) == log:
                added.append(value)
    whole = log.read_bytes()
    assert whole.startswith(before)
    lines = [jsontext.object_in(line) or {} for line in whole[len(before) :].split(b"\n")]
    found = [line for line in lines if line]
    assert len(found) == len(added)
    for one, given in zip(found, added, strict=True):
        said = jsontext.object_in(json.dumps(_present(given)).encode()) or {}
        assert one.items() >= said.items()
    for reading in formats.read(log, "voicemode") if added else ():
        sound.check(reading)


def variant(data: bytes) -> None:
    """How a PromptKit file begins; the reader of what it is called answers or refuses."""
    place = scratch.write({"input": data}) / "input"
    if promptkit_variant.variant_of(data[:4096]) is not None:
        for reading in formats.read(place, "promptkit"):
            sound.check(reading)


def _present(row: dict[str, Json]) -> dict[str, Json]:
    """A row without the fields of VoiceMode's that say nothing."""
    return {key: each for key, each in row.items() if each is not None}


def vcon_with_keys(data: bytes) -> None:
    """A vCon in any envelope, with the recipient's key at hand, and the sound inside."""
    place = scratch.write({"input.vcon": data}) / "input.vcon"
    for reading in vcon.read(Source(place), "vcon", decrypt_key=_private_key()):
        sound.check(reading)
    for inside in vcon.recordings(lambda: place.open("rb"), decrypt_key=_private_key()):
        with inside.open() as stream:
            assert len(stream.read()) == inside.size_bytes


def keys_and_certificates(data: bytes) -> None:
    """PEM that somebody names, or sends along."""
    for reads in (vcon_keys.private_key, vcon_keys.recipient_key, vcon_keys.certificates):
        with suppress(StrongroomError):
            reads(data)
    with suppress(ValueError):  # as its docstring says
        vcon_keys.certificate(data.decode("latin-1"))


@cache
def _private_key() -> bytes:
    return key_pair()[0]


@cache
def key_pair() -> tuple[bytes, bytes, bytes]:
    """A private key, its certificate and its public key, PEM, made for this process."""
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fuzz")])
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    certificate = (x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end)).sign(
        key, hashes.SHA256()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM), public


def enveloped(document: bytes) -> tuple[bytes, bytes]:
    """The document signed, and the signed one encrypted, for the key of this process."""
    private, certificate, _ = key_pair()
    signed = vcon_envelope.sign(document, "0", private, certificate)
    return signed, vcon_envelope.encrypt(signed, "0", certificate)
