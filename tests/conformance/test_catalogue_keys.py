"""Keys, records, actors and settings in the catalogue, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from tests.conformance.archived import (
    KEY_ID,
    TENANT,
    a_deposit,
    a_key,
    an_actor,
    connected,
    stored,
)
from vault.errors import BadInput, Refused
from vault.model import Compartment
from vault.ports import Catalogue
from vault.rows import RecordRow


class TestKeys:
    def test_the_active_key_of_a_bucket_is_its_newest(self, catalogue: Catalogue) -> None:
        first = a_key()
        second = a_key(id=b"2" * 16, generation=2)
        third = a_key(id=b"3" * 16, generation=3, state="retired")
        elsewhere = a_key(id=b"4" * 16, bucket="long/2027-01", generation=9)
        with catalogue.transaction() as tx:
            assert tx.active_key(TENANT, first.bucket) is None
            for key in (second, first, third, elsewhere):
                assert tx.add_key(key)
        with catalogue.transaction() as tx:
            assert tx.active_key(TENANT, first.bucket) == second
            assert tx.active_key("other", first.bucket) is None
            assert tx.key(third.id) == third
            assert set(tx.keys()) == {first, second, third, elsewhere}
            assert set(tx.keys_shared([first.id, third.id, b"0" * 16])) == {first, third}
            assert tx.keys_shared([]) == []

    def test_a_generation_is_made_once(self, catalogue: Catalogue) -> None:
        with catalogue.transaction() as tx:
            assert tx.add_key(a_key())
            assert not tx.add_key(a_key(id=b"2" * 16))
        with catalogue.transaction() as tx:
            assert tx.keys() == [a_key()]

    def test_a_key_id_is_never_used_again(self, catalogue: Catalogue) -> None:
        with catalogue.transaction() as tx:
            tx.add_key(a_key(state="destroyed", wrapped=None))
        with pytest.raises(BadInput), catalogue.transaction() as tx:
            tx.add_key(a_key(generation=2))
        with pytest.raises(Exception, match=r"guard|key keeps"), connected(catalogue) as connection:
            connection.execute(text("DELETE FROM keys"))

    def test_a_destroyed_key_stays_destroyed(self, catalogue: Catalogue) -> None:
        with catalogue.transaction() as tx:
            tx.add_key(a_key())
            tx.set_key(KEY_ID, state="retired", wrapped=b"rewrapped")
            tx.set_key(KEY_ID, state="destroyed", wrapped=None)
        for state in ("active", "retired"):
            with pytest.raises(Refused), catalogue.transaction() as tx:
                tx.set_key(KEY_ID, state=state, wrapped=b"back again")
        with catalogue.transaction() as tx:
            tx.set_key(KEY_ID, state="destroyed", wrapped=None)
            assert tx.key(KEY_ID) == a_key(state="destroyed", wrapped=None)

    @pytest.mark.parametrize(("state", "wrapped"), [("destroyed", b"still here"), ("active", None)])
    def test_only_a_destroyed_key_has_no_bytes_and_it_has_none(
        self, catalogue: Catalogue, state: str, wrapped: bytes | None
    ) -> None:
        stored(catalogue)
        with pytest.raises(Refused), catalogue.transaction() as tx:
            tx.set_key(KEY_ID, state=state, wrapped=wrapped)

    def test_a_retired_key_is_destroyed_once_it_wraps_nothing(self, catalogue: Catalogue) -> None:
        deposit = a_deposit()
        stored(catalogue, deposit)
        new = a_key(id=b"2" * 16, generation=2)
        with catalogue.transaction() as tx:
            tx.add_key(new)
            assert not tx.destroy_unused_key(new.id)  # active
            tx.set_key(KEY_ID, state="retired", wrapped=b"wrapped")
            assert not tx.destroy_unused_key(KEY_ID)  # three records left
            for row in tx.records_under(KEY_ID, limit=9):
                tx.replace_record(replace(row, key_id=new.id, record=b"moved"))
            assert tx.destroy_unused_key(KEY_ID)
            assert tx.destroy_unused_key(KEY_ID)
        with catalogue.transaction() as tx:
            assert tx.key(KEY_ID).state == "destroyed"
            assert tx.key(new.id) == new
            moved = RecordRow(deposit.session.id, Compartment.TIMELINE, new.id, b"moved")
            assert tx.record(deposit.session.id, "timeline") == moved

    def test_records_are_found_by_their_key_in_batches(self, catalogue: Catalogue) -> None:
        deposits = [a_deposit() for _ in range(3)]
        stored(catalogue, *deposits)
        with catalogue.transaction() as tx:
            assert len(tx.records_under(KEY_ID, limit=4)) == 4
            everything = [row for deposit in deposits for row in deposit.records]
            assert set(tx.records_under(KEY_ID, limit=99)) == set(everything)
            assert tx.records_under(b"0" * 16, limit=4) == []
            derived = RecordRow(deposits[0].session.id, Compartment.DERIVED, KEY_ID, b"r" * 77)
            tx.add_record(derived)
            assert tx.record(derived.session_id, Compartment.DERIVED) == derived
            assert tx.count_records() == {KEY_ID: 10}


class TestActorsAndSettings:
    def test_a_name_is_taken_once(self, catalogue: Catalogue) -> None:
        actor = an_actor()
        with catalogue.transaction() as tx:
            tx.add_actor(actor)
        with catalogue.transaction() as tx:
            with pytest.raises(BadInput):
                tx.add_actor(an_actor(name_hash=actor.name_hash))
            tx.set_setting("still", b"working")
        with catalogue.transaction() as tx:
            assert tx.actor(actor.name_hash) == actor
            assert tx.actor(b"0" * 32) is None
            assert tx.setting("still") == b"working"

    def test_a_setting_is_replaced(self, catalogue: Catalogue) -> None:
        with catalogue.transaction() as tx:
            assert tx.setting("name") is None
            tx.set_setting("name", b"")
            assert tx.setting("name") == b""
            tx.set_setting("name", b"two")
            assert tx.setting("name") == b"two"
