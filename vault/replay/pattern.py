"""Regular expressions that someone typed, searched in time linear in the text.

A backtracking search may take longer than the universe, and a repeated repeat more memory than
there is. RE2 does neither; it lacks back references and look-around for it.

Source: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re2  # type: ignore[import-untyped]  # it has no types

from vault.errors import UsageError

LENGTH_LIMIT = 500
MEMORY_BYTES = 8 << 20


class Pattern:
    """A regular expression without regard to case. Raises `UsageError` for one that is none.

    So does one of more than 500 characters, or that needs more than 8 MiB when compiled.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LENGTH_LIMIT:
            raise UsageError(f"A pattern has at most {LENGTH_LIMIT} characters.")
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        options.max_mem = MEMORY_BYTES
        try:
            self._compiled = re2.compile(text, options)
        except (re2.error, UnicodeEncodeError):
            raise UsageError("The pattern is no regular expression that RE2 takes.") from None

    def is_in(self, text: str) -> bool:
        """Whether the pattern is found in a text."""
        return self._compiled.search(text.encode(errors="replace")) is not None
