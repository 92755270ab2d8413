"""By when a data subject's request is acknowledged and answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from policies.model import Pack, RequestType


@dataclass(frozen=True, slots=True)
class RequestClock:
    """A request's instants (UTC). `due_at` is the answer's, or the extended one once extended."""

    received_at: datetime
    due_at: datetime
    extended_due_at: datetime | None
    acknowledge_by: datetime | None
    paused_days: int


def clock(
    pack: Pack | str,
    type: RequestType | str,  # noqa: A002 - what the contract calls it
    received_at: datetime,
    *,
    paused_days: int = 0,
    extended: bool = False,
) -> RequestClock:
    """The clock of a request under a pack, or the packaged one of that name.

    Raises `NoDeadline` where the pack states none for this type.
    """
    raise NotImplementedError
