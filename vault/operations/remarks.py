"""What people say about a session afterwards: its title, its tags, annotations.

Only the sealed metadata and the look-ups change; no sealed object is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from vault.errors import BadInput, NotFound
from vault.model import Annotation, Compartment, Json, Timeline, new_id
from vault.operations import describe, retrieve
from vault.operations.describe import Metadata
from vault.operations.room import Room
from vault.replay import annotations as rules
from vault.replay.timeline import Chronology

_LONGEST = 500


def set_title(room: Room, session_id: str, title: str | None) -> Metadata:
    """Name a session, or take its name away with None."""
    if title is not None and (not title.strip() or len(title) > _LONGEST):
        raise BadInput(f"A title is at most {_LONGEST} characters, and not empty.")
    return _change(room, session_id, lambda metadata: replace(metadata, title=title))


def tag(
    room: Room, session_id: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> Metadata:
    """Add and remove tags; they are compared as look-ups are, without regard to case.

    Raises `BadInput` for one that is empty or longer than a title may be.
    """
    if any(len(one) > _LONGEST for one in add):
        raise BadInput(f"A tag is at most {_LONGEST} characters.")
    gone = {room.keys.lookup("tag", one) for one in remove}
    new = {room.keys.lookup("tag", one): one for one in add}

    def change(metadata: Metadata) -> Metadata:
        had = {room.keys.lookup("tag", one): one for one in metadata.tags}
        kept = {digest: one for digest, one in {**new, **had}.items() if digest not in gone}
        return replace(metadata, tags=tuple(kept.values()))

    return _change(room, session_id, change)


def annotate(
    room: Room,
    session_id: str,
    *,
    type: str,  # noqa: A002  the field's own word
    key: str,
    value: Json,
    target: str = "session",
    where: Mapping[str, Json] | None = None,
) -> Annotation:
    """Add an annotation, with the id of who makes it and when in its `data`.

    Raises `UsageError` for a type, a target or a place that no session has, `NotFound` for an
    event, a turn or a message that this one has not.
    """
    said, place = _signed(room, "created"), dict(where or {})
    made = rules.checked(
        Annotation(new_id(), type, key, value, target=target, where=place, data=said)
    )
    timeline = retrieve.Opened(room, retrieve.session(room, session_id)).timeline()
    if not _is_there(timeline, made):
        raise NotFound(f"This session has no such {made.target}.")
    _change(room, session_id, lambda m: replace(m, annotations=(*m.annotations, made)))
    return made


def _is_there(timeline: Timeline, annotation: Annotation) -> bool:
    """Whether the session has what an annotation is about, as far as its number tells."""
    where = annotation.where
    match annotation.target:
        case "event":
            return "seq" not in where or any(e.seq == where["seq"] for e in timeline.events)
        case "turn":
            return any(s.index == where["turn_index"] for s in timeline.segments)
        case "message":
            whole = Chronology(timeline)
            return cast("int", where["message_index"]) < len(whole.at(whole.end_ns).messages)
    return True


def correct(room: Room, session_id: str, annotation_id: str, value: Json) -> Annotation:
    """A new version of an annotation made here or by the source; the old one stays on record.

    Raises `NotFound` for one that does not hold any more: what replaced it is corrected instead.
    """

    def how(found: Annotation) -> Annotation:
        made = rules.corrected(found, new_id(), value)
        return replace(made, data={**made.data, **_signed(room, "created")})

    return _instead(room, session_id, annotation_id, how)


def delete(room: Room, session_id: str, annotation_id: str) -> Annotation:
    """Put an annotation, with all it replaced, out of sight; it stays on record.

    Raises `NotFound` for one that does not hold any more.
    """

    def how(found: Annotation) -> Annotation:
        gone = rules.deleted(found)
        return replace(gone, data={**gone.data, **_signed(room, "deleted")})

    return _instead(room, session_id, annotation_id, how)


def _signed(room: Room, what: str) -> dict[str, Json]:
    """When something was done and by whom: the actor's id, which is no name."""
    return {f"{what}_at": room.clock.now().isoformat(), f"{what}_by": room.actor.id}


def _instead(
    room: Room, session_id: str, annotation_id: str, how: Callable[[Annotation], Annotation]
) -> Annotation:
    """Put on record what `how` makes of an annotation, which holds until then.

    Looked for in the transaction that changes it: of two at the same moment, one finds nothing.
    """
    own = retrieve.Opened(room, retrieve.session(room, session_id)).timeline().annotations
    made: list[Annotation] = []

    def change(metadata: Metadata) -> Metadata:
        known = {a.id: a for a in (*own, *metadata.annotations)}
        found = [a for a in rules.newest(known.values()) if a.id == annotation_id]
        if not found:
            gone = (
                " any more; `annotate ID` lists those that hold" if annotation_id in known else ""
            )
            raise NotFound(f"This session has no annotation of that id{gone}.")
        made[:] = [how(found[0])]
        others = tuple(a for a in metadata.annotations if a.id != made[0].id)
        return replace(metadata, annotations=(*others, made[0]))

    _change(room, session_id, change)
    return made[0]


def _change(room: Room, session_id: str, change: Callable[[Metadata], Metadata]) -> Metadata:
    """Change the sealed metadata in one transaction, with the look-ups that depend on it.

    What comes under a tag that a hold waits for is held from then on.
    """
    session = retrieve.session(room, session_id)
    key = room.keys.data_key(session, Compartment.METADATA)
    with room.catalogue.transaction() as tx:
        tx.gate(alone=False)
        row = tx.session_locked(session_id)
        if not row.metadata:
            raise NotFound("This session was destroyed a moment ago.")
        metadata = change(describe.metadata_of(key, row))
        tx.set_metadata(session_id, describe.seal_metadata(key, metadata))
        tags = [room.keys.lookup("tag", t) for t in metadata.tags]
        tx.set_lookups(session_id, "tag", tags)
        for hold_id in tx.future_holds([("tag", digest) for digest in tags]):
            tx.add_members(hold_id, [session_id])
    return metadata
