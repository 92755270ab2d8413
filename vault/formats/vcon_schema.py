"""The schema of the vCon 0.4.0, as its working group publishes it: `vcon.schema.json`.

What came as another vCon is completed, and what is unfit is taken out, until it keeps to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import takewhile
from typing import Any, Final, NamedTuple

from vault.errors import BadInput
from vault.formats.vcon_content import BASE64
from vault.formats.vcon_party import indices
from vault.model import Json

VERSION: Final = "0.4.0"
#: How often what is unfit is taken out; what then still breaks the schema is for it to refuse.
_ROUNDS = 3
#: How bodies are written, in any version; another word is unfit, and says nothing.
_ENCODINGS = ("none", "json", *BASE64)
_FOR_URLS = str.maketrans("+/", "-_")


class Missing(NamedTuple):
    """What is said where a vCon has to say something and does not; `zero` is when all began."""

    zero: str
    uuid: str
    created_at: str


def validate(document: Json) -> None:
    """Hold an unsigned vCon against the schema; `BadInput` names the first place that breaks it."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(document))
    if error is not None:
        raise BadInput(f"The vCon breaks its schema at {error.json_path} ({error.validator}).")


def complete(document: dict[str, Json], missing: Missing) -> None:
    """Say what 0.4.0 asks for: a dialog starts with the one before it, an attachment with all."""
    _default(document, uuid=missing.uuid, created_at=missing.created_at)
    for name in ("dialog", "analysis", "attachments"):
        for _, item in listed(document, name):
            _encode(item)
    if document.get("redacted") == {}:
        del document["redacted"]
    if isinstance(redacted := document.get("redacted"), dict):
        _default(redacted, type="unknown")
    start: Json = missing.zero
    for _, item in listed(document, "dialog"):
        _default(item, start=start)
        start = item["start"]
    for _, item in listed(document, "analysis"):
        _default(item, type="analysis", vendor="unknown")
    for _, item in listed(document, "attachments"):
        _default(item, start=missing.zero, party=0, dialog=0)


def listed(parent: dict[str, Json], key: str) -> Iterator[tuple[int, dict[str, Json]]]:
    """The objects of a list with their places; nothing, if there is no list."""
    items = parent.get(key)
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield place, item


def _encode(item: dict[str, Json]) -> None:
    """Say how a body is written, as 0.4.0 does: JSON as JSON, base64 in its alphabet for URLs."""
    body, encoding = item.get("body"), item.get("encoding")
    if body is None or encoding not in (*_ENCODINGS, None):
        return
    if not isinstance(body, str):
        item["encoding"] = "json"
    elif encoding is None:
        item["encoding"] = "none"
    elif encoding == "base64":
        item["body"] = "".join(body.split()).translate(_FOR_URLS).rstrip("=")
        item["encoding"] = "base64url"


def _default(item: dict[str, Json], **values: Json) -> None:
    item |= {key: value for key, value in values.items() if item.get(key) is None}


def fit(document: dict[str, Json], missing: Missing) -> Iterator[Json]:
    """Complete the vCon and take out what breaks the schema: its place and value.

    Only the field that is wrong goes, and what has to be in its place is said as if it had never
    been there. A null says nothing. One of the four lists keeps an empty object in the place of
    what is none, for its indices are counted on.
    """
    complete(document, missing)
    for _ in range(_ROUNDS):
        found = _breaches(document)
        for path in sorted(found, reverse=True):
            value = _taken(_parent(document, path), path)
            if value is not None:
                yield {"path": found[path], "value": value}
        if not found:
            return
        complete(document, missing)


def _taken(parent: Json, path: Sequence[str | int]) -> Json:
    """Take the last step of a path out of what holds it."""
    key = path[-1]
    if isinstance(parent, dict) and isinstance(key, str):
        value = parent.pop(key, None)
        if (path[0], key) in _INDICES and value is not None:
            parent[key] = _INDICES[path[0], key](value)
        return value
    if not isinstance(parent, list) or not isinstance(key, int):
        return None
    value = parent.pop(key)
    if len(path) == 2:
        parent.insert(key, {})
    return value


def _first_indices(value: Json) -> list[Json]:
    """Those before anything that is none: the first says of which dialog something is told."""
    items = value if isinstance(value, list) else []
    return list(takewhile(lambda each: type(each) is int and each >= 0, items))


#: What stays of indices of which some are wrong: those that were read. An analysis of what is no
#: dialog stays one of none; without a word of it, it would be of the first.
_INDICES: dict[tuple[str | int, str], Callable[[Json], list[Json]]] = {
    ("analysis", "dialog"): _first_indices,
    ("dialog", "parties"): lambda value: list(indices(value)),
}


def _parent(document: Json, path: Sequence[str | int]) -> Json:
    """What holds the last step of a path."""
    found = document
    for step in path[:-1]:
        if isinstance(found, dict) and isinstance(step, str):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int):
            found = found[step]
    return found


def _breaches(document: Json) -> dict[tuple[str | int, ...], str]:
    """The outermost values that break the schema: the steps to each, and its JSON path.

    Where a member is missing, it is the object that lacks it; of the whole vCon nothing is said.
    """
    found: dict[tuple[str | int, ...], str] = {}
    for error in _validator().iter_errors(document):
        path, name = tuple(error.absolute_path), error.json_path
        if error.validator == "dependencies":  # what asks for others that are not there
            for key in error.validator_value.keys() & error.instance.keys():
                found[*path, key] = f"{name}.{key}"
        elif path:
            found[path] = name
    return {p: name for p, name in found.items() if not any(p[:n] in found for n in range(len(p)))}


@cache
def _validator() -> Any:  # noqa: ANN401  jsonschema has no types
    from jsonschema import Draft7Validator, FormatChecker

    schema = json.loads(files(__package__).joinpath("vcon.schema.json").read_bytes())
    return Draft7Validator(schema, format_checker=FormatChecker(("uuid",)))
