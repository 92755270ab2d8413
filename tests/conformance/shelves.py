"""Every adapter of ObjectStore, opened on something real, and a way to look behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import servers
from vault.ports import ObjectStore
from vault.storage import calls, open_store
from vault.storage.bucket import BucketStore

EVERY = ("file", "s3", "minio")
S3_ALIKE = ("s3", "minio")
PREFIX = "shelf/"


@dataclass(frozen=True)
class Shelf:
    """A store and what really lies in it, told without its adapter."""

    kind: str
    url: str
    store: ObjectStore
    #: The paths of whole objects, and of whatever is not whole.
    whole: Callable[[], list[str]]
    unfinished: Callable[[], list[str]]


def on_folder(folder: Path) -> Shelf:
    url = f"file://{folder}"
    store = open_store(url, home=folder)
    store.create()

    def whole() -> list[str]:
        return [p.name for p in (folder / "objects").rglob("*") if p.is_file()]

    def unfinished() -> list[str]:
        return [p.name for p in (folder / "unfinished").rglob("*")]

    return Shelf("file", url, store, whole, unfinished)


def on_bucket(
    kind: str,
    server: servers.S3Server,
    bucket: str,
    patch: pytest.MonkeyPatch,
    prefix: str = PREFIX,
) -> Shelf:
    """The store by its URL, as anyone would open it."""
    for name, value in server.environment.items():
        patch.setenv(name, value)
    url = bucket_url(kind, server.endpoint, bucket, prefix)
    client = servers.s3_client(server)

    def whole() -> list[str]:
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket)
        return [found["Key"] for page in pages for found in page.get("Versions", ())]

    def unfinished() -> list[str]:
        answer = client.list_multipart_uploads(Bucket=bucket)
        return [upload["Key"] for upload in answer.get("Uploads", ())]

    return Shelf(kind, url, open_store(url, home=Path("/nowhere")), whole, unfinished)


def bucket_url(kind: str, endpoint: str, bucket: str, prefix: str = PREFIX) -> str:
    place = f"{bucket}/{prefix}".rstrip("/")
    return f"s3://{place}" if kind == "s3" else f"minio://{urlsplit(endpoint).netloc}/{place}"


def impatient(
    kind: str,
    endpoint: str,
    bucket: str,
    patch: pytest.MonkeyPatch,
    *,
    seconds: float = 10,
    attempts: int = 3,
) -> ObjectStore:
    """The same adapter on another endpoint: so many attempts, each waiting `seconds`."""
    url = bucket_url(kind, endpoint, bucket)
    made: calls.Calls
    if kind == "s3":
        from vault.storage.s3 import Boto3Calls

        with patch.context() as meanwhile:
            meanwhile.setenv("AWS_ENDPOINT_URL_S3", endpoint)
            made = Boto3Calls(url, bucket, timeout_seconds=seconds, attempts=attempts)
            assert made._client.meta.endpoint_url == endpoint  # read at the first use
    else:
        from vault.storage.minio import MinioCalls

        host, secure = urlsplit(endpoint).netloc, endpoint.startswith("https:")
        made = MinioCalls(
            url, host, bucket, secure=secure, timeout_seconds=seconds, attempts=attempts
        )
    return BucketStore(url, made, PREFIX)


def opened(request: pytest.FixtureRequest, tmp_path: Path, patch: pytest.MonkeyPatch) -> Shelf:
    """The shelf of the adapter that `request.param` names."""
    if request.param == "file":
        return on_folder(tmp_path / "store")
    server = request.getfixturevalue("s3_server")
    return on_bucket(request.param, server, request.getfixturevalue("bucket"), patch)


def blocks(total: int, size: int = 1 << 20) -> Iterator[bytes]:
    """`total` bytes that differ everywhere, in blocks of `size`, from one small seed."""
    left, number = total, 0
    while left:
        block = (number.to_bytes(8, "big") * (size // 8 + 1))[: min(size, left)]
        left, number = left - len(block), number + 1
        yield block
