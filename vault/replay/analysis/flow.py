"""Who follows whom, how soon, and how much nobody says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vault.model import Json, Segment, Timeline
from vault.replay import metrics
from vault.replay.analysis.session import (
    SECOND_NS,
    Options,
    Session,
    Turn,
    mean,
    result,
    seconds,
    share,
    spread,
)

#: A shorter gap in which nobody speaks is a breath, not a pause.
PAUSE_NS = SECOND_NS // 2
_LONGEST = 10
_TRANSPORT = "by the source's transport times, which may differ from when a voice was heard"

_SPOKEN = (
    "by speech heard in a segment's own recording, else by that recording's length, else by "
    "transport times"
)


def analyse(session: Session) -> dict[str, Json]:
    """Turns, switches, responses, pauses, silence and overlap, all on the source's clock.

    A response is the time from the end of a turn to the begin of another speaker's next one;
    where they overlap there is none, so none is negative. `talk_ratio` is each role's share of
    all speaking time. A pause is half a second or more in which no segment runs, between the
    first and the last. Silence is everything of the session that no segment covers.
    """
    turns = session.turns
    basics = metrics.measure(session.timeline, session.duration_ns)
    gaps = _pauses(session.segments)
    silence = basics["silence_seconds"]
    whole = seconds(session.duration_ns or 0)
    spoken: Counter[str] = Counter()
    for segment in session.segments:
        spoken[segment.role] += session.speaking_ns(segment)[0]
    switches = Counter(f"{before.speaker} → {after.speaker}" for before, after in pairwise(turns))
    return result(
        {
            "turns": len(turns),
            "speaker_switches": max(0, len(turns) - 1),
            "switches": dict(sorted(switches.items())),
            "first_speaker": turns[0].speaker if turns else None,
            "last_speaker": turns[-1].speaker if turns else None,
            "words_per_turn": mean([float(t.word_count) for t in turns]),
            "latency": basics["latency"],
        },
        {
            "response": (_responses(turns), _TRANSPORT),
            "pauses": (
                {
                    **spread(end - start for start, end in gaps),
                    "total_seconds": seconds(sum(end - start for start, end in gaps)),
                    "longest": _longest(gaps),
                },
                f"gaps of half a second or more, {_TRANSPORT}",
            ),
            "silence_seconds": (silence, _TRANSPORT),
            "silence_ratio": (
                share(silence, whole) if isinstance(silence, float) else None,
                _TRANSPORT,
            ),
            "overlap_seconds": (basics["overlap_seconds"], _TRANSPORT),
            "longest_turn_seconds": (
                max((seconds(t.end_ns - t.start_ns) for t in turns), default=None),
                _TRANSPORT,
            ),
            "talk_ratio": (
                {r: share(ns, spoken.total()) for r, ns in sorted(spoken.items())},
                _SPOKEN,
            ),
        },
    )


def answers(timeline: Timeline) -> list[tuple[int, int]]:
    """When the agent began to answer the user, and how long that took: (offset, wait), in ns."""
    turns = Session(timeline, None, (), {}, Options()).turns
    asked = "user", "agent"
    return [
        (after.start_ns, wait)
        for before, after, wait in _waits(turns)
        if wait >= 0 and (before.role, after.role) == asked
    ]


def _waits(turns: Sequence[Turn]) -> Iterator[tuple[Turn, Turn, int]]:
    """Every turn with the one that follows it, and how long (ns) until then."""
    return ((before, after, after.start_ns - before.end_ns) for before, after in pairwise(turns))


def _responses(turns: Sequence[Turn]) -> dict[str, Json]:
    """By `role_to_role`: the waits, and how many came before the other had ended."""
    waits: dict[str, list[int]] = {"user_to_agent": [], "agent_to_user": []}
    early: Counter[str] = Counter()
    for before, after, wait in _waits(turns):
        kind = f"{before.role}_to_{after.role}"
        if wait < 0:
            early[kind] += 1
        waits.setdefault(kind, [])
        waits[kind] += [wait] if wait >= 0 else []
    return {kind: {**spread(found), "overlapping": early[kind]} for kind, found in waits.items()}


def _pauses(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """The gaps that no segment covers, of those long enough."""
    gaps = []
    until: int | None = None
    for segment in segments:
        if until is not None and segment.start_ns - until >= PAUSE_NS:
            gaps.append((until, segment.start_ns))
        until = max(until or 0, segment.end_ns)
    return gaps


def _longest(gaps: Sequence[tuple[int, int]]) -> list[Json]:
    chosen = sorted(gaps, key=lambda gap: (gap[0] - gap[1], gap[0]))[:_LONGEST]
    return [{"at_seconds": seconds(a), "seconds": seconds(b - a)} for a, b in sorted(chosen)]
