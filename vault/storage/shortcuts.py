"""Shorter ways through boto3, for what a deposit of many small sessions does most.

What is left out is work done twice: README.md has the measurements.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.credentials import ReadOnlyCredentials
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import get_session


def session(service: str) -> boto3.session.Session:
    """A session as boto3 makes it, for one service, but for how it reads its own files."""
    made = get_session()
    paths = made.get_component("data_loader").search_paths
    made.register_component("data_loader", _Loader(service, paths))
    return boto3.session.Session(botocore_session=made)


class _Loader(Loader):  # type: ignore[misc]  # botocore is untyped
    """botocore's descriptions of one service, found without a look at hundreds of others."""

    def __init__(self, service: str, paths: list[str]) -> None:
        super().__init__(paths, _Models(), include_default_search_paths=False)
        self._service = service

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - its base's
        return [self._service]


class _Models(JSONFileLoader):  # type: ignore[misc]  # botocore is untyped
    """The same descriptions, parsed in a fraction of the time."""

    def load_file(self, file_path: str) -> object:
        for ending, opened in ((".json", open), (".json.gz", gzip.open)):
            with contextlib.suppress(FileNotFoundError), opened(file_path + ending, "rb") as file:
                return msgspec.json.decode(file.read())
        return None


def pool(http: Any, origin: str) -> urllib3.HTTPConnectionPool | None:  # noqa: ANN401 - untyped
    """The connections of a botocore client to a server, with its certificates and limits.

    None where a proxy lies between.
    """
    if http._proxy_config.proxy_url_for(origin):  # noqa: SLF001 - kept nowhere else
        return None
    found: urllib3.HTTPConnectionPool = http._manager.connection_from_url(origin)  # noqa: SLF001
    http._setup_ssl_cert(found, origin, http._verify)  # noqa: SLF001
    return found


def signed_put(
    url: str,
    size_bytes: int,
    sha256: bytes,
    credentials: ReadOnlyCredentials,
    region: str,
) -> dict[str, str]:
    """The headers that put so many bytes of that digest to `url`."""
    request = _Put(url)
    request.headers |= {
        "host": urlsplit(url).netloc,
        "x-amz-checksum-sha256": base64.b64encode(sha256).decode(),
        "content-type": "application/octet-stream",
        "content-length": str(size_bytes),
    }
    _Signer(credentials, region, sha256).add_auth(request)
    return request.headers


@dataclass(slots=True)
class _Put:
    """What botocore signs. Its own request would search all headers for each."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)
    method: str = "PUT"
    params: None = None


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore is untyped
    """Signs one request whose headers each have one name and one plain value.

    Its body was hashed before, and nothing is looked at twice.
    """

    def __init__(self, credentials: ReadOnlyCredentials, region: str, sha256: bytes) -> None:
        super().__init__(credentials, "s3", region)
        self._sha256 = sha256
        self._signed: dict[str, str] | None = None

    def headers_to_sign(self, request: _Put) -> dict[str, str]:
        if self._signed is None:
            named = ((name.lower(), value) for name, value in request.headers.items())
            self._signed = dict(sorted(named))
        return self._signed

    def canonical_headers(self, headers_to_sign: dict[str, str]) -> str:
        return "\n".join(f"{name}:{value}" for name, value in headers_to_sign.items())

    def signed_headers(self, headers_to_sign: dict[str, str]) -> str:
        return ";".join(headers_to_sign)

    def payload(self, request: _Put) -> str:  # noqa: ARG002 - its base's
        return self._sha256.hex()
