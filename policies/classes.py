"""Retention classes of several packs: which one holds, and that a locked one only gets tighter."""

from __future__ import annotations

from collections.abc import Mapping

from policies.calendar import outlasts
from policies.model import CLASSES, Pack, RetentionClass


def class_named(name: str, packs: Mapping[str, Pack]) -> RetentionClass | None:
    """The class `name`: a later pack's wins, but never loosens one that is locked."""
    found = CLASSES.get(name)
    for pack in packs.values():
        for kept in pack.classes:
            if kept.name == name:
                found = kept if found is None else _following(found, kept)
    return found


def loosened(before: Mapping[str, Pack], after: Mapping[str, Pack]) -> tuple[str, ...]:
    """The locked classes of `before` that `after` would drop, shorten, unlock or not review."""
    names = {kept.name for pack in before.values() for kept in pack.classes}
    return tuple(name for name in sorted(names) if _looser(name, before, after))


def _looser(name: str, before: Mapping[str, Pack], after: Mapping[str, Pack]) -> bool:
    was, now = class_named(name, before), class_named(name, after)
    return was is not None and was.locked and (now is None or not _as_tight(now, was))


def _as_tight(now: RetentionClass, was: RetentionClass) -> bool:
    return now.locked and now.review >= was.review and outlasts(now.period, was.period)


def _following(was: RetentionClass, now: RetentionClass) -> RetentionClass:
    if not was.locked:
        return now
    period = now.period if outlasts(now.period, was.period) else was.period
    return RetentionClass(was.name, period, review=was.review or now.review, locked=True)
