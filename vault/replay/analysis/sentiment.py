"""Whether it was said kindly: the VADER lexicon, on English text, where it is installed.

Source: Hutto and Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
Social Media Text, ICWSM 2014; the bounds of ±0.05 are theirs. It was made for short written
English and knows nothing of tone of voice or irony.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from vault.model import Json, Segment
from vault.replay.analysis import words
from vault.replay.analysis.session import Session, result, seconds, share, unavailable, who

NEUTRAL = 0.05
#: Of a longer text as many at a time are scored: the lexicon's time grows with their square.
WORDS_AT_ONCE = 200
_RULE = "VADER's compound score in [-1, 1]; positive from 0.05, negative from -0.05"


def analyse(session: Session) -> dict[str, Json]:
    """The score of every segment, of every speaker and of all, weighted by words.

    `trend` is the score of the last third of the segments less that of the first. Not
    available without the lexicon, for other languages than English, and without text.
    """
    said = [s for s in session.segments if words.count(s.text)]
    if not said:
        return unavailable("nothing was said in words, or the text is not kept")
    if session.language.code != "en":
        return unavailable(f"only English can be scored; the language is {session.language.code}")
    score = scorer()
    if score is None:
        return unavailable("the lexicon is not installed: pip install 'strongroom[sentiment]'")
    scored = [(segment, score(segment.text or "")) for segment in said]
    third = max(1, len(scored) // 3)
    trend = None
    if len(scored) > 1:
        trend = round((_mean(scored[-third:]) or 0.0) - (_mean(scored[:third]) or 0.0), 4)
    overall = _mean(scored)
    labels = Counter(label(value) for _, value in scored)
    timeline: list[Json] = [
        {
            "index": segment.index,
            "at_seconds": seconds(segment.start_ns),
            "speaker": who(segment)[1],
            "score": value,
            "label": label(value),
        }
        for segment, value in scored
    ]
    return result(
        {"segments": len(scored)},
        {
            "language": (session.language.code, session.language.rule),
            "score": (overall, f"mean weighted by words; {_RULE}"),
            "label": (None if overall is None else label(overall), _RULE),
            "distribution": (dict(sorted(labels.items())), _RULE),
            "by_speaker": (_by_speaker(scored), f"mean weighted by words; {_RULE}"),
            "trend": (trend, f"last third less first third; {_RULE}"),
            "timeline": (timeline, _RULE),
        },
    )


def label(score: float) -> str:
    """The word for a score."""
    return "positive" if score >= NEUTRAL else "negative" if score <= -NEUTRAL else "neutral"


@cache
def scorer() -> Callable[[str], float] | None:
    """The compound score of a text, None where the lexicon is not installed.

    That of a text of more than `WORDS_AT_ONCE` words is the mean of its pieces, weighted by words.
    """
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        return None
    analyzer = SentimentIntensityAnalyzer()

    def score(text: str) -> float:
        said = text.split()
        if len(said) <= WORDS_AT_ONCE:
            return float(analyzer.polarity_scores(text)["compound"])
        pieces = (said[at : at + WORDS_AT_ONCE] for at in range(0, len(said), WORDS_AT_ONCE))
        total = sum(score(" ".join(piece)) * len(piece) for piece in pieces)
        return round(total / len(said), 4)

    return score


def _mean(scored: Sequence[tuple[Segment, float]]) -> float | None:
    weights = [(value, words.count(segment.text)) for segment, value in scored]
    total = share(sum(value * weight for value, weight in weights), sum(w for _, w in weights))
    return None if total is None else round(total, 4)


def _by_speaker(scored: Sequence[tuple[Segment, float]]) -> dict[str, Json]:
    speakers: dict[str, list[tuple[Segment, float]]] = {}
    for segment, value in scored:
        speakers.setdefault(who(segment)[1], []).append((segment, value))
    return {name: _mean(own) for name, own in speakers.items()}
