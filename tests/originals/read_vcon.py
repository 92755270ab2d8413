"""What vcon 0.3.10 makes of vCons, as one JSON document by file: `read_vcon.py KEY FILE…`.

Runs in `.venv/originals` and knows nothing of strongroom. KEY is the signer's public key, PEM;
with `-` only what the library has against each file is told.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from vcon import Vcon  # type: ignore[import-not-found]  # is in .venv/originals alone
from vcon.dialog import Dialog  # type: ignore[import-not-found]  # the same

#: What these fields of a vCon 0.4.0 were called when the library was made.
THEN = {"dialog": ("mediatype", "mimetype"), "attachments": ("purpose", "type")}


def main() -> None:
    key = None if sys.argv[1] == "-" else Path(sys.argv[1]).read_bytes()
    print(json.dumps({name: tried(Path(name), key) for name in sys.argv[2:]}))


def tried(path: Path, key: bytes | None) -> dict[str, Any]:
    """What is read, or how the library broke on it."""
    try:
        return read(path, key)
    except Exception as error:  # noqa: BLE001  whatever it raises is what it has against the file
        return {"broke": f"{type(error).__name__}: {error}"}


def read(path: Path, key: bytes | None) -> dict[str, Any]:
    """A vCon, or the one in a signature together with what the library says of that."""
    text = path.read_text("utf-8")
    document = json.loads(text)
    if "ciphertext" in document:
        return {"sealed": True}
    if key is None:
        return {} if "payload" in document else complaints(text)
    if "signatures" not in document:
        same = Vcon.validate_file(str(path)) == Vcon.build_from_json(text).is_valid()
        return plain(text) | {"file_as_text": same}
    payload = document["payload"]
    changed = document | {"payload": ("A" if payload[0] != "A" else "B") + payload[1:]}
    inside = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    return plain(inside) | {
        "verified": verified(text, key),
        "verified_changed": verified(json.dumps(changed), key),
    }


def verified(text: str, key: bytes) -> bool | None:
    """Whether the signature is good; None for more than authlib, below the library, takes."""
    try:
        good: bool = Vcon.build_from_json(text).verify(key)
    except ValueError as error:
        if "too long" in str(error):
            return None
        raise
    return good


def plain(text: str) -> dict[str, Any]:
    """What an unsigned vCon holds, read through the library."""
    document = json.loads(text)
    vcon = Vcon.build_from_json(text)
    again = json.loads(vcon.to_json())
    return {
        **complaints(text),
        "kept": all(again.get(key) == document[key] for key in document if key != "created_at"),
        "parties": [party.to_dict() for party in vcon.parties],
        "dialog": [heard(Dialog(**each).to_dict()) for each in vcon.dialog],
        "analysis": vcon.analysis,
    }


def complaints(text: str) -> dict[str, Any]:
    """What the library has against a vCon, and what against the same with the names of then."""
    then = json.dumps(as_then(json.loads(text)))
    return {
        "errors": Vcon.validate_json(text)[1],
        "errors_as_then": Vcon.validate_json(then)[1],
    }


def heard(dialog: dict[str, Any]) -> dict[str, Any]:
    """A dialog with the digest of its sound in the place of it."""
    if dialog.get("encoding") != "base64url":
        return dialog
    body = dialog.pop("body")
    sound = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return dialog | {"sha256": hashlib.sha256(sound).hexdigest()}


def as_then(document: dict[str, Any]) -> dict[str, Any]:
    """The vCon with the names of then."""
    for part, (now, then) in THEN.items():
        for each in document.get(part) or []:
            if isinstance(each, dict) and now in each:
                each[then] = each.pop(now)
    return document


if __name__ == "__main__":
    main()
