"""The one finding that every adapter can make: does this root key work, here and now?"""

from __future__ import annotations

import os

from vault.errors import IntegrityError, StrongroomError
from vault.kms.envelope import KEY_BYTES
from vault.ports import Finding, KeyManagement


def round_trip(kms: KeyManagement) -> Finding:
    """Whether a key made up for the purpose wraps and unwraps; never raises."""
    key, context = os.urandom(KEY_BYTES), {"purpose": "trial"}
    try:
        wrapped = kms.wrap(key, context)
        if kms.unwrap(wrapped, context) != key:
            raise IntegrityError("The root key does not give back what it wrapped.")
    except StrongroomError as error:
        return Finding("root key", ok=False, detail=str(error))
    version = kms.version_of(wrapped)
    return Finding("root key", ok=True, detail=f"{kms.url} wraps and unwraps, version {version}")
