"""The command line: verbs in, documents and exit codes out. `strongroom --help` is its contents."""

from __future__ import annotations


def main() -> None:
    """The console script."""
    from vault.cli.app import run

    raise SystemExit(run())
