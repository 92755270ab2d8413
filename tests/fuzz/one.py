"""One target until its time is up: `python -m tests.fuzz.one TARGET FOLDER [libFuzzer options]`.

Started by `tests.fuzz`, in a process of its own, because libFuzzer ends its process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vault"]):
    from tests.fuzz import mutation
    from tests.fuzz.judge import Judge
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Set up one target and hand it to libFuzzer, which does not come back."""
    name, folder, *options = sys.argv[1:]
    target = TARGETS[name]
    judge = Judge(target.door, Path(folder) / "findings")

    def mutate(data: bytes, limit: int, seed: int) -> bytes:
        return mutation.mutate(data, limit, seed, atheris.Mutate)

    atheris.Setup([sys.argv[0], *options], judge, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
