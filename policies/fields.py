"""A document's fields, taken one by one and checked: what others wrote is never trusted.

Every refusal is a sentence that names the field; what nobody takes is refused too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeVar

from policies.calendar import Period
from policies.errors import PeriodError, PolicyError

E = TypeVar("E", bound=StrEnum)

_PLACE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
#: A field's text; longer than any sentence of law that belongs into a pack.
TEXT_CHARACTERS = 1000


class Fields:
    """The fields of one object of a document; `where` names the object in refusals."""

    def __init__(self, document: object, where: str, refusal: type[PolicyError]) -> None:
        self.where, self._refusal = where, refusal
        if not isinstance(document, Mapping):
            raise self.refuse("is not an object of fields")
        self._left: dict[object, object] = dict(document)

    def refuse(self, why: str, field: str | None = None) -> PolicyError:
        """The refusal to raise: `where`, the field, and why."""
        return self._refusal(f"{self.where}: {f'{field} ' if field else ''}{why}.")

    def end(self) -> None:
        """Refuses the fields that nobody took."""
        if self._left:
            unknown = ", ".join(sorted(repr(name)[:40] for name in self._left)[:5])
            raise self.refuse(f"has unknown fields: {unknown}")

    def has(self, name: str) -> bool:
        """Whether the field is there and not yet taken."""
        return name in self._left

    def text(self, name: str) -> str:
        """A text that must be there."""
        found = self.text_or_none(name)
        if found is None:
            raise self.refuse("is missing", name)
        return found

    def text_or_none(self, name: str) -> str | None:
        """A printable text of sensible length, or None where it is missing or null."""
        found = self._left.pop(name, None)
        if found is None:
            return None
        if not isinstance(found, str) or not found.strip():
            raise self.refuse("is not a text", name)
        if len(found) > TEXT_CHARACTERS or not found.isprintable():
            raise self.refuse("is too long or has characters that do not print", name)
        return found

    def name(self, name: str) -> str:
        """A name: small letters, digits and hyphens."""
        found = self.text(name)
        if not _NAME.fullmatch(found):
            raise self.refuse("is not a name of small letters, digits and hyphens", name)
        return found

    def names(self, name: str) -> tuple[str, ...]:
        """A list of names; empty where the field is missing."""
        return tuple(self._texts(name, _NAME.fullmatch, "a name"))

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """An object of texts and the names they stand for; empty where the field is missing."""
        found = self._left.pop(name, None)
        if found is None:
            return ()
        if not isinstance(found, Mapping):
            raise self.refuse("is not an object of names", name)
        named = Fields(found, f"{self.where}, {name}", self._refusal)
        for text in found:
            if not isinstance(text, str) or not text.strip() or len(text) > TEXT_CHARACTERS:
                raise self.refuse("has a blank or overlong text", name)
        return tuple((str(text), named.name(str(text))) for text in found)

    def place(self, name: str) -> str | None:
        """A jurisdiction such as EU, DE or US-CA, if there is one."""
        found = self.text_or_none(name)
        if found is not None and not _PLACE.fullmatch(found):
            raise self.refuse("is not a jurisdiction such as EU, DE or US-CA", name)
        return found

    def places(self, name: str, *, everywhere: bool = False) -> tuple[str, ...]:
        """A list of jurisdictions; `*` stands for all of them where `everywhere` allows it."""

        def fits(text: str) -> object:
            return (everywhere and text == "*") or _PLACE.fullmatch(text)

        return tuple(self._texts(name, fits, "a jurisdiction such as EU, DE or US-CA"))

    def flag(self, name: str) -> bool:
        """True or false; false where it is missing."""
        found = self._left.pop(name, False)
        if not isinstance(found, bool):
            raise self.refuse("is not true or false", name)
        return found

    def count(self, name: str, most: int) -> int:
        """A whole number from 0 to `most`; 0 where it is missing."""
        found = self._left.pop(name, 0)
        if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= most:
            raise self.refuse(f"is not a whole number from 0 to {most}", name)
        return found

    def choice(self, name: str, of: type[E], default: E | None = None) -> E:
        """One of the values of `of`."""
        if default is not None and self._left.get(name) is None:
            self._left.pop(name, None)
            return default
        return self._chosen(name, self.text(name), of)

    def choices(self, name: str, of: type[E], default: frozenset[E]) -> frozenset[E]:
        """A list of values of `of`; `default` where it is missing."""
        if not self.has(name):
            return default
        return frozenset(self._chosen(name, text, of) for text in self._texts(name))

    def period(self, name: str) -> Period | None:
        """An ISO 8601 period, if there is one."""
        found = self.text_or_none(name)
        try:
            return None if found is None else Period.parse(found)
        except PeriodError as error:
            raise self.refuse(f"is no period: {str(error).rstrip('.')}", name) from error

    def day_or_none(self, name: str) -> date | None:
        """A date, if there is one."""
        found = self.text_or_none(name)
        try:
            return None if found is None else date.fromisoformat(found)
        except ValueError as error:
            raise self.refuse("is not a date such as 2026-03-10", name) from error

    def day(self, name: str) -> date:
        """A date that must be there."""
        found = self.day_or_none(name)
        if found is None:
            raise self.refuse("is missing", name)
        return found

    def instant(self, name: str) -> datetime | None:
        """An instant with its offset, in UTC, if there is one; a bare date is its first, in UTC."""
        found = self.text_or_none(name)
        if found is None:
            return None
        try:
            instant = datetime.fromisoformat(found)
            if len(found) == 10:
                return instant.replace(tzinfo=UTC)
            if instant.tzinfo is not None:
                return instant.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.refuse("is not an instant such as 2026-03-10T09:30:00Z", name)

    def items(self, name: str) -> Sequence[object]:
        """A list; empty where it is missing or null."""
        found = self._left.pop(name, None)
        if found is None:
            return ()
        if not isinstance(found, list | tuple):
            raise self.refuse("is not a list", name)
        return found

    def _texts(
        self, name: str, fits: Callable[[str], object] = bool, what: str = "a text"
    ) -> list[str]:
        found = []
        for item in self.items(name):
            if not isinstance(item, str) or not fits(item):
                raise self.refuse(f"holds something that is not {what}", name)
            found.append(item)
        return found

    def _chosen(self, name: str, text: str, of: type[E]) -> E:
        try:
            return of(text)
        except ValueError as error:
            raise self.refuse(f"is none of {', '.join(of)}", name) from error
