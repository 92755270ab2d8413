"""By when a data subject's request is acknowledged and answered.

Counted in the pack's zone, rounded down, never moved later for weekends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from policies.calendar import business_days, deadline, midnight
from policies.errors import NoDeadline
from policies.model import Pack, RequestType, Rule, Step
from policies.pack import packaged


@dataclass(frozen=True, slots=True)
class RequestClock:
    """A request's instants (UTC). `due_at` is the answer's, or the extended one once extended.

    `extended_due_at` is where an extension ends or would end; None where the law has none.
    `paused_days` are those that count: none where the law does not stop the clock.
    """

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

    Raises `NoDeadline` where the pack states none for this type; ValueError for a
    `received_at` without zone.
    """
    if received_at.tzinfo is None:
        raise ValueError("received_at has no zone.")
    if isinstance(pack, str):
        found = packaged().get(pack)
        if found is None:
            raise NoDeadline(f"There is no packaged regime {pack[:64]!r}.")
        pack = found
    steps = {r.step: r for r in pack.rules if type in r.requests and in_force(r, pack, received_at)}
    answer, extension = steps.get(Step.ANSWER), steps.get(Step.EXTENSION)
    if answer is None:
        raise NoDeadline(f"Pack {pack.name} states no deadline for {type}.")
    paused = paused_days if Step.PAUSE in steps else 0
    due_at = _after(answer, pack, received_at)
    longer = None if extension is None else _after(extension, pack, due_at)
    acknowledged = steps.get(Step.ACKNOWLEDGEMENT)
    pause = timedelta(days=paused)
    extended_due_at = None if longer is None else longer + pause
    return RequestClock(
        received_at=received_at.astimezone(UTC),
        due_at=extended_due_at if extended and extended_due_at is not None else due_at + pause,
        extended_due_at=extended_due_at,
        acknowledge_by=None if acknowledged is None else _after(acknowledged, pack, received_at),
        paused_days=paused,
    )


def in_force(rule: Rule, pack: Pack, at: datetime) -> bool:
    """Whether `rule` is in force at `at`, by the dates of its pack's zone."""
    if at < midnight(rule.effective_from, pack.zone):
        return False
    return rule.effective_to is None or at < midnight(rule.effective_to, pack.zone)


def _after(rule: Rule, pack: Pack, start: datetime) -> datetime:
    assert rule.period is not None  # noqa: S101 - read() refuses a deadline without one
    if rule.business:
        return business_days(start, rule.period.days, pack.zone)
    return deadline(start, rule.period, pack.zone)
