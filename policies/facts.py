"""Facts read from a JSON document, as `policy explain --facts` takes them."""

from __future__ import annotations

from collections.abc import Mapping

from policies.model import Facts


def facts_of(document: Mapping[str, object]) -> Facts:
    """The facts in `document`. Raises `FactsError` with a sentence naming the field."""
    raise NotImplementedError
