"""What every catalogue promises, asked of SQLite and of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.archived import (
    HOUR,
    KEY_ID,
    NOON,
    TENANT,
    a_deposit,
    a_key,
    an_object,
    stored,
)
from vault.catalogue import open_catalogue
from vault.errors import NotFound
from vault.model import Compartment, State, new_id
from vault.ports import Catalogue, Transaction
from vault.rows import RecordRow, SessionFilter


class TestTransactions:
    def test_any_exception_rolls_back_and_passes_unchanged(self, catalogue: Catalogue) -> None:
        class Sudden(BaseException):
            pass

        for kind in (RuntimeError, Sudden):
            with pytest.raises(kind):
                done_at_once(
                    catalogue,
                    lambda tx: tx.add_key(a_key()),
                    lambda tx: tx.add_sessions([a_deposit()]),
                    lambda _, kind=kind: fail(kind),  # type: ignore[misc] # a bound default
                )
        with catalogue.transaction() as tx:
            assert tx.count_sessions(TENANT, SessionFilter()) == 0
            assert tx.keys() == []

    def test_a_failed_statement_cannot_be_swallowed_and_committed(
        self, catalogue: Catalogue
    ) -> None:
        def swallow(tx: Transaction) -> None:
            with pytest.raises(NotFound):
                tx.add_object(an_object(new_id()))
            with pytest.raises(NotFound):
                tx.set_setting("after", b"1")

        with pytest.raises(NotFound):
            done_at_once(catalogue, lambda tx: tx.set_setting("before", b"1"), swallow)
        with catalogue.transaction() as tx:
            assert tx.setting("before") is None

    def test_what_is_not_there_can_be_caught_and_the_work_goes_on(
        self, catalogue: Catalogue
    ) -> None:
        with catalogue.transaction() as tx:
            with pytest.raises(NotFound):
                tx.session(new_id())
            tx.set_setting("name", b"value")
        with catalogue.transaction() as tx:
            assert tx.setting("name") == b"value"

    @pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
    def test_text_that_not_every_database_can_keep_is_refused(
        self, catalogue: Catalogue, bad: str
    ) -> None:
        asked: list[Callable[[Transaction], object]] = [
            lambda tx: tx.session(bad),
            lambda tx: tx.set_setting(bad, b""),
            lambda tx: tx.mark_sent([bad], NOON),
            lambda tx: tx.known_store_keys([bad]),
            lambda tx: tx.add_sessions([a_deposit(jurisdictions=(bad,))]),
            lambda tx: tx.sessions(TENANT, SessionFilter(format=bad), limit=1),
        ]
        for ask in asked:
            with pytest.raises(ValueError, match="Text") as caught:
                done_at_once(catalogue, lambda tx: tx.add_key(a_key()), ask)
            assert bad not in str(caught.value)

    def test_values_that_fit_no_column_are_refused(self, catalogue: Catalogue) -> None:
        changes: list[dict[str, Any]] = [
            {"content_bytes": 2**63},
            {"started_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - the point
        ]
        for change in changes:
            with pytest.raises(ValueError, match=r"large|aware"):
                stored(catalogue, a_deposit(**change))

    def test_instants_of_any_zone_come_back_in_utc(self, catalogue: Catalogue) -> None:
        east = timezone(timedelta(hours=5, minutes=45))
        deposit = a_deposit(started_at=NOON.astimezone(east))
        stored(catalogue, deposit)
        with catalogue.transaction() as tx:
            assert tx.session(deposit.session.id).started_at == NOON
            assert tx.session(deposit.session.id).started_at.tzinfo is UTC

    def test_a_probe_finds_a_sound_catalogue(self, catalogue: Catalogue) -> None:
        found = {finding.name: finding for finding in catalogue.probe()}
        assert set(found) >= {"catalogue-reachable", "catalogue-schema", "catalogue-durable"}
        assert found["catalogue-reachable"].ok
        assert found["catalogue-schema"].ok
        assert found["catalogue-readable"].ok
        # The PostgreSQL of the tests runs with fsync off, and must be told on.
        assert found["catalogue-durable"].ok == catalogue.url.startswith("sqlite")

    def test_a_probe_of_nothing_does_not_raise(self, catalogue_url: str, tmp_path: Path) -> None:
        catalogue = open_catalogue(catalogue_url, home=tmp_path)
        assert not all(finding.ok for finding in catalogue.probe())


class TestSessions:
    def test_a_deposit_comes_back_as_it_was_given(self, catalogue: Catalogue) -> None:
        deposit = a_deposit(jobs=2)
        assert stored(catalogue, deposit) == set()
        row = deposit.session
        with catalogue.transaction() as tx:
            assert tx.session(row.id) == row
            assert tx.by_fingerprint(TENANT, row.fingerprint) == row
            assert tx.objects(row.id) == deposit.objects
            assert [tx.record(row.id, r.compartment) for r in deposit.records] == deposit.records
            assert sorted(tx.jobs(row.id), key=lambda job: job.version) == deposit.jobs
            for lookup in deposit.lookups:
                where = SessionFilter(lookups=[(lookup.kind, lookup.hash)])
                assert tx.sessions(TENANT, where, limit=9) == [row]

    def test_the_same_fingerprint_is_left_out_with_all_its_rows(self, catalogue: Catalogue) -> None:
        first, other = a_deposit(), a_deposit()
        again = a_deposit(fingerprint=first.session.fingerprint)
        stored(catalogue, first)
        assert stored(catalogue, again, other) == {again.session.id}
        with catalogue.transaction() as tx:
            assert tx.by_fingerprint(TENANT, first.session.fingerprint) == first.session
            with pytest.raises(NotFound):
                tx.session(again.session.id)
            assert tx.objects(again.session.id) == []
            assert tx.jobs(again.session.id) == []
            assert tx.session(other.session.id) == other.session
            assert tx.count_records() == {KEY_ID: 6}

    def test_of_duplicates_in_one_batch_the_first_goes_in(self, catalogue: Catalogue) -> None:
        first = a_deposit()
        twins = [a_deposit(fingerprint=first.session.fingerprint) for _ in range(2)]
        assert stored(catalogue, first, *twins) == {twin.session.id for twin in twins}

    def test_the_very_same_deposit_again_is_left_out(self, catalogue: Catalogue) -> None:
        deposit = a_deposit()
        stored(catalogue, deposit)
        assert stored(catalogue, deposit) == {deposit.session.id}

    def test_another_tenants_fingerprint_is_new(self, catalogue: Catalogue) -> None:
        mine = a_deposit()
        theirs = a_deposit(tenant="other", fingerprint=mine.session.fingerprint)
        assert stored(catalogue, mine, theirs) == set()
        with catalogue.transaction() as tx:
            assert tx.by_fingerprint("other", mine.session.fingerprint) == theirs.session
            assert tx.by_fingerprint("third", mine.session.fingerprint) is None

    def test_nothing_and_many_can_be_added(self, catalogue: Catalogue) -> None:
        assert stored(catalogue) == set()
        assert stored(catalogue, *(a_deposit(jobs=0) for _ in range(2500))) == set()
        with catalogue.transaction() as tx:
            assert tx.count_sessions(TENANT, SessionFilter()) == 2500
            assert tx.count_records() == {KEY_ID: 7500}

    def test_a_lookup_named_twice_is_kept_once(self, catalogue: Catalogue) -> None:
        deposit = a_deposit(lookups=[("tag", b"t" * 32), ("tag", b"t" * 32)])
        assert stored(catalogue, deposit) == set()

    def test_a_record_without_its_key_is_refused(self, catalogue: Catalogue) -> None:
        with pytest.raises(NotFound), catalogue.transaction() as tx:
            tx.add_sessions([a_deposit()])

    def test_sizes_are_known_by_tenant(self, catalogue: Catalogue) -> None:
        stored(catalogue, a_deposit(content_bytes=2**40))
        with catalogue.transaction() as tx:
            assert tx.sizes_among(TENANT, {2**40, 2**40 + 1}) == {2**40}
            assert tx.sizes_among(TENANT, set()) == set()
            assert tx.sizes_among("other", {2**40}) == set()

    def test_look_ups_of_a_batch_are_known_by_kind(self, catalogue: Catalogue) -> None:
        stored(catalogue, a_deposit(lookups=[("tag", b"t" * 32), ("agent", b"a" * 32)]))
        with catalogue.transaction() as tx:
            assert tx.lookups_among("tag", {b"t" * 32, b"a" * 32}) == {b"t" * 32}
            assert tx.lookups_among("tag", set()) == set()

    def test_pages_run_from_the_newest_to_the_oldest_without_gaps(
        self, catalogue: Catalogue
    ) -> None:
        ids = [f"id-{n:03}" for n in range(25)]
        stored(catalogue, *(a_deposit(id=i) for i in ids), a_deposit(tenant="other"))
        seen: list[str] = []
        with catalogue.transaction() as tx:
            while page := tx.sessions(
                TENANT, SessionFilter(), limit=10, after=seen[-1] if seen else None
            ):
                seen += [row.id for row in page]
        assert seen == ids[::-1]

    def test_ids_are_ordered_by_code_point(self, catalogue: Catalogue) -> None:
        ids = ["a-b", "ab", "a_b", "B", "á", "a", "Z", "\U0001f600", "\uffff"]
        stored(catalogue, *(a_deposit(id=i) for i in ids))
        with catalogue.transaction() as tx:
            page = tx.sessions(TENANT, SessionFilter(), limit=99)
        assert [row.id for row in page] == sorted(ids, reverse=True)

    @pytest.mark.parametrize(
        ("odd", "where"),
        [
            ({"format": "ogg"}, SessionFilter(format="ogg")),
            ({"state": State.READY}, SessionFilter(state=State.READY)),
            ({"class_name": "long"}, SessionFilter(class_name="long")),
            ({"jurisdictions": ("FR", "CH")}, SessionFilter(jurisdiction="CH")),
            ({"deposited_by": "agent-7"}, SessionFilter(deposited_by="agent-7")),
            ({"started_at": NOON - HOUR}, SessionFilter(until=NOON)),
            ({"started_at": NOON + HOUR}, SessionFilter(since=NOON + HOUR)),
            ({"lookups": [("tag", b"x" * 32)]}, SessionFilter(lookups=[("tag", b"x" * 32)])),
        ],
    )
    def test_each_condition_finds_the_one_it_names(
        self, catalogue: Catalogue, odd: dict[str, Any], where: SessionFilter
    ) -> None:
        wanted = a_deposit(**odd)
        stored(catalogue, a_deposit(), wanted, a_deposit(), a_deposit(tenant="other", **odd))
        with catalogue.transaction() as tx:
            assert tx.sessions(TENANT, where, limit=9) == [wanted.session]
            assert tx.count_sessions(TENANT, where) == 1

    def test_conditions_narrow_each_other(self, catalogue: Catalogue) -> None:
        subject, tag = ("subject", b"s" * 32), ("tag", b"t" * 32)
        both = a_deposit(lookups=[subject, tag], format="ogg")
        stored(
            catalogue,
            both,
            a_deposit(lookups=[subject, tag]),
            a_deposit(lookups=[subject], format="ogg"),
            a_deposit(lookups=[("tag", subject[1]), ("subject", tag[1])], format="ogg"),
        )
        where = SessionFilter(
            lookups=[subject, tag],
            format="ogg",
            jurisdiction="US-CA",
            since=NOON,
            until=NOON + HOUR,
        )
        with catalogue.transaction() as tx:
            assert tx.sessions(TENANT, where, limit=9) == [both.session]
            assert tx.count_sessions(TENANT, where) == 1
            assert tx.count_sessions(TENANT, replace(where, until=NOON)) == 0
            assert tx.count_sessions(TENANT, replace(where, jurisdiction="gdpr")) == 0

    def test_state_and_metadata_change_and_nothing_else(self, catalogue: Catalogue) -> None:
        deposit, other = a_deposit(), a_deposit()
        stored(catalogue, deposit, other)
        with catalogue.transaction() as tx:
            tx.set_state(deposit.session.id, State.READY)
            tx.set_metadata(deposit.session.id, b"resealed")
        with catalogue.transaction() as tx:
            changed = replace(deposit.session, state=State.READY, metadata=b"resealed")
            assert tx.session(deposit.session.id) == changed
            assert tx.session(other.session.id) == other.session

    def test_look_ups_of_one_kind_are_replaced_and_the_others_stay(
        self, catalogue: Catalogue
    ) -> None:
        deposit, other = a_deposit(), a_deposit()
        stored(catalogue, deposit, other)
        kind = deposit.lookups[0].kind
        with catalogue.transaction() as tx:
            assert tx.session_locked(deposit.session.id) == deposit.session
            tx.set_lookups(deposit.session.id, "tag", [b"1" * 32, b"2" * 32])
            tx.set_lookups(deposit.session.id, "tag", [b"2" * 32, b"3" * 32])
            with pytest.raises(NotFound):
                tx.session_locked(new_id())

        def found(*lookups: tuple[str, bytes]) -> list[str]:
            with catalogue.transaction() as tx:
                where = SessionFilter(lookups=lookups)
                return [s.id for s in tx.sessions(TENANT, where, limit=9)]

        assert found(("tag", b"1" * 32)) == []
        assert found(("tag", b"2" * 32), ("tag", b"3" * 32)) == [deposit.session.id]
        if kind != "tag":
            assert deposit.session.id in found((kind, deposit.lookups[0].hash))

    def test_changing_what_is_not_there_is_never_a_success(self, catalogue: Catalogue) -> None:
        nowhere = new_id()
        asked: list[Callable[[Transaction], object]] = [
            lambda tx: tx.set_state(nowhere, State.READY),
            lambda tx: tx.set_metadata(nowhere, b""),
            lambda tx: tx.set_key(b"0" * 16, state="retired", wrapped=b""),
            lambda tx: tx.replace_record(RecordRow(nowhere, Compartment.ORIGINAL, KEY_ID, b"")),
            lambda tx: tx.end_job(nowhere, error=None),
            lambda tx: tx.return_job(nowhere, error="x"),
            lambda tx: tx.destroy_unused_key(b"0" * 16),
            lambda tx: tx.record(nowhere, Compartment.ORIGINAL),
            lambda tx: tx.key(b"0" * 16),
        ]
        with catalogue.transaction() as tx:
            for ask in asked:
                with pytest.raises(NotFound):
                    ask(tx)


class TestObjects:
    def test_objects_are_listed_by_session_and_page_by_page(self, catalogue: Catalogue) -> None:
        deposit = a_deposit()
        stored(catalogue, deposit)
        more = [an_object(deposit.session.id) for _ in range(4)]
        with catalogue.transaction() as tx:
            for row in more:
                tx.add_object(row)
        everything = sorted([*deposit.objects, *more], key=lambda row: row.id)
        with catalogue.transaction() as tx:
            assert tx.objects(deposit.session.id) == everything
            assert tx.all_objects(limit=3) == everything[:3]
            assert tx.all_objects(limit=3, after=everything[2].id) == everything[3:]

    def test_known_store_keys_answers_versions_for_any_number_of_keys(
        self, catalogue: Catalogue
    ) -> None:
        deposit = a_deposit()
        stored(catalogue, deposit)
        second = an_object(deposit.session.id, store_key="o/two", version="v1")
        third = an_object(deposit.session.id, store_key="o/two", version="v2")
        with catalogue.transaction() as tx:
            tx.add_object(second)
            tx.add_object(third)
            assert tx.known_store_keys([]) == set()
            asked = ["o/two", "o/none", *(f"o/{n}" for n in range(70_000))]
            assert tx.known_store_keys(asked) == {("o/two", "v1"), ("o/two", "v2")}


def done_at_once(catalogue: Catalogue, *steps: Callable[[Transaction], object]) -> None:
    with catalogue.transaction() as tx:
        for step in steps:
            step(tx)


def fail(kind: type[BaseException]) -> None:
    raise kind
