"""The fast way to read JSON says what the strict one says, and nothing that it would refuse."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import BadInput
from vault.formats import jsontext
from vault.model import Json

CHARACTERS = st.sampled_from(
    [
        "a",
        ":",
        "]",
        "{",
        "é",
        "😀",
        "\\u003a",
        "\\u003A",
        "\\u0061",
        "\\n",
        '\\"',
        "\\\\",
        "\\ud83d\\ude00",
    ]
)
ODD = st.sampled_from(["\\ud800", "\\x", "\x01", "\\u12"])
NUMBERS = (
    st.integers().map(str)
    | st.integers(295, 305).map(lambda digits: "-" * (digits % 2) + "9" * digits)
    | st.floats().map(json.dumps)
    | st.from_regex(r"-?(0|[1-9]\d{0,24})(\.\d{1,24})?([eE][-+]?\d{1,3})?", fullmatch=True)
)


def _quoted(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(characters, max_size=3).map(lambda found: f'"{"".join(found)}"')


STRINGS = _quoted(CHARACTERS) | _quoted(CHARACTERS | ODD)
SPACE = st.sampled_from(["", "", " ", "\n\t"])
LEAVES = STRINGS | NUMBERS | st.sampled_from(["null", "true", "false", "NaN", "-Infinity"])


def _list(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=4).map(lambda found: f"[{','.join(found)}]")


def _object(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An object whose keys are often the same, written differently or not."""
    pair = st.tuples(_quoted(CHARACTERS), SPACE, inner, SPACE)
    made = pair.map(lambda parts: f"{parts[0]}{parts[1]}:{parts[3]}{parts[2]}")
    return st.lists(made, max_size=4).map(lambda found: f"{{{','.join(found)}}}")


TEXTS = st.recursive(LEAVES, lambda inner: _list(inner) | _object(inner), max_leaves=12)


def _said(read: Callable[[bytes, str], Json], data: bytes) -> str:
    try:
        return repr(read(data, "x"))
    except BadInput as error:
        return f"refused: {error}"


def _reference(data: bytes, name: str) -> Json:
    """What the strict parser alone says."""
    return jsontext._strict(data, name)


@given(TEXTS)
def test_both_ways_to_read_json_say_the_same(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert _said(jsontext.parse, data) == _said(_reference, data)


@given(TEXTS, st.integers(0, 200), st.binary(max_size=2))
def test_both_ways_say_the_same_of_damaged_json(text: str, place: int, damage: bytes) -> None:
    data = text.encode("utf-8", "surrogatepass")
    place %= len(data)
    data = data[:place] + damage + data[place + 1 :]
    if not data.startswith(b"\xef\xbb\xbf"):
        assert _said(jsontext.parse, data) == _said(_reference, data)


@pytest.mark.parametrize(
    "text",
    [
        r'{"k":1,"k":{"\u003a":1}}',
        r'{"k":1,"k":"\u003A"}',
        r'{"k":":","k":1}',
        r'[{"a":{"k":1,"\u006b":2}}]',
        '{"k" :1,"k"\t:2}',
    ],
)
def test_a_repeated_key_is_found_whatever_colons_stand_beside_it(text: str) -> None:
    with pytest.raises(BadInput, match="one key twice"):
        jsontext.parse(text.encode(), "x")


@pytest.mark.parametrize("counted_by", ["bytes", "numpy"])
def test_a_repeated_key_is_found_in_a_long_text(
    counted_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if counted_by == "numpy":
        pytest.importorskip("numpy")
    else:
        monkeypatch.delitem(sys.modules, "numpy", raising=False)
    once = b'{"k":"a: b","l":[1,{}]},' * 10_000
    assert jsontext.parse(b"[" + once + b"0]", "x")
    with pytest.raises(BadInput, match="one key twice"):
        jsontext.parse(b"[" + once + b'{"k":1,"k":2}]', "x")


@pytest.mark.parametrize("levels", [8, 9, 99, 100, 101, 102, 5000])
def test_levels_are_counted_alike(levels: int) -> None:
    holders = [("[", "]"), ('{"a":', "}")]
    # Brackets in strings, which would make up for those around them if they were counted.
    holders += [('["]",', ',"["]'), ('["\\"]",', ',"\\\\","["]'), ('{"}":"}","a":', ',"{":0}')]
    for opening, closing in holders:
        data = (opening * levels + "1" + closing * levels).encode()
        assert _said(jsontext.parse, data) == _said(_reference, data)


#: Lines that are such objects, that nearly are, and that are only together with the next.
_LINES = st.one_of(
    _object(TEXTS).map(str.encode),
    TEXTS.map(str.encode),
    st.sampled_from(
        (
            b'{"a":1} {"b":2}',
            b'{"a":1},{"b":2}',
            b'{"a":[1',
            b"2]}",
            b'{"a":"',
            b'"}',
            b"\xef\xbb\xbf{}",
            b'{"a":1,"a":2}',
            b"{} \r",
            b"[{}",
            b"{}]",
            b"",
        )
    ),
)


@given(st.lists(_LINES, max_size=8))
def test_lines_say_together_what_each_says_alone(lines: list[bytes]) -> None:
    assert jsontext.objects_in(lines) == [jsontext.object_in(line) for line in lines]
