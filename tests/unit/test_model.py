"""The values of a session, whether they are dataclasses or structs, are used alike."""

import copy
from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from vault.model import Annotation, Event, Participant, Segment, Warn

SEGMENT = Segment(0, "user", "Ann", 5, 9, None, "Hello", False, None, {"confidence": 0.5})
VALUES = (
    SEGMENT,
    Event(3, "tool_call", 7, {"name": "look_up"}),
    Annotation("a", "score", "politeness", 5),
    Participant("agent"),
    Warn("bad-field", "…"),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_has_the_fields_of_a_dataclass_and_does_not_change(value: Any) -> None:
    assert asdict(value) == {f.name: getattr(value, f.name) for f in fields(value)}
    for again in (replace(value), copy.deepcopy(value)):
        assert again == value
        assert again is not value
    for field in fields(value):
        with pytest.raises(AttributeError):
            setattr(value, field.name, None)


def test_a_replaced_field_leaves_the_others_and_the_value_it_was() -> None:
    moved = replace(SEGMENT, index=4, start_ns=6)
    assert (moved.index, moved.start_ns, moved.data) == (4, 6, SEGMENT.data)
    assert moved != SEGMENT == replace(moved, index=0, start_ns=5)


def test_values_without_data_of_their_own_share_none() -> None:
    one, other = Event(0, "", 0), Event(0, "", 0)
    assert one == other
    assert one.data is not other.data
    assert hash(Warn("code", "text")) == hash(Warn("code", "text", None))
