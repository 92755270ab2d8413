"""A root key in the transit engine of HashiCorp Vault or OpenBao, through hvac.

The key is a derived aes256-gcm96 key: the context both derives the wrapping key and is bound as
associated data. A wrapped key is the server's own text, `vault:vN:base64`, so that its command
line opens it too. N is the root version.

The token is read at each call from the file that `token-file=` names, as agents renew it there;
without one, from BAO_TOKEN or VAULT_TOKEN, or hvac's own `~/.vault-token`.

Source: https://openbao.org/api-docs/secret/transit/
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hvac
import requests
import stamina
from hvac import exceptions

from vault.errors import BackendError, IntegrityError, NotFound, StrongroomError, UsageError
from vault.kms.address import Address, private, secret
from vault.kms.envelope import bound
from vault.kms.trial import round_trip
from vault.ports import Finding

_KEY_TYPE = "aes256-gcm96"
_TIMEOUT_SECONDS = 10
_ATTEMPTS = 3
#: 60 bytes (nonce, key, tag) in 80 characters. The server itself also takes `v0` for `v1`, and
#: base64 with line ends in it: a damaged key is refused here, before it is asked.
_WRAPPED = re.compile(rb"vault:(v[1-9][0-9]{0,8}):[A-Za-z0-9+/]{80}", re.ASCII)
_UNAVAILABLE = (
    exceptions.RateLimitExceeded,
    exceptions.InternalServerError,
    exceptions.VaultNotInitialized,
    exceptions.BadGateway,
    exceptions.VaultDown,
)


def connect(address: Address, **_: object) -> Transit:
    """See `vault.kms.open_kms`; home and passphrase have no meaning here."""
    return Transit(address)


class Transit:
    """`KeyManagement` over HTTP. Threads may share it."""

    def __init__(self, address: Address) -> None:
        host, *mount, key = [*address.segments(), ""][:-1]
        if not mount:
            raise UsageError("transit:// names a server, a mount and a key: HOST:PORT/MOUNT/KEY.")
        token_file = address.only("token-file").get("token-file")
        self.url = address.url
        self._mount, self._key = "/".join(mount), key
        self._token_file = None if token_file is None else Path(token_file)
        self._server = f"{'https' if address.scheme.endswith('https') else 'http'}://{host}"
        # hvac looks for it once for all, when it is imported.
        trusted = os.environ.get("VAULT_CACERT") or os.environ.get("VAULT_CAPATH") or True
        self._client = hvac.Client(
            url=self._server,
            token=os.environ.get("BAO_TOKEN"),
            verify=trusted,
            timeout=_TIMEOUT_SECONDS,
        )

    def create(self) -> None:
        try:
            self._newest()
        except NotFound:
            self._ask(
                "create_key", derived=True, exportable=False, key_type=_KEY_TYPE,
                allow_plaintext_backup=False,
            )  # fmt: skip
            self._newest()

    def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        # The server makes a key that it does not find, for whoever may; so look first.
        self._newest()
        extra = base64.b64encode(bound(context)).decode()
        plaintext = base64.b64encode(key).decode()
        answer = self._ask(
            "encrypt_data", plaintext=plaintext, context=extra, associated_data=extra
        )
        wrapped = str(answer["ciphertext"]).encode()
        if not _WRAPPED.fullmatch(wrapped):
            raise BackendError(f"{self._server} gave a wrapped key of an unknown form.")
        return wrapped

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.version_of(wrapped)
        extra = base64.b64encode(bound(context)).decode()
        answer = self._ask(
            "decrypt_data", ciphertext=wrapped.decode(), context=extra, associated_data=extra
        )
        return base64.b64decode(str(answer["plaintext"]))

    def version_of(self, wrapped: bytes) -> str:
        match = _WRAPPED.fullmatch(wrapped)
        if match is None:
            raise IntegrityError("A wrapped key is damaged.")
        return match[1].decode()

    def rotate(self) -> str:
        self._newest()
        self._ask("rotate_key", attempts=1)  # an answer lost on the way may have been a yes
        return self._newest()

    def probe(self) -> Sequence[Finding]:
        works = [round_trip(self)]
        if self._token_file is not None:
            works.append(private(self._token_file, "token file"))
        try:
            found = self._ask("read_key")
        except StrongroomError:
            return works
        kept = not (found.get("exportable") or found.get("allow_plaintext_backup"))
        return [
            *works,
            Finding("root key stays in", kept, "not exportable" if kept else "exportable"),
            self._transport(),
        ]

    def _transport(self) -> Finding:
        host = urlsplit(self._server).hostname or ""
        try:
            near = ipaddress.ip_address(host).is_loopback
        except ValueError:
            near = host == "localhost"
        if self._server.startswith("https:"):
            return Finding("root key transport", ok=True, detail="TLS")
        detail = "loopback" if near else "the token travels in clear: use transit+https://"
        return Finding("root key transport", near, detail)

    def _newest(self) -> str:
        """The newest version as `version_of` names it. Raises `NotFound` if there is no key."""
        found = self._ask("read_key")
        if not found.get("derived") or found.get("type") != _KEY_TYPE:
            raise BackendError(
                f"The transit key {self._key} exists, but not as a derived {_KEY_TYPE} key: "
                "name another key."
            )
        return f"v{int(found['latest_version'])}"

    def _ask(self, verb: str, *, attempts: int = _ATTEMPTS, **values: object) -> dict[str, Any]:
        """The `data` of the server's answer, asked again while it is only busy or away."""
        if self._token_file is not None:
            self._client.token = secret(self._token_file, "token file")
        call: Callable[..., Any] = getattr(self._client.secrets.transit, verb)
        answer: Any = None
        try:
            # Not the decorator: that one hands the arguments, keys among them, to the log.
            for attempt in stamina.retry_context(
                on=_is_passing, attempts=attempts, timeout=_TIMEOUT_SECONDS, wait_max=1.0
            ):
                with attempt:
                    answer = call(self._key, mount_point=self._mount, **values)
        except exceptions.VaultError as error:
            raise self._translated(error, verb) from error
        except requests.RequestException as error:
            advice = "" if _is_passing(error) else " Check its address and certificate."
            raise BackendError(
                f"{self._server} does not answer.{advice}", retryable=_is_passing(error)
            ) from error
        return dict(answer["data"] or {}) if isinstance(answer, dict) else {}

    def _translated(self, error: exceptions.VaultError, verb: str) -> StrongroomError:
        said = " ".join(error.errors or [])
        if isinstance(error, exceptions.Forbidden | exceptions.Unauthorized):
            return BackendError(
                f"{self._server} does not let this token use {self._mount}/keys/{self._key}: "
                "renew it, or give it the policy in vault/kms/README.md."
            )
        if isinstance(error, exceptions.InvalidPath) or "key not found" in said:
            return NotFound(
                f"There is no transit key {self._mount}/{self._key} at {self._server}: check the "
                "URL. If it is lost, restore it from a backup; nothing opens without it."
            )
        if isinstance(error, _UNAVAILABLE):
            return BackendError(f"{self._server} is unavailable.", retryable=True)
        if verb == "decrypt_data" and isinstance(error, exceptions.InvalidRequest):
            if "too old" in said:
                return NotFound("The root version that wrapped this key was destroyed.")
            return IntegrityError("A wrapped key is damaged or belongs elsewhere.")
        return BackendError(f"{self._server} refused {verb}: {type(error).__name__}.")


def _is_passing(error: Exception) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return False  # a certificate does not get better by asking again
    busy = (*_UNAVAILABLE, requests.ConnectionError, requests.Timeout)
    return isinstance(error, busy)
