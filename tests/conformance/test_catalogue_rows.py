"""Whatever the model can say, both databases give back unchanged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.archived import KEY_ID, a_key
from vault.model import Compartment, PrivacyLevel, State, new_id
from vault.ports import Catalogue, NewSession
from vault.rows import (
    ActorRow,
    JobRow,
    KeyRow,
    LookupRow,
    ObjectRow,
    RecordRow,
    SessionFilter,
    SessionRow,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
sealed = st.binary(max_size=5000)
hashes = st.binary(min_size=32, max_size=32)
whole = st.integers(-(2**63), 2**63 - 1)
instants = st.datetimes(timezones=st.just(UTC))
ids = st.builds(lambda said: new_id() + said, texts)

session_rows = st.builds(
    SessionRow,
    id=ids,
    tenant=texts,
    format=texts,
    state=st.sampled_from(State),
    started_at=instants,
    ended_at=instants,
    duration_ns=st.none() | whole,
    deposited_at=instants,
    deposited_by=texts,
    privacy_level=st.sampled_from(PrivacyLevel),
    class_name=texts,
    bucket=texts,
    jurisdictions=st.lists(texts, max_size=4).map(tuple),
    regimes=st.lists(texts, max_size=4).map(tuple),
    fingerprint=hashes,
    content_bytes=whole,
    metadata=sealed,
    timeline=sealed,
)
mine = st.just("")  # replaced by the id of the session that is drawn with it
objects = st.builds(
    ObjectRow,
    id=ids,
    session_id=mine,
    compartment=st.sampled_from(Compartment),
    kind=texts,
    store_key=texts,
    version=texts,
    size_bytes=whole,
    sha256=hashes,
    manifest=sealed,
    created_at=instants,
)
jobs = st.builds(
    JobRow,
    id=ids,
    name=texts,
    queue=texts,
    session_id=mine,
    version=whole,
    state=texts,
    attempts=whole,
    created_at=instants,
    sent_at=st.none() | instants,
    lease_until=st.none() | instants,
    error=st.none() | texts,
)
key_rows = st.builds(
    KeyRow,
    id=st.binary(min_size=16, max_size=16),
    tenant=ids,
    bucket=texts,
    generation=whole,
    state=texts.filter(lambda state: state != "destroyed"),
    wrapped=sealed,
    created_at=instants,
)
actors = st.builds(
    ActorRow,
    id=ids,
    name_hash=hashes,
    name=sealed,
    role=texts,
    token_hash=hashes,
    created_at=instants,
)


any_rows = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@any_rows
@given(session_rows, objects, jobs, texts, st.binary(min_size=32, max_size=32), sealed)
def test_a_session_with_its_rows_comes_back_unchanged(
    catalogue: Catalogue,
    session: SessionRow,
    held: ObjectRow,
    job: JobRow,
    kind: str,
    hashed: bytes,
    wrapped: bytes,
) -> None:
    held, job = replace(held, session_id=session.id), replace(job, session_id=session.id)
    record = RecordRow(session.id, Compartment.ORIGINAL, KEY_ID, wrapped)
    lookup = LookupRow(session.id, kind, hashed)
    with catalogue.transaction() as tx:
        tx.add_key(a_key())
        if tx.add_sessions([NewSession(session, [held], [record], [lookup], [job])]):
            return  # hypothesis drew a fingerprint again
    with catalogue.transaction() as tx:
        assert tx.session(session.id) == session
        assert tx.by_fingerprint(session.tenant, session.fingerprint) == session
        assert tx.objects(session.id) == [held]
        assert tx.record(session.id, record.compartment) == record
        assert tx.jobs(session.id) == [job]
        assert (held.store_key, held.version) in tx.known_store_keys([held.store_key])
        where = SessionFilter(
            lookups=[(kind, hashed)],
            format=session.format,
            state=session.state,
            class_name=session.class_name,
            jurisdiction=next(iter(session.jurisdictions), None),
            since=session.started_at,
            deposited_by=session.deposited_by,
        )
        assert session in tx.sessions(session.tenant, where, limit=1000)
        until = replace(where, since=None, until=session.started_at)
        assert session not in tx.sessions(session.tenant, until, limit=1000)


@any_rows
@given(key_rows, actors, texts, sealed)
def test_keys_actors_and_settings_come_back_unchanged(
    catalogue: Catalogue, key: KeyRow, actor: ActorRow, name: str, value: bytes
) -> None:
    with catalogue.transaction() as tx:
        tx.set_setting(name, value)
        known = tx.keys()
        if key.id not in {one.id for one in known}:
            tx.add_key(key)
            assert tx.key(key.id) == key
        if tx.actor(actor.name_hash) is None:
            tx.add_actor(actor)
            assert tx.actor(actor.name_hash) == actor
    with catalogue.transaction() as tx:
        assert tx.setting(name) == value


def test_the_first_and_the_last_instant_are_exact(catalogue: Catalogue) -> None:
    ends = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    with catalogue.transaction() as tx:
        for generation, end in enumerate(ends):
            tx.add_key(a_key(id=bytes([generation]) * 16, generation=generation, created_at=end))
        known = tx.keys()
    assert tuple(key.created_at for key in known) == ends
