"""The catalogue: the truth about what is archived, in SQLite or PostgreSQL. See README.md."""

from __future__ import annotations

from pathlib import Path

from vault.errors import UsageError
from vault.ports import Catalogue


def open_catalogue(url: str, *, home: Path) -> Catalogue:
    """The catalogue that `url` names; nothing is made and nobody is asked until it is used.

    `sqlite:///PATH` (a relative PATH lies in `home`; without one: `home/catalogue.db`) or
    `postgresql://USER@HOST/DATABASE`. Raises `UsageError` for any other URL, `BackendError`
    where the driver is not installed.
    """
    # The databases are imported late: most of the time that `strongroom --help` has is theirs.
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        from vault.catalogue.sqlite import SqliteCatalogue

        return SqliteCatalogue(home / (rest.removeprefix("/") or "catalogue.db"))
    if scheme in {"postgresql", "postgresql+psycopg", "postgres"}:
        from vault.catalogue.postgres import PostgresCatalogue

        return PostgresCatalogue(url)
    raise UsageError("The catalogue's URL must begin with sqlite:/// or postgresql://.")
