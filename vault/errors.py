"""Every way strongroom says no.

One hierarchy, split by whose fault it is. An error says what was wrong, with what,
and what to do about it; it never carries content or an identifier of a person.
The docstring of a class is its default message.
"""

from __future__ import annotations

import inspect


class StrongroomError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)


class UsageError(StrongroomError):
    """The command was not understood."""


class BadInput(StrongroomError):
    """The input cannot be taken; nothing was stored."""


class NotFound(StrongroomError):
    """There is no such thing in this archive."""


class Refused(StrongroomError):
    """Policy does not allow this."""


class IntegrityError(StrongroomError):
    """Stored bytes are not what was sealed; nothing was given out."""


class BackendError(StrongroomError):
    """A back end is unavailable.

    `retryable` says whether the same call may succeed later without anyone acting.
    """

    def __init__(self, message: str | None = None, *, retryable: bool = False) -> None:
        super().__init__(message or "A back end is unavailable.")
        self.retryable = retryable


#: The contract of the command line: which error ends a process with which code.
#: In a batch the worst (largest) code wins, and what succeeded stays done.
EXIT_CODES: dict[type[StrongroomError], int] = {
    UsageError: 2,
    NotFound: 3,
    Refused: 4,
    IntegrityError: 5,
    BackendError: 6,
    BadInput: 7,
}


def exit_code(error: BaseException) -> int:
    """The process exit code for `error`; 1 for anything the table does not know."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
