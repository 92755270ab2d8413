"""What a unit of work can do with wrapped keys and the records they wrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from vault.model import Compartment
from vault.rows import KeyRow, RecordRow


class KeyWork(Protocol):
    """Keys, and the records that end a compartment when they are destroyed."""

    def active_key(self, tenant: str, bucket: str) -> KeyRow | None: ...

    def key(self, key_id: bytes) -> KeyRow:
        """Raises `NotFound`."""
        ...

    def keys(self) -> Sequence[KeyRow]: ...

    def add_key(self, row: KeyRow) -> bool:
        """False, and nothing done, if that tenant, bucket and generation are there already."""
        ...

    def keys_shared(self, key_ids: Sequence[bytes]) -> Sequence[KeyRow]:
        """Those keys, which nobody can retire or destroy until the commit."""
        ...

    def destroy_unused_key(self, key_id: bytes) -> bool:
        """Destroy a retired key that wraps no record any more; False, and kept, if one is left."""
        ...

    def set_key(self, key_id: bytes, *, state: str, wrapped: bytes | None) -> None: ...

    def add_record(self, row: RecordRow) -> None: ...

    def record(self, session_id: str, compartment: str) -> RecordRow:
        """Raises `NotFound`."""
        ...

    def records_under(self, key_id: bytes, *, limit: int) -> Sequence[RecordRow]:
        """Some records wrapped by that key, locked against others until the commit."""
        ...

    def replace_record(self, row: RecordRow) -> None: ...

    def count_records(self) -> Mapping[bytes, int]:
        """How many records each key wraps."""
        ...

    def records(self, session_id: str) -> Sequence[RecordRow]:
        """Every record that is left; a compartment without one can never be opened again."""
        ...

    def destroy_records(self, session_id: str, compartments: Sequence[Compartment]) -> int:
        """Destroy the keys of these compartments; how many there were. The one way to do it.

        Refuses (`Refused`) while any hold that is not released has the session as a member.
        """
        ...
