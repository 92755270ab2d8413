"""What a key management URL says, and the secrets that lie in files it names."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from vault.errors import BackendError, UsageError
from vault.ports import Finding


@dataclass(frozen=True, slots=True)
class Address:
    """A URL taken apart: `scheme://target?options`. It never holds a secret."""

    url: str
    scheme: str
    target: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises `UsageError` where there is no scheme; the message does not repeat the URL."""
        scheme, separator, rest = url.partition("://")
        if not separator or not scheme:
            raise UsageError("A key management URL begins with a scheme, such as keyring://.")
        target, _, query = rest.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        return cls(url=url, scheme=scheme.lower(), target=target, options=options)

    def segments(self) -> list[str]:
        """The parts of the target between slashes, percent-decoded; none of them empty.

        Raises `UsageError` if one is, or if the target carries a user name or password.
        """
        if "@" in self.target:
            raise UsageError(f"No secrets in a {self.scheme}:// URL: it is shown and logged.")
        parts = [unquote(part) for part in self.target.split("/")]
        if not all(parts):
            raise UsageError(f"The {self.scheme}:// URL is incomplete; see vault/kms/README.md.")
        return parts

    def only(self, *names: str) -> Mapping[str, str]:
        """The options, all of them among `names`; `UsageError` otherwise."""
        unknown = sorted(set(self.options) - set(names))
        if unknown:
            raise UsageError(f"A {self.scheme}:// URL has no option {', '.join(unknown)}.")
        return self.options


#: No passphrase, token or PIN is longer, and a device may never end.
_LONGEST_BYTES = 1 << 16


def secret(path: Path, what: str) -> str:
    """The text of a file without the line end that editors add; `BackendError` if there is none.

    `what` names the file's purpose in the message; the text itself is never repeated.
    """
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(_LONGEST_BYTES + 1)
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise BackendError(f"The {what} {path} cannot be read.") from error
    if not text or len(content) > _LONGEST_BYTES:
        raise BackendError(f"The {what} {path} is {'too long' if text else 'empty'}.")
    return text


def private(path: Path, what: str) -> Finding:
    """Whether that file is for its owner alone; never raises.

    A warning and no refusal: what a container is given as a secret it often cannot chmod.
    """
    try:
        mode = stat.S_IMODE(path.expanduser().stat().st_mode)
    except OSError as error:
        return Finding(what, ok=False, detail=f"{path} cannot be read: {error.strerror}")
    detail = f"{path}, mode {mode:04o}"
    if mode & 0o077:
        detail += ": others on this machine can read it; chmod 600"
    return Finding(what, not mode & 0o077, detail)
