"""Root keys in a hardware security module, through PKCS#11.

Each root version is an AES-256 key of its own, labelled KEY/v1, KEY/v2, …, sensitive and not
extractable, found again by its CKA_ID, which is the root id of vault/kms/envelope.py. AES-GCM
with the context as associated data runs inside the module; the nonce is 12 random bytes of ours.

The PIN is read from the file that `pin-file=` names. A process logs in to a token once: while it
is, the module does not look at a PIN again.

Source: PKCS #11 Specification Version 3.1, sections 5.5 (fork), 6.13.1 (AES-GCM).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, cast

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, SecretKey, Session
from pkcs11.mechanisms import GCMParams

from vault.errors import BackendError, IntegrityError, NotFound, StrongroomError, UsageError
from vault.kms.address import Address, private, secret
from vault.kms.envelope import NONCE_BYTES, Envelope, bound, is_root_id, new_root_id
from vault.kms.trial import round_trip
from vault.ports import Finding

_BAD_PIN = (
    pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinExpired,
    pkcs11.PinLocked, pkcs11.UserPinNotInitialized,
)  # fmt: skip
_GONE = (pkcs11.NoSuchKey, pkcs11.ObjectHandleInvalid, pkcs11.KeyHandleInvalid)
_AWAY = (
    pkcs11.NoSuchToken, pkcs11.TokenNotPresent, pkcs11.DeviceError, pkcs11.DeviceRemoved,
    pkcs11.SessionClosed, pkcs11.SessionHandleInvalid, pkcs11.GeneralError, pkcs11.FunctionFailed,
)  # fmt: skip
#: What modules say of a tag that does not fit; some say nothing better than "general error".
_UNFIT = (
    pkcs11.GeneralError, pkcs11.FunctionFailed, pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange, pkcs11.DataInvalid, pkcs11.SignatureInvalid,
)  # fmt: skip

T = TypeVar("T")


class _Root(Protocol):
    """What we ask of a secret key; the library makes its class while it runs."""

    label: str
    id: bytes

    def __getitem__(self, attribute: Attribute) -> object: ...

    def encrypt(
        self, data: bytes, *, mechanism: Mechanism, mechanism_param: GCMParams
    ) -> bytes: ...

    def decrypt(
        self, data: bytes, *, mechanism: Mechanism, mechanism_param: GCMParams
    ) -> bytes: ...


#: Which process initialised a module. A child of a fork has to do it again.
_initialised_by: dict[str, int] = {}


def connect(address: Address, **_: object) -> Pkcs11:
    """See `vault.kms.open_kms`; home and passphrase have no meaning here."""
    return Pkcs11(address)


class Pkcs11:
    """`KeyManagement` over one token. Threads may share it, and take turns."""

    def __init__(self, address: Address) -> None:
        labels = address.segments()
        options = address.only("module", "pin-file")
        if len(labels) != 2 or not options.get("module") or not options.get("pin-file"):
            raise UsageError("pkcs11://TOKEN/KEY?module=LIBRARY&pin-file=FILE, please.")
        self.url = address.url
        self._token, self._label = labels
        self._module, self._pin_file = options["module"], Path(options["pin-file"])
        self._session: Session | None = None
        self._session_of = 0
        self._one_at_a_time = threading.Lock()

    def create(self) -> None:
        def make(session: Session) -> None:
            if not self._roots(session):
                self._generate(1)

        self._ask(make)

    def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        def seal(session: Session) -> bytes:
            root, nonce = self._newest(session), os.urandom(NONCE_BYTES)
            return Envelope(root.id, nonce, _encrypt(root, nonce, key, bound(context))).pack()

        return self._ask(seal)

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        envelope = Envelope.parse(wrapped)

        def open_(session: Session) -> bytes:
            found = self._roots(session, {Attribute.ID: envelope.root_id})
            root = next((root for each in found.values() for root in each), None)
            if root is None:
                raise NotFound(f"The token {self._token} has no such root version any more.")
            parameters = GCMParams(envelope.nonce, bound(context), 128)
            try:
                return bytes(
                    root.decrypt(
                        envelope.sealed, mechanism=Mechanism.AES_GCM, mechanism_param=parameters
                    )
                )
            except _UNFIT:
                # A broken module says the same; one that still encrypts has judged the key.
                _encrypt(root, os.urandom(NONCE_BYTES), bytes(32), b"")
                raise IntegrityError("A wrapped key is damaged or belongs elsewhere.") from None

        return self._ask(open_)

    def version_of(self, wrapped: bytes) -> str:
        return Envelope.parse(wrapped).root_id.hex()

    def rotate(self) -> str:
        def make(session: Session) -> bytes:
            return self._generate(max(self._existing(session)) + 1)

        return self._ask(make).hex()

    def probe(self) -> Sequence[Finding]:
        works = round_trip(self)
        found = [works, private(self._pin_file, "PIN file")]
        if not works.ok:
            return found

        def is_kept(session: Session) -> bool:
            roots = [root for each in self._roots(session).values() for root in each]
            return all(
                root[Attribute.SENSITIVE] and not root[Attribute.EXTRACTABLE] for root in roots
            )

        try:
            kept = self._ask(is_kept)
        except StrongroomError as error:
            return [*found, Finding("root key stays in", ok=False, detail=str(error))]
        detail = "sensitive, not extractable" if kept else "a root version can be extracted"
        return [*found, Finding("root key stays in", kept, detail)]

    def _roots(
        self, session: Session, wanted: Mapping[Attribute, object] | None = None
    ) -> Mapping[int, Sequence[_Root]]:
        """The root versions by number; two processes may have made the same number at once."""
        found: dict[int, list[_Root]] = {}
        for key in _secret_keys(session, wanted or {}):
            stem, separator, number = (key.label or "").rpartition("/v")
            if stem == self._label and separator and number.isdecimal() and is_root_id(key.id):
                found.setdefault(int(number), []).append(key)
        return found

    def _existing(self, session: Session) -> Mapping[int, Sequence[_Root]]:
        """Raises `NotFound` where there is no root version."""
        roots = self._roots(session)
        if not roots:
            raise NotFound(
                f"The token {self._token} has no key {self._label}/v1: check the URL. If it is "
                "lost, restore it from a backup; nothing opens without it."
            )
        return roots

    def _newest(self, session: Session) -> _Root:
        roots = self._existing(session)
        return max(roots[max(roots)], key=lambda root: root.id)

    def _generate(self, number: int) -> bytes:
        made = new_root_id()
        # A session that may write, for as long as it takes; it shares the login.
        with self._slot().open(rw=True) as session:
            session.generate_key(
                KeyType.AES,
                256,
                id=made,
                label=f"{self._label}/v{number}",
                store=True,
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
        return made

    def _slot(self) -> pkcs11.Token:
        library = pkcs11.lib(self._module)
        if _initialised_by.setdefault(self._module, os.getpid()) != os.getpid():
            library.reinitialize()
            _initialised_by[self._module] = os.getpid()
        return library.get_token(token_label=self._token)

    def _logged_in(self) -> Session:
        if self._session is None or self._session_of != os.getpid():
            token, pin = self._slot(), secret(self._pin_file, "PIN file")
            try:
                self._session = token.open(user_pin=pin)
            except pkcs11.UserAlreadyLoggedIn:
                self._session = token.open()
            self._session_of = os.getpid()
        return self._session

    def _ask(self, call: Callable[[Session], T]) -> T:
        with self._one_at_a_time:
            try:
                return call(self._logged_in())
            except pkcs11.PKCS11Error as error:
                self._session = None  # the next call logs in anew
                raise self._translated(error) from error

    def _translated(self, error: pkcs11.PKCS11Error) -> StrongroomError:
        name = type(error).__name__
        if isinstance(error, _BAD_PIN):
            return BackendError(
                f"The token {self._token} does not take the PIN in {self._pin_file} ({name}): "
                "correct the file before asking again, as tokens lock after a few attempts."
            )
        if isinstance(error, _GONE):
            return NotFound(f"The token {self._token} has no such root version any more.")
        if isinstance(error, _AWAY):
            return BackendError(
                f"The token {self._token} does not answer ({name}): check that the module is "
                "connected and the label is right.",
                retryable=True,
            )
        return BackendError(f"The PKCS#11 module {self._module} cannot be used ({name}).")


def _secret_keys(session: Session, wanted: Mapping[Attribute, object]) -> Iterator[_Root]:
    # All at once: a module allows one search at a time, and its keys are used in between.
    found = list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, **wanted}))
    return (cast("_Root", key) for key in found if isinstance(key, SecretKey))


def _encrypt(root: _Root, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    parameters = GCMParams(nonce, associated, 128)
    return bytes(root.encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=parameters))
