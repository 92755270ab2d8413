"""The shelves: where sealed objects are kept.

`open_store` chooses the adapter by the scheme of a URL. Each adapter keeps the contract of
`vault.ports.ObjectStore`; what each promises and what real stores taught is in README.md
beside this file. Nothing here imports a vendor's library until its scheme is asked for.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from urllib.parse import urlsplit

from vault.errors import UsageError
from vault.ports import ObjectStore

#: Scheme → the module that serves it.
ADAPTERS = {
    "file": "vault.storage.filesystem",
    "s3": "vault.storage.s3",
    "minio": "vault.storage.minio",
    "minio+https": "vault.storage.minio",
}


def open_store(url: str, *, home: Path) -> ObjectStore:
    """The store that `url` names. Makes nothing and asks nobody yet: the first use does.

        file://[PATH]                           HOME/objects, or PATH (under HOME if relative)
        s3://BUCKET[/PREFIX]                    boto3; endpoint and credentials from AWS_*
        minio://HOST[:PORT]/BUCKET[/PREFIX]     minio-py; credentials from AWS_*; minio+https://
                                                with TLS

    Open after a fork, not before: connections are not to be shared with a child.

    Raises `UsageError` for a URL that cannot be.
    """
    try:
        address = urlsplit(url)
        secret = address.username or address.password
    except ValueError as error:
        raise UsageError("The store URL cannot be read.") from error
    if address.scheme not in ADAPTERS:
        known = ", ".join(f"{scheme}://" for scheme in ADAPTERS)
        raise UsageError(f"{address.scheme or 'No scheme'} is not a kind of store; known: {known}.")
    if secret or address.query or address.fragment:
        raise UsageError("A store URL holds no credentials, query or fragment.")
    store: ObjectStore = importlib.import_module(ADAPTERS[address.scheme]).connect(
        address, home=home
    )
    return store
