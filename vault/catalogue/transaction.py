"""One unit of work: everything that can be asked of the catalogue, on one connection."""

from __future__ import annotations

from vault.catalogue.jobs import Jobs
from vault.catalogue.keys import Actors, Keys
from vault.catalogue.sessions import Objects, Sessions


class SqlTransaction(Sessions, Objects, Keys, Jobs, Actors):
    """The Transaction port in SQL that SQLite and PostgreSQL both speak."""
