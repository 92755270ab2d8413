"""JSON written by strangers, read strictly and cheaply.

A value that comes out of here is safe to keep: it is at most 100 levels deep, every number is
finite, every string can be written as UTF-8, and no object said two things under one key.

Everything is tried with a fast parser first, whose value is taken only if it is proved that the
strict one would give the same. Whatever is not proved goes to the strict one, which has the last
word and the reasons.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn, cast

import msgspec

from vault.errors import BadInput
from vault.model import Json

DEPTH_LIMIT = 100
VALUES_LIMIT = 2_000_000
DIGITS_LIMIT = 300
_LARGE = 1e300
_BOM = b"\xef\xbb\xbf"
#: A value and what divides it from the next take so many bytes at least.
_VALUE_BYTES = 2
#: Two escapes that together say one character.
_WHOLE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_ESCAPED_COLON = re.compile(rb"\\u003[aA]")
#: Every thirtieth byte of too many digits is one of so many digits in a row.
_STEP = 30
_DIGITS = b"0" * (DIGITS_LIMIT // _STEP)
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY_DIGITS = re.compile(rb"(?<![0-9])[0-9]{%d}" % (DIGITS_LIMIT + 1))
#: What may stand before the first bracket.
_BEFORE = _BOM + b" \t\r\n"
_ENDS = (b"}\n", b"}")
#: What is put between lines to parse them together; who wrote them cannot know it.
_MARK = secrets.token_hex(16)
#: So many bytes are counted faster by numpy.
_MANY = 1 << 16
#: Levels that the fast parser goes down; each more would double what it takes to prepare it.
_LEVELS = 8
_TOO_LONG = f"holds an integer of more than {DIGITS_LIMIT} digits"


def parse(data: bytes, name: str) -> Json:
    """The JSON value in `data`, which may begin with a UTF-8 byte order mark.

    Lone surrogates, which no UTF-8 can hold, become U+FFFD. `name` is the file's, for messages.
    Raises `BadInput` for anything that is not JSON in UTF-8, repeated keys, NaN, infinities,
    integers of more than 300 digits, more than 100 levels or two million values.
    Source: RFC 8259; RFC 7493 (I-JSON) for what is refused beyond it.
    """
    # Counted before parsing, so that a few megabytes of `[[],[],` never become gigabytes.
    if len(data) > VALUES_LIMIT * _VALUE_BYTES and _values(data) > VALUES_LIMIT:
        raise BadInput(f"{name!a} holds more than {VALUES_LIMIT} values.")
    data = data.removeprefix(_BOM)
    try:
        value: Json = _fast().decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _strict(data, name)
    return value if _is_proved(value, data) else _strict(data, name)


def object_in(line: bytes) -> dict[str, Json] | None:
    """The JSON object that is all of a line; None for anything else, cheaply for most of it."""
    if not line.endswith(_ENDS) and not line.rstrip().endswith(b"}"):
        return None
    if not line.startswith(b"{") and not line.lstrip(_BEFORE).startswith(b"{"):
        return None
    try:
        value = parse(line, "line")
    except BadInput:
        return None
    return value if isinstance(value, dict) else None


def objects_in(lines: Sequence[bytes]) -> list[dict[str, Json] | None]:
    """`object_in` of each line, in half the time where all of them are such objects.

    They are parsed as one list with a mark between any two of them that no line can hold. Where
    every second item is the mark, there is one value of each line between them.
    """
    joined = b"[%s]" % f',"{_MARK}",'.encode().join(lines)
    if len(joined) <= VALUES_LIMIT * _VALUE_BYTES:
        try:
            values: Any = _fast().decode(joined)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            values = []
        found, marks = values[::2], values[1::2]
        are_one = len(found) == len(lines) and marks.count(_MARK) == len(marks) == len(lines) - 1
        if are_one and set(map(type, found)) == {dict} and _is_proved(values, joined):
            return cast("list[dict[str, Json] | None]", found)
    return [object_in(line) for line in lines]


def is_log(head: bytes) -> bool:
    """Whether what begins like this is no JSON text but many: one object a line."""
    line, _, more = head.partition(b"\n")
    return bool(more.strip()) and object_in(line) is not None


@cache
def _fast() -> msgspec.json.Decoder[Json]:
    """The fast parser: it takes what its type allows, which is any value of so many levels."""
    plain = None | bool | int | float | str
    shallow: Any = plain
    for _ in range(_LEVELS):
        shallow = plain | list[shallow] | dict[str, shallow]
    return msgspec.json.Decoder(shallow)


def _is_proved(value: Json, data: bytes) -> bool:
    """Whether what the fast parser read of `data` keeps the rules that it does not know.

    It is as strict as the other one in all but digits and repeated keys. Of a repeated
    key only the last is left, and so fewer colons are written again than there are in `data`.
    An escaped colon is written as one and could make up for that, so none may be there.
    """
    long = len(data) > DIGITS_LIMIT and _DIGITS in data[::_STEP].translate(_DIGITS_ALIKE)
    if long and _TOO_MANY_DIGITS.search(data):
        return False
    if b"\\" in data and _ESCAPED_COLON.search(data):
        return False
    return _count(_ENCODER.encode(value), b":") == _count(data, b":")


def _values(data: bytes) -> int:
    """How many values there may be: before each but the first of all stands one of these."""
    return sum(_count(data, sign) for sign in (b"[", b"{", b","))


def _count(data: bytes, sign: bytes) -> int:
    """How often this byte is in it; by numpy if it runs, for its start takes longer."""
    if len(data) < _MANY or "numpy" not in sys.modules:
        return data.count(sign)
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == sign[0]))


def _strict(data: bytes, name: str) -> Json:
    """The value as `parse` promises it, or the reason why there is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadInput(f"{name!a} is not UTF-8 text.") from None
    try:
        value = _checked(_DECODER.decode(text))
    except _RefusedError as error:
        raise BadInput(f"{name!a} {error}.") from None
    except (json.JSONDecodeError, RecursionError):
        raise BadInput(f"{name!a} is not valid JSON.") from None
    except ValueError:  # what int() says of thousands of digits
        raise BadInput(f"{name!a} {_TOO_LONG}.") from None
    return _tame(value) if _may_hold_half(text) else value


def _may_hold_half(text: str) -> bool:
    """Whether half of a character may be in it: only an escape can say it, the rest was UTF-8."""
    if "\\" not in text or ("\\ud" not in text and "\\uD" not in text):
        return False
    if "\\\\" not in text:
        text = _WHOLE.sub("", text)
    return "\\ud" in text or "\\uD" in text


def _checked(found: object) -> Json:
    """What `_DECODER` found, its objects made dictionaries and every rule kept.

    The decoder gives each object as a tuple of pairs and calls nothing of ours on the way: one
    pass over the result, level by level, costs a third of what hooks would.
    """
    level: list[Any] = [[found]]
    top, large, small = level[0], _LARGE, -_LARGE
    for _ in range(DEPTH_LIMIT + 1):
        inner: list[Any] = []
        for holder in level:
            for place, item in holder.items() if type(holder) is dict else enumerate(holder):
                kind = type(item)
                if kind is str:
                    continue
                if kind is tuple:
                    holder[place] = made = dict(item)
                    if len(made) != len(item):
                        raise _RefusedError("holds an object that uses one key twice")
                    inner.append(made)
                elif kind is list:
                    inner.append(item)
                elif (kind is int or kind is float) and not small < item < large:
                    _refuse_number(item)
        if not inner:
            value: Json = top[0]
            return value
        level = inner
    raise _RefusedError(f"is nested more than {DEPTH_LIMIT} levels deep")


def _refuse_number(number: float) -> None:
    if isinstance(number, int):
        if abs(number) >= 10**DIGITS_LIMIT:
            raise _RefusedError(_TOO_LONG)
    elif math.isinf(number):
        raise _RefusedError("holds a number that is too large")


class _RefusedError(Exception):
    """What a value was refused for, as the end of a sentence."""


def _tame(value: Json) -> Json:
    """`value` with lone surrogates replaced."""
    if isinstance(value, str):
        return value if value.isascii() else _writable(value)
    if isinstance(value, list):
        return [_tame(item) for item in value]
    if isinstance(value, dict):
        return {_writable(k): _tame(item) for k, item in value.items()}
    return value


def _writable(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _constant(_: str) -> NoReturn:
    raise _RefusedError("holds NaN or an infinity, which JSON does not have")


_ENCODER = msgspec.json.Encoder()
_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_constant)
