"""JSON written by strangers, read strictly and cheaply.

A value that comes out of here is safe to keep: it is at most 100 levels deep, every number is
finite, every string can be written as UTF-8, and no object said two things under one key.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

from vault.errors import BadInput
from vault.model import Json

DEPTH_LIMIT = 100
VALUES_LIMIT = 2_000_000
DIGITS_LIMIT = 300


def parse(data: bytes, name: str) -> Json:
    """The JSON value in `data`, which may begin with a UTF-8 byte order mark.

    Lone surrogates, which no UTF-8 can hold, become U+FFFD. `name` is the file's, for messages.
    Raises `BadInput` for anything that is not JSON in UTF-8, repeated keys, NaN, infinities,
    integers of more than 300 digits, more than 100 levels or two million values.
    Source: RFC 8259; RFC 7493 (I-JSON) for what is refused beyond it.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{name!a} is not UTF-8 text.") from None
    openings = text.count("[") + text.count("{")
    # Counted before parsing, so that a few megabytes of `[[],[],` never become gigabytes.
    if openings + text.count(",") > VALUES_LIMIT:
        raise BadInput(f"{name!a} holds more than {VALUES_LIMIT} values.")
    try:
        value: Json = _DECODER.decode(text)
    except _RefusedError as error:
        raise BadInput(f"{name!a} {error}.") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{name!a} is not valid JSON.") from None
    if openings > DEPTH_LIMIT or "\\u" in text:
        return _tame(value, name, DEPTH_LIMIT)
    return value


class _RefusedError(Exception):
    """What a value was refused for, as the end of a sentence."""


def _tame(value: Json, name: str, levels: int) -> Json:
    """`value` with lone surrogates replaced; `BadInput` if it is too deep."""
    if isinstance(value, str):
        return value if value.isascii() else _writable(value)
    if isinstance(value, list | dict) and not levels:
        raise BadInput(f"{name!a} is nested more than {DEPTH_LIMIT} levels deep.")
    if isinstance(value, list):
        return [_tame(item, name, levels - 1) for item in value]
    if isinstance(value, dict):
        return {_writable(k): _tame(item, name, levels - 1) for k, item in value.items()}
    return value


def _writable(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _RefusedError("holds an object that uses one key twice")
    return made


def _integer(digits: str) -> int:
    if len(digits) > DIGITS_LIMIT:
        raise _RefusedError(f"holds an integer of more than {DIGITS_LIMIT} digits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _RefusedError("holds a number that is too large")
    return number


def _constant(_: str) -> NoReturn:
    raise _RefusedError("holds NaN or an infinity, which JSON does not have")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
