"""How long responses took: as the source states, else by when turns ended and began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vault.export.record import Record
from vault.model import Json
from vault.replay import metrics
from vault.replay.analysis import flow

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Responses:
    """The responses of a session: (offset in ns, seconds) each.

    `by` is `source` where it states them, and `times` where they are the agent's waits, by
    transport times, which may differ from when a voice was heard.
    """

    times: Sequence[tuple[int, float]]
    by: str

    @property
    def figures(self) -> dict[str, Json]:
        """`count, avg_seconds, p50_seconds, p95_seconds`."""
        return metrics.summed([seconds for _, seconds in self.times])


def responses(record: Record) -> Responses:
    """What is known of them; none at all is `times` too."""
    timeline = record.session.timeline
    stated = list(metrics.stated(timeline.events))
    if stated:
        return Responses(stated, "source")
    waits = flow.answers(timeline)
    return Responses([(at_ns, wait_ns / _SECOND_NS) for at_ns, wait_ns in waits], "times")
