"""Annotations: what holds of them now, and at an instant; how a correction or deletion is made.

Nothing is ever overwritten. A correction is a new version that names the one it replaces, a
deletion a flag on the newest; both leave the old ones in the record and out of sight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vault.errors import UsageError
from vault.model import Annotation, Json

TYPES = ("score", "label", "comment", "flag", "metric", "assertion", "ground_truth")
TARGETS = ("session", "event", "time_range", "turn", "message")
#: What `Annotation.where` must hold for each target, any one group of keys.
WHERE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "session": ((),),
    "event": (("seq",), ("event_id",)),
    "time_range": (("start_ns", "end_ns"),),
    "turn": (("turn_index",),),
    "message": (("message_index",),),
}


def newest(annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """Those that hold: neither replaced by another version nor deleted, in their order.

    An annotation that is replaced stays so when its replacement is deleted.
    """
    kept = tuple(annotations)
    replaced = {a.previous_id for a in kept if a.previous_id and a.previous_id != a.id}
    return tuple(a for a in kept if not a.deleted and a.id not in replaced)


class Placed:
    """The annotations of a session that hold, each with the time in which it does.

    Those on the session, a turn or a message hold always; one on a time range within it, both
    ends included; one on an event from that event on, and never if there is no such event.
    `offsets` gives the offset (ns) of each event by its number.
    """

    def __init__(self, annotations: Sequence[Annotation], offsets: Mapping[int, int]) -> None:
        self._spans: list[tuple[Annotation, int | None, int | None]] = []
        for annotation in newest(annotations):
            span = _span(annotation, offsets)
            if span is not None:
                self._spans.append((annotation, *span))

    def at(self, at_ns: int) -> tuple[Annotation, ...]:
        """Those that hold at an instant, in the order they were made."""
        return tuple(
            annotation
            for annotation, first, last in self._spans
            if (first is None or first <= at_ns) and (last is None or at_ns <= last)
        )


def _span(
    annotation: Annotation, offsets: Mapping[int, int]
) -> tuple[int | None, int | None] | None:
    """From when until when it holds, None for no bound; None altogether if it never does."""
    where = annotation.where
    if annotation.target in {"session", "turn", "message"}:
        return None, None
    if annotation.target == "event":
        seq = where.get("seq")
        first = offsets.get(seq) if isinstance(seq, int) else None
        return None if first is None else (first, None)
    if annotation.target == "time_range":
        start, end = where.get("start_ns"), where.get("end_ns")
        if isinstance(start, int) and isinstance(end, int):
            return start, end
    return None


def checked(annotation: Annotation) -> Annotation:
    """The same, if it may be made here; `UsageError` for an unknown type or target, or a target
    that does not say which. (What a source made is kept whatever it says.)
    """
    if annotation.type not in TYPES:
        raise UsageError(f"No annotation is a {annotation.type!a}; there are {', '.join(TYPES)}.")
    if annotation.target not in TARGETS:
        raise UsageError(f"No target is a {annotation.target!a}; there are {', '.join(TARGETS)}.")
    if not annotation.id or not annotation.key:
        raise UsageError("An annotation needs an id and a key.")
    ways = WHERE[annotation.target]
    if not any(set(way) <= annotation.where.keys() for way in ways):
        raise UsageError(
            f"A target of {annotation.target} needs {' or '.join(map('+'.join, ways))}."
        )
    _check_place(
        {key: annotation.where[key] for way in ways for key in way if key in annotation.where}
    )
    return annotation


def _check_place(where: Mapping[str, Json]) -> None:
    """Raises `UsageError` for a place that no session has."""
    for key, value in where.items():
        if key != "event_id" and not (type(value) is int and value >= 0):
            raise UsageError(f"{key} is a whole number, not below 0.")
    start, end = where.get("start_ns"), where.get("end_ns")
    if isinstance(start, int) and isinstance(end, int) and end < start:
        raise UsageError("A time_range does not end before it starts.")


def corrected(previous: Annotation, new_id: str, value: Json) -> Annotation:
    """The next version of an annotation, saying `value` of the same target and key."""
    return replace(
        previous,
        id=new_id,
        value=value,
        version=previous.version + 1,
        previous_id=previous.id,
        deleted=False,
    )


def deleted(annotation: Annotation) -> Annotation:
    """The same, out of sight together with all it replaced."""
    return replace(annotation, deleted=True)
