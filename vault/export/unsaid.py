"""What other systems' formats have no place for, as notes of an export."""

from __future__ import annotations

from collections.abc import Collection

from vault.export.record import Order, Record
from vault.model import Annotation

#: Warnings of rows that were kept and not understood.
_LOST = {"truncated-row", "unreadable-row"}


def endless(record: Record, order: Order) -> None:
    """Note that nobody knows how long a session was, for a format that asks for a length."""
    if record.session.duration_ns is None:
        text = "Nobody knows how long it was; the last thing that is known stands for its end."
        order.left("no-duration", text, record)


def said_here(record: Record, order: Order, annotations: Collection[Annotation]) -> None:
    """Note what is known of a session here and the format has no place for."""
    session = record.session
    counts = {
        "annotations": len(annotations),
        "tags": len(session.tags),
        "titles": int(bool(session.title)),
    }
    for what, count in counts.items():
        if count:
            order.left("left-out", f"{count} {what}: the format has no place for them.", record)
    lost = sum(warning.code in _LOST for warning in session.warnings)
    if lost:
        text = f"{lost} rows that could not be read when they came; `fetch --originals` has them."
        order.left("rows-left-out", text, record)
