"""What a session's conversation was like: heard, analysed, kept sealed, and had back."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from vault.errors import BadInput
from vault.formats.sound import beginnings, sound
from vault.media.measure import measure
from vault.model import Compartment, Json, Part, Segment
from vault.operations import retrieve
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.replay.analysis import KINDS, VERSION, Heard, Options, analyse

#: The part in which the job `analyse` keeps its results.
PART = "analysis/analysis.json"


def analysis(
    room: Room,
    session_id: str,
    kinds: Collection[str] = KINDS,
    options: Options | None = None,
    *,
    progress: Progress = silent,
) -> dict[str, Json]:
    """The analyses of a session, each under its name.

    Those that the job kept, unless `options` ask for others, or the job has not run, or a
    newer version of this program means something else by them: then they are made anew, and
    not kept. Raises `UsageError` for an unknown kind, `NotFound` for an unknown session.
    """
    opened = Opened(room, retrieve.session(room, session_id))
    found = kept(opened) if options is None and set(kinds) <= set(KINDS) else None
    if found is None:
        return compute(opened, kinds, options, progress=progress)
    return {"version": VERSION, **{kind: found[kind] for kind in KINDS if kind in kinds}}


def compute(
    opened: Opened,
    kinds: Collection[str] = KINDS,
    options: Options | None = None,
    *,
    progress: Progress = silent,
) -> dict[str, Json]:
    """Listen to the session's recordings and analyse it."""
    timeline = opened.timeline()
    heard, unheard = _listen(opened, timeline.segments, progress)
    duration_ns = opened.row.duration_ns
    return analyse(timeline, duration_ns, heard, kinds, unheard=unheard, options=options)


def kept(opened: Opened) -> dict[str, Json] | None:
    """The analyses that the job kept; None if it has not run, or meant something else by them."""
    kinds = {Compartment.ANALYSIS, Compartment.DERIVED}
    part = next((p for p in opened.parts if p.name == PART and p.compartment in kinds), None)
    if part is None:
        return None
    found: dict[str, Json] = json.loads(b"".join(opened.stream(part)))
    return found if found.get("version") == VERSION else None


def compartment(opened: Opened) -> Compartment:
    """Where its analyses are kept.

    A session that came in before analyses had a key of their own has them with the renditions.
    """
    own = Compartment.ANALYSIS
    return own if opened.has_key(own) else Compartment.DERIVED


def _listen(
    opened: Opened, segments: Sequence[Segment], progress: Progress
) -> tuple[list[Heard], dict[str, str]]:
    """Measure the recordings that segments name; without any, all there are.

    Says of those that cannot be heard why not.
    """
    starts = beginnings(segments)
    recordings = opened.recordings()
    named = [p for p in recordings if p.name in starts]
    heard, unheard = list[Heard](), dict[str, str]()
    for done, part in enumerate(named or recordings):
        progress("listening", done, len(named or recordings))
        try:
            heard.append(_hear(opened, part, starts.get(part.name, 0)))
        except BadInput as error:
            unheard[part.name] = str(error)
    return heard, unheard


def _hear(opened: Opened, part: Part, start_ns: int) -> Heard:
    found = sound(opened.original(part))
    return Heard(part.name, start_ns, measure(found.open(), found.container))
