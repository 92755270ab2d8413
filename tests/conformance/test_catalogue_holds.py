"""Legal holds in the catalogue, and its guards, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.conformance.archived import HOUR, NOON, TENANT, a_deposit, connected, stored
from vault.errors import BadInput, NotFound, Refused
from vault.model import Compartment, State, new_id
from vault.ports import Catalogue, NewSession, Transaction
from vault.rows import DisposalRow, HoldRow, Outline, RequestRow, ScopeRow, SessionFilter

MOMENT = 0.3
ALL = [Compartment.ORIGINAL, Compartment.TIMELINE, Compartment.METADATA]
PROTECTING = ("proposed", "active", "awaiting-approval")


def a_hold(**changes: Any) -> HoldRow:
    row = HoldRow(new_id(), TENANT, "active", False, False, NOON, "owner", b"sealed matter")
    return replace(row, **changes)


def held(catalogue: Catalogue, *deposits: NewSession, **changes: Any) -> HoldRow:
    """A hold that has these as members."""
    hold = a_hold(**changes)
    with catalogue.transaction() as tx:
        tx.add_hold(replace(hold, state="proposed"), [])
        tx.add_members(hold.id, [one.session.id for one in deposits])
        tx.set_hold(hold)
    return hold


def destroy(catalogue: Catalogue, deposit: NewSession) -> int:
    with catalogue.transaction() as tx:
        return tx.destroy_records(deposit.session.id, ALL)


def released(catalogue: Catalogue, hold: HoldRow) -> None:
    with catalogue.transaction() as tx:
        tx.set_hold(replace(tx.hold(hold.id), state="released", released_at=NOON))


def refused_in_sql(catalogue: Catalogue, statement: str) -> None:
    """A hand at the SQL prompt is refused by the database itself."""
    with (
        pytest.raises(Exception, match=r"guard|a hold stands|never"),
        connected(catalogue) as connection,
    ):
        connection.execute(text(statement))


class TestGuards:
    @pytest.mark.parametrize("state", PROTECTING)
    def test_no_key_of_a_held_session_can_be_destroyed(
        self, catalogue: Catalogue, state: str
    ) -> None:
        deposit, free = a_deposit(), a_deposit()
        stored(catalogue, deposit, free)
        held(catalogue, deposit, state=state)
        with pytest.raises(Refused):
            destroy(catalogue, deposit)
        refused_in_sql(catalogue, "DELETE FROM records")
        with catalogue.transaction() as tx:
            assert len(tx.records(deposit.session.id)) == 3
        assert destroy(catalogue, free) == 3

    def test_a_record_is_not_given_to_another_session_to_end_there(
        self, catalogue: Catalogue
    ) -> None:
        deposit, free = a_deposit(), a_deposit()
        stored(catalogue, deposit, free)
        held(catalogue, deposit)
        destroy(catalogue, free)
        refused_in_sql(catalogue, f"UPDATE records SET session_id = '{free.session.id}'")  # noqa: S608  an id of ours

    def test_of_two_holds_one_released_still_holds(self, catalogue: Catalogue) -> None:
        deposit = a_deposit()
        stored(catalogue, deposit)
        first, second = held(catalogue, deposit), held(catalogue, deposit)
        released(catalogue, first)
        with pytest.raises(Refused):
            destroy(catalogue, deposit)
        released(catalogue, second)
        assert destroy(catalogue, deposit) == 3

    def test_members_stay_while_the_hold_stands(self, catalogue: Catalogue) -> None:
        deposit, other = a_deposit(), a_deposit()
        stored(catalogue, deposit, other)
        hold = held(catalogue, deposit)
        refused_in_sql(catalogue, "DELETE FROM hold_members")
        moved = f"UPDATE hold_members SET session_id = '{other.session.id}'"  # noqa: S608  an id of ours
        refused_in_sql(catalogue, moved)
        released(catalogue, hold)
        refused_in_sql(catalogue, moved)

    def test_a_hold_is_never_deleted_and_a_released_one_stays_so(
        self, catalogue: Catalogue
    ) -> None:
        deposit = a_deposit()
        stored(catalogue, deposit)
        hold = held(catalogue, deposit)
        released(catalogue, hold)
        for state in PROTECTING:
            with pytest.raises(Refused), catalogue.transaction() as tx:
                tx.set_hold(replace(hold, state=state))
        refused_in_sql(catalogue, "DELETE FROM holds")
        with catalogue.transaction() as tx:
            assert tx.hold(hold.id).state == "released"
            tx.set_hold(replace(tx.hold(hold.id), details=b"said more"))

    def test_nothing_that_protects_is_emptied_at_once(self, catalogue: Catalogue) -> None:
        stored(catalogue, deposit := a_deposit())
        held(catalogue, deposit)
        verb = "TRUNCATE" if catalogue.url.startswith("postgres") else "DELETE FROM"
        refused_in_sql(catalogue, f"{verb} records")
        refused_in_sql(catalogue, f"{verb} hold_members")
        cascade = " CASCADE" if verb == "TRUNCATE" else ""
        refused_in_sql(catalogue, f"{verb} holds{cascade}")


class TestMembers:
    def test_they_are_counted_once_and_come_in_order(self, catalogue: Catalogue) -> None:
        deposits = [a_deposit() for _ in range(5)]
        ids = sorted(one.session.id for one in deposits)
        stored(catalogue, *deposits)
        hold = held(catalogue, *deposits[:2])
        with catalogue.transaction() as tx:
            assert tx.add_members(hold.id, [*ids, ids[0]]) == 3
            assert tx.add_members(hold.id, []) == 0
            assert tx.count_members(hold.id) == 5
            assert list(tx.members(hold.id, limit=3)) == ids[:3]
            assert list(tx.members(hold.id, limit=3, after=ids[2])) == ids[3:]
            assert [one.id for one in tx.holds_on(ids[4])] == [hold.id]

    def test_one_that_is_not_there_makes_none_a_member(self, catalogue: Catalogue) -> None:
        stored(catalogue, deposit := a_deposit())
        with pytest.raises(NotFound):
            held(catalogue, deposit, a_deposit())
        with catalogue.transaction() as tx:
            assert tx.holds(TENANT) == []
            assert tx.holds_on(deposit.session.id) == []

    def test_a_hold_keeps_every_field_and_an_unknown_one_is_not_found(
        self, catalogue: Catalogue
    ) -> None:
        whole = a_hold(
            state="released",
            future=True,
            preserve_unredacted=True,
            placed_at=NOON,
            placed_by="one",
            release_asked_by="two",
            released_at=NOON + HOUR,
            released_by="three",
            grace_until=NOON + 336 * HOUR,
        )
        with catalogue.transaction() as tx:
            tx.add_hold(whole, [])
        with pytest.raises(BadInput), catalogue.transaction() as tx:
            tx.add_hold(whole, [])
        with catalogue.transaction() as tx:
            assert (tx.hold(whole.id), tx.holds(TENANT), tx.holds("other")) == (whole, [whole], [])
            with pytest.raises(NotFound):
                tx.hold(new_id())
        with pytest.raises(NotFound), catalogue.transaction() as tx:
            tx.set_hold(a_hold())

    def test_what_comes_is_caught_by_any_look_up_until_the_release(
        self, catalogue: Catalogue
    ) -> None:
        subject, tag = ("subject", b"s" * 32), ("tag", b"t" * 32)
        waits, past = a_hold(future=True), a_hold(future=False)
        with catalogue.transaction() as tx:
            for hold in (waits, past):
                tx.add_hold(hold, [ScopeRow(hold.id, *subject), ScopeRow(hold.id, *tag)])
            assert tx.future_holds([("agent", b"s" * 32)]) == []
            assert tx.future_holds([]) == []
            assert tx.future_holds([subject, tag]) == [waits.id]
        released(catalogue, waits)
        with catalogue.transaction() as tx:
            assert tx.future_holds([subject]) == []


class TestScope:
    def test_sessions_of_a_look_up_are_found_page_by_page_without_anything_sealed(
        self, catalogue: Catalogue
    ) -> None:
        anne, red = ("subject", b"a" * 32), ("tag", b"r" * 32)
        both = a_deposit(lookups=[anne, red])
        late = a_deposit(lookups=[red], started_at=NOON + HOUR, class_name="long", content_bytes=7)
        stored(catalogue, both, late, a_deposit())
        where = SessionFilter(lookups=[red])
        with catalogue.transaction() as tx:
            found = tx.outlines(TENANT, where, limit=10)
            ids = sorted([late.session.id, both.session.id], reverse=True)
            assert [one.id for one in found] == ids
            assert Outline(late.session.id, "long", 7) in found
            assert tx.count_sessions(TENANT, where) == 2
            (first,) = tx.outlines(TENANT, where, limit=1)
            (second,) = tx.outlines(TENANT, where, limit=1, after=first.id)
            assert [first, second] == list(found)
            assert tx.outlines(TENANT, replace(where, lookups=[red, anne]), limit=9) == [
                Outline(both.session.id, "short", 1000)
            ]
            beside = replace(where, none_of=[anne])
            assert [o.id for o in tx.outlines(TENANT, beside, limit=9)] == [late.session.id]
            bounded = replace(where, since=NOON + HOUR)
            assert [o.id for o in tx.outlines(TENANT, bounded, limit=9)] == [late.session.id]

    def test_disposals_and_requests_of_many_sessions_are_found_at_once(
        self, catalogue: Catalogue
    ) -> None:
        subject = ("subject", b"a" * 32)
        first, second, other = (
            a_deposit(lookups=[subject]),
            a_deposit(lookups=[subject]),
            a_deposit(),
        )
        stored(catalogue, first, second, other)
        ids = [one.session.id for one in (first, second, other)]
        asked = RequestRow(
            new_id(), TENANT, "erasure", "gdpr", b"a" * 32, "received", NOON, NOON, "dpo", b""
        )
        gone = DisposalRow(new_id(), TENANT, ids[0], "plan", "p", "certified", NOON, b"{}")
        with catalogue.transaction() as tx:
            tx.add_request(asked)
            tx.add_disposal(gone)
            assert tx.disposals_among(ids) == [gone]
            assert tx.disposals_among(ids[1:]) == []
            assert tx.asked_among(ids) == {asked.id: 2}
            assert tx.asked_among(ids[1:]) == {asked.id: 1}
            assert tx.asked_among([other.session.id]) == {}

    def test_what_was_held_is_due_at_the_end_of_the_grace_at_the_latest(
        self, catalogue: Catalogue
    ) -> None:
        when = {None: NOON, NOON + HOUR: NOON, NOON - HOUR: NOON - HOUR}
        deposits = [a_deposit(due_at=due) for due in when]
        erased = a_deposit(state=State.ERASED)
        untouched = a_deposit(due_at=NOON + timedelta(days=9))
        stored(catalogue, *deposits, erased, untouched)
        with catalogue.transaction() as tx:
            tx.bring_forward([one.session.id for one in (*deposits, erased)], NOON)
            found = [tx.session(one.session.id).due_at for one in deposits]
            assert found == list(when.values())
            assert tx.session(erased.session.id).due_at is None
            assert tx.session(untouched.session.id).due_at == untouched.session.due_at


class TestTogether:
    def test_a_hold_waits_for_the_destroying_that_came_first_and_sees_it(
        self, catalogue: Catalogue
    ) -> None:
        stored(catalogue, deposit := a_deposit())
        hold = a_hold()
        left: list[int] = []

        def place(tx: Transaction) -> None:
            tx.add_hold(hold, [])
            tx.add_members(hold.id, [deposit.session.id])
            left.append(len(tx.records(deposit.session.id)))

        ended = meanwhile(catalogue, lambda tx: tx.destroy_records(deposit.session.id, ALL), place)
        assert (ended, left) == ("waited", [0])

    def test_destroying_waits_for_the_hold_that_came_first_and_is_refused(
        self, catalogue: Catalogue
    ) -> None:
        stored(catalogue, deposit := a_deposit())
        hold = a_hold()

        def place(tx: Transaction) -> None:
            tx.add_hold(hold, [])
            tx.add_members(hold.id, [deposit.session.id])

        with pytest.raises(Refused):
            meanwhile(catalogue, place, lambda tx: tx.destroy_records(deposit.session.id, ALL))
        with catalogue.transaction() as tx:
            assert len(tx.records(deposit.session.id)) == 3

    def test_deposits_share_the_gate_and_a_hold_on_the_future_is_alone_in_it(
        self, catalogue: Catalogue
    ) -> None:
        def deposits(tx: Transaction) -> None:
            tx.gate(alone=False)

        def places(tx: Transaction) -> None:
            tx.gate(alone=True)

        assert meanwhile(catalogue, deposits, places) == "waited"
        assert meanwhile(catalogue, places, deposits) == "waited"
        assert meanwhile(catalogue, places, places) == "waited"
        together = "went on" if catalogue.url.startswith("postgres") else "waited"
        assert meanwhile(catalogue, deposits, deposits) == together


def meanwhile(
    catalogue: Catalogue,
    first: Callable[[Transaction], object],
    second: Callable[[Transaction], object],
) -> str:
    """Run `second` in a transaction begun while `first`'s is still open; what it did then."""

    def other() -> None:
        with catalogue.transaction() as tx:
            second(tx)

    with ThreadPoolExecutor(1) as pool:
        with catalogue.transaction() as tx:
            first(tx)
            running = pool.submit(other)
            time.sleep(MOMENT)
            happened = "went on" if running.done() else "waited"
        running.result(30)
    return happened
