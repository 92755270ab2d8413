"""Deposits into an S3 store, beside what plain clients do with the same files."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from tests import servers
from tests.benchmarks import inputs, plain
from tests.benchmarks.depositing import deposit
from tests.benchmarks.measure import Row, at_least, beside, in_turn, ratios, seconds, skipped

LARGE_BYTES = 512_000_000
LARGE_ROUNDS, SMALL_ROUNDS = 7, 9
_BUCKET = "benchmark"
_count = itertools.count()


def rows() -> Iterator[Row]:
    """One large session, many small ones; through both adapters, and a peer that encrypts."""
    # In memory: every side writes the same bytes, and a disk's moods would drown the rest.
    with (
        inputs.scratch() as folder,
        inputs.scratch(in_memory_bytes=12 * LARGE_BYTES) as memory,
        servers.seaweedfs(memory) as server,
    ):
        stage = Stage(server, folder)
        yield from _small(stage)
        yield from _large(stage)


class Stage:
    """A running store with one bucket, and what puts files there."""

    def __init__(self, server: servers.S3Server, folder: Path) -> None:
        self._server = server
        self.folder = folder
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket=_BUCKET, ObjectLockEnabledForBucket=True)

    def ours(self, scheme: str, path: Path) -> float:
        """The seconds that a deposit of `path` takes, in a fresh home."""
        host = urlsplit(self._server.endpoint).netloc
        url = {"s3": f"s3://{_BUCKET}", "minio": f"minio://{host}/{_BUCKET}"}[scheme]
        home = self.folder / f"home-{next(_count)}"
        return deposit(home, path, self._server.environment | {"STRONGROOM_STORE_URL": url}).seconds

    def upload(self, path: Path) -> float:
        """The seconds that boto3 takes for one file."""
        return seconds(lambda: self.client.upload_file(str(path), _BUCKET, _name(path)))

    def upload_sealed(self, encrypted: Callable[[Any], Any], path: Path) -> float:
        """The same, through a stream that encrypts."""

        def upload() -> None:
            with path.open("rb") as file, encrypted(file) as sealed:
                self.client.upload_fileobj(sealed, _BUCKET, _name(path))

        return seconds(upload)

    def put_all(self, folder: Path, *, encrypted: bool = False) -> float:
        """The seconds that boto3 takes to put every file under `folder`."""
        prefix = f"plain/{next(_count)}"
        environment = self._server.environment
        return plain.put_all(_BUCKET, prefix, folder, environment, encrypted=encrypted)


def _large(stage: Stage) -> Iterator[Row]:
    path = inputs.recording(stage.folder / "large.wav", LARGE_BYTES)
    sides = {
        "boto3": partial(stage.upload, path),
        "s3": partial(stage.ours, "s3", path),
        "minio": partial(stage.ours, "minio", path),
    }
    found = in_turn(LARGE_ROUNDS, sides)
    for scheme in ("s3", "minio"):
        text = f"{_rate(found[scheme], LARGE_BYTES)}, boto3 {_rate(found['boto3'], LARGE_BYTES)}"
        what = f"a session of 512 MB into {scheme}:// / boto3 `upload_file`"
        yield at_least(what, ratios(found["boto3"], found[scheme]), 0.85, text)
    what = "512 MB, aws-encryption-sdk into boto3 / boto3 `upload_file`"
    try:
        from tests.benchmarks.aws import stream
    except ImportError:
        yield skipped(what, "not installed")
        return
    peer = in_turn(
        1,
        {"boto3": sides["boto3"], "aws": lambda: stage.upload_sealed(stream, path)},
    )
    yield beside(what, ratios(peer["boto3"], peer["aws"]), _rate(peer["aws"], LARGE_BYTES))
    path.unlink()


def _small(stage: Stage) -> Iterator[Row]:
    folder = inputs.bundles(stage.folder / "small")
    sides = {
        "boto3": partial(stage.put_all, folder),
        "s3": partial(stage.ours, "s3", folder),
        "minio": partial(stage.ours, "minio", folder),
    }
    found = in_turn(SMALL_ROUNDS, sides)
    for scheme in ("s3", "minio"):
        text = f"{_pace(found[scheme])}, boto3 {_pace(found['boto3'])}"
        what = f"{inputs.BUNDLES} bundles of three files into {scheme}:// / boto3 `put_object`"
        yield at_least(what, ratios(found["boto3"], found[scheme]), 2.5, text)
    what = f"{inputs.BUNDLES} bundles, aws-encryption-sdk into boto3 / boto3 `put_object`"
    if find_spec("aws_encryption_sdk") is None:
        yield skipped(what, "not installed")
        return
    sides = {"boto3": sides["boto3"], "aws": partial(stage.put_all, folder, encrypted=True)}
    peer = in_turn(1, sides)
    yield beside(what, ratios(peer["boto3"], peer["aws"]), _pace(peer["aws"]))


def _name(path: Path) -> str:
    """A key nobody has used."""
    return f"plain/{next(_count)}/{path.name}"


def _rate(taken: list[float], size_bytes: int) -> str:
    return f"{size_bytes / sorted(taken)[len(taken) // 2] / 1e6:.0f} MB/s"


def _pace(taken: list[float]) -> str:
    return f"{inputs.BUNDLES / sorted(taken)[len(taken) // 2]:.0f} sessions/s"
