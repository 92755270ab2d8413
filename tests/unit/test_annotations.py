"""Annotations: which hold, when, and how they are corrected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vault.errors import UsageError
from vault.model import Annotation, Json
from vault.replay.annotations import TARGETS, TYPES, Placed, checked, corrected, deleted, newest

WHERE: dict[str, dict[str, Json]] = {
    "session": {},
    "event": {"seq": 1},
    "time_range": {"start_ns": 1, "end_ns": 2},
    "turn": {"turn_index": 0},
    "message": {"message_index": 0},
}


def note(id_: str, **more: object) -> Annotation:
    return replace(Annotation(id_, "label", "k", id_), **more)  # type: ignore[arg-type]  # a test's own fields


def held(placed: Placed, at: int) -> list[str]:
    return [annotation.id for annotation in placed.at(at)]


def test_only_the_newest_version_holds() -> None:
    first = note("1")
    second = corrected(first, "2", "better")
    third = corrected(second, "3", "best")
    assert (third.version, third.previous_id, third.value) == (3, "2", "best")
    assert newest([first, second, third]) == (third,)
    assert newest([third, first, second]) == (third,)


def test_a_deletion_hides_all_it_replaced() -> None:
    first = note("1")
    second = corrected(first, "2", "better")
    assert newest([first, deleted(second)]) == ()
    assert newest([deleted(first), second]) == (second,)
    assert newest([deleted(first)]) == ()


def test_versions_that_go_in_circles_hold_nothing_and_harm_nothing() -> None:
    own = note("1", previous_id="1")
    ring = [note("2", previous_id="3"), note("3", previous_id="2")]
    assert newest([own, *ring]) == (own,)


def test_each_target_holds_in_its_own_time() -> None:
    made = [note(target, target=target, where=WHERE[target]) for target in TARGETS]
    placed = Placed(made, {1: 100})
    always = ["session", "turn", "message"]
    assert sorted(held(placed, 0)) == sorted(always)
    assert sorted(held(placed, 1)) == sorted([*always, "time_range"])
    assert sorted(held(placed, 2)) == sorted([*always, "time_range"])
    assert sorted(held(placed, 3)) == sorted(always)
    assert sorted(held(placed, 99)) == sorted(always)
    assert sorted(held(placed, 100)) == sorted([*always, "event"])
    assert sorted(held(placed, 10**9)) == sorted([*always, "event"])


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("event", {"seq": 2}),
        ("event", {"event_id": "e"}),
        ("time_range", {}),
        ("time_range", {"start_ns": "a", "end_ns": None}),
        ("planet", {}),
    ],
)
def test_what_is_on_nothing_here_never_holds(target: str, where: dict[str, Json]) -> None:
    assert held(Placed([note("1", target=target, where=where)], {1: 0}), 5) == []


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("target", TARGETS)
def test_seven_types_and_five_targets_may_be_made(kind: str, target: str) -> None:
    made = note("1", type=kind, target=target, where=WHERE[target])
    assert checked(made) == made


@pytest.mark.parametrize(
    "wrong",
    [{"type": "joke"}, {"target": "planet"}, {"target": "turn"}, {"id": ""}, {"key": ""}],
)
def test_anything_else_may_not(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        checked(replace(note("1"), **wrong))  # type: ignore[arg-type]  # a test's own fields


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("time_range", {"start_ns": 2, "end_ns": 1}),
        ("time_range", {"start_ns": "0", "end_ns": 1}),
        ("time_range", {"start_ns": -1, "end_ns": 1}),
        ("event", {"seq": "1"}),
        ("event", {"seq": True}),
        ("turn", {"turn_index": 0.5}),
        ("message", {"message_index": None}),
    ],
)
def test_a_place_that_no_session_has_is_refused(target: str, where: dict[str, Json]) -> None:
    with pytest.raises(UsageError):
        checked(note("1", target=target, where=where))
    checked(note("1", target=target, where=WHERE[target]))
