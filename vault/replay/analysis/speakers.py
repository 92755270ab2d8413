"""Each speaker: how long, how much, how fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vault.model import Json, Segment
from vault.replay.analysis import words
from vault.replay.analysis.interruptions import interruptions
from vault.replay.analysis.session import (
    SECOND_NS,
    Session,
    confidence,
    mean,
    result,
    seconds,
    share,
)

#: Speaking faster than this is a clock that says something else than a voice.
FASTEST_WORDS_PER_MINUTE = 400.0
_RULE = (
    "speaking time as speaking_basis says; turns, segments, words and confidence are measured; "
    "questions by their punctuation, interruptions as in that analysis"
)


def analyse(session: Session) -> dict[str, Json]:
    """One entry a speaker, by role and name, in the order of their first words.

    `speaking_basis` says what the time stands on: `audio` (speech heard, an estimate by
    energy), `decoded` (length of the recordings), `transport` (the source's interval) or
    `mixed`. `words_per_minute` is null where it would pass 400, for then that time is not one
    of speaking. `vocabulary_richness` is distinct words of all words, `questions` counts
    segments that end in a question mark.
    """
    total = sum(session.speaking_ns(s)[0] for s in session.segments)
    made = Counter((each.by, each.speaker) for each in interruptions(session))
    turns = Counter((turn.role, turn.speaker) for turn in session.turns)
    entries: list[Json] = [
        {
            "role": speaker[0],
            "speaker": speaker[1],
            "turns": turns[speaker],
            "words_per_turn": share(sum(words.count(s.text) for s in said), turns[speaker]),
            "interruptions": made[speaker],
            **_said(session, said, total),
        }
        for speaker, said in session.by_speaker.items()
    ]
    return result(
        {"count": len(session.by_speaker)},
        {
            "speakers": (
                entries,
                _RULE,
            )
        },
    )


def _said(session: Session, said: Sequence[Segment], total_ns: int) -> dict[str, Json]:
    """What the segments of one speaker say by themselves."""
    times = [session.speaking_ns(segment) for segment in said]
    spoken_ns = sum(ns for ns, _ in times)
    bases = sorted({basis for _, basis in times})
    text = [word for segment in said for word in words.split(segment.text)]
    confidences = [c for segment in said if (c := confidence(segment)) is not None]
    timed_ns = sum(ns for s, (ns, _) in zip(said, times, strict=True) if words.count(s.text))
    return {
        "segments": len(said),
        "speaking_seconds": seconds(spoken_ns),
        "speaking_basis": bases[0] if len(bases) == 1 else "mixed",
        "talk_share": share(spoken_ns, total_ns),
        "words": len(text),
        "words_per_minute": _pace(len(text), timed_ns),
        "vocabulary_richness": share(len(set(text)), len(text)),
        "confidence_mean": mean(confidences),
        "questions": sum((s.text or "").rstrip().endswith(("?", "？")) for s in said),
    }


def _pace(count: int, spoken_ns: int) -> float | None:
    pace = share(count * 60.0 * SECOND_NS, spoken_ns)
    return None if pace is None or pace > FASTEST_WORDS_PER_MINUTE else pace
