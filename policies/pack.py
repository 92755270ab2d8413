"""Policy packs: read, checked and written; data that others may have written."""

from __future__ import annotations

from collections.abc import Mapping

from policies.model import Facts, Pack


def packaged() -> Mapping[str, Pack]:
    """The packs that come with strongroom, by name."""
    raise NotImplementedError


def load(raw: bytes) -> Pack:
    """The pack in a YAML or JSON file's bytes. Raises `PackError`."""
    raise NotImplementedError


def read(document: Mapping[str, object]) -> Pack:
    """The pack that `document` describes. Raises `PackError` with a sentence naming the field."""
    raise NotImplementedError


def document(pack: Pack) -> dict[str, object]:
    """The JSON form of `pack`, which `read` takes back unchanged."""
    raise NotImplementedError


def applying(packs: Mapping[str, Pack], facts: Facts) -> tuple[Pack, ...]:
    """The packs that bind these facts: by regime, by jurisdiction, or by what was heard."""
    raise NotImplementedError
