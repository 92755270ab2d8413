"""A transcript made readable: unsure words left out, names put right, one speaker's lines joined.

A view of a stored timeline, which it never changes: every passage says of which segments it
is, and what was left out is listed with the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum

from vault.model import Json, Segment, Timeline
from vault.replay.analysis import keywords, sentiment, words
from vault.replay.analysis.session import confidence, mean, seconds, share, who

SECOND_NS = 1_000_000_000

#: Told while a transcript is processed: `speaker-identified` (a name), `segment-processed`
#: (an index), `keyword-extracted` (a word), `session-summary` (the summary).
Listener = Callable[[str, Json], None]


def _deaf(_what: str, _value: Json) -> None:
    """The listener of one who does not listen."""


@dataclass(frozen=True, slots=True)
class Processing:
    """What is to be done. `vocabulary` maps what a recogniser writes to what was meant.

    Segments whose stated confidence is below `minimum_confidence` are left out; one that
    states none stays. Consecutive passages of one speaker no more than `merge_gap_ns` apart
    become one. `speakers` maps the source's names, or roles, to others. `terms` are looked for
    beside the keywords that are frequent by themselves.
    """

    minimum_confidence: float = 0.7
    merge_gap_ns: int = 2 * SECOND_NS
    vocabulary: Mapping[str, str] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    terms: Sequence[str] = ()
    language: str | None = None
    keywords: int = 10


@dataclass(frozen=True, slots=True)
class Passage:
    """What one speaker said without a break. `indices` are those of its segments.

    `confidence` is the mean of what its segments state, weighted by words.
    """

    indices: Sequence[int]
    role: str
    speaker: str
    start_ns: int
    end_ns: int
    text: str
    confidence: float | None
    truncated: bool


@dataclass(frozen=True, slots=True)
class Transcript:
    """The processed view. `left_out` gives index and reason: unsure, interim or empty."""

    passages: Sequence[Passage]
    left_out: Sequence[tuple[int, str]]
    summary: Mapping[str, Json]

    def timeline(self, of: Timeline) -> Timeline:
        """A timeline that tells the passages as its segments, for exports; events stay."""
        told = tuple(
            Segment(
                index=number,
                role=passage.role,
                speaker=passage.speaker,
                start_ns=passage.start_ns,
                end_ns=passage.end_ns,
                decoded_ns=None,
                text=passage.text,
                truncated=passage.truncated,
                file=None,
                data={"segments": list(passage.indices), "confidence": passage.confidence},
            )
            for number, passage in enumerate(self.passages)
        )
        return replace(of, segments=told)


def process(
    timeline: Timeline, how: Processing | None = None, listener: Listener = _deaf
) -> Transcript:
    """The transcript of a timeline, in the order of time; deterministic."""
    how = how or Processing()
    left_out: list[tuple[int, str]] = []
    runs: list[list[Passage]] = []
    until_ns = 0  # the end of the last of them
    named: set[str] = set()
    for segment in sorted(timeline.segments, key=lambda s: (s.start_ns, s.index)):
        reason = _unfit(segment, how)
        if reason is not None:
            left_out.append((segment.index, reason))
            continue
        passage = _passage(segment, how)
        if passage.speaker not in named:
            named.add(passage.speaker)
            listener("speaker-identified", passage.speaker)
        near = passage.start_ns - until_ns <= how.merge_gap_ns
        if runs and near and _is_one_voice(runs[-1][0], passage):
            runs[-1].append(passage)
            until_ns = max(until_ns, passage.end_ns)
        else:
            runs.append([passage])
            until_ns = passage.end_ns
        listener("segment-processed", segment.index)
    passages = [run[0] if len(run) == 1 else _joined(run) for run in runs]
    summary = _summary(timeline, passages, left_out, how)
    for word in summary["keywords"] if isinstance(summary["keywords"], list) else ():
        listener("keyword-extracted", word)
    listener("session-summary", summary)
    return Transcript(passages, left_out, summary)


def _unfit(segment: Segment, how: Processing) -> str | None:
    """Why a segment is left out, None if it is not."""
    if not (segment.text or "").strip():
        return "empty"
    if segment.data.get("is_final") is False:
        return "interim"
    sure = confidence(segment)
    return "unsure" if sure is not None and sure < how.minimum_confidence else None


def _passage(segment: Segment, how: Processing) -> Passage:
    role, speaker = who(segment)
    return Passage(
        indices=(segment.index,),
        role=role,
        speaker=how.speakers.get(speaker, how.speakers.get(role, speaker)),
        start_ns=segment.start_ns,
        end_ns=max(segment.start_ns, segment.end_ns),
        text=put_right(" ".join((segment.text or "").split()), how.vocabulary),
        confidence=confidence(segment),
        truncated=segment.truncated,
    )


def put_right(text: str, vocabulary: Mapping[str, str]) -> str:
    """The text with every term of the vocabulary replaced: whole words, in any case.

    Of terms that overlap the longest wins, and what was put in is not replaced again.
    """
    meant = {wrong.casefold(): right for wrong, right in vocabulary.items() if wrong.strip()}
    if not meant:
        return text
    longest_first = sorted(meant, key=lambda term: (-len(term), term))
    pattern = r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)"
    return re.sub(
        pattern,
        lambda found: meant.get(found[0].casefold(), found[0]),
        text,
        flags=re.IGNORECASE,
    )


def _is_one_voice(one: Passage, other: Passage) -> bool:
    return (one.role, one.speaker) == (other.role, other.speaker)


def _joined(run: Sequence[Passage]) -> Passage:
    sure = [(p.confidence, max(1, words.count(p.text))) for p in run if p.confidence is not None]
    return replace(
        run[0],
        indices=tuple(index for passage in run for index in passage.indices),
        end_ns=max(passage.end_ns for passage in run),
        text=" ".join(passage.text for passage in run),
        confidence=share(fsum(c * w for c, w in sure), sum(w for _, w in sure)),
        truncated=any(passage.truncated for passage in run),
    )


def _summary(
    timeline: Timeline,
    passages: Sequence[Passage],
    left_out: Sequence[tuple[int, str]],
    how: Processing,
) -> dict[str, Json]:
    """What the transcript is, in numbers and keywords.

    `keywords` are the most frequent words that are not of grammar, `terms` count the caller's
    own. `sentiment` is VADER's score of the whole, null where it cannot be had.
    """
    texts = [passage.text for passage in passages]
    stated = [s.data.get("language") for s in timeline.segments]
    language = words.language(how.language, stated, texts)
    said: Counter[str] = Counter()
    for passage in passages:
        said[passage.speaker] += words.count(passage.text)
    end = max((passage.end_ns for passage in passages), default=0)
    start = passages[0].start_ns if passages else 0
    sure = [p.confidence for p in passages if p.confidence is not None]
    return {
        "segments": len(timeline.segments),
        "passages": len(passages),
        "left_out": dict(sorted(Counter(reason for _, reason in left_out).items())),
        "duration_seconds": seconds(end - start),
        "words": said.total(),
        "words_by_speaker": dict(said),
        "confidence_mean": mean(sure),
        "language": language.code,
        "keywords": list[Json](keywords.most_frequent(texts, language, how.keywords)),
        "terms": dict(keywords.vocabulary(how.terms, map(words.split, texts))),
        "sentiment": _sentiment(texts, language),
    }


def _sentiment(texts: Sequence[str], language: words.Language) -> float | None:
    score = sentiment.scorer() if language.code == "en" else None
    weights = [words.count(text) for text in texts]
    if score is None or not sum(weights):
        return None
    return round(sum(score(t) * w for t, w in zip(texts, weights, strict=True)) / sum(weights), 4)
