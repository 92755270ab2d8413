"""What a store's error means to us: one table for both S3 clients."""

from __future__ import annotations

from vault.errors import BackendError, NotFound, StrongroomError

#: "There is no lock" in the words of different stores; several send it as a 404.
NO_LOCK = frozenset(
    {
        "NoSuchObjectLockConfiguration",
        "NoSuchObjectLegalHold",
        "ObjectLockConfigurationNotFoundError",
        "InvalidRequest",  # the bucket has no Object Lock at all
        "NotImplemented",
    }
)
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchUpload"})
_BUSY = frozenset(
    {"SlowDown", "RequestTimeout", "Throttling", "InternalError", "ServiceUnavailable"}
)
#: Not the store's bad moment: these stay as they are until someone acts.
_LASTING = frozenset({501, 505, 507})


class AnswerError(BackendError):
    """The store answered with an error: `status` is its HTTP status, `code` its own word."""

    def __init__(self, message: str, *, status: int, code: str, retryable: bool = False) -> None:
        super().__init__(message, retryable=retryable)
        self.status = status
        self.code = code


def answered(store: str, status: int, code: str) -> StrongroomError:
    """The error for an answer of the store: `code` may be empty, as HEAD has no words."""
    said = f"{status} {code}".strip()
    if code == "NoSuchBucket":
        message = f"{store}: there is no such bucket; `strongroom init` makes it."
    elif code in _ABSENT or (status in (404, 405) and code not in NO_LOCK):
        return NotFound(f"{store} has no such object or version.")
    elif status in (401, 403):
        message = f"{store} refused ({said}): check the credentials and what they permit."
    elif code in _BUSY or status in (408, 429) or (status >= 500 and status not in _LASTING):
        message = f"{store} cannot answer now ({said}); try again later."
        return AnswerError(message, status=status, code=code, retryable=True)
    else:
        message = f"{store} refused ({said})."
    return AnswerError(message, status=status, code=code)


def silent(store: str, error: Exception) -> BackendError:
    """The error for a store that gave no answer: refused, reset, cut short or timed out."""
    return BackendError(
        f"{store} does not answer ({type(error).__name__}); try again later.", retryable=True
    )


def nonsense(store: str, what: str) -> BackendError:
    """The error for an answer that cannot be believed."""
    return BackendError(f"{store} answered nonsense: {what}.")
