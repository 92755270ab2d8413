"""Spelling: what is looked up is found however it was written."""

from __future__ import annotations

import unicodedata

from vault.errors import BadInput


def normalise(kind: str, value: str) -> str:
    """The one spelling under which a value is looked up.

    E-mail addresses and names are case-folded; a telephone number with its country code
    becomes E.164. Raises `BadInput` for an empty value.
    """
    text = unicodedata.normalize("NFKC", value).strip()
    if not text:
        raise BadInput(f"An empty {kind} was given.")
    if kind == "subject" and text.startswith("+"):
        return _e164(text)
    return text.casefold()


def is_blank(value: str) -> bool:
    """Whether a value says nothing, so that nothing could be found by it."""
    return not unicodedata.normalize("NFKC", value).strip()


def _e164(text: str) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return text.casefold()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
