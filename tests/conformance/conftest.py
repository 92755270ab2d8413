"""The catalogue on each database, fresh and empty for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vault.catalogue import open_catalogue
from vault.ports import Catalogue


@pytest.fixture(params=["sqlite", "postgresql"])
def catalogue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalogue.db"
    return str(request.getfixturevalue("database_url"))


@pytest.fixture
def catalogue(catalogue_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    opened = open_catalogue(catalogue_url, home=tmp_path)
    opened.create()
    yield opened
    opened.close()
