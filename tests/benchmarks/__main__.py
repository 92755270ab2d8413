"""`python -m tests.benchmarks [NAME…] [--write]`: measure, print the table."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.benchmarks import report
from tests.benchmarks.depositing import clean_environment

#: Each a module beside this one with a function `rows`, quick ones first.
NAMES = (
    *(
        "starting",
        "parsing",
        "sealing",
        "ranges",
        "evidence",
        "disposing",
        "transcoding",
        "seeking",
        "disk",
    ),
    "objects",
)


def main() -> None:
    """Run what was named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(NAMES))
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    chosen = [name for name in NAMES if not given.names or name in given.names]
    environment = clean_environment()
    os.environ.clear()
    os.environ.update(environment)
    load, began = os.getloadavg()[0], time.monotonic()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as alone:
        rows = [row for found in alone.map(report.rows, chosen) for row in found]
    command = " ".join(["python -m tests.benchmarks", *given.names])
    result = "\n".join((report.circumstances(command, load), "", report.table(rows)))
    print(result)
    print(f"{time.monotonic() - began:.0f} s in all.", file=sys.stderr)
    if given.write:
        report.write(result)


if __name__ == "__main__":
    main()
