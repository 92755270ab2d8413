"""PromptKit's annotations: `<session>.annotations.jsonl`, one JSON object a line.

    {"annotation": {…}, "deleted"?: true, "deleted_at"?: …}

A correction is a new annotation that names the one it replaces; a deletion is one more line with
the same id. All of them are kept: which ones hold is for the player to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from vault.errors import BadInput
from vault.formats import jsontext
from vault.formats.fields import Fields, Notes
from vault.formats.promptkit_events import known_instant
from vault.model import Annotation, Json

#: How a target says which one it is, and what that is called here. Go leaves zeros out.
_WHERE = {
    "turn": ("turn_index", "turn_index"),
    "message": ("message_index", "message_index"),
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
        if made.id in found and found[made.id].deleted:
            continue
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
