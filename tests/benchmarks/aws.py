"""The AWS Encryption SDK with a key of its own in memory, as a peer."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import aws_encryption_sdk
from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider

#: Its default of 4 KiB makes it many times slower where much is read at once.
FRAME_BYTES = 1 << 20


class _Provider(RawMasterKeyProvider):  # type: ignore[misc]  # the SDK is untyped
    provider_id = "benchmark"

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.key = b""

    def _get_raw_key(self, key_id: bytes) -> WrappingKey:
        return WrappingKey(
            WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
            self.key,
            EncryptionKeyType.SYMMETRIC,
        )


def master_key(key: bytes) -> Any:
    """A key provider that wraps with `key` (32 bytes)."""
    provider = _Provider()
    provider.key = key
    provider.add_master_key(b"benchmark")
    return provider


def encrypted(plain: bytes) -> bytes:
    """`plain` in the SDK's own format, under a fresh key, with its default algorithm."""
    sealed: bytes
    client = aws_encryption_sdk.EncryptionSDKClient()
    sealed, _ = client.encrypt(
        source=plain, key_provider=master_key(os.urandom(32)), frame_length=FRAME_BYTES
    )
    return sealed


def stream(source: BinaryIO) -> Any:
    """The same for a stream, as a file to be read."""
    client = aws_encryption_sdk.EncryptionSDKClient()
    return client.stream(
        mode="e",
        source=source,
        key_provider=master_key(os.urandom(32)),
        frame_length=FRAME_BYTES,
    )
