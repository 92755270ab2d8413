"""Whether PromptKit found in a recording what strongroom says of the session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.originals.compare import Told
from vault.formats.promptkit_retold import TRACKS

ROLES = {"user": "user", "agent": "assistant", "system": "system"}
_SILENT = "no audio data to export"


@dataclass(frozen=True, slots=True)
class Noted:
    """An annotation that was made here, and from when (ns) it holds."""

    id: str
    since_ns: int


def recording(
    session: dict[str, Any], read: dict[str, Any], came: dict[str, Any] | None, said: Noted
) -> Iterator[Told]:
    """What is amiss in a recording as it was read, beside the session as it is shown.

    `came` is how the tool read the session's own file, where that was a PromptKit recording.
    """
    if "broke" in read:
        yield "wrong", f"PromptKit cannot read it, {read['broke']}"
        return
    yield from _whole(read)
    yield from _replayed(read, said)
    if came is None:
        yield from _retold(session, read)
    elif "broke" in came:
        yield "limit", "cannot load the file that came, and loads what is written of it"
    else:
        yield from _as_it_came(read, came, said.id)


def _whole(read: dict[str, Any]) -> Iterator[Told]:
    """What does not fit together in it."""
    metadata, events = read["metadata"], read["events"]
    if metadata["event_count"] != len(events):
        yield "wrong", f"{metadata['event_count']} events are said to be there, {len(events)} are"
    if not read["kept"]:
        yield "wrong", "PromptKit saves something else than it read"
    if {each["session"] for each in events} != {metadata["session_id"]}:
        yield "wrong", "events of another session"
    if read["end_ns"] - read["start_ns"] != metadata["duration"]:
        yield "wrong", "it does not last from its start to its end"
    for each in events:
        if each["at_ns"] - read["start_ns"] != each["offset_ns"]:
            yield "wrong", f"event {each['seq']} is not where its time stamp says"
    if not all(blob["same"] for blob in read["blobs"]):
        yield "wrong", "a blob is missing, or is not what is said of it"


def _replayed(read: dict[str, Any], said: Noted) -> Iterator[Told]:
    """What its player does not answer as it should."""
    replay, length = read["replay"], read["metadata"]["duration"]
    if (replay["low_ns"], replay["high_ns"], replay["back"]) != (0, length, 0):
        yield "wrong", "the player does not stop at both ends"
    if Counter(replay["all"]) != Counter(each["seq"] for each in read["events"]):
        yield "wrong", f"the player comes by {len(replay['all'])} of {len(read['events'])} events"
    if said.id not in {each["id"] for each in read["annotations"]}:
        yield "wrong", "its store has not what was said here"
    for state in replay["states"]:
        if (said.id in state["annotations"]) != (said.since_ns <= state["offset_ns"]):
            yield "wrong", f"what was said here is shown, or not, at {state['offset_ns']} ns"


def _retold(session: dict[str, Any], read: dict[str, Any]) -> Iterator[Told]:
    """What is not told of a session of another format, or told otherwise."""
    theirs = [(e["type"], e["offset_ns"], e.get("data") or {}) for e in read["events"]]
    for each in session["events"]:
        ours = (each["type"], each["offset_ns"], each["data"])
        if ours not in theirs:
            yield "wrong", f"event {each['seq']} is not there"
            continue
        theirs.remove(ours)
    spoken = [s for s in session["segments"] if s["text"]]
    for state in read["replay"]["states"]:
        ours_then = [
            (ROLES.get(s["role"], s["role"]), s["text"], read["start_ns"] + s["start_ns"])
            for s in spoken
            if s["start_ns"] <= state["offset_ns"]
        ]
        if ours_then != [(m["role"], m["text"], m["at_ns"]) for m in state["messages"]]:
            yield "wrong", f"other messages at {state['offset_ns']} ns"
    made = Counter((kind, at_ns) for kind, at_ns, _ in theirs)
    expected = Counter({("conversation.started", 0): 1})
    expected.update(("message.created", s["start_ns"]) for s in spoken)
    expected.update(
        (f"audio.{TRACKS[s['role']]}", s["start_ns"])
        for s in session["segments"]
        if s["role"] in TRACKS and (s["decoded_ns"] or s["end_ns"] - s["start_ns"]) > 0
    )
    if made != expected:
        yield "wrong", f"made of its turns are {made - expected} too many, {expected - made} lack"
    yield from _sounding(read)


def _sounding(read: dict[str, Any]) -> Iterator[Told]:
    """Tracks that do not sound as long as the blobs of their pieces."""
    for kind, track in read["tracks"].items():
        there = [b for b in read["blobs"] if b["type"] == kind.replace("_", ".")]
        silent = track.get("broke") == _SILENT and not there
        if silent:
            yield "limit", "writes no WAV of a track of which only the times are known"
        elif track.get("bytes") != 44 + sum(blob["bytes"] for blob in there):
            yield "wrong", f"{kind} sounds otherwise, {track.get('broke', 'of another length')}"


def _as_it_came(read: dict[str, Any], came: dict[str, Any], said: str) -> Iterator[Told]:
    """What PromptKit reads otherwise than in the file that came.

    The lines of its own event store its loader leaves in their order, reads no run of them, and
    takes the present for when they were exported. An id that is a path is not written again, a
    wrong count put right.
    """
    stored = not any(each["run"] for each in came["events"])
    path = "/" in came["metadata"]["session_id"]
    passed = {"event_count", *(["created_at"] * stored), *(["session_id"] * path)}
    if _without(read["metadata"], passed) != _without(came["metadata"], passed):
        yield "wrong", "the metadata are others"
    for key in ("start_ns", "end_ns", "tracks"):
        if read[key] != came[key]:
            yield "wrong", f"{key} is another"
    if Counter(map(str, read["blobs"])) != Counter(map(str, came["blobs"])):
        yield "wrong", "blobs are others"
    passed = {*(["run"] * stored), *(["session"] * path)}
    now, was = ([_without(e, passed) for e in each["events"]] for each in (read, came))
    if stored:
        was.sort(key=lambda each: each["at_ns"])
    if now != was:
        odd = [n["seq"] for n, w in zip(now, was, strict=False) if n != w]
        yield "wrong", f"{len(now)} events for {len(was)}, others: {odd}"
    there = [each for each in read["annotations"] if each["id"] != said]
    if there != came["annotations"]:
        yield "wrong", "annotations are others"
    for state, before in zip(read["replay"]["states"], came["replay"]["states"], strict=True):
        shown = [each for each in state["annotations"] if each != said]
        if state | {"annotations": shown} != before:
            yield "wrong", f"the player answers otherwise at {state['offset_ns']} ns"


def _without(found: dict[str, Any], passed: set[str]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in passed}
