"""What a column may hold: the same on SQLite and PostgreSQL, and nothing that was never written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from sqlalchemy import BigInteger, Dialect, LargeBinary, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from vault.errors import IntegrityError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EnumT = TypeVar("_EnumT", bound=StrEnum)


def storable(value: str) -> str:
    """`value` unchanged, if both databases can keep it: no NUL, no lone surrogate.

    Raises ValueError, which never quotes the text.
    """
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("Text for the catalogue holds a lone surrogate.") from None
    if "\0" in value:
        raise ValueError("Text for the catalogue holds a NUL.")
    return value


def _altered() -> IntegrityError:
    return IntegrityError("The catalogue holds what was never written to it: it was altered.")


class Clear(TypeDecorator[str]):
    """Text of our own, ordered by code point on every database."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """A database's own collation would order ids its own way; "C" is plain bytes."""
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the base class's signature)
        return None if value is None else storable(str(value))


class Choice(Clear, Generic[_EnumT]):
    """One value of an enumeration, kept by its name in the model."""

    cache_ok = True

    def __init__(self, kind: type[_EnumT]) -> None:
        super().__init__()
        self.kind = kind

    def process_result_value(self, value: str | None, dialect: Dialect) -> _EnumT | None:  # noqa: ARG002 (the base class's signature)
        try:
            return None if value is None else self.kind(value)
        except ValueError:
            raise _altered() from None


class Sealed(TypeDecorator[bytes]):
    """Bytes, and nothing that somebody wrote there instead: SQLite would keep anything."""

    impl = LargeBinary
    cache_ok = True

    def result_processor(self, *_: object) -> Callable[[object], bytes | None]:
        return _bytes


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, memoryview):
        return bytes(value)
    raise _altered()


class Instant(TypeDecorator[datetime]):
    """An aware instant as whole microseconds since 1970 UTC: exact, ordered, the same on both.

    Raises ValueError for a naive datetime. Answers aware UTC.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 (the base class's signature)
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("An instant for the catalogue must be aware.")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (the base class's signature)
        try:
            return None if value is None else _EPOCH + value * _MICROSECOND
        except (OverflowError, TypeError):
            raise _altered() from None
