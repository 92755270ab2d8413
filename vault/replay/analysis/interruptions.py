"""Who cut whom short."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vault.model import Json, Segment
from vault.replay.analysis.session import SECOND_NS, Session, mean, result, seconds, share, who

#: Events by which sources say that the user cut the agent short.
INTERRUPTS = frozenset({"user_interrupt", "stream.interrupted"})
#: A shorter overlap is two clocks that disagree.
SHORTEST_NS = SECOND_NS // 5
#: An event and an overlap this close are the same interruption.
NEAR_NS = SECOND_NS


def analyse(session: Session) -> dict[str, Json]:
    """Every interruption that the source states or that overlapping segments show.

    `count` is at least the number of stated ones (`stated_count`): each is one, and so is each
    overlap that no stated one explains. An entry has `at_seconds`, `by` and `speaker` (who
    began), `of` (the role that was speaking), `evidence` (event, overlap or both),
    `overlap_seconds` and `yield_seconds`, how long the other spoke on; null where unknown,
    never negative.
    """
    found = interruptions(session)
    whole_ns = session.duration_ns or 0
    by = Counter(each.by for each in found)
    yields = [seconds(each.yield_ns) for each in found if each.yield_ns is not None]
    rule = (
        "an event that says so, or another speaker's segment that begins inside one and overlaps "
        "it by 0.2 s or more, by transport times; those within a second of an event are that one"
    )
    return result(
        {
            "stated_count": sum(e.type in INTERRUPTS for e in session.timeline.events),
            "truncated_segments": sum(s.truncated for s in session.segments),
        },
        {
            "count": (len(found), rule),
            "by_role": (dict(sorted(by.items())), rule),
            "per_minute": (share(len(found) * 60.0, seconds(whole_ns)), rule),
            "avg_yield_seconds": (mean(yields), rule),
            "interruptions": ([each.json() for each in found], rule),
        },
    )


@dataclass(frozen=True, slots=True)
class Interruption:
    """One entry of the analysis. `evidence` is event, overlap or both."""

    at_ns: int
    evidence: str
    by: str = "user"
    speaker: str = "user"
    of: str = "agent"
    overlap_ns: int | None = None
    yield_ns: int | None = None

    def json(self) -> Json:
        """As the analysis gives it."""
        return {
            "at_seconds": seconds(self.at_ns),
            "by": self.by,
            "speaker": self.speaker,
            "of": self.of,
            "evidence": self.evidence,
            "overlap_seconds": None if self.overlap_ns is None else seconds(self.overlap_ns),
            "yield_seconds": None if self.yield_ns is None else seconds(self.yield_ns),
        }


def interruptions(session: Session) -> list[Interruption]:
    """Every interruption, in the order of time."""
    overlaps = _overlaps(session.segments)
    starts = [found.at_ns for found in overlaps]
    events = session.timeline.events
    stops = sorted(e.offset_ns for e in events if e.type == "agent_stop_speaking")
    explained: set[int] = set()
    stated = []
    for event in (e for e in events if e.type in INTERRUPTS):
        near = range(
            bisect_left(starts, event.offset_ns - NEAR_NS),
            bisect_right(starts, event.offset_ns + NEAR_NS),
        )
        own = next((i for i in near if i not in explained and overlaps[i].by == "user"), None)
        if own is not None:
            explained.add(own)
            stated.append(replace(overlaps[own], evidence="both"))
            continue
        stop = bisect_left(stops, event.offset_ns)
        yielded = stops[stop] - event.offset_ns if stop < len(stops) else None
        stated.append(Interruption(event.offset_ns, "event", yield_ns=yielded))
    shown = [found for i, found in enumerate(overlaps) if i not in explained]
    return sorted([*stated, *shown], key=lambda found: found.at_ns)


def _overlaps(segments: Sequence[Segment]) -> list[Interruption]:
    """Where somebody begins while another speaks on, long enough; at the latest-ending other."""
    found: list[Interruption] = []
    last: Segment | None = None  # the one that ends last of all so far
    other: Segment | None = None  # the one that ends last of those by anybody else
    for segment in segments:
        cut = last if last and who(last) != who(segment) else other
        if cut and cut.start_ns < segment.start_ns:
            overlap_ns = min(cut.end_ns, segment.end_ns) - segment.start_ns
            if overlap_ns >= SHORTEST_NS:
                rest_ns = cut.end_ns - segment.start_ns
                names = who(segment)
                found.append(
                    Interruption(segment.start_ns, "overlap", *names, cut.role, overlap_ns, rest_ns)
                )
        if last is None or segment.end_ns > last.end_ns:
            other = last if last and who(last) != who(segment) else other
            last = segment
        elif who(segment) != who(last) and (other is None or segment.end_ns > other.end_ns):
            other = segment
    return found
