"""Shorter ways through boto3, for what a deposit of many small sessions does most.

What is left out is work done twice: README.md has the measurements.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from dataclasses import dataclass, field

import boto3
from botocore.auth import S3SigV4Auth
from botocore.credentials import ReadOnlyCredentials
from botocore.loaders import JSONFileLoader
from botocore.session import get_session
from urllib3 import HTTPHeaderDict


def session() -> boto3.session.Session:
    """A session as boto3 makes it, but for how it parses its own files."""
    made = get_session()
    made.get_component("data_loader").file_loader = _Models()
    return boto3.session.Session(botocore_session=made)


class _Models(JSONFileLoader):  # type: ignore[misc]  # botocore is untyped
    """botocore's own descriptions of services, parsed in a third of the time."""

    def load_file(self, file_path: str) -> object:
        for ending, opened in ((".json", open), (".json.gz", gzip.open)):
            with contextlib.suppress(FileNotFoundError), opened(file_path + ending, "rb") as file:
                return json.loads(file.read())
        return None


@dataclass(slots=True)
class Put:
    """What botocore signs and sends. Its own request would search all headers for each."""

    url: str
    headers: HTTPHeaderDict
    body: bytearray
    method: str = "PUT"
    params: None = None
    stream_output: bool = False
    context: dict[str, str] = field(default_factory=dict)


def signed_put(
    url: str,
    body: bytearray,
    sha256: bytes,
    credentials: ReadOnlyCredentials,
    region: str,
) -> Put:
    """The request that stores `body` and declares its digest, for botocore's connections."""
    headers = {
        "x-amz-checksum-sha256": base64.b64encode(sha256).decode(),
        "content-type": "application/octet-stream",
        "content-length": str(len(body)),
    }
    request = Put(url, HTTPHeaderDict(headers), body)
    _Signer(credentials, region, sha256).add_auth(request)
    return request


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore is untyped
    """Signs one request whose body was hashed before; nothing is looked at twice."""

    def __init__(self, credentials: ReadOnlyCredentials, region: str, sha256: bytes) -> None:
        super().__init__(credentials, "s3", region)
        self._sha256 = sha256
        self._signed: HTTPHeaderDict | None = None

    def headers_to_sign(self, request: Put) -> HTTPHeaderDict:
        if self._signed is None:
            self._signed = HTTPHeaderDict(super().headers_to_sign(request).items())
        return self._signed

    def payload(self, request: Put) -> str:  # noqa: ARG002 - its base's
        return self._sha256.hex()
