"""Signed notes: ours verify, those of other programs verify, and nothing else does.

Outside vectors: the checkpoints in tests/vectors/tlog, and the note of golang.org/x/mod/sumdb/note.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import BadInput, IntegrityError
from vault.ledger.note import SigningKey, verifier_key, verify

CHECKPOINTS = sorted((Path(__file__).parent.parent / "vectors" / "tlog").glob("checkpoint.*"))
TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_LINE = (
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
    "qdngotpRZb6KE6RyyBwJnAM=\n"
)
PETER_NOTE = f"{PETER_TEXT}\n{PETER_LINE}".encode()
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    "\N{EM DASH} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTG"
    "wnWLox33WWd1RvMc+QQ=\n"
)

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n"))
names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.name)
def test_a_checkpoint_of_another_log_verifies(path: Path) -> None:
    origin, size, root, end = verify(path.read_bytes(), TESSERA).split("\n")
    assert (origin, size, end) == ("example.com/log/testdata", path.suffix[1:], "")
    assert len(base64.b64decode(root)) == 32


def test_all_the_outside_checkpoints_are_there() -> None:
    assert len(CHECKPOINTS) == 16


def test_a_note_of_the_go_program_verifies_and_ours_is_the_same_to_the_byte() -> None:
    assert verify(PETER_NOTE, PETER) == PETER_TEXT
    key = SigningKey("PeterNeumann", PETER_SEED)
    assert key.verifier_key == PETER
    assert key.sign(PETER_TEXT) == PETER_NOTE


def test_signatures_by_others_are_passed_over() -> None:
    note = PETER_NOTE + ENOCH_LINE.encode()
    assert verify(note, PETER) == verify(note, ENOCH) == PETER_TEXT
    with pytest.raises(IntegrityError, match="not signed by"):
        verify(PETER_NOTE, ENOCH)


def test_one_bad_signature_of_the_key_spoils_a_good_one() -> None:
    forged = base64.b64encode(base64.b64decode(PETER_LINE.split()[2])[:4] + bytes(64)).decode()
    line = f"\N{EM DASH} PeterNeumann {forged}\n".encode()
    for note in (PETER_NOTE + line, PETER_NOTE.replace(PETER_LINE.encode(), line)):
        with pytest.raises(IntegrityError, match="altered"):
            verify(note, PETER)


def test_the_same_key_under_another_name_is_another_key() -> None:
    key = SigningKey("someone", PETER_SEED)
    for note in (key.sign(PETER_TEXT), PETER_NOTE.replace(b" PeterNeumann ", b" someone ")):
        with pytest.raises(IntegrityError, match="not signed by"):
            verify(note, PETER)


def test_every_flipped_byte_of_a_note_is_refused() -> None:
    for place in range(len(PETER_NOTE)):
        damaged = bytearray(PETER_NOTE)
        damaged[place] ^= 1 << (place % 8)
        with pytest.raises(IntegrityError):
            verify(bytes(damaged), PETER)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        PETER_TEXT.encode(),
        PETER_TEXT.encode() + b"\n",
        PETER_NOTE[:-1],
        b"\x01" + PETER_NOTE,
        b"\xff" + PETER_NOTE,
        PETER_NOTE.replace(b"\n", b"\r\n"),
        PETER_NOTE + b"Unexpected line.\n",
        PETER_NOTE + b"\n",
        PETER_NOTE.replace(b" PeterNeumann ", b" Peter Neumann "),
        PETER_NOTE.replace(b" PeterNeumann ", b" Peter+Neumann "),
        PETER_NOTE.replace("\N{EM DASH}".encode(), b"-"),
        PETER_NOTE.replace(b"wJnAM=", b"wJnAN="),  # the same bytes, written in another way
        PETER_NOTE + PETER_LINE.encode() * 100,
        f"{PETER_TEXT}{PETER_LINE}".encode(),
    ],
)
def test_a_malformed_note_is_refused(note: bytes) -> None:
    with pytest.raises(IntegrityError):
        verify(note, PETER)


def test_no_piece_of_a_verifier_key_is_a_verifier_key() -> None:
    for start in range(len(PETER)):
        for stop in range(start + 1, len(PETER) + 1):
            if stop - start < len(PETER):
                with pytest.raises(BadInput):
                    verify(PETER_NOTE, PETER[start:stop])


def test_a_mangled_verifier_key_is_refused() -> None:
    for place in range(len(PETER)):
        mangled = PETER[:place] + chr(ord(PETER[place]) + 1) + PETER[place + 1 :]
        with pytest.raises(BadInput):
            verify(PETER_NOTE, mangled)
    for bad in (
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER + "\n",
        " " + PETER,
        "",
    ):
        with pytest.raises(BadInput):
            verify(PETER_NOTE, bad)


@given(names, texts)
def test_what_a_fresh_key_signs_its_verifier_key_verifies(name: str, text: str) -> None:
    name = name.replace("+", "-")
    key = SigningKey.generate(name)
    assert verify(key.sign(text + "\n"), key.verifier_key) == text + "\n"


def test_a_verifier_key_is_laid_out_as_the_specification_says() -> None:
    key = SigningKey.generate("example.com/archive")
    name, key_id, encoded = key.verifier_key.split("+", 2)
    body = base64.b64decode(encoded)
    assert name == "example.com/archive"
    assert body == b"\x01" + key.public_key
    assert key_id == hashlib.sha256(name.encode() + b"\n" + body).hexdigest()[:8]
    assert verifier_key(name, key.public_key) == key.verifier_key


def test_a_key_goes_out_and_in_as_raw_bytes() -> None:
    key = SigningKey.generate("example.com/archive")
    again = SigningKey("example.com/archive", key.private_bytes)
    stock = Ed25519PrivateKey.from_private_bytes(key.private_bytes)
    assert again == key
    assert stock.public_key().public_bytes_raw() == key.public_key
    assert repr(key.private_bytes) not in repr(key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\tb", "\udc80"])
def test_a_name_that_a_note_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        SigningKey.generate(name)
    with pytest.raises(BadInput):
        verifier_key(name, bytes(32))


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n", "bell\a\n", "return\r\n"])
def test_a_text_that_a_note_cannot_carry_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        SigningKey.generate("name").sign(text)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_the_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(BadInput):
        SigningKey("name", bytes(size))
    with pytest.raises(BadInput):
        verifier_key("name", bytes(size))
