"""The text of a pack's file, YAML or JSON, as plain values; hostile until shown otherwise.

Of YAML only what JSON has too: no anchors or aliases (they can grow without end), no tags, no
key twice, nothing deep. Text stays text: `NO` is Norway, `2026-03-10` is not yet a date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import yaml

from policies.errors import PackError

#: A pack's file; the largest packaged one has a fortieth of it.
FILE_BYTES = 256 * 1024
#: A pack needs five levels.
DEPTH = 16

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_Loader):  # type: ignore[valid-type, misc]  # the C parser where it is built
    """Reads maps, lists, texts, `true`, `false`, `null` and whole numbers, and nothing else."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001 - PyYAML's own signature
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(node.value):
            raise PackError("The pack has a field twice, or one that is no text.")
        return super().construct_mapping(node, deep=deep)  # type: ignore[no-any-return]


_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(true|false)\Z"), list("tf")
)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"null\Z"), ["n"])
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"(0|[1-9][0-9]{0,8})\Z"), list("0123456789")
)


def parse(raw: bytes) -> Mapping[str, object]:
    """The document in `raw` (UTF-8). Raises `PackError`; its sentence holds nothing of `raw`."""
    if len(raw) > FILE_BYTES:
        raise PackError(f"The pack is larger than {FILE_BYTES // 1024} kB.")
    try:
        text = raw.decode("utf-8-sig")
        found = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    except UnicodeDecodeError as error:
        raise PackError("The pack is not UTF-8 text.") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise PackError(f"The pack is not YAML or JSON{line}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, PackError):
            raise
        raise PackError("The pack is not YAML or JSON.") from error
    if not isinstance(found, dict):
        raise PackError("The pack is not an object of fields.")
    return found


def _json(text: str) -> object:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) < len(pairs):
            raise PackError("The pack has a field twice.")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


def _yaml(text: str) -> object:
    _refuse_cleverness(text)
    return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a subclass of the safe loader


def _refuse_cleverness(text: str) -> None:
    """Refuses what only YAML has, before anything is made of it."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PackError("The pack has anchors or aliases, which are not taken.")
        if getattr(event, "tag", None):
            raise PackError("The pack has tags, which are not taken.")
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH or documents > 1:
            raise PackError("The pack is nested too deeply, or more than one document.")
