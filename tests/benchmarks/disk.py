"""Depositing one large recording into a folder, beside what hashing and copying it costs."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import inputs
from tests.benchmarks.depositing import Deposit, deposit
from tests.benchmarks.measure import Row, Spread, at_most, in_turn, ratios, seconds

SIZES = {"1 GB": 1_000_000_000, "100 MB": 100_000_000}
ROUNDS = 5


def rows() -> Iterator[Row]:
    """Time and peak memory, for a large and for a small recording."""
    for name, size_bytes in SIZES.items():
        with inputs.scratch() as folder:
            yield from _rows(folder, name, inputs.recording(folder / "one.wav", size_bytes))


def _rows(folder: Path, name: str, path: Path) -> Iterator[Row]:
    deposits: list[Deposit] = []
    count = itertools.count()

    def ours() -> float:
        home = folder / f"home-{next(count)}"
        deposits.append(deposit(home, path, {}))
        _remove(home)
        return deposits[-1].seconds

    def theirs() -> float:
        copy = folder / "copy.wav"
        taken = seconds(lambda: _hash_copy_sync(path, copy))
        _remove(copy)
        return taken

    found = in_turn(ROUNDS, {"theirs": theirs, "ours": ours})
    text = ", ".join(
        f"{who} {sorted(found[side])[ROUNDS // 2]:.2f} s"
        for who, side in (("deposit", "ours"), ("the three", "theirs"))
    )
    ratio = ratios(found["ours"], found["theirs"])
    yield at_most(
        f"deposit of {name} into file:// / `sha256sum` + `cp` + `sync`", ratio, 1.5, " ×", text
    )
    peak = Spread.of([d.peak_bytes / 1e6 for d in deposits])
    yield at_most(f"peak memory of that process, {name}", peak, 200, " MB", "", digits=0)


def _hash_copy_sync(path: Path, copy: Path) -> None:
    subprocess.run(["sha256sum", path], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cp", path, copy], check=True)
    subprocess.run(["sync", copy], check=True)


def _remove(path: Path) -> None:
    """Gone, and off the disk too: what a side leaves behind must not be the next one's work."""
    subprocess.run(["rm", "-rf", path], check=True)
    subprocess.run(["sync"], check=True)
