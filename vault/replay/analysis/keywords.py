"""What the conversation was about, by the words that return."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from vault.model import Json
from vault.replay.analysis import words
from vault.replay.analysis.session import Session, result, seconds, unavailable

_SHORTEST = 3
_PHRASES = 10


def analyse(session: Session) -> dict[str, Json]:
    """Words and pairs of words by how often they are said, and the caller's own terms.

    A keyword has three letters or more, is no number and no word of grammar in the session's
    language; of equals the one said first comes first. `phrases` are pairs of keywords said
    side by side at least twice. `vocabulary` counts the caller's terms, also those of several
    words. `stop_words` is how many words of grammar are known for the `language`; with 0
    nothing is filtered.
    """
    said = [(s, words.split(s.text)) for s in session.segments]
    if not any(found for _, found in said):
        return unavailable("nothing was said in words, or the text is not kept")
    language = session.language
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    first: dict[str, int] = {}
    roles: dict[str, Counter[str]] = {}
    for segment, found in said:
        kept = [_keyword(word, language.stop_words) for word in found]
        for word in filter(None, kept):
            counts[word] += 1
            first.setdefault(word, segment.start_ns)
            roles.setdefault(word, Counter())[segment.role] += 1
        pairs.update((a, b) for a, b in pairwise(kept) if a and b)
    entries: list[Json] = [
        {
            "word": word,
            "count": number,
            "by_role": dict(sorted(roles[word].items())),
            "first_seconds": seconds(first[word]),
        }
        for word, number in counts.most_common(session.options.keywords)
    ]
    phrases: list[Json] = [
        {"phrase": " ".join(pair), "count": number}
        for pair, number in pairs.most_common(_PHRASES)
        if number > 1
    ]
    terms = vocabulary(session.options.vocabulary, [found for _, found in said])
    return result(
        {
            "words": sum(len(found) for _, found in said),
            "distinct_words": len({word for _, found in said for word in found}),
            "vocabulary": dict(terms),
            "stop_words": len(language.stop_words),
        },
        {
            "language": (language.code, language.rule),
            "keywords": (entries, "the most frequent words that are not of grammar"),
            "phrases": (phrases, "keywords side by side, at least twice"),
        },
    )


def most_frequent(texts: Iterable[str | None], language: words.Language, limit: int) -> list[str]:
    """The keywords of some texts, the most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(filter(None, (_keyword(w, language.stop_words) for w in words.split(text))))
    return [word for word, _ in counts.most_common(limit)]


def vocabulary(terms: Sequence[str], said: Iterable[Sequence[str]]) -> dict[str, int]:
    """How often each term is said, whole words, in any case; each text is a list of words."""
    wanted = {term: tuple(words.split(term)) for term in terms}
    counts = dict.fromkeys(terms, 0)
    for found in said:
        for term, parts in wanted.items():
            length = len(parts)
            if length:
                places = range(len(found) - length + 1)
                counts[term] += sum(tuple(found[i : i + length]) == parts for i in places)
    return counts


def _keyword(word: str, stop_words: frozenset[str]) -> str | None:
    """The word, less an English possessive, if it can be a keyword."""
    word = word.removesuffix("'s") if word not in stop_words else word
    usable = len(word) >= _SHORTEST and word not in stop_words and not word[0].isdigit()
    return word if usable else None
