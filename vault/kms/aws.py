"""A root key in AWS KMS, through boto3: endpoint, region and credentials come from AWS_*.

    version 1 ‖ rotations, 2 bytes big-endian ‖ CiphertextBlob ‖ SHA-256 of all that, first 8 bytes

The context is KMS's own EncryptionContext, so key policies may name it; it stands in CloudTrail in
clear. The blob does not say which key material made it, so the number of rotations completed by
then stands before it, and that is the root version. KMS answers a damaged blob now with "damaged",
now with "no permission"; the digest lets us tell the two apart.

Rotation, automatic or on demand, makes new material and keeps all the old for ever: it destroys
nothing. Only deleting the whole key does, after 7 to 30 days.

Source: https://docs.aws.amazon.com/kms/latest/APIReference/
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

import boto3
import botocore.exceptions
import stamina
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
)

from vault.errors import BackendError, IntegrityError, NotFound, StrongroomError, UsageError
from vault.kms.address import Address
from vault.kms.trial import round_trip
from vault.ports import Finding

_VERSION = b"\x01"
_ROTATIONS = slice(1, 3)
_DIGEST_BYTES = 8
_ROTATION_SECONDS = 300.0
#: boto3's own retries are the one layer there is.
_CONFIG = Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
)
_GONE = {"NotFoundException", "DisabledException", "KMSInvalidStateException"}
_DAMAGED = {"InvalidCiphertextException", "IncorrectKeyException"}
_BUSY = {
    "DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException",
    "LimitExceededException", "ThrottlingException", "RequestLimitExceeded",
}  # fmt: skip

T = TypeVar("T")


def connect(address: Address, **_: object) -> AwsKms:
    """See `vault.kms.open_kms`; home and passphrase have no meaning here."""
    address.only()
    return AwsKms(address)


class AwsKms:
    """`KeyManagement` over AWS KMS. Threads may share it."""

    def __init__(self, address: Address) -> None:
        self.url = address.url
        self._key = unquote(address.target)
        if not self._key:
            raise UsageError("aws-kms:// names a key id, an ARN or alias/NAME.")
        try:
            # A session of its own: boto3's shared one is not for use by several threads.
            self._client = boto3.session.Session().client("kms", config=_CONFIG)
        except NoRegionError as error:
            raise BackendError("AWS KMS needs a region: set AWS_REGION.") from error
        except (BotoCoreError, ValueError) as error:
            raise BackendError("The AWS settings cannot be used: check AWS_*.") from error

    def create(self) -> None:
        """Only an alias can be made; a key id or an ARN must exist already."""
        try:
            self._ask(lambda: self._client.describe_key(KeyId=self._key))
        except NotFound:
            if not self._key.startswith("alias/"):
                raise
            made = self._ask(lambda: self._client.create_key(Description="strongroom root key"))
            name = made["KeyMetadata"]["KeyId"]
            self._ask(lambda: self._client.create_alias(AliasName=self._key, TargetKeyId=name))

    def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        rotations = self._rotations()
        answer = self._ask(
            lambda: self._client.encrypt(
                KeyId=self._key, Plaintext=key, EncryptionContext=dict(context)
            )
        )
        body = _VERSION + rotations.to_bytes(2, "big") + bytes(answer["CiphertextBlob"])
        return body + _digest(body)

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        body = _body(wrapped)
        answer = self._ask(
            # The key is named, so that a blob made under any other key is refused.
            lambda: self._client.decrypt(
                KeyId=self._key,
                CiphertextBlob=body[_ROTATIONS.stop :],
                EncryptionContext=dict(context),
            )
        )
        return bytes(answer["Plaintext"])

    def version_of(self, wrapped: bytes) -> str:
        return f"r{int.from_bytes(_body(wrapped)[_ROTATIONS], 'big')}"

    def rotate(self) -> str:
        """Waits until KMS has done it, up to five minutes; then `BackendError`, worth a retry.

        KMS allows 25 on-demand rotations in the life of a key.
        """
        before = self._rotations()
        self._ask(lambda: self._client.rotate_key_on_demand(KeyId=self._key_id()))
        for attempt in stamina.retry_context(
            on=_StillRotatingError, attempts=None, timeout=_ROTATION_SECONDS, wait_initial=0.5
        ):
            with attempt:
                after = self._rotations()
                if after == before:
                    raise _StillRotatingError(
                        "AWS KMS is still rotating the key: ask again.", retryable=True
                    )
        return f"r{after}"

    def probe(self) -> Sequence[Finding]:
        works = round_trip(self)
        detail = "only deleting the whole key destroys, after 7 to 30 days; rotation keeps all"
        return [works, Finding("root key destruction", ok=True, detail=detail)]

    def _rotations(self) -> int:
        """How many rotations of this key, of either kind, are complete."""

        def count() -> int:
            paginator = self._client.get_paginator("list_key_rotations")
            pages = paginator.paginate(KeyId=self._key_id())
            return sum(len(page["Rotations"]) for page in pages)

        return self._ask(count)

    def _key_id(self) -> str:
        """The key itself: what concerns rotation takes no alias."""
        return str(self._client.describe_key(KeyId=self._key)["KeyMetadata"]["KeyId"])

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except ClientError as error:
            raise self._translated(error) from error
        except NoCredentialsError as error:
            raise BackendError("AWS KMS needs credentials: set AWS_*, or a role.") from error
        except (botocore.exceptions.ConnectionError, HTTPClientError) as error:
            raise BackendError("AWS KMS does not answer.", retryable=True) from error
        except BotoCoreError as error:
            raise BackendError(f"AWS KMS cannot be used: {type(error).__name__}.") from error

    def _translated(self, error: ClientError) -> StrongroomError:
        answer: Mapping[str, Any] = error.response
        code = str(answer.get("Error", {}).get("Code", ""))
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _GONE:
            return NotFound(f"The AWS KMS key {self._key} is gone or disabled ({code}).")
        if code in _DAMAGED:
            return IntegrityError("A wrapped key is damaged or belongs elsewhere.")
        if code in _BUSY or status >= 500:
            return BackendError(f"AWS KMS is unavailable ({code}).", retryable=True)
        return BackendError(
            f"AWS KMS refused ({code}): check the credentials, and that the policy of the key "
            f"{self._key} allows what vault/kms/README.md lists."
        )


class _StillRotatingError(BackendError):
    """The rotation has begun and is not complete."""


def _body(wrapped: bytes) -> bytes:
    """All but the digest, once that is right; `IntegrityError` otherwise."""
    body, digest = wrapped[:-_DIGEST_BYTES], wrapped[-_DIGEST_BYTES:]
    if len(body) <= _ROTATIONS.stop or body[:1] != _VERSION or _digest(body) != digest:
        raise IntegrityError("A wrapped key is damaged.")
    return body


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_DIGEST_BYTES]
