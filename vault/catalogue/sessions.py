"""Sessions, the objects that hold them, and how they are found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, exists, func, select, update

from vault.catalogue.rows import Rows, found, values
from vault.catalogue.tables import (
    SAID_ONCE,
    applied,
    jobs,
    laws,
    lookups,
    objects,
    records,
    sessions,
)
from vault.model import State
from vault.ports import NewSession
from vault.rows import LookupRow, ObjectRow, Outline, RecordRow, SessionFilter, SessionRow


class Sessions(Rows):
    """The sessions of the Transaction port."""

    def add_sessions(self, new: Sequence[NewSession]) -> set[str]:
        # In order of fingerprint, so that two deposits of the same sessions wait for each
        # other instead of locking each other out; of equals within a batch the first wins.
        ordered = sorted(new, key=lambda one: (one.session.tenant, one.session.fingerprint))
        if not ordered:
            return set()
        added = self._insert_sessions([one.session for one in ordered])
        fresh = [one for one in ordered if one.session.id in added]
        self._add_all(objects, (row for one in fresh for row in one.objects))
        self._add_all(records, (row for one in fresh for row in one.records))
        self._add_new(lookups, [row for one in fresh for row in one.lookups])
        self._add_new(jobs, [row for one in fresh for row in one.jobs])
        self._add_new(applied, [row for one in fresh for row in one.applied])
        return {one.session.id for one in ordered} - added

    def _insert_sessions(self, rows: Sequence[SessionRow]) -> set[str]:
        """The ids of those whose fingerprint is new."""
        parameters, laws_of_all = [], []
        for row in rows:
            columns = values(row)
            del columns["jurisdictions"], columns["regimes"]
            parameters.append(columns)
        statement = (
            self._insert(sessions)
            .on_conflict_do_nothing(index_elements=SAID_ONCE[sessions])
            .returning(sessions.c.id)
        )
        added = set(self._run(statement, parameters).scalars())
        for row in rows:
            if row.id in added:
                laws_of_all += _laws_of(row)
        if laws_of_all:
            self._run(laws.insert(), laws_of_all)
        return added

    def _add_all(self, table: Table, rows: Iterable[ObjectRow | RecordRow]) -> None:
        parameters = [values(row) for row in rows]
        if parameters:
            self._run(table.insert(), parameters)

    def session(self, session_id: str) -> SessionRow:
        rows = self._sessions(select(sessions).where(sessions.c.id == session_id))
        return found(next(iter(rows), None), "session")

    def session_locked(self, session_id: str) -> SessionRow:
        this = select(sessions).where(sessions.c.id == session_id).with_for_update()
        return found(next(iter(self._sessions(this)), None), "session")

    def by_fingerprint(self, tenant: str, fingerprint: bytes) -> SessionRow | None:
        same = (sessions.c.tenant == tenant) & (sessions.c.fingerprint == fingerprint)
        return next(iter(self._sessions(select(sessions).where(same))), None)

    def sizes_among(self, tenant: str, sizes: Collection[int]) -> set[int]:
        same = (sessions.c.tenant == tenant) & sessions.c.content_bytes.in_(sizes)
        return set(self._run(select(sessions.c.content_bytes).where(same).distinct()).scalars())

    def lookups_among(self, kind: str, hashes: Collection[bytes]) -> set[bytes]:
        same = (lookups.c.kind == kind) & lookups.c.hash.in_(hashes)
        return set(self._run(select(lookups.c.hash).where(same).distinct()).scalars())

    def sessions(
        self, tenant: str, where: SessionFilter, *, limit: int, after: str | None = None
    ) -> Sequence[SessionRow]:
        page = select(sessions).where(*_conditions(tenant, where))
        if after is not None:
            page = page.where(sessions.c.id < after)
        return self._sessions(page.order_by(sessions.c.id.desc()).limit(limit))

    def outlines(
        self, tenant: str, where: SessionFilter, *, limit: int, after: str | None = None
    ) -> Sequence[Outline]:
        """The sessions of a look-up lie side by side: however many, a page of them is read."""
        page = select(sessions.c.id, sessions.c.class_name, sessions.c.content_bytes)
        at = sessions.c.id
        if where.lookups:
            (kind, hashed), *others = where.lookups
            same = (lookups.c.kind == kind) & (lookups.c.hash == hashed)
            page = page.join(lookups, lookups.c.session_id == sessions.c.id).where(same)
            at, where = lookups.c.session_id, replace(where, lookups=others)
        page = page.where(*_conditions(tenant, where))
        if after is not None:
            page = page.where(at < after)
        return self._select_all(Outline, page.order_by(at.desc()).limit(limit))

    def count_sessions(self, tenant: str, where: SessionFilter) -> int:
        counted = select(func.count()).select_from(sessions).where(*_conditions(tenant, where))
        return int(self._run(counted).scalar_one())

    def set_state(self, session_id: str, state: State) -> None:
        this = update(sessions).where(sessions.c.id == session_id)
        self._change(this.values(state=state), "session")

    def set_metadata(self, session_id: str, metadata: bytes) -> None:
        this = update(sessions).where(sessions.c.id == session_id)
        self._change(this.values(metadata=metadata), "session")

    def set_lookups(self, session_id: str, kind: str, hashes: Sequence[bytes]) -> None:
        these = (lookups.c.session_id == session_id) & (lookups.c.kind == kind)
        self._run(lookups.delete().where(these))
        self._add_new(lookups, [LookupRow(session_id, kind, digest) for digest in hashes])

    def lookups(self, session_id: str) -> Sequence[LookupRow]:
        """By kind and hash."""
        these = select(lookups).where(lookups.c.session_id == session_id)
        return self._select_all(LookupRow, these.order_by(lookups.c.kind, lookups.c.hash))

    def _sessions(self, statement: Select[Any]) -> list[SessionRow]:
        """The sessions a statement selects, each with its laws."""
        rows = self._run(statement).mappings().all()
        under = self._laws([row["id"] for row in rows])
        return [
            SessionRow(
                **row,
                jurisdictions=tuple(under[row["id"], "jurisdiction"]),
                regimes=tuple(under[row["id"], "regime"]),
            )
            for row in rows
        ]

    def _laws(self, session_ids: Sequence[str]) -> Mapping[tuple[str, str], list[str]]:
        under: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        if session_ids:
            named = select(laws.c.session_id, laws.c.kind, laws.c.name)
            these = named.where(self._among(laws.c.session_id, session_ids))
            for session_id, kind, name in self._run(these.order_by(laws.c.position)):
                under[session_id, kind].append(name)
        return under


class Objects(Rows):
    """The sealed objects of the Transaction port."""

    def add_object(self, row: ObjectRow) -> None:
        self._run(objects.insert(), values(row))

    def objects(self, session_id: str) -> Sequence[ObjectRow]:
        these = select(objects).where(objects.c.session_id == session_id)
        return self._select_all(ObjectRow, these.order_by(objects.c.id))

    def all_objects(self, *, limit: int, after: str | None = None) -> Sequence[ObjectRow]:
        page = select(objects).order_by(objects.c.id).limit(limit)
        if after is not None:
            page = page.where(objects.c.id > after)
        return self._select_all(ObjectRow, page)

    def known_store_keys(self, store_keys: Sequence[str]) -> set[tuple[str, str]]:
        known = select(objects.c.store_key, objects.c.version)
        these = self._run(known.where(self._among(objects.c.store_key, store_keys)))
        return {(store_key, version) for store_key, version in these}


def _laws_of(row: SessionRow) -> list[dict[str, object]]:
    return [
        {"session_id": row.id, "kind": kind, "position": position, "name": name}
        for kind, names in (("jurisdiction", row.jurisdictions), ("regime", row.regimes))
        for position, name in enumerate(names)
    ]


def _conditions(tenant: str, where: SessionFilter) -> list[ColumnElement[bool]]:
    """What a session must meet; each condition is served by an index of its own."""
    plain = {
        sessions.c.format: where.format,
        sessions.c.state: where.state,
        sessions.c.class_name: where.class_name,
        sessions.c.deposited_by: where.deposited_by,
    }
    conditions = [sessions.c.tenant == tenant]
    conditions += [column == wanted for column, wanted in plain.items() if wanted is not None]
    if where.since is not None:
        conditions.append(sessions.c.started_at >= where.since)
    if where.until is not None:
        conditions.append(sessions.c.started_at < where.until)
    if where.jurisdiction is not None:
        under = (laws.c.kind == "jurisdiction") & (laws.c.name == where.jurisdiction)
        conditions.append(sessions.c.id.in_(select(laws.c.session_id).where(under)))
    for kind, hashed in where.lookups:
        same = (lookups.c.kind == kind) & (lookups.c.hash == hashed)
        conditions.append(sessions.c.id.in_(select(lookups.c.session_id).where(same)))
    other = lookups.alias()
    for kind, hashed in where.none_of:
        same = (other.c.kind == kind) & (other.c.hash == hashed)
        conditions.append(~exists().where(same, other.c.session_id == sessions.c.id))
    return conditions
