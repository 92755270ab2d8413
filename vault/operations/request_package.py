"""What a person receives who asked for their data: the sessions, and what was decided on them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from policies.model import Element
from vault.errors import NotFound
from vault.export.bundle import zip_file
from vault.export.record import Order, Record
from vault.model import State
from vault.operations import records, request_items
from vault.operations.leaving import less
from vault.operations.request_record import Case, Item, Outcome
from vault.operations.retrieve import Opened
from vault.operations.room import Progress, Room, silent
from vault.rows import SessionRow

#: What is left out of a session with an element that is not given.
_KINDS = {
    Element.ORIGINAL_AUDIO: "audio",
    Element.TRANSCRIPT: "transcript",
    Element.METADATA: "metadata",
    Element.ANALYSIS: "analysis",
}


def package(room: Room, case: Case, progress: Progress = silent) -> Iterator[bytes]:
    """A ZIP: README.md, decisions.json, and each session as an export has it, originals too.

    Only what was decided to be given is in it. Sessions are opened one at a time. Raises
    `NotFound` where one of them was destroyed since a copy was made.
    """
    rows = _sessions(room, case)
    beside = {
        "README.md": _readme(room, case, rows).encode(),
        "decisions.json": json.dumps([answer(i) for i in case.details.items or ()]).encode(),
    }
    given = _given(room, case, rows, progress)
    yield from zip_file(given, Order(room.clock.now(), "user_sessions", originals=True), beside)


def answer(item: Item) -> dict[str, str | None]:
    """An item as it is shown."""
    return {
        "session": item.session,
        "element": item.element,
        "outcome": item.outcome.value,
        "reason": item.reason,
        "citation": item.citation,
        "not_before": item.not_before,
    }


def _sessions(room: Room, case: Case) -> list[SessionRow]:
    with room.catalogue.transaction() as tx:
        return [tx.session(one) for one in case.details.sessions]


def _given(
    room: Room, case: Case, rows: Sequence[SessionRow], progress: Progress
) -> Iterator[Record]:
    for number, row in enumerate(rows):
        progress("packing", number, len(rows))
        own = [i for i in case.details.items or () if i.session == row.id]
        given = {i.element for i in own if i.outcome is Outcome.PROVIDE}
        if given and row.state is State.ERASED:
            raise NotFound("A session was destroyed since; the copy made before is the only one.")
        if given:
            away = [kind for element, kind in _KINDS.items() if element not in given]
            yield less(records.record(Opened(room, row)), away)


_CONTENT = (
    "`sessions/` holds what is given, a folder for each session: `session.json` (machine-readable),"
    " `session.html` (to read), captions, and the files as they came under `originals/`. "
    "`manifest.json` has the size and digest of every file, `decisions.json` the decisions below. "
    "This archive keeps no list of recipients."
)


def _readme(room: Room, case: Case, rows: Sequence[SessionRow]) -> str:
    row, classes = case.row, room.policies.classes()
    text, citation = request_items.right(room, row)
    about = (
        f"A request for {row.type}, received {row.received_at.isoformat()}, answered under "
        f"{row.regime}. {text} ({citation or 'no citation'})"
    )
    lines = [f"# Request {row.id}", "", about, "", _CONTENT, ""]
    for session in rows:
        known = classes.get(session.class_name)
        kept = "without end" if known is None or known.period is None else f"for {known.period}"
        own = [item for item in case.details.items or () if item.session == session.id]
        lines += [
            f"## Session {session.id}",
            "",
            f"Began {session.started_at.isoformat()}.",
            f"Retention class {session.class_name}: kept {kept}.",
            "",
            *map(_line, own),
            "",
        ]
    return "\n".join(lines)


def _line(item: Item) -> str:
    kept = "" if item.not_before is None else f", kept until {item.not_before[:10]} at least"
    law = "" if item.citation is None else f" ({item.citation})"
    return f"- {item.element}: {item.outcome}{kept}. {item.reason}{law}"
