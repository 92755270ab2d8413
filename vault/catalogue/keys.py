"""Wrapped keys and the records they wrap; who may act; settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select, update

from vault.catalogue.rows import Rows, found, values
from vault.catalogue.tables import SAID_ONCE, actors, keys, records, sessions, settings
from vault.errors import BadInput
from vault.model import Compartment
from vault.rows import ActorRow, KeyRow, RecordRow


class Keys(Rows):
    """The keys and records of the Transaction port."""

    def active_key(self, tenant: str, bucket: str) -> KeyRow | None:
        of_bucket = (keys.c.tenant == tenant) & (keys.c.bucket == bucket)
        newest = select(keys).where(of_bucket, keys.c.state == "active")
        return self._select_one(KeyRow, newest.order_by(keys.c.generation.desc()).limit(1))

    def key(self, key_id: bytes) -> KeyRow:
        return found(self._select_one(KeyRow, select(keys).where(keys.c.id == key_id)), "key")

    def keys(self) -> Sequence[KeyRow]:
        """By tenant, bucket and generation."""
        ordered = select(keys).order_by(keys.c.tenant, keys.c.bucket, keys.c.generation)
        return self._select_all(KeyRow, ordered)

    def add_key(self, row: KeyRow) -> bool:
        return self._add_if_new(keys, row)

    def keys_shared(self, key_ids: Sequence[bytes]) -> Sequence[KeyRow]:
        """In order of id, so that two that lock the same keys do not lock each other out."""
        these = select(keys).where(keys.c.id.in_(key_ids)).order_by(keys.c.id)
        return self._select_all(KeyRow, these.with_for_update(read=True))

    def destroy_unused_key(self, key_id: bytes) -> bool:
        """True also if it was destroyed before; False for an active key. Raises `NotFound`."""
        # Locked first, looked at after: whoever adds a record holds the key until its commit,
        # and a single statement would not see what was committed while it waited.
        locked = select(keys).where(keys.c.id == key_id).with_for_update()
        row = found(self._select_one(KeyRow, locked), "key")
        used = select(records.c.key_id).where(records.c.key_id == key_id).limit(1)
        if row.state == "retired" and self._run(used).first() is None:
            self.set_key(key_id, state="destroyed", wrapped=None)
            return True
        return row.state == "destroyed"

    def set_key(self, key_id: bytes, *, state: str, wrapped: bytes | None) -> None:
        """Raises `Refused` where a destroyed key would live again, `NotFound`."""
        this = update(keys).where(keys.c.id == key_id)
        self._change(this.values(state=state, wrapped=wrapped), "key")

    def add_record(self, row: RecordRow) -> None:
        self._run(records.insert(), values(row))

    def record(self, session_id: str, compartment: str) -> RecordRow:
        this = (records.c.session_id == session_id) & (records.c.compartment == compartment)
        return found(self._select_one(RecordRow, select(records).where(this)), "key record")

    def records_under(self, key_id: bytes, *, limit: int) -> Sequence[RecordRow]:
        some = select(records).where(records.c.key_id == key_id).limit(limit)
        return self._select_all(RecordRow, some.with_for_update(skip_locked=True))

    def replace_record(self, row: RecordRow) -> None:
        """Raises `NotFound`."""
        this = update(records).where(
            records.c.session_id == row.session_id, records.c.compartment == row.compartment
        )
        self._change(this.values(key_id=row.key_id, record=row.record), "key record")

    def records(self, session_id: str) -> Sequence[RecordRow]:
        """In order of compartment."""
        these = select(records).where(records.c.session_id == session_id)
        return self._select_all(RecordRow, these.order_by(records.c.compartment))

    def destroy_records(self, session_id: str, compartments: Sequence[Compartment]) -> int:
        """Whoever places a hold locks the same row: one of the two sees what the other did."""
        self._run(select(sessions.c.id).where(sessions.c.id == session_id).with_for_update())
        these = records.c.compartment.in_(compartments)
        return self._run(records.delete().where(records.c.session_id == session_id, these)).rowcount

    def count_records(self) -> Mapping[bytes, int]:
        return self._counts(records.c.key_id, records)


class Actors(Rows):
    """The actors and settings of the Transaction port."""

    def add_actor(self, row: ActorRow) -> None:
        if not self._add_if_new(actors, row):
            raise BadInput("An actor of that name is there already.")

    def actor(self, name_hash: bytes) -> ActorRow | None:
        return self._select_one(ActorRow, select(actors).where(actors.c.name_hash == name_hash))

    def setting(self, name: str) -> bytes | None:
        value = self._run(select(settings.c.value).where(settings.c.name == name)).scalar()
        return None if value is None else bytes(value)

    def set_setting(self, name: str, value: bytes) -> None:
        put = self._insert(settings).values(name=name, value=value)
        self._run(
            put.on_conflict_do_update(index_elements=SAID_ONCE[settings], set_={"value": value})
        )
