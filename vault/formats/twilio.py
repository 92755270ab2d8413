"""Twilio's recording object; the sound lies beside it, never behind its address.

    sid RE…, call_sid, account_sid, channels, duration ("16", whole seconds, as text)
    start_time, date_created, date_updated (RFC 2822)

Nothing in it was said, so as a file it is metadata. Which channel is whose it does not tell.

Source: www.twilio.com/docs, the Recording resource.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from vault.formats import instants
from vault.formats.fields import Fields
from vault.formats.single import SECOND, Told, epoch, rest
from vault.model import Json, Kind

NAME = "twilio"
SIGNS = (b'"account_sid"', b'"sid"', b'"duration"')
_SID = re.compile(r"RE[0-9a-f]{32}")
_SECONDS = re.compile(r"[0-9]{1,7}", re.ASCII)


def claims(document: dict[str, Json]) -> bool:
    """A recording's id and an account's."""
    sid = document.get("sid")
    return isinstance(sid, str) and bool(_SID.fullmatch(sid)) and "account_sid" in document


def tell(document: Fields) -> Told:
    """What the recording object says."""
    duration = document.value.get("duration")
    seconds = _SECONDS.fullmatch(duration) if isinstance(duration, str) else None
    if duration is not None and seconds is None:
        document.bad("duration", "whole seconds as text")
    return Told(
        external_id=document.text("sid"),
        zero_ns=epoch(_date(document, "start_time") or _date(document, "date_created")),
        unit="s",
        duration_ns=int(seconds[0]) * SECOND if seconds else None,
        source=rest(document),
        elsewhere=True,
        kind=Kind.METADATA,
    )


def _date(document: Fields, key: str) -> datetime | None:
    """An RFC 2822 date in UTC; without a zone it is taken as UTC."""
    text = document.text(key)
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text[:100])
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        found = datetime.min.replace(tzinfo=UTC)
    if instants.is_possible(found):
        return found
    document.bad(key, "an RFC 2822 date since 1970")
    return None
