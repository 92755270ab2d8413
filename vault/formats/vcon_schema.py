"""The schema of the vCon 0.4.0, as its working group publishes it: `vcon.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from vault.errors import BadInput
from vault.model import Json

VERSION: Final = "0.4.0"
#: How often what is unfit is taken out; what then still breaks the schema is for it to refuse.
_ROUNDS = 3


def validate(document: Json) -> None:
    """Hold an unsigned vCon against the schema; `BadInput` names the first place that breaks it."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(document))
    if error is not None:
        raise BadInput(f"The vCon breaks its schema at {error.json_path} ({error.validator}).")


def fit(document: dict[str, Json]) -> Iterator[Json]:
    """Take out what breaks the schema where it stands: its place and value. A null says nothing.

    One of the four lists keeps an empty object in its place, for its indices are counted on.
    """
    for _ in range(_ROUNDS):
        found = _breaches(document)
        for path in sorted(found, reverse=True):
            parent, key = _parent(document, path), path[-1]
            value: Json = None
            if isinstance(parent, dict) and isinstance(key, str):
                value = parent.pop(key, None)
            elif isinstance(parent, list) and isinstance(key, int):
                value = parent.pop(key)
                if len(path) == 2:
                    parent.insert(key, {})
            if value is not None:
                yield {"path": found[path], "value": value}
        if not found:
            return


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
        path = tuple(error.absolute_path)
        if path:
            found[path] = error.json_path
    return {p: name for p, name in found.items() if not any(p[:n] in found for n in range(len(p)))}


@cache
def _validator() -> Any:  # noqa: ANN401  jsonschema has no types
    from jsonschema import Draft7Validator, FormatChecker

    schema = json.loads(files(__package__).joinpath("vcon.schema.json").read_bytes())
    return Draft7Validator(schema, format_checker=FormatChecker(("uuid",)))
