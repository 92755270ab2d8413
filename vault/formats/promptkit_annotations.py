"""PromptKit's annotations: `<session>.annotations.jsonl`, one JSON object a line.

    {"annotation": {…}, "deleted"?: true, "deleted_at"?: …}

A correction is a new annotation that names the one it replaces; a deletion is one more line with
the same id. All of them are kept: which ones hold is for the player to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from vault.errors import BadInput
from vault.formats import instants, jsontext
from vault.formats.fields import Fields, Notes
from vault.formats.promptkit_events import known_instant
from vault.model import Annotation, Json

#: How a target says which one it is, and what that is called here. Go leaves zeros out.
_WHERE = {
    "turn": ("turn_index", "turn_index"),
    "message": ("message_index", "message_index"),
}
#: The types that PromptKit knows.
TYPES = frozenset(("score", "label", "comment", "flag", "metric", "assertion", "ground_truth"))
#: An instant that nothing is said of, as Go writes it.
UNUSED = "0001-01-01T00:00:00Z"
#: What a line says of a deletion, beside the annotation.
_DELETION = ("deleted_at", "deleted_by")
#: What its fields may hold. Its store passes over an annotation that has anything else there.
_KINDS: Mapping[str, tuple[type, ...]] = {
    "created_by": (str,),
    "metadata": (dict,),
    "score": (int, float),
    "label": (str,),
    "labels": (list,),
    "text": (str,),
    "flag": (bool,),
    "passed": (bool,),
    "message": (str,),
    "unit": (str,),
}
_OWN = {"id", "type", "key", "value", "version", "previous_id", "target"}


def read(
    rows: Iterable[bytes], file: str, start_ns: int | None, notes: Notes
) -> tuple[Annotation, ...]:
    """The annotations of one file, each id once with the last thing said of it.

    `start_ns` is when the session began, from which the instants of time ranges are counted.
    What cannot be read is noted and left out.
    """
    found: dict[str, Annotation] = {}
    for number, row in enumerate(rows):
        if not row.strip():
            continue
        try:
            line = jsontext.parse(row, file)
        except BadInput:
            line = None
        stated = line.get("annotation") if isinstance(line, dict) else None
        if not isinstance(line, dict) or not isinstance(stated, dict):
            notes.add("unreadable-row", f"Line {number + 1} is no annotation; it is lost.", file)
            continue
        made = _annotation(line, Fields(stated, f"line {number + 1}", notes), start_ns)
        if not made.id:
            notes.add("bad-field", f"Line {number + 1} has no id; it goes by its line.", file)
            made = msgspec.structs.replace(made, id=f"line-{number + 1}")
        if made.id in found and found[made.id].deleted:
            continue
        if made.id in found and not made.deleted:
            notes.add("repeated-id", f"Line {number + 1} takes the place of one of its id.", file)
        found[made.id] = made
    return tuple(found.values())


def _annotation(line: dict[str, Json], fields: Fields, start_ns: int | None) -> Annotation:
    stated = fields.value
    target = stated.get("target")
    named = dict(target) if isinstance(target, dict) else {}
    kind = named.get("type")
    kind = kind if isinstance(kind, str) else "session"
    data = {key: value for key, value in stated.items() if key not in _OWN}
    data |= {key: value for key, value in line.items() if key not in {"annotation", "deleted"}}
    if named.keys() - {"type"}:
        data["target"] = {key: value for key, value in named.items() if key != "type"}
    version = stated.get("version")
    return Annotation(
        id=fields.text("id") or "",
        type=fields.text("type") or "",
        key=fields.text("key") or "",
        value=stated.get("value"),
        version=version if type(version) is int and 0 < version < 2**31 else 1,
        previous_id=fields.text("previous_id") or None,
        target=kind,
        where=_where(kind, named, start_ns),
        deleted=line.get("deleted") is True,
        data=data,
    )


def _where(kind: str, named: dict[str, Json], start_ns: int | None) -> dict[str, Json]:
    """Which event, time range, turn or message; empty where nobody can tell."""
    if kind in _WHERE:
        theirs, ours = _WHERE[kind]
        return {ours: named.get(theirs, 0)}
    if kind == "event":
        keys = (("event_id", "event_id"), ("event_sequence", "seq"))
        return {ours: named[theirs] for theirs, ours in keys if theirs in named}
    if kind == "time_range" and start_ns is not None:
        ends = known_instant(named.get("start_time")), known_instant(named.get("end_time"))
        if ends[0] is not None and ends[1] is not None:
            return {"start_ns": ends[0] - start_ns, "end_ns": ends[1] - start_ns}
    return {}


def write(
    annotations: Iterable[Annotation],
    session_id: str,
    instant: Callable[[int], str],
    numbers: Mapping[int, int],
    known: Mapping[str, bool],
) -> Iterator[bytes]:
    """The lines of annotations, each version one, a deletion one more after what it deletes.

    `instant` writes an offset (ns) as the session's instant, `numbers` is what an event's number
    became where that is another now, `known` the ids that were written before and whether as
    deleted: of those only a deletion that is new is written.
    """
    for annotation in annotations:
        made = _stated(annotation, session_id, instant, numbers)
        if annotation.id not in known:
            yield _dump({"annotation": made})
        if annotation.deleted and not known.get(annotation.id):
            when = {key: annotation.data[key] for key in _DELETION if key in annotation.data}
            yield _dump({"annotation": made, "deleted": True, **when})


def _stated(
    annotation: Annotation,
    session_id: str,
    instant: Callable[[int], str],
    numbers: Mapping[int, int],
) -> dict[str, Json]:
    made: dict[str, Json] = {
        "id": annotation.id,
        "type": annotation.type,
        "session_id": session_id,
        "target": _target(annotation, instant, numbers),
        "key": annotation.key,
        "value": _valued(annotation.type, annotation.value),
        "created_at": UNUSED,
    }
    taken = {*made.keys() - {"created_at"}, *_DELETION}
    made |= {k: v for k, v in annotation.data.items() if k not in taken and _is_held(k, v)}
    made["version"] = annotation.version
    if annotation.previous_id is not None:
        made["previous_id"] = annotation.previous_id
    return made


def _target(
    annotation: Annotation, instant: Callable[[int], str], numbers: Mapping[int, int]
) -> dict[str, Json]:
    """What it is about: as its source said it, else as PromptKit says what is known here."""
    made: dict[str, Json] = {"type": annotation.target, "start_time": UNUSED, "end_time": UNUSED}
    if isinstance(stated := annotation.data.get("target"), dict):
        return made | stated
    for key, value in annotation.where.items():
        if key in {"start_ns", "end_ns"} and isinstance(value, int):
            made[f"{key.removesuffix('_ns')}_time"] = instant(value)
        elif key == "seq" and isinstance(value, int):
            made["event_sequence"] = numbers.get(value, value)
        else:
            made[key] = value
    return made


def _valued(kind: str, value: Json) -> Json:
    """A value in the object that PromptKit has for it; what fits nowhere in it, as its text."""
    if isinstance(value, dict) and all(_is_held(name, part) for name, part in value.items()):
        return value
    if isinstance(value, bool):
        return {"passed" if kind == "assertion" else "flag": value}
    if isinstance(value, int | float):
        return {"score": value}
    if isinstance(value, str):
        return {"text" if kind == "comment" else "label": value}
    if _is_held("labels", value):
        return {"labels": value}
    return {"text": json.dumps(value)}


def _is_held(name: str, part: Json) -> bool:
    """Whether its store can read that in a field of that name; unknown ones it passes over."""
    if name.lower() == "created_at":
        return isinstance(part, str) and part.isupper() and instants.parse(part) is not None
    kinds = _KINDS.get(name.lower())  # Go reads names whatever their case
    if kinds is None or part is None:
        return True
    if isinstance(part, list):
        return list in kinds and all(isinstance(each, str) for each in part)
    return type(part) in kinds


def _dump(line: Mapping[str, Json]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
