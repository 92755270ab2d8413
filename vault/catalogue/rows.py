"""Statements in, values out: what every part of a transaction stands on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Executable,
    Select,
    Table,
    Text,
    any_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import sqlite

from vault.catalogue.columns import storable
from vault.catalogue.failures import Judge, translated
from vault.catalogue.tables import SAID_ONCE
from vault.errors import NotFound
from vault.rows import (
    ActorRow,
    ActRow,
    AppliedRow,
    ConsentRow,
    DisposalRow,
    EvidenceRow,
    HoldRow,
    JobRow,
    KeyRow,
    LookupRow,
    ObjectRow,
    PlanRow,
    RecordRow,
    RequestRow,
    ScopeRow,
    SessionRow,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_RowT = TypeVar("_RowT")
#: What the catalogue can keep, field by field.
Row: TypeAlias = (
    SessionRow
    | AppliedRow
    | ObjectRow
    | KeyRow
    | RecordRow
    | LookupRow
    | JobRow
    | ActorRow
    | HoldRow
    | ScopeRow
    | ConsentRow
    | RequestRow
    | PlanRow
    | DisposalRow
    | EvidenceRow
    | ActRow
)
_FIELDS: dict[type, tuple[Sequence[str], attrgetter[tuple[object, ...]]]] = {
    kind: (names, attrgetter(*names))
    for kind, names in ((k, [f.name for f in fields(k)]) for k in get_args(Row))
}
Insert: TypeAlias = "sqlite.Insert | postgresql.Insert"
Answer: TypeAlias = "CursorResult[*tuple[Any, ...]]"
Parameters: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]]


class Rows:
    """Runs statements on one connection and turns rows into the values of vault.model.

    After a statement has failed nothing more can be done in the transaction, and it cannot
    be committed: PostgreSQL would answer a commit by rolling back without a word.
    """

    def __init__(self, connection: Connection, judge: Judge) -> None:
        self._connection = connection
        self._judge = judge
        self.failure: Exception | None = None

    def _run(self, statement: Executable, parameters: Parameters | None = None) -> Answer:
        """Execute. Raises only vault.errors or ValueError, and the same again once it has."""
        if self.failure is not None:
            raise self.failure
        try:
            with translated(self._judge):
                return self._connection.execute(statement, parameters)
        except Exception as failure:
            self.failure = failure
            raise

    def _insert(self, table: Table) -> Insert:
        """An INSERT that can say ON CONFLICT, which both databases spell the same."""
        if self._connection.dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql  # where its engine has imported it already

            return postgresql.insert(table)
        return sqlite.insert(table)

    def _add_new(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert those of `rows` that are new; see SAID_ONCE."""
        if rows:
            statement = self._insert(table).on_conflict_do_nothing(index_elements=SAID_ONCE[table])
            self._run(statement, [values(row) for row in rows])

    def _add_if_new(self, table: Table, row: Row) -> bool:
        """Insert `row`; False, and nothing done, if it is not new."""
        statement = self._insert(table).on_conflict_do_nothing(index_elements=SAID_ONCE[table])
        return self._run(statement.returning(*table.primary_key), values(row)).first() is not None

    def _select_all(self, kind: type[_RowT], statement: Select[Any]) -> list[_RowT]:
        return [kind(**row) for row in self._run(statement).mappings()]

    def _select_one(self, kind: type[_RowT], statement: Select[Any]) -> _RowT | None:
        row = self._run(statement).mappings().first()
        return None if row is None else kind(**row)

    def _counts(self, column: Column[_RowT], table: Table) -> dict[_RowT, int]:
        """How many rows there are for each value of `column`."""
        counted = select(column, func.count()).select_from(table).group_by(column)
        return dict(self._run(counted).all())

    def _change(self, statement: Executable, what: str) -> None:
        """Run an UPDATE that must meet its row. Raises `NotFound`."""
        if self._run(statement).rowcount == 0:
            raise NotFound(f"There is no such {what} in this archive.")

    def _among(self, column: ColumnElement[str], texts: Iterable[str]) -> ColumnElement[bool]:
        """`column` is one of `texts`: however many, in a single bound value."""
        wanted = [storable(one) for one in texts]
        if self._connection.dialect.name == "postgresql":
            return column == any_(literal(wanted, ARRAY(Text)))
        listed = func.json_each(json.dumps(wanted)).table_valued("value")
        return column.in_(select(listed.c.value))


def values(row: Row) -> dict[str, object]:
    """The fields of a row value by name, without copying what they hold."""
    names, get = _FIELDS[type(row)]
    return dict(zip(names, get(row), strict=True))


def found(row: _RowT | None, what: str) -> _RowT:
    """`row` itself. Raises `NotFound` naming `what` where there is none."""
    if row is None:
        raise NotFound(f"There is no such {what} in this archive.")
    return row
