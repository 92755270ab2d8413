"""What a session's conversation was like: heard, analysed, kept sealed, and had back."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from vault.errors import BadInput
from vault.formats.pieces import Pieces
from vault.formats.sound import beginnings, sound
from vault.media.measure import Measured, measure
from vault.model import Compartment, Json, Original, Segment, Timeline
from vault.operations import retrieve
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.replay import tracks
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
    heard, unheard = _listen(opened, timeline, progress)
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


#: Something to listen to: its name, when it begins in nanoseconds, and what listens.
_Sound: TypeAlias = tuple[str, int, Callable[[], Measured]]


def _listen(
    opened: Opened, timeline: Timeline, progress: Progress
) -> tuple[list[Heard], dict[str, str]]:
    """Measure all there is to hear, and say of what cannot be heard why not."""
    sounds = _in_pieces(opened, timeline) or _whole(opened, timeline.segments)
    heard, unheard = list[Heard](), dict[str, str]()
    for done, (name, start_ns, listen) in enumerate(sounds):
        progress("listening", done, len(sounds))
        try:
            heard.append(Heard(name, start_ns, listen()))
        except BadInput as error:
            unheard[name] = str(error)
    return heard, unheard


def _whole(opened: Opened, segments: Sequence[Segment]) -> list[_Sound]:
    """The recordings that segments name; without any, all there are."""
    starts = beginnings(segments)
    recordings = opened.recordings()
    named = [p for p in recordings if p.name in starts]
    return [
        (part.name, starts.get(part.name, 0), partial(_hear, opened.original(part)))
        for part in named or recordings
    ]


def _in_pieces(opened: Opened, timeline: Timeline) -> list[_Sound]:
    """The turns whose sound came in pieces that events name; none in most sessions."""
    originals = [opened.original(p) for p in (*opened.originals(), *opened.inside())]
    sizes = {original.name: original.size_bytes for original in originals}
    return [
        (
            f"{track.name}/{number:02d}",
            turn.chunks[0].offset_ns,
            partial(_hear_turn, turn, originals, sizes),
        )
        for track in filter(tracks.is_raw, tracks.tracks(timeline).values())
        for number, turn in enumerate(tracks.turns(tracks.kept(track, sizes)))
    ]


def _hear(original: Original) -> Measured:
    found = sound(original)
    return measure(found.open(), found.container)


def _hear_turn(
    turn: tracks.Track, originals: Sequence[Original], sizes: Mapping[str, int]
) -> Measured:
    with Pieces(originals) as pieces:
        return measure(tracks.wav(turn, pieces.fetch, sizes), "wav")
