"""Who may do what. On the machine that holds the home, naming an actor is enough."""

from __future__ import annotations

import hashlib
import secrets

from vault.errors import BackendError, BadInput, NotFound, Refused, UsageError
from vault.model import State, new_id
from vault.operations.keys import Keys
from vault.operations.room import Room
from vault.ports import Catalogue, Clock
from vault.rows import ActorRow, SessionRow

#: The name of who is made with the archive, and the role.
OWNER = "owner"
_OFFICE = frozenset({"read", "schedules", "evidence", "fixity", "holds", "sweep", "policy"})
#: The roles, and what each may do. `read-own` reads what the same actor deposited.
ROLES: dict[str, frozenset[str]] = {
    "owner": _OFFICE
    | {"deposit", "actors", "keys", "jobs", "repair", "restore", "requests", "consent"},
    "agent": frozenset({"deposit", "read-own"}),
    "officer": _OFFICE,
    "dpo": _OFFICE | {"requests", "consent"},
    "auditor": frozenset({"evidence", "fixity"}),
    "admin": frozenset({"actors", "keys", "jobs", "fixity"}),
    "nobody": frozenset(),
}
#: Sessions that are only stored until somebody decides.
_STORED = frozenset({State.RESTRICTED, State.QUARANTINED})
_GIVEN = [role for role in ROLES if role not in {"owner", "nobody"}]


def may(room: Room, act: str) -> bool:
    """Whether the acting actor's role allows `act`; a role that is none allows nothing."""
    return act in ROLES.get(room.actor.role, frozenset())


def permit(room: Room, act: str) -> None:
    """Raises `Refused` unless the acting actor's role allows `act`."""
    if not may(room, act):
        raise Refused(f"The role {room.actor.role} may not do this ({act}).")


def permit_any(room: Room, *acts: str) -> None:
    """Raises `Refused` unless the acting actor's role allows one of these."""
    if not any(may(room, act) for act in acts):
        raise Refused(f"The role {room.actor.role} may not do this ({acts[0]}).")


def may_read(room: Room, session: SessionRow) -> bool:
    """Whether the actor may read this session; one only stored, if they decide on requests."""
    if session.state in _STORED and not may(room, "requests"):
        return False
    own = may(room, "read-own") and session.deposited_by == room.actor.id
    return own or may(room, "read")


def permit_reading(room: Room, session: SessionRow) -> None:
    """Raises `Refused` unless the actor may read this session."""
    if not may_read(room, session):
        why = f": it is {session.state}" if session.state in _STORED else ""
        raise Refused(f"The role {room.actor.role} may not read this session{why}.")


def add(catalogue: Catalogue, keys: Keys, clock: Clock, name: str, role: str) -> str:
    """Register an actor; the token, which is shown this once and kept only as a hash.

    Raises `UsageError` for a role that cannot be given: the owner is made with the archive.
    """
    if role not in _GIVEN:
        raise UsageError(f"No role {role!r} to give; there are: {', '.join(_GIVEN)}.")
    if not name.strip() or len(name) > 200:
        raise BadInput("An actor needs a name of at most 200 characters.")
    return _add(catalogue, keys, clock, name, role)


def add_owner(catalogue: Catalogue, keys: Keys, clock: Clock) -> None:
    """Register the one owner of a new archive, who acts where no actor is named."""
    _add(catalogue, keys, clock, OWNER, OWNER)


def _add(catalogue: Catalogue, keys: Keys, clock: Clock, name: str, role: str) -> str:
    token = "sr_" + secrets.token_urlsafe(32)
    row = ActorRow(
        id=(actor_id := new_id()),
        name_hash=keys.lookup("actor", name),
        name=keys.tenant_key().seal_value("actor", actor_id, name.encode()),
        role=role,
        token_hash=hashlib.sha256(token.encode()).digest(),
        created_at=clock.now(),
    )
    with catalogue.transaction() as tx:
        tx.add_actor(row)
    return token


def nobody(clock: Clock) -> ActorRow:
    """Someone who may do nothing, for what needs no permission."""
    return ActorRow("nobody", b"", b"", "nobody", b"", clock.now())


def exists(catalogue: Catalogue, keys: Keys, name: str) -> bool:
    """Whether there is an actor of that name."""
    digest = keys.lookup("actor", name)
    with catalogue.transaction() as tx:
        return tx.actor(digest) is not None


def find(catalogue: Catalogue, keys: Keys, name: str) -> ActorRow:
    """The actor of that name; `NotFound` without echoing the name.

    `BackendError` where not even the owner is, who was made with the archive.
    """
    digest = keys.lookup("actor", name)
    with catalogue.transaction() as tx:
        row = tx.actor(digest)
    if row is None and name == OWNER:
        raise BackendError(
            "The catalogue does not know this archive's owner: it is empty, or another's. Check "
            "STRONGROOM_CATALOGUE_URL, or restore it from a backup."
        )
    if row is None:
        raise NotFound("There is no actor of that name; `strongroom actor add` makes one.")
    return row
