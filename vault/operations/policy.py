"""The policies in force: packs that come with strongroom, and those activated here over them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache

from policies.calendar import FAR
from policies.model import CLASSES, Pack, RetentionClass
from vault.errors import BadInput, UsageError
from vault.operations.keys import Keys
from vault.operations.spelling import normalise
from vault.ports import Catalogue, Transaction

_SETTING = "policy-packs"
_CHANGED = "policy-changed-at"


@cache
def packaged() -> Mapping[str, Pack]:
    """The packs that come with strongroom, read once."""
    from policies import pack  # late: what decides nothing starts sooner without

    return pack.packaged()


def digest(of: Pack) -> str:
    """SHA-256 (hex) of what a pack says, however its file was written."""
    from policies import pack

    text = json.dumps(pack.document(of), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def last_changed_at(tx: Transaction) -> datetime | None:
    """When a policy was last activated here; None if those in force came with strongroom."""
    told = tx.setting(_CHANGED)
    return None if told is None else datetime.fromisoformat(told.decode())


class Policies:
    """The packs in force in one archive."""

    def __init__(self, catalogue: Catalogue, keys: Keys) -> None:
        self._catalogue = catalogue
        self._keys = keys
        self._read: tuple[bytes | None, Mapping[str, Pack]] | None = None

    def active(self) -> Mapping[str, Pack]:
        """By name. What was activated here stands in place of what came under its name."""
        with self._catalogue.transaction() as tx:
            sealed = tx.setting(_SETTING)
        if self._read is None or self._read[0] != sealed:
            self._read = (sealed, {**packaged(), **self._own(sealed)})
        return self._read[1]

    def classes(self) -> Mapping[str, RetentionClass]:
        """The retention classes there are: the five, and those of the packs."""
        from policies.classes import class_named

        packs = self.active()
        names = [*CLASSES, *(c.name for p in packs.values() for c in p.classes)]
        found = {name: class_named(name, packs) for name in names}
        return {name: one for name, one in found.items() if one is not None}

    def retention_class(self, name: str) -> RetentionClass:
        """Raises `UsageError` for what is no class."""
        from policies.classes import class_named

        known = class_named(name, self.active())
        if known is None:
            raise UsageError(f"No class {name!r}; there are: {', '.join(self.classes())}.")
        return known

    def class_by_tags(self, tags: Iterable[str]) -> RetentionClass | None:
        """The class that the packs give to what has these tags; of several the longest."""
        from policies.classes import class_named

        if not (said := {normalise("tag", tag) for tag in tags}):
            return None
        packs = self.active()
        rules = ((normalise("tag", t), c) for p in packs.values() for t, c in p.tag_classes)
        named = [class_named(name, packs) for tag, name in rules if tag in said]
        return max((one for one in named if one is not None), key=_length, default=None)

    def put(self, tx: Transaction, changed: Pack, at: datetime) -> None:
        """Activate `changed`, in place of what was there under its name."""
        from policies import pack

        own = {**self._own(tx.setting(_SETTING)), changed.name: changed}
        text = json.dumps([pack.document(one) for one in own.values()]).encode()
        tx.set_setting(_SETTING, self._keys.tenant_key().seal_value("settings", _SETTING, text))
        tx.set_setting(_CHANGED, at.isoformat().encode())

    def _own(self, sealed: bytes | None) -> dict[str, Pack]:
        if sealed is None:
            return {}
        from policies import pack

        text = self._keys.tenant_key().open_value("settings", _SETTING, sealed)
        try:
            found = [pack.read(document) for document in json.loads(text)]
        except ValueError as error:
            raise BadInput("An activated policy was written by another version.") from error
        return {one.name: one for one in found}


def _length(one: RetentionClass) -> datetime:
    """Something that grows with how long a class is kept."""
    return one.expires_at(datetime(2000, 1, 1, tzinfo=UTC)) or FAR
