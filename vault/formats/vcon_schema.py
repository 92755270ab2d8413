"""The schema of the vCon 0.4.0, as its working group publishes it: `vcon.schema.json`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from vault.errors import BadInput
from vault.model import Json


def validate(document: Json) -> None:
    """Hold an unsigned vCon against the schema; `BadInput` names the first place that breaks it."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(document))
    if error is not None:
        raise BadInput(f"The vCon breaks its schema at {error.json_path} ({error.validator}).")


@cache
def party_texts() -> frozenset[str]:
    """What a party may say of itself in text only."""
    return frozenset(_validator().schema["definitions"]["Party"]["properties"])


@cache
def _validator() -> Any:  # noqa: ANN401  jsonschema has no types
    from jsonschema import Draft7Validator, FormatChecker

    schema = json.loads(files(__package__).joinpath("vcon.schema.json").read_bytes())
    return Draft7Validator(schema, format_checker=FormatChecker(("uuid",)))
