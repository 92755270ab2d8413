"""One unit of work: everything that can be asked of the catalogue, on one connection."""

from __future__ import annotations

from vault.catalogue.acts import Acts
from vault.catalogue.disposals import Disposals
from vault.catalogue.due import Due
from vault.catalogue.holds import Holds
from vault.catalogue.jobs import Jobs
from vault.catalogue.keys import Actors, Keys
from vault.catalogue.sessions import Objects
from vault.catalogue.subjects import Consents, Evidence, Requests


class SqlTransaction(
    Due,
    Objects,
    Keys,
    Jobs,
    Actors,
    Holds,
    Consents,
    Requests,
    Disposals,
    Evidence,
    Acts,
):
    """The Transaction port in SQL that SQLite and PostgreSQL both speak."""
