"""What a store's error means to us: one table for both S3 clients."""

from __future__ import annotations

import re
from xml.etree.ElementTree import ParseError

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
_BUSY = frozenset({"InternalError", "RequestTimeout", "ServiceUnavailable"})
_THROTTLED = frozenset({"SlowDown", "RequestLimitExceeded", "TooManyRequests"})
#: Not the store's bad moment: these stay as they are until someone acts.
_LASTING = frozenset({501, 505, 507})

_CLOCK = "its clock and this machine's differ; set the one that is wrong"
_EXPIRED = "the credentials have expired; renew them"
_FULL = "it is full; make room, or raise its quota"
_ELSEWHERE = "it is not at this address or in this region; check both"
#: What to do, by the store's word. Source: Amazon S3, MinIO and Ceph, lists of error codes.
_ADVICE = {
    "NoSuchBucket": "there is no such bucket; check its name, or restore it",
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"), _CLOCK),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), _EXPIRED),
    **dict.fromkeys(("QuotaExceeded", "XMinioStorageFull"), _FULL),
    "XMinioAdminBucketQuotaExceeded": _FULL,
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed"), _ELSEWHERE),
}
#: What parsing an answer may end in that is not S3: the clients trust what they parse.
UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    *(ParseError, RecursionError),
)

_WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")


class AnswerError(BackendError):
    """The store answered with an error: `status` is its HTTP status, `code` its own word."""

    def __init__(self, message: str, *, status: int, code: str, retryable: bool = False) -> None:
        super().__init__(message, retryable=retryable)
        self.status = status
        self.code = code


def answered(store: str, status: int, code: str) -> StrongroomError:
    """The error for an answer of the store: `code` may be empty, as HEAD has no words."""
    code = code if _WORD.fullmatch(code) else ""  # it is shown, and a store may write anything
    advice = _ADVICE.get(code) or (_FULL if status == 507 else "")
    said = f"{status} {code}".strip()
    if advice:
        message = f"{store} refused ({said}): {advice}."
    elif code in _ABSENT or (status in (404, 405) and code not in NO_LOCK):
        return NotFound(f"{store} has no such object or version.")
    elif status in (401, 403):
        message = (
            f"{store} refused ({said}): check the credentials, what they permit, and the clock."
        )
    elif _passes(status, code):
        message = f"{store} cannot answer now ({said}); try again later."
        return AnswerError(message, status=status, code=code, retryable=True)
    elif 300 <= status < 400:
        message = f"{store} refused ({said}): {_ELSEWHERE}."
    else:
        message = f"{store} refused ({said}); its own log says why."
    return AnswerError(message, status=status, code=code)


def _passes(status: int, code: str) -> bool:
    """Whether it is only the store's bad moment, or ours for asking too much of it."""
    if code in _BUSY | _THROTTLED or code.startswith("Throttling"):
        return True
    return status in (408, 429) or (status >= 500 and status not in _LASTING)


def untrusted(store: str) -> BackendError:
    """The error for a connection that TLS does not stand for."""
    return BackendError(
        f"{store} cannot be trusted: check its certificate, and http or https in its address."
    )


def silent(store: str, error: Exception) -> BackendError:
    """The error for a store that gave no answer: refused, reset, cut short or timed out."""
    return BackendError(
        f"{store} does not answer ({type(error).__name__}); try again later.", retryable=True
    )


def nonsense(store: str, what: str) -> BackendError:
    """The error for an answer that cannot be believed."""
    return BackendError(f"{store} answered nonsense: {what}.")
