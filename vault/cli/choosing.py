"""The filters that verbs share, and the values that options have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vault.model import PrivacyLevel, State
    from vault.operations.room import Room
    from vault.rows import SessionFilter

_LARGEST_KEY_BYTES = 1 << 16
MANY = list[str] | None

Subjects = Annotated[MANY, typer.Option("--subject", help="Whose data.")]
Agents = Annotated[MANY, typer.Option("--agent", help="The agent.")]
Tags = Annotated[MANY, typer.Option("--tag", help="A tag.")]
ExternalIds = Annotated[MANY, typer.Option("--external-id", help="The source's own id.")]
SourceFormat = Annotated[str | None, typer.Option(help="The source's format.")]
Standing = Annotated[str | None, typer.Option("--state", help="sealed or ready.")]
Class = Annotated[str | None, typer.Option("--class", help="The retention class.")]
Jurisdiction = Annotated[str | None, typer.Option("--jurisdiction", help="CC or CC-RR.")]
Since = Annotated[str | None, typer.Option("--from", help="Began then or later.")]
Until = Annotated[str | None, typer.Option("--to", help="Began before then.")]


@dataclass(frozen=True, slots=True)
class Filters:
    """What was given of them, as it was typed."""

    subject: Sequence[str] | None = None
    agent: Sequence[str] | None = None
    tag: Sequence[str] | None = None
    external_id: Sequence[str] | None = None
    format: str | None = None
    state: str | None = None
    class_: str | None = None
    jurisdiction: str | None = None
    since: str | None = None
    until: str | None = None

    def __bool__(self) -> bool:
        """Whether any was given."""
        return any(getattr(self, name) for name in self.__dataclass_fields__)

    def where(self, room: Room) -> SessionFilter:
        """The condition they make together; `UsageError` for a value that cannot be."""
        from vault.rows import SessionFilter

        asked = {
            "subject": self.subject,
            "agent": self.agent,
            "tag": self.tag,
            "external-id": self.external_id,
        }
        return SessionFilter(
            lookups=tuple(
                (kind, room.keys.lookup(kind, value))
                for kind, values in asked.items()
                for value in values or ()
            ),
            format=source_format(self.format),
            state=standing(self.state),
            class_name=retention_class(room, self.class_),
            jurisdiction=jurisdiction(self.jurisdiction),
            since=instant("--from", self.since),
            until=instant("--to", self.until),
        )


def instant(option: str, text: str | None) -> datetime | None:
    """An ISO 8601 instant with its offset."""
    from vault.errors import UsageError

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} is not an ISO 8601 instant.") from error
    if found.tzinfo is None:
        raise UsageError(f"{option} needs an offset, as in 2026-01-31T09:30:00+01:00.")
    try:
        found.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{option} lies outside of the calendar.") from None
    return found


def key(path: Path) -> bytes:
    """A private key from its file; `BadInput` where there is none."""
    from vault.errors import BadInput

    content = _read(path, "The key file cannot be read.")
    if b"PRIVATE KEY" not in content:
        raise BadInput("The key file holds no private key in PEM.")
    return content


def pem(path: Path) -> bytes:
    """Certificates or a public key from their file; `BadInput` where there are none."""
    from vault.errors import BadInput

    content = _read(path, "The certificate file cannot be read.")
    if b"-----BEGIN " not in content:
        raise BadInput("The certificate file holds nothing in PEM.")
    return content


def _read(path: Path, sorry: str) -> bytes:
    from vault.errors import BadInput

    try:
        with path.open("rb") as stream:
            return stream.read(_LARGEST_KEY_BYTES)
    except OSError as error:
        raise BadInput(sorry) from error


def pairs(option: str, form: str, given: Sequence[str] | None) -> dict[str, str]:
    """What was given as `form`, say KEY=VALUE, by its keys; `UsageError` for anything else."""
    from vault.errors import UsageError

    split = [one.partition("=") for one in given or ()]
    if not all(key and equals for key, equals, _ in split):
        raise UsageError(f"{option} is {form}.")
    return {key: value for key, _, value in split}


def privacy_level(text: str) -> PrivacyLevel:
    """A privacy level by its name."""
    from vault.errors import UsageError
    from vault.model import PrivacyLevel

    try:
        return PrivacyLevel(text)
    except ValueError:
        raise UsageError(f"A privacy level is one of: {', '.join(PrivacyLevel)}.") from None


def source_format(name: str | None) -> str | None:
    """The name of a source's format."""
    if name is None:
        return None  # before the readers of every format are imported
    from vault.errors import UsageError
    from vault.formats import FORMATS

    if name in FORMATS:
        return name
    raise UsageError(f"A format is one of: {', '.join(FORMATS)}.")


def retention_class(room: Room, name: str | None) -> str | None:
    """The name of a retention class that there is."""
    return None if name is None else room.policies.retention_class(name).name


def jurisdiction(place: str | None) -> str | None:
    """A jurisdiction, as it may be deposited under."""
    if place is None:
        return None
    from vault.operations import admission

    return admission.jurisdiction(place)


def standing(text: str | None) -> State | None:
    """A state of sessions by its name."""
    from vault.errors import UsageError
    from vault.model import State

    if text is None:
        return None
    try:
        return State(text)
    except ValueError:
        raise UsageError(f"A state is one of: {', '.join(State)}.") from None
