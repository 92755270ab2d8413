"""Foreign errors become ours here, once, at the edge of the room.

What a database says may quote a row, so its words are never repeated: only its code is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

#: Turns what a driver raised into what is raised instead.
Judge: TypeAlias = Callable[[BaseException], Exception]


@contextmanager
def translated(judge: Judge) -> Iterator[None]:
    """Raise only vault.errors, or ValueError for a value that no column can keep."""
    try:
        yield
    except DBAPIError as error:
        raise judge(error.orig or error) from error
    except StatementError as error:
        # A value was refused on its way in, before any database saw it.
        raise error.orig or error from None
    except OverflowError:
        raise out_of_range() from None
    except SQLAlchemyError as error:
        raise judge(error) from error


def out_of_range() -> ValueError:
    """For a number that does not fit 64 bits, or bytes past what a column takes."""
    return ValueError("A value is too large for the catalogue.")
