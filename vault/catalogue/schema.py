"""The plan of the shelves: which schema is there, and bringing it up to this program's.

The migrations live in `migrations/versions`, one file a revision, and run through Alembic;
an up-to-date catalogue is recognised by one plain query, without importing Alembic.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from vault.errors import BackendError

NOTHING_THERE = (
    "There is no catalogue here. Check STRONGROOM_CATALOGUE_URL; if that is right the catalogue "
    "is lost: restore it from a backup."
)
#: Every revision this program knows, oldest first; the last is the one it works with.
REVISIONS = ("0001", "0002", "0003")
HEAD = REVISIONS[-1]


def installed(connection: Connection) -> str | None:
    """The revision of this database, None if it holds no catalogue."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def require(revision: str | None) -> None:
    """Return if `revision` is this program's; else `BackendError` saying what to do."""
    if revision == HEAD:
        return
    if revision is None:
        raise BackendError(NOTHING_THERE)
    if revision in REVISIONS:
        raise BackendError(
            f"The catalogue has schema {revision} and this program needs {HEAD}. "
            "Make a backup, then run `strongroom upgrade`."
        )
    raise BackendError(
        f"The catalogue has schema {revision}, which is newer than this program ({HEAD}). "
        "Install the newer strongroom."
    )


def require_known(revision: str) -> None:
    """Return if `revision` is this program's or can be brought up to it; else `BackendError`."""
    if revision not in REVISIONS:
        require(revision)


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the transaction of `connection`: all of them or none.

    Raises `BackendError` if the schema is newer than this program.
    """
    revision = installed(connection)
    if revision == HEAD:
        return
    if revision is not None:
        require_known(revision)

    from alembic import command
    from alembic.config import Config

    config = Config()
    # Config interpolates `%`, which a path may hold.
    here = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", here)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
