"""The key cupboard: wraps key-encryption keys under a root key that stays where it is.

`open_kms` chooses the adapter by the scheme of a URL. Each adapter keeps the contract of
`vault.ports.KeyManagement`; what each binds, how each destroys and where each bites is in
README.md beside this file. Nothing here imports a vendor's library until its scheme is asked for.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from vault.errors import BackendError, UsageError
from vault.kms.address import Address, secret
from vault.ports import KeyManagement

#: Scheme → the module that serves it, and what must be installed for that.
ADAPTERS = {
    "keyring": ("vault.kms.keyring", "strongroom"),
    "transit": ("vault.kms.transit", "strongroom[transit]"),
    "transit+https": ("vault.kms.transit", "strongroom[transit]"),
    "aws-kms": ("vault.kms.aws", "strongroom"),
    "pkcs11": ("vault.kms.pkcs11", "strongroom[pkcs11]"),
}


def open_kms(
    url: str, *, home: Path, passphrase_file: Path | None = None, passphrase: str | None = None
) -> KeyManagement:
    """The root key that `url` names. Asks nobody yet: the first use does.

        keyring://[PATH]                               HOME/keyring.json, or PATH (under HOME)
        transit://HOST:PORT/MOUNT/KEY[?token-file=F]   Vault or OpenBao; transit+https:// with TLS
        aws-kms://KEY-ID | aws-kms://alias/NAME        endpoint and credentials from AWS_*
        pkcs11://TOKEN/KEY?module=LIBRARY&pin-file=F   labels, percent-encoded where needed

    The passphrase is for the keyring alone; give it or a file that holds it. Open after a
    fork, not before: connections are not to be shared with a child.

    Raises `UsageError` for a URL that cannot be, `BackendError` for a package that is not
    installed or a passphrase file that cannot be read.
    """
    address = Address.parse(url)
    if address.scheme not in ADAPTERS:
        known = ", ".join(f"{scheme}://" for scheme in ADAPTERS)
        raise UsageError(f"{address.scheme}:// is not a key management scheme; known: {known}.")
    if passphrase is not None and passphrase_file is not None:
        raise UsageError("Give a passphrase or a passphrase file, not both.")
    if passphrase_file is not None:
        passphrase = secret(passphrase_file, "passphrase file")
    module, package = ADAPTERS[address.scheme]
    try:
        adapter = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BackendError(
            f"{address.scheme}:// needs the package {error.name}: pip install '{package}'."
        ) from error
    opened: KeyManagement = adapter.connect(
        address, home=home, passphrase=passphrase, passphrase_file=passphrase_file
    )
    return opened


def passphrase_in(file: Path) -> str:
    """The passphrase in a file that was named as an argument; `UsageError` if there is none."""
    try:
        return secret(file, "passphrase file")
    except BackendError as error:
        raise UsageError(str(error)) from error


def change_passphrase(kms: KeyManagement, file: Path) -> bool:
    """Put a keyring under the passphrase in `file`; whether it had one before.

    Raises `UsageError` for any other root key, for a file that cannot be read, and for the
    passphrase that the keyring has already.
    """
    from vault.kms.keyring import Keyring

    if not isinstance(kms, Keyring):
        raise UsageError(f"{kms.url} has no passphrase of ours; only a keyring has one.")
    return kms.change_passphrase(passphrase_in(file))
