"""Shorter ways through boto3, for what a deposit of many small sessions does most.

What is left out is work done twice: README.md has the measurements.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import msgspec
import urllib3
from botocore import exceptions as aws
from botocore.auth import S3SigV4Auth
from botocore.credentials import ReadOnlyCredentials
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import get_session

from vault.errors import BackendError
from vault.storage.failures import UNREADABLE


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


class Straight:
    """Small puts past all of botocore's machinery, over its client's own connections.

    One signed request each, for a third of the processor time. `origin` is the server's where
    the bucket's name is part of the path, else empty, and nothing is put this way.
    """

    def __init__(self, client: Any, session: boto3.session.Session, origin: str) -> None:  # noqa: ANN401 - botocore makes its classes at run time
        self._origin, self._session, self._region = origin, session, client.meta.region_name
        self._pool: Any = None
        with contextlib.suppress(AttributeError):  # of another botocore: its own way is there
            http = client._endpoint.http_session  # noqa: SLF001 - kept nowhere else
            if origin and not http._proxy_config.proxy_url_for(origin):  # noqa: SLF001
                pool = http._manager.connection_from_url(origin)  # noqa: SLF001
                http._setup_ssl_cert(pool, origin, http._verify)  # noqa: SLF001
                self._pool = pool

    def put(
        self, bucket: str, name: str, body: bytearray, sha256: bytes
    ) -> Mapping[str, str] | None:
        """The headers of a plain yes; None for anything else, and where a proxy lies between."""
        try:
            credentials = self._session.get_credentials()
            if self._pool is None or credentials is None or not self._region:
                return None
            url = f"{self._origin}/{bucket}/{quote(name)}"
            known = credentials.get_frozen_credentials()
            answer = self._pool.urlopen(
                "PUT",
                urlsplit(url).path,
                body,
                signed_put(url, len(body), sha256, known, self._region),
                retries=False,
                redirect=False,
                decode_content=False,
            )
        except (aws.BotoCoreError, urllib3.exceptions.HTTPError, BackendError, *UNREADABLE):
            return None
        told: Mapping[str, str] = answer.headers
        return told if answer.status == 200 and told.get("ETag") else None


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
