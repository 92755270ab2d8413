"""What people do instead: `python -m tests.benchmarks.plain BUCKET PREFIX FOLDER`.

Puts every file under FOLDER with boto3, `THREADS` at a time, in a process of its own as
`tests.benchmarks.depositing` does, and prints the seconds. As there, the start of the program
is not counted, and the making of the client is. With `--encrypted` each file goes through the
AWS Encryption SDK first.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

from tests.benchmarks.depositing import clean_environment

THREADS = 8


def put_all(
    bucket: str, prefix: str, folder: Path, settings: Mapping[str, str], *, encrypted: bool = False
) -> float:
    """The seconds that a fresh process takes to put what lies under `folder`."""
    options = ["--encrypted"] if encrypted else []
    done = subprocess.run(
        [sys.executable, "-m", __name__, bucket, prefix, str(folder), *options],
        env=clean_environment() | dict(settings),
        check=True,
        stdout=subprocess.PIPE,
    )
    return float(done.stdout)


def _main(bucket: str, prefix: str, folder: Path, *, encrypted: bool) -> None:
    change: Callable[[bytes], bytes] = bytes
    if encrypted:
        from tests.benchmarks.aws import encrypted as change  # an extra of the benchmarks

    began = time.perf_counter()
    client = boto3.client("s3")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]

    def put(path: Path) -> None:
        key = f"{prefix}/{path.relative_to(folder)}"
        client.put_object(Bucket=bucket, Key=key, Body=change(path.read_bytes()))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, paths))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), encrypted="--encrypted" in sys.argv[4:])
