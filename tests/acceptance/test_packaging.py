"""What a user installs: the wheel holds all that the source tree does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("vault", "workers", "policies")
#: Documents for who reads the source; those of `vault` go along.
NOT_NEEDED = {"workers/README.md", "policies/README.md"}


def test_nothing_of_the_packages_is_missing_from_the_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for package in PACKAGES:
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, source / package, ignore=without)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    program = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=source, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("strongroom-*.whl")
    with ZipFile(wheel) as packed:
        there = set(packed.namelist())
    files = (f for package in PACKAGES for f in (ROOT / package).rglob("*") if f.is_file())
    wanted = {str(f.relative_to(ROOT)) for f in files if "__pycache__" not in f.parts}
    assert "vault/export/page.typ" in wanted
    assert wanted - there == NOT_NEEDED
