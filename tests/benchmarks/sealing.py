"""Sealing and opening in memory on one core, beside the bare cipher of OpenSSL.

Both sides count processor time of one thread, so that other programs on the machine do not
count. OpenSSL encrypts one buffer in place over and over, so sealing is given one block over and
over, as a block that was just read is in the processor's cache; beside it, and for opening and the
peers, 128 MiB that are in no cache. What is made goes to fresh memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

from tests.benchmarks.measure import Row, at_least, beside, in_turn, ratios, skipped
from vault.ports import Buffer
from vault.seal import stream

BLOCK_BYTES = 1 << 20
TOTAL_BYTES = 128 << 20
#: How often ours goes through all of it in one round: OpenSSL runs for a second as well.
PASSES = 16
ROUNDS = 15
_COUNT = TOTAL_BYTES // BLOCK_BYTES
_KEY, _CONTEXT = os.urandom(32), b"benchmark"


def rows() -> Iterator[Row]:
    """Sealing and opening, then the peers on the same bytes."""
    if shutil.which("openssl") is None:
        yield skipped("seal, open", "openssl is not installed")
        return
    block = os.urandom(BLOCK_BYTES)
    plain = block * _COUNT
    sealed = b"".join(_sealed(_blocks(plain)))
    found = in_turn(
        ROUNDS,
        {
            "openssl": _openssl,
            "seal": lambda: _speed(lambda: _drain(_sealed(repeat(block, _COUNT))), PASSES),
            "seal far": lambda: _speed(lambda: _drain(_sealed(_blocks(plain))), PASSES),
            "open": lambda: _speed(lambda: _drain(_reader(sealed).stream()), PASSES),
        },
    )
    bare = _gigabytes("openssl", found["openssl"])
    for name, target in (("seal", 0.95), ("open", 0.65)):
        text = f"{_gigabytes(name, found[name])}, {bare}"
        what = f"{name}, 1 MiB blocks, one core / `openssl speed -evp aes-256-gcm`"
        yield at_least(what, ratios(found[name], found["openssl"]), target, text)
    text = _gigabytes("seal far", found["seal far"])
    what = "seal, 1 MiB blocks that are in no cache / the same"
    yield beside(what, ratios(found["seal far"], found["openssl"]), text)
    for name, make in (("aws-encryption-sdk", _aws), ("pyrage", _pyrage)):
        yield from _peer(name, make, plain)


def _peer(name: str, make: Callable[[bytes], tuple[_Work, _Work]], plain: bytes) -> Iterator[Row]:
    try:
        seal, open_ = make(plain)
    except ImportError:
        yield skipped(f"{name} on the same bytes", "not installed")
        return
    sides = {
        "openssl": _openssl,
        "seal": lambda: _speed(seal),
        "open": lambda: _speed(open_),
    }
    found = in_turn(2, sides)
    for act in ("seal", "open"):
        text = _gigabytes(name, found[act])
        ratio = ratios(found[act], found["openssl"])
        yield beside(f"{act}, {name} on the same bytes / openssl", ratio, text)


_Work = Callable[[], object]


def _aws(plain: bytes) -> tuple[_Work, _Work]:
    """With large frames and without signing, which nobody else does here."""
    import aws_encryption_sdk as sdk
    from aws_encryption_sdk.identifiers import AlgorithmSuite

    from tests.benchmarks.aws import FRAME_BYTES, master_key

    client = sdk.EncryptionSDKClient()
    suite = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
    key = master_key(os.urandom(32))
    sealed, _ = client.encrypt(
        source=plain, key_provider=key, algorithm=suite, frame_length=FRAME_BYTES
    )
    return (
        lambda: client.encrypt(
            source=plain, key_provider=key, algorithm=suite, frame_length=FRAME_BYTES
        ),
        lambda: client.decrypt(source=sealed, key_provider=key),
    )


def _pyrage(plain: bytes) -> tuple[_Work, _Work]:
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    recipients = [identity.to_public()]
    sealed = pyrage.encrypt(plain, recipients)
    return (
        lambda: pyrage.encrypt(plain, recipients),
        lambda: pyrage.decrypt(sealed, [identity]),
    )


def _openssl() -> float:
    """Bytes a processor second."""
    done = subprocess.run(
        [
            *("openssl", "speed", "-mr", "-seconds", "1"),
            *("-bytes", str(BLOCK_BYTES), "-evp", "aes-256-gcm"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    last = next(line for line in done.stdout.splitlines() if line.startswith("+F:"))
    return float(last.rpartition(":")[2])


def _speed(work: _Work, passes: int = 1) -> float:
    """Bytes a processor second of this thread."""
    began = time.thread_time()
    for _ in range(passes):
        work()
    return passes * TOTAL_BYTES / (time.thread_time() - began)


def _reader(sealed: bytes) -> stream.RangeReader:
    whole = memoryview(sealed)
    return stream.RangeReader(
        _KEY, _CONTEXT, lambda start, stop: _blocks(whole[start:stop]), len(sealed)
    )


def _sealed(blocks: Iterable[Buffer]) -> Iterator[bytes]:
    return stream.seal(_KEY, _CONTEXT, blocks)


def _blocks(whole: bytes | memoryview) -> Iterator[memoryview]:
    view = memoryview(whole)
    return (view[at : at + BLOCK_BYTES] for at in range(0, len(view), BLOCK_BYTES))


def _drain(blocks: Iterable[object]) -> None:
    for _ in blocks:
        pass


def _gigabytes(name: str, speeds: list[float]) -> str:
    return f"{name} {sorted(speeds)[len(speeds) // 2] / 1e9:.2f} GB/s"
