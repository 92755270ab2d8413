"""Seven readings of one conversation: how it sounded, flowed, performed, and what it was about.

Pure functions of the timeline and, where somebody listened, of the measured sound. Each result
says of every number whether it was `measured`, which here also covers what the source itself
states, or `estimated` and by what rule; what cannot be had is `available: false` with the
reason, never a guess. Times are seconds from the session's start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from vault.errors import UsageError
from vault.model import Json, Timeline
from vault.replay.analysis import (
    flow,
    interruptions,
    keywords,
    performance,
    quality,
    sentiment,
    speakers,
)
from vault.replay.analysis.session import Heard, Options, Session

__all__ = ["KINDS", "VERSION", "Heard", "Options", "analyse"]

#: Raised with every change of what the results mean, so that kept ones are known to be old.
VERSION = 3

_ANALYSES: dict[str, Callable[[Session], dict[str, Json]]] = {
    "quality": quality.analyse,
    "conversation_flow": flow.analyse,
    "speaker_analytics": speakers.analyse,
    "performance": performance.analyse,
    "sentiment": sentiment.analyse,
    "keyword_analysis": keywords.analyse,
    "interruption_analysis": interruptions.analyse,
}
KINDS = tuple(_ANALYSES)


def analyse(
    timeline: Timeline,
    duration_ns: int | None,
    measured: Sequence[Heard] = (),
    kinds: Collection[str] = KINDS,
    *,
    unheard: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> dict[str, Json]:
    """The analyses named in `kinds`, each under its name, and the `version` of their meaning.

    `measured` are the recordings that were listened to, `unheard` why others could not be.
    Every result has `available`, `measured` (names of fields) and `estimated` (name → rule).
    Deterministic. Raises `UsageError` for a kind that does not exist.
    """
    for kind in kinds:
        if kind not in _ANALYSES:
            raise UsageError(f"No analysis {kind!r}; there are: {', '.join(KINDS)}.")
    session = Session(timeline, duration_ns, measured, unheard or {}, options or Options())
    found: dict[str, Json] = {k: run(session) for k, run in _ANALYSES.items() if k in kinds}
    return {"version": VERSION, **found}
