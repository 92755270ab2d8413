"""Fuzz every target, or those that are named: `make fuzz ARGS="--seconds 600 json wav"`.

Prints a row for each, as the table in README.md has them, and exits with 1 if anything was found.
Corpora and findings stay in `.fuzz/`; another run goes on from there.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import TARGETS

_ROOT = Path(__file__).resolve().parents[2]
#: For one input, before the process is ended; in MiB, for all of it.
_HARD_SECONDS, _HARD_MIB = 30, 2048


@dataclass(frozen=True, slots=True)
class Row:
    """What one target came to."""

    target: str
    seconds: int
    executions: int
    edges: int
    findings: int

    def __str__(self) -> str:
        numbers = f"{self.seconds:,} | {self.executions:,} | {self.edges:,} | {self.findings}"
        return f"| `{self.target}` | {numbers} |"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("targets", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=30, help="for each target [30]")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time [2]")
    parser.add_argument("--work", type=Path, default=_ROOT / ".fuzz", help="where things stay")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"no target is called {', '.join(sorted(unknown))}")
    print("| Target | Seconds | Executions | Edges | Findings |\n|---|--:|--:|--:|--:|", flush=True)
    rows = []
    with ThreadPoolExecutor(given.jobs) as pool:
        running = [
            pool.submit(_run, name, given.seconds, given.work / name)
            for name in given.targets or TARGETS
        ]
        for each in running:
            rows.append(each.result())
            print(rows[-1], flush=True)
    return int(any(row.findings for row in rows))


def _run(name: str, seconds: int, folder: Path) -> Row:
    """One target in a process of its own, with its seeds and what an earlier run kept."""
    seeds, corpus = folder / "seeds", folder / "corpus"
    for each in (seeds, corpus, folder / "hangs"):
        each.mkdir(parents=True, exist_ok=True)
    target = TARGETS[name]
    for at, seed in enumerate(target.seeds()):
        (seeds / f"{at:03}").write_bytes(seed)
    command = [
        *("nice", "-n", "19", sys.executable, "-m", "tests.fuzz.one", name, str(folder)),
        *(f"-max_total_time={seconds}", f"-max_len={target.limit_bytes}"),
        *(f"-timeout={_HARD_SECONDS}", f"-rss_limit_mb={_HARD_MIB}", "-print_final_stats=1"),
        f"-report_slow_units={_HARD_SECONDS}",  # what is slower than it should be, the judge tells
        *(f"-artifact_prefix={folder / 'hangs'}/", str(corpus), str(seeds)),
    ]
    log = folder / "log.txt"
    with log.open("wb") as stream:
        subprocess.run(command, cwd=_ROOT, stdout=stream, stderr=stream, check=False)
    told = log.read_text(errors="replace")
    executed = re.findall(r"number_of_executed_units: (\d+)", told) or re.findall(r"\n#(\d+)", told)
    edges = re.findall(r"cov: (\d+)", told)
    found = len(set(re.findall(r"FINDING (.*) ->", told)))
    if not executed or any((folder / "hangs").iterdir()):
        found += 1  # it never began, hung, or took too much memory: the log says which
        sys.stderr.write(f"{name}: see {log}\n")
    took = re.findall(r"Done \d+ runs in (\d+) second", told) or [str(seconds)]
    return Row(name, int(took[-1]), int((executed or ["0"])[-1]), int((edges or ["0"])[-1]), found)


if __name__ == "__main__":
    raise SystemExit(main())
